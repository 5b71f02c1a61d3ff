"""PDUs in words: every octet is told once, and every fault of the parser at its octet."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.destinations import Destination, Unsuccess
from protocol.smpp.errors import RemoteFault
from protocol.smpp.explaining import Explained, explain
from protocol.smpp.pdu import DeliverSm, SubmitMulti, SubmitMultiResp, SubmitSm, build, parse
from tests.protocol.smpp.samples import any_record, mutations

RECEIPT = b"id:0123 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:DELIVRD err:000 text:hi"


def said(told: Explained) -> dict[str, tuple[object, str]]:
    return {line.name: (line.value, line.words) for line in told.lines}


def faults(told: Explained) -> list[tuple[int, str, str]]:
    return [(fault.at, fault.kind, fault.section) for fault in told.faults]


@settings(max_examples=150)
@given(any_record().map(build))
def test_every_octet_is_told_and_in_order(octets: bytes) -> None:
    told = explain(octets)
    covered = bytearray(len(octets))
    for line in told.lines:
        assert octets[line.at : line.at + len(line.octets)] == line.octets
        for at in range(line.at, line.at + len(line.octets)):
            covered[at] += 1
    assert set(covered) <= {1}, "an octet is told twice, or not at all"
    assert told.rest == b""


@settings(max_examples=300)
@given(any_record().map(build).flatmap(mutations))
def test_what_the_parser_refuses_is_told(octets: bytes) -> None:
    told = explain(octets)
    kinds = {one.kind for one in told.faults}
    refused = ""
    try:
        parse(octets)
    except RemoteFault as fault:
        refused = fault.kind
    # What is told besides is taken all the same.
    taken = {"tlv_size", "tlv_value", "bad_time", "undecodable", "udh_overrun", "trailing_octets"}
    assert refused in kinds if refused else kinds <= taken | {"status_in_request", "unread_receipt"}


@given(st.binary(max_size=60))
def test_anything_can_be_explained(octets: bytes) -> None:
    assert explain(octets).size == len(octets)


def test_a_message_with_a_header() -> None:
    told = explain(build(SubmitSm(esm_class=0x40, data_coding=8, short_message=b"\x05\0\x03\x07\x02\x01\0h\0i")))
    assert faults(told) == []
    assert said(told)["concatenation, 8 bits"] == ("reference 7, part 1 of 2", "")
    assert said(told)["short_message"] == ("hi", "2 characters, UCS2")


def test_national_tables_are_read() -> None:
    told = explain(build(SubmitSm(esm_class=0x40, short_message=b"\x03\x24\x01\x01\x1bg")))
    assert said(told)["short_message"][0] == "ğ"


def test_a_receipt() -> None:
    told = explain(build(DeliverSm(esm_class=4, short_message=RECEIPT, tlvs=((0x0427, b"\x02"), (0x1400, b"x")))))
    assert faults(told) == []
    assert said(told)["id"] == ("0123", "receipt")
    assert said(told)["done date"] == ("2024-01-01 12:01", "receipt")
    assert said(told)["message_state"] == (1, "TLV")
    assert said(told)["0x1400"] == (1, "TLV, vendors' own")


def test_lists() -> None:
    told = explain(build(SubmitMulti(destinations=(Destination(1, 1, "336"), Destination(list_name="all")))))
    assert said(told)["dl_name"] == ("all", "")
    answered = explain(build(SubmitMultiResp(1, 0, "id", (Unsuccess(1, 1, "336", 0x0B),))))
    assert said(answered)["error_status_code"] == ("0x0000000B", "ESME_RINVDSTADR")


def test_faults_have_their_octet_and_section() -> None:
    sound = build(SubmitSm(source_addr="336", tlvs=((0x0204, b"\x2a"), (0x1501, b"ok"))))
    assert faults(explain(sound)) == [(len(sound) - 7, "tlv_size", "5.3.2.17")]
    cut = sound[:-1]
    assert [fault[:2] for fault in faults(explain(cut))] == [
        (0, "wrong_length"),
        (len(sound) - 11, "tlv_overrun"),
        (len(sound) - 7, "tlv_size"),
        (len(sound) - 4, "tlv_overrun"),
    ]
    assert explain(cut).rest == b"", "what was told is not unread"
    longer = (len(sound) + 1).to_bytes(4, "big") + sound[4:] + b"\x15"
    assert explain(longer).rest == b"\x15"
    assert faults(explain(build(SubmitSm(validity_period="soon")))) == [(27, "bad_time", "7.1.1")]
    assert faults(explain(bytes(12))) == [(0, "short_pdu", "3.2")]
    assert faults(explain(b"\0\0\0\x10\0\0\x01\x11\0\0\0\0\0\0\0\1"))[0][1] == "unsupported_command"


def test_what_data_coding_0_means_is_asked() -> None:
    octets = build(SubmitSm(short_message=b"\xe9"))
    assert said(explain(octets, "latin1"))["short_message"][0] == "é"
    assert [fault.kind for fault in explain(octets).faults] == ["undecodable"]
