"""The judge of receipts and parts, judged."""

from __future__ import annotations

from gatewayd.simulate.composing import compose
from gatewayd.simulate.esme_ledger import Ledger, read_receipt
from protocol.smpp.constants import ESM_RECEIPT
from protocol.smpp.records import DeliverSm

TEXT = b"id:00a00001 sub:001 dlvrd:001 submit date:2611260900 done date:2611260901 stat:DELIVRD err:000 text:"


def receipt(text: bytes, *tlvs: tuple[int, bytes]) -> DeliverSm:
    return DeliverSm(source_addr="33612345678", esm_class=ESM_RECEIPT, short_message=text, tlvs=tlvs)


def test_a_receipt_is_read() -> None:
    read = read_receipt(receipt(TEXT), 1.0)
    assert (read.message_id, read.state, read.error, read.faults) == ("00a00001", "DELIVRD", "000", ())


def test_a_receipt_whose_tlvs_agree_is_without_fault() -> None:
    assert read_receipt(receipt(TEXT, (0x1E, b"00a00001\0"), (0x427, b"\x02")), 1.0).faults == ()


def test_a_message_that_was_read_has_a_word_of_its_own_beside_a_known_state() -> None:
    displayed = TEXT.replace(b"DELIVRD", b"READ")
    read = read_receipt(receipt(displayed, (0x427, b"\x02"), (0x1496, b"\x01")), 1.0)
    assert (read.state, read.is_displayed, read.faults) == ("READ", True, ())
    assert read_receipt(receipt(displayed), 1.0).faults == ("the state of the text is not a word for it",)
    assert read_receipt(receipt(TEXT, (0x1496, b"\x01")), 1.0).faults == ("the state of the text is not a word for it",)


def test_tlvs_that_disagree_are_faults() -> None:
    read = read_receipt(receipt(TEXT, (0x1E, b"00a00002\0"), (0x427, b"\x05")), 1.0)
    assert read.faults == ("receipted_message_id names another message", "message_state is not the state of the text")


def test_a_receipt_without_appendix_b_is_a_fault() -> None:
    assert read_receipt(receipt(b"stat:DELIVRD"), 1.0).faults == ("text is not appendix B",)


def test_receipts_and_texts_go_their_ways() -> None:
    ledger = Ledger()
    ledger.take(receipt(TEXT), 1.0)
    ledger.take(compose(DeliverSm, "33612345678", "36105", "STOP")[0], 2.0)
    assert [entry.state for entry in ledger.receipts_of("00a00001")] == ["DELIVRD"]
    assert [(text.source, text.destination, text.text) for text in ledger.texts] == [("33612345678", "36105", "STOP")]


def test_a_long_text_waits_for_all_of_its_parts() -> None:
    ledger = Ledger()
    pdus = compose(DeliverSm, "33612345678", "36105", "Ça va très bien. " * 20)
    for pdu in reversed(pdus):
        assert not ledger.texts
        ledger.take(pdu, 1.0)
    assert [text.text for text in ledger.texts] == ["Ça va très bien. " * 20]


def test_parts_of_two_handsets_do_not_mix() -> None:
    ledger = Ledger()
    ones, others = (compose(DeliverSm, handset, "36105", handset * 20) for handset in ("33612345678", "33612345679"))
    for one, other in zip(ones, others, strict=True):
        ledger.take(one, 1.0)
        ledger.take(other, 1.0)
    assert [text.text for text in ledger.texts] == ["33612345678" * 20, "33612345679" * 20]
