"""How a carrier's spelling of ids is found out, and that only what can mean one message teaches it."""

from __future__ import annotations

import random

import pytest

from gatewayd.carriers.id_learning import CLEAR, ENOUGH, IdLearner
from gatewayd.carriers.smpp_reports import ReportReader, spelt_out
from gatewayd.config import schema
from gatewayd.message import Receipt
from protocol.smpp.pdu import DeliverSm
from protocol.smpp.receipt_ids import canonical_key

FIRST = 0x00A0_0001
STYLES = {"dec": "{:d}".format, "hex": "{:08X}".format}
SPELLINGS = [
    ("hex", "dec", "hex_to_decimal"),
    ("dec", "hex", "decimal_to_hex"),
    ("dec", "dec", "exact"),
    ("hex", "hex", "exact"),
]
"""How a carrier writes ids in responses and in receipts, and what that is called."""


def reader_of(mode: str = "auto") -> ReportReader:
    return ReportReader(schema.Link(kind="smpp", message_id_mode=mode), lambda kind: None)  # type: ignore[arg-type]


def learn(reader: ReportReader, response: str, receipt: str, count: int = ENOUGH) -> list[tuple[str, ...]]:
    """Let a carrier name and report so many messages; the spellings of each receipt, in their order."""
    found = []
    for number in range(FIRST, FIRST + count):
        if reader.learner is not None:
            reader.learner.on_named(canonical_key(STYLES[response](number), reader.id_mode))
        content, _ = reader.heard(receipt_of(STYLES[receipt](number)))
        assert isinstance(content, Receipt)
        content = spelt_out(content)
        found.append((content.carrier_id, *content.aliases))
    return found


def receipt_of(carrier_id: str) -> DeliverSm:
    return DeliverSm(esm_class=4, short_message=f"id:{carrier_id} stat:DELIVRD".encode())


@pytest.mark.parametrize(("response", "receipt", "verdict"), SPELLINGS)
def test_twenty_receipts_are_a_verdict(response: str, receipt: str, verdict: str) -> None:
    reader = reader_of()
    learn(reader, response, receipt, ENOUGH - 1)
    assert reader.verdict == ""
    found = learn(reader, response, receipt)
    assert reader.verdict == verdict
    assert reader.learner is None
    # From then on an id that can mean two messages means what the carrier means.
    assert found[-1][0] == canonical_key(STYLES[response](FIRST + ENOUGH - 1), reader.id_mode)


@pytest.mark.parametrize(("mode", "meant"), [("hex_to_decimal", "12c"), ("decimal_to_hex", "768"), ("exact", "300")])
def test_what_is_learnt_goes_first_and_the_others_stay(mode: str, meant: str) -> None:
    styles = {"hex_to_decimal": ("hex", "dec"), "decimal_to_hex": ("dec", "hex"), "exact": ("dec", "dec")}
    reader = reader_of()
    learn(reader, *styles[mode])
    content, _ = reader.heard(receipt_of("300"))
    assert isinstance(content, Receipt)
    assert content.carrier_id == meant
    assert {content.carrier_id, *spelt_out(content).aliases} == {"300", "12c", "768"}


def test_what_may_mean_two_messages_teaches_nothing() -> None:
    learner = IdLearner()
    for number in range(0x100, 0x100 + 2 * ENOUGH):
        learner.on_named(f"{number:x}")
        learner.on_named(str(number))
        assert learner.on_receipt(str(number)) == ""
    for digit in range(1, 9):
        learner.on_named(str(digit))
        assert learner.on_receipt(str(digit)) == ""


@pytest.mark.parametrize("contradictions", [1, 7])
def test_those_that_disagree_are_outweighed_by_many_more(contradictions: int) -> None:
    learner = IdLearner()
    for number in range(FIRST, FIRST + contradictions):
        learner.on_named(str(number))
        assert learner.on_receipt(str(number)) == ""
    needed = max(ENOUGH, CLEAR * contradictions)
    for number in range(FIRST + contradictions, FIRST + contradictions + needed):
        learner.on_named(f"{number:x}")
        is_last = number == FIRST + contradictions + needed - 1
        assert learner.on_receipt(str(number)) == ("hex_to_decimal" if is_last else "")


@pytest.mark.parametrize("lag", [1, 100, 3_000, 12_000, 40_000])
@pytest.mark.parametrize(("response", "receipt", "truth"), SPELLINGS)
def test_a_carrier_that_counts_from_one_is_not_misread_however_late_its_receipts_are(
    response: str, receipt: str, truth: str, lag: int
) -> None:
    """What else a number may be read as was named before it, or will be soon: nothing may be forgotten meanwhile."""
    learner, verdicts = IdLearner(), []
    for number in range(1, 3 * lag + 4_000):
        learner.on_named(canonical_key(STYLES[response](number), "auto"))
        verdicts.append(learner.on_receipt(STYLES[receipt](number - lag)) if number > lag else "")
    assert set(verdicts) <= {"", truth}
    # In decimal digits alone, what was named may always be what the number is as a hexadecimal one.
    assert truth in verdicts


@pytest.mark.parametrize("workers", [2, 4])
def test_names_that_other_workers_heard_mislead_nobody(workers: int) -> None:
    """Each bind tells its names to one worker, and receipts come to any."""
    verdicts = set()
    for seed in range(10):
        chance = random.Random(seed)
        learners = [IdLearner() for _ in range(workers)]
        for number in range(1, 20_000):
            chance.choice(learners).on_named(canonical_key(f"{number:08x}", "auto"))
            if number > 500:
                verdicts.add(chance.choice(learners).on_receipt(f"{number - 500:08x}"))
    assert verdicts == {"", "exact"}


def test_a_reload_forgets_nothing_and_a_word_of_the_operator_ends_it() -> None:
    older, newer, told = reader_of(), reader_of(), reader_of("case")
    learn(older, "hex", "dec")
    newer.goes_on_from(older)
    assert (newer.verdict, newer.learner) == ("hex_to_decimal", None)
    told.goes_on_from(older)
    assert (told.verdict, told.id_mode, told.learner) == ("", "case", None)
    anew = reader_of()
    anew.goes_on_from(told)
    assert anew.verdict == ""
    assert anew.learner is not None
