"""How a carrier's spelling of ids is found out, and that only what can mean one message teaches it."""

from __future__ import annotations

import pytest

from gatewayd.carriers.id_learning import ENOUGH, IdLearner
from gatewayd.carriers.smpp_reports import ReportReader
from gatewayd.config import schema
from gatewayd.message import Receipt
from protocol.smpp.pdu import DeliverSm
from protocol.smpp.receipt_ids import canonical_key

FIRST = 0x00A0_0001
STYLES = {"dec": "{:d}".format, "hex": "{:08X}".format}


def reader_of(mode: str = "auto") -> ReportReader:
    return ReportReader(schema.Link(kind="smpp", message_id_mode=mode), lambda kind: None)  # type: ignore[arg-type]


def learn(reader: ReportReader, response: str, receipt: str, count: int = ENOUGH) -> list[tuple[str, ...]]:
    """Let a carrier name and report so many messages; the spellings of each receipt, in their order."""
    found = []
    for number in range(FIRST, FIRST + count):
        if reader.recent is not None:
            reader.recent[canonical_key(STYLES[response](number), reader.id_mode)] = None
        content, _ = reader.heard(receipt_of(STYLES[receipt](number)))
        assert isinstance(content, Receipt)
        found.append((content.carrier_id, *content.aliases))
    return found


def receipt_of(carrier_id: str) -> DeliverSm:
    return DeliverSm(esm_class=4, short_message=f"id:{carrier_id} stat:DELIVRD".encode())


@pytest.mark.parametrize(
    ("response", "receipt", "verdict"),
    [
        ("hex", "dec", "hex_to_decimal"),
        ("dec", "hex", "decimal_to_hex"),
        ("dec", "dec", "exact"),
        ("hex", "hex", "exact"),
    ],
)
def test_ten_receipts_are_a_verdict(response: str, receipt: str, verdict: str) -> None:
    reader = reader_of()
    learn(reader, response, receipt, ENOUGH - 1)
    assert reader.verdict == ""
    found = learn(reader, response, receipt)
    assert reader.verdict == verdict
    assert reader.recent is None
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
    assert {content.carrier_id, *content.aliases} == {"300", "12c", "768"}


def test_what_may_mean_two_messages_teaches_nothing() -> None:
    learner = IdLearner()
    for number in range(0x100, 0x100 + 2 * ENOUGH):
        learner.recent |= dict.fromkeys((f"{number:x}", str(number)))
        assert learner.on_receipt(str(number)) == ""
    for digit in range(1, 9):
        learner.recent[str(digit)] = None
        assert learner.on_receipt(str(digit)) == ""


def test_one_that_disagrees_begins_anew() -> None:
    learner, odd = IdLearner(), FIRST + ENOUGH - 1
    for number in range(FIRST, FIRST + 2 * ENOUGH - 1):
        learner.recent[str(number) if number == odd else f"{number:x}"] = None
        assert learner.on_receipt(str(number)) == ""


def test_a_reload_forgets_nothing_and_a_word_of_the_operator_ends_it() -> None:
    older, newer, told = reader_of(), reader_of(), reader_of("case")
    learn(older, "hex", "dec")
    newer.goes_on_from(older)
    assert (newer.verdict, newer.recent) == ("hex_to_decimal", None)
    told.goes_on_from(older)
    assert (told.verdict, told.id_mode, told.recent) == ("", "case", None)
    anew = reader_of()
    anew.goes_on_from(told)
    assert (anew.verdict, anew.recent) == ("", {})
