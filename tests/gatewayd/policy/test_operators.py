"""Numbers as files spell them, the blocks they lie in, and where an agent may be used."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gatewayd.policy.operators import (
    UNKNOWN,
    AgentState,
    Enrolment,
    LineFault,
    Ported,
    PrefixTable,
    e164_of,
    operator_word,
    read_names,
    read_ported,
    read_prefixes,
)

SHIPPED = Path(__file__).parents[3] / "conf" / "numbers"
NAMES = {"frte": "orange", "sfr0": "sfr"}
HEADINGS = "EZABPQM;Tranche_Debut;Tranche_Fin;Mnémo;Territoire;Date_Attribution"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("+33612345678", "33612345678"),
        ("0033612345678", "33612345678"),
        ("33612345678", "33612345678"),
        ("0612345678", "33612345678"),
        (" 06 12 34 56 78 ", "33612345678"),
        ("06.12.34.56.78", "33612345678"),
        ("0690123456", "590690123456"),
        ("0694123456", "594694123456"),
        ("0696123456", "596696123456"),
        ("0692123456", "262692123456"),
        ("0639123456", "262639123456"),
        ("0708412345", "508708412345"),
        ("0709012345", "590709012345"),
        ("0709312345", "594709312345"),
        ("0709351234", "262709351234"),
        ("0709412345", "33709412345"),
        ("+68987123456", "68987123456"),
    ],
)
def test_one_form_of_a_number(text: str, canonical: str) -> None:
    assert e164_of(text) == canonical


@pytest.mark.parametrize("text", ["", "abc", "+", "118218", "0612", "00", "33" + "6" * 14, "٣٣٦١٢٣٤٥٦٧٨", "061234567"])
def test_what_is_no_number_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(LineFault) as refusal:
        e164_of(text)
    assert not text or text not in str(refusal.value)


def test_the_longest_prefix_decides() -> None:
    table = PrefixTable({"336": "sfr", "33607": "orange", "336071": "free"})
    assert [table.operator_of(handset) for handset in ("33601", "33607999", "33607199", "34600", "")] == [
        "sfr",
        "orange",
        "free",
        UNKNOWN,
        UNKNOWN,
    ]
    assert len(table) == 3


@settings(max_examples=40, deadline=None)
@given(
    some.dictionaries(some.text("0123456789", min_size=1, max_size=5), some.sampled_from(["a", "b", "c"]), max_size=20),
    some.text("0123456789", max_size=8),
)
def test_the_table_agrees_with_a_slow_search(blocks: dict[str, str], handset: str) -> None:
    fitting = [prefix for prefix in blocks if handset.startswith(prefix)]
    expected = blocks[max(fitting, key=len)] if fitting else UNKNOWN
    assert PrefixTable(blocks).operator_of(handset) == expected


def test_the_regulator_s_file() -> None:
    lines = [
        HEADINGS,
        "0607;0607000000;0607999999;FRTE;Métropole;16/01/1998",
        "0690;0690000000;0690999999;TELC;Guadeloupe;",
        "118200;118200;118200;XXXX;Métropole;",
        "07000;07000000000000;07000999999999;FRTE;Métropole;",
        "",
    ]
    assert read_prefixes(lines, NAMES) == {"33607": "orange", "590690": "telc"}


def test_a_plain_file_in_any_order_of_columns() -> None:
    lines = ["\ufeff# Spain", "remark;operator;prefix", "x;MOVI;346", 'y;"Voda";"34607"']
    assert read_prefixes(lines, {}) == {"346": "movi", "34607": "voda"}


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "line 0: the headings"),
        (["number;operator"], "line 1: the headings"),
        (["prefix;operator", "346"], "line 2: there are fewer fields"),
        (["prefix;operator", "06;x"], "line 2: a prefix begins with the country code"),
        (["prefix;operator", "+34;x"], "line 2: the prefix is not made of digits"),
        (["prefix;operator", ";x"], "line 2: the prefix is not made of digits"),
        (["prefix;operator", "346;two words"], "line 2: the operator is not one word"),
        ([HEADINGS, "607;0607000000;;FRTE;;"], "line 2: a national prefix begins with 0"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(lines: list[str], fault: str) -> None:
    with pytest.raises(LineFault, match=fault):
        read_prefixes(lines, NAMES)


def test_names_of_codes() -> None:
    assert read_names(["# remark", "code;operator", "FRTE;Orange", "SFR0 ; sfr;more"]) == NAMES
    assert operator_word(" FrTe ", NAMES) == "orange"
    assert operator_word("OUTR", NAMES) == "outr"
    with pytest.raises(LineFault, match="line 1: write code;operator"):
        read_names(["FRTE"])


def test_what_is_shipped_can_be_read_and_says_what_it_is() -> None:
    names = read_names((SHIPPED / "fr-operators.csv").read_text(encoding="utf-8").splitlines())
    text = (SHIPPED / "fr-prefixes.csv").read_text(encoding="utf-8")
    table = PrefixTable(read_prefixes(text.splitlines(), names))
    assert text.startswith("# An example, not the plan")
    assert [table.operator_of(e164_of(f"{block}123456")) for block in ("0607", "0612", "0660", "0651", "0601")] == [
        "orange",
        "sfr",
        "bouygues",
        "free",
        UNKNOWN,
    ]


DAY = datetime.date(2026, 11, 26).toordinal()


@pytest.mark.parametrize(
    ("line", "ported"),
    [
        ("0612345678;FRTE", Ported(33612345678, "orange", 0)),
        ("33612345678;free;2026-11-26;delta\r\n", Ported(33612345678, "free", DAY)),
        ('"+33612345678","SFR0","26/11/2026"', Ported(33612345678, "sfr", DAY)),
        ("33612345678;;", Ported(33612345678, "", 0)),
        ("33612345678;FRTE;2026-11-26T00:00:00+01:00", Ported(33612345678, "orange", DAY)),
        ("", None),
        ("# remark", None),
        ("MSISDN;operator_code;valid_from;source", None),
    ],
)
def test_a_line_of_a_portability_file(line: str, ported: Ported | None) -> None:
    assert read_ported(line, NAMES) == ported


@pytest.mark.parametrize("line", ["33612345678", "x;FRTE", "33612345678;FRTE;tomorrow", "33612345678;F R", "1;2/3;4/5"])
def test_a_line_of_no_use(line: str) -> None:
    with pytest.raises(LineFault):
        read_ported(line, NAMES)


OPERATORS: dict[str, AgentState] = {"orange": "launched", "sfr": "suspended", "free": "draft"}
TEST_HANDSET = "33600000001"


@pytest.mark.parametrize(
    ("operator", "handset", "otherwise", "reason"),
    [
        ("orange", "33612345678", "draft", ""),
        ("sfr", "33612345678", "launched", "agent_suspended_sfr"),
        ("sfr", TEST_HANDSET, "launched", "agent_suspended_sfr"),
        ("free", "33612345678", "launched", "agent_draft_free"),
        ("free", TEST_HANDSET, "draft", ""),
        ("bouygues", "33612345678", "draft", "agent_draft_bouygues"),
        ("bouygues", "33612345678", "suspended", "agent_suspended_bouygues"),
        ("bouygues", "33612345678", "launched", ""),
        (UNKNOWN, "33612345678", "draft", "operator_unknown"),
        (UNKNOWN, TEST_HANDSET, "draft", ""),
        (UNKNOWN, TEST_HANDSET, "suspended", "operator_unknown"),
        (UNKNOWN, "33612345678", "launched", ""),
    ],
)
def test_where_an_agent_may_be_used(operator: str, handset: str, otherwise: AgentState, reason: str) -> None:
    assert Enrolment(OPERATORS, otherwise, frozenset({TEST_HANDSET})).refusal(operator, handset) == reason
