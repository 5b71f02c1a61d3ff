"""What a deliver_sm says: a receipt, a handset's message, or nothing that can be read."""

from __future__ import annotations

import pytest

from gatewayd.carriers.smpp_reports import report_of, spelt_out
from gatewayd.message import Encoding, Inbound, Receipt, State
from protocol.smpp.errors import RemoteFault
from protocol.smpp.pdu import DataSm, DeliverSm

TEXT = b"id:00ff sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hello"


def test_a_receipt_carries_its_id_and_the_other_spellings_of_it() -> None:
    pdu = DeliverSm(esm_class=0x04, short_message=TEXT)
    report = report_of(pdu, "gsm", "auto")
    assert report == Receipt("ff", State.DELIVRD, "000", 1_767_323_100.0, written="00ff")
    assert isinstance(report, Receipt)
    assert spelt_out(report) == Receipt("ff", State.DELIVRD, "000", 1_767_323_100.0, aliases=("00ff", "255"))
    assert report_of(pdu, "gsm", "exact") == Receipt("00ff", State.DELIVRD, "000", 1_767_323_100.0)


def test_a_receipt_may_live_in_tlvs_alone_and_in_data_sm() -> None:
    tlvs = ((0x001E, b"abc\x00"), (0x0427, b"\x05"))
    expected = Receipt("abc", State.UNDELIV, written="abc")
    assert report_of(DeliverSm(tlvs=tlvs), "gsm", "auto") == expected
    assert report_of(DataSm(esm_class=0x04, tlvs=tlvs), "gsm", "auto") == expected
    assert report_of(DataSm(esm_class=0x04, tlvs=((0x0424, TEXT),)), "gsm", "exact") == Receipt(
        "00ff", State.DELIVRD, "000", 1_767_323_100.0
    )


@pytest.mark.parametrize("text", [b"", b"Your parcel is here", TEXT.replace(b"DELIVRD", b"PERHAPS")])
def test_a_receipt_that_cannot_be_read_is_never_a_message(text: bytes) -> None:
    assert report_of(DeliverSm(esm_class=0x04, short_message=text), "gsm", "auto") is None


def test_what_only_looks_like_a_receipt_is_a_message() -> None:
    report = report_of(DeliverSm(short_message=TEXT), "gsm", "auto")
    assert isinstance(report, Inbound)
    assert report.payload == TEXT


def test_a_message_of_a_handset_keeps_every_field() -> None:
    pdu = DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="33612345678",
        dest_addr_ton=3,
        dest_addr_npi=9,
        destination_addr="38100",
        esm_class=0x40,
        protocol_id=0x11,
        data_coding=8,
        short_message=b"\x05\x00\x03\x2a\x02\x01\x00\xe9",
        tlvs=((0x1401, b"vendor"),),
    )
    assert report_of(pdu, "gsm", "auto") == Inbound(
        source_ton=1,
        source_npi=1,
        source="33612345678",
        destination_ton=3,
        destination_npi=9,
        destination="38100",
        payload=b"\x00\xe9",
        encoding=Encoding.UCS2,
        data_coding=8,
        esm_class=0x40,
        protocol_id=0x11,
        udh=b"\x05\x00\x03\x2a\x02\x01",
        concat=(0x2A, 2, 1),
        tlvs=((0x1401, b"vendor"),),
    )


@pytest.mark.parametrize(("alphabet", "encoding"), [("gsm", Encoding.GSM), ("latin1", Encoding.LATIN1)])
def test_data_coding_0_is_what_the_link_says(alphabet: str, encoding: Encoding) -> None:
    report = report_of(DataSm(tlvs=((0x0424, b"hi"), (0x0204, b"\x00\x01"))), alphabet, "auto")
    assert isinstance(report, Inbound)
    assert (report.payload, report.encoding, report.tlvs) == (b"hi", encoding, ((0x0204, b"\x00\x01"),))


def test_a_header_that_lies_is_the_carriers_fault() -> None:
    with pytest.raises(RemoteFault):
        report_of(DeliverSm(esm_class=0x40, short_message=b"\x09\x00"), "gsm", "auto")


@pytest.mark.parametrize(
    ("data_coding", "short_message", "esm_class", "payload"),
    [
        (0, "e8329bfd4697d9ec37", 0, b"hellohello"),
        (0, "31d98c56b3dd1a", 0, b"1234567"),  # seven spare bits, and no false "@"
        (0xF0, "31d98c56b3dd00", 0, b"1234567\x00"),
        (0, "0500032a0201d06536fb0d", 0x40, b"hello"),  # one bit of filling behind the header
        (8, "00e9", 0, b"\x00\xe9"),  # what is no GSM text is not packed
        (4, "31d9", 0, b"\x31\xd9"),
    ],
)
def test_packed_septets(data_coding: int, short_message: str, esm_class: int, payload: bytes) -> None:
    pdu = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=bytes.fromhex(short_message))
    report = report_of(pdu, "gsm", "auto", is_packed=True)
    assert isinstance(report, Inbound)
    assert report.payload == payload


@pytest.mark.parametrize(
    ("data_coding", "octets", "encoding"),
    [
        (0x06, b"\xbf", Encoding.CYRILLIC),
        (0x0E, b"\xc7\xd1", Encoding.EUCKR),
        (0x0E, b"\xc7", Encoding.BINARY),  # no Korean
        (0x05, b"\xc7", Encoding.BINARY),
        (0x40, b"\x05", Encoding.GSM),
    ],
)
def test_other_codings(data_coding: int, octets: bytes, encoding: Encoding) -> None:
    report = report_of(DeliverSm(data_coding=data_coding, short_message=octets), "latin1", "auto")
    assert isinstance(report, Inbound)
    assert (report.payload, report.encoding, report.data_coding) == (octets, encoding, data_coding)
