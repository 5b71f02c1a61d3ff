"""Rules: which one decides, when it is spent, and what a file of them may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.simulate.behaviour import Behaviour, MessageIds, Rule, Script, load, status_code


def answers(script: Script, *destinations: str) -> list[str]:
    return [script.rule_for("Shop", destination).answer for destination in destinations]


def test_the_first_rule_that_matches_decides() -> None:
    script = Script(Behaviour(rules=(Rule(destination="336.*", answer="refuse"), Rule(answer="silent"))))
    assert answers(script, "33600000001", "32400000001") == ["refuse", "silent"]


def test_a_message_that_no_rule_matches_is_accepted() -> None:
    assert Script(Behaviour()).rule_for("Shop", "33600000001") == Rule()


def test_an_expression_must_match_the_whole_address() -> None:
    assert answers(Script(Behaviour(rules=(Rule(destination="336", answer="refuse"),))), "33600000001") == ["accept"]


def test_a_rule_can_ask_for_the_source() -> None:
    script = Script(Behaviour(rules=(Rule(source="Sh.p", answer="refuse"),)))
    assert [script.rule_for(source, "1").answer for source in ("Shop", "Bank")] == ["refuse", "accept"]


def test_a_rule_is_spent_after_its_times() -> None:
    script = Script(Behaviour(rules=(Rule(answer="throttle", times=2),)))
    assert answers(script, "1", "2", "3") == ["throttle", "throttle", "accept"]


def test_what_is_told_later_comes_first() -> None:
    script = Script(Behaviour(rules=(Rule(answer="refuse"),)))
    script.tell(Rule(answer="silent", times=1))
    assert answers(script, "1", "2") == ["silent", "refuse"]


@pytest.mark.parametrize(
    ("rule", "status", "takes"),
    [
        (Rule(), 0, True),
        (Rule(answer="refuse", status="ESME_RINVDSTADR"), 0x0B, False),
        (Rule(answer="refuse", status="0x4FF"), 0x4FF, False),
        (Rule(answer="throttle"), 0x58, False),
        (Rule(answer="silent"), 0, True),
    ],
)
def test_what_a_rule_answers(rule: Rule, status: int, takes: bool) -> None:
    assert (rule.status_code, rule.takes) == (status, takes)


def test_a_status_is_a_name_or_a_number() -> None:
    assert [status_code(word) for word in ("ESME_RTHROTTLED", "0x58", "88")] == [0x58] * 3
    with pytest.raises(ValueError, match="neither a status"):
        status_code("THROTTLED")


@pytest.mark.parametrize(
    ("styles", "pair"),
    [
        ("decimal", ("10485761", "10485761")),
        ("hex", ("00a00001", "00a00001")),
        ("HEX/decimal", ("00A00001", "10485761")),
        ("decimal/hex", ("10485761", "00a00001")),
    ],
)
def test_message_ids_have_the_carriers_style(styles: str, pair: tuple[str, str]) -> None:
    assert MessageIds(styles).next_pair() == pair


def test_message_ids_differ() -> None:
    ids = MessageIds("uuid")
    seen = [ids.next_pair() for _ in range(3)]
    assert len(set(seen)) == 3
    assert all(response == receipt and len(response) == 36 for response, receipt in seen)


def test_rules_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        'message_ids = "hex/decimal"\nreceipt_delay_s = 2.5\n'
        '[[rules]]\ndestination = "336.*"\nanswer = "refuse"\nstatus = "ESME_RINVDSTADR"\n'
        '[[rules]]\nreceipt_state = "UNDELIV"\nreceipt_error = "027"\n'
    )
    behaviour = load(path)
    assert behaviour.message_ids == "hex/decimal"
    assert behaviour.receipt_delay_s == 2.5
    assert [rule.answer for rule in behaviour.rules] == ["refuse", "accept"]


@pytest.mark.parametrize(
    "text",
    [
        "rules = 1",
        "[[rules]]\nanswer = 'shrug'",
        "[[rules]]\ndestination = '('",
        "[[rules]]\nstatus = 'ESME_RNONSENSE'",
        "[[rules]]\nspeed = 1",
        "message_ids = 'roman'",
        "bind_status = 'no'",
        "= 3",
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"rules\.toml"):
        load(path)
