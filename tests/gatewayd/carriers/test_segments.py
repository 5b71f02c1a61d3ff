"""Messages as a link's submit_sm: octets kept where they can be, recoded where they must be, cut where too long."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from gatewayd.carriers import segments
from gatewayd.carriers.segments import count_of, prepared, reference_of
from gatewayd.carriers.wording import Manner
from gatewayd.message import Encoding, Message
from protocol.smpp.errors import LocalFault
from protocol.smpp.parts import concat_of
from protocol.smpp.pdu import SubmitSm, build
from protocol.smpp.text import decode, encode, encoding_of
from protocol.smpp.tlvs import write

GSM = Manner()


def message(text: str | bytes = "Hello", encoding: str = "gsm", **fields: Any) -> Message:
    """One message, its payload made of a text unless it is octets already."""
    payload = text if isinstance(text, bytes) else encode(text, encoding)
    known: dict[str, Any] = {
        "id": 0x0102,
        "account": "shop",
        "source_ton": 5,
        "source_npi": 0,
        "source": "Shop",
        "destination_ton": 1,
        "destination_npi": 1,
        "destination": "33612345678",
        "payload": payload,
        "encoding": Encoding(encoding),
        "accepted_at": 0.0,
    }
    return Message(**(known | fields))


def segments_of(asked: Message, manner: Manner, expires_at: float) -> list[SubmitSm]:
    """The requests without what was changed in the text."""
    return prepared(asked, manner, expires_at)[0]


def only(requests: list[SubmitSm]) -> SubmitSm:
    """The one request, which can also be written."""
    assert len(requests) == 1
    build(requests[0])
    return requests[0]


def test_a_short_message_keeps_every_field() -> None:
    asked = message(
        data_coding=0xF1,
        esm_class=0x03,
        protocol_id=0x40,
        priority=2,
        registered_delivery=0x1E,
        service_type="CMT",
        tlvs=((0x0204, b"\x00\x07"), (0x1401, b"vendor")),
    )
    assert only(segments_of(asked, GSM, 1_767_323_045.9)) == SubmitSm(
        service_type="CMT",
        source_addr_ton=5,
        source_addr="Shop",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="33612345678",
        esm_class=0x03,
        protocol_id=0x40,
        priority_flag=2,
        validity_period="260102030405000+",
        registered_delivery=0x1D,
        data_coding=0xF1,
        short_message=b"Hello",
        tlvs=((0x0204, b"\x00\x07"), (0x1401, b"vendor")),
    )


@pytest.mark.parametrize("registered", [0x00, 0x01, 0x02, 0x03])
def test_a_final_receipt_is_always_asked_for(registered: int) -> None:
    assert only(segments_of(message(registered_delivery=registered), GSM, 0.0)).registered_delivery == 0x01


def test_no_life_time_no_validity_period() -> None:
    assert only(segments_of(message(), GSM, 0.0)).validity_period == ""


@pytest.mark.parametrize(
    ("text", "encoding", "data_coding", "alphabet", "sent", "sent_coding"),
    [
        ("é@", "gsm", 0, "gsm", b"\x05\x00", 0),
        ("é@", "latin1", 0, "latin1", b"\xe9@", 0),
        ("é@", "latin1", 3, "gsm", b"\xe9@", 3),
        ("é", "ucs2", 8, "gsm", b"\x00\xe9", 8),
        (b"\x00\x01", "binary", 4, "latin1", b"\x00\x01", 4),
        ("é", "gsm", 0xF0, "latin1", b"\x05", 0xF0),
        ("é@", "gsm", 0, "latin1", b"\xe9@", 0),
        ("é@", "latin1", 0, "gsm", b"\x05\x00", 0),
        ("a@", "ascii", 0, "gsm", b"a\x00", 0),
        ("5€", "gsm", 0, "latin1", b"\x005\x20\xac", 8),
        ("ê", "latin1", 0, "gsm", b"\x00\xea", 8),
        ("é", "gsm", 0, "ascii", b"\x00\xe9", 8),
        ("é", "ucs2", 0, "gsm", b"\x05", 0),
        ("ê", "ucs2", 0, "gsm", b"\x00\xea", 8),
        (b"\xff", "binary", 0, "gsm", b"\xff", 4),
        (b"a\xff", "gsm", 0, "latin1", b"\x00a\xff\xfd", 8),
    ],
)
def test_recoding(
    text: str | bytes, encoding: str, data_coding: int, alphabet: str, sent: bytes, sent_coding: int
) -> None:
    request = only(segments_of(message(text, encoding, data_coding=data_coding), Manner(alphabet), 0.0))
    assert (request.short_message, request.data_coding) == (sent, sent_coding)


@pytest.mark.parametrize(
    ("text", "encoding", "data_coding", "alphabet", "count"),
    [
        ("a" * 160, "gsm", 0, "gsm", 1),
        ("a" * 161, "gsm", 0, "gsm", 2),
        ("a" * 159 + "€", "gsm", 0, "gsm", 2),
        ("a" * 160, "gsm", 0, "latin1", 1),  # the carrier makes septets of it
        ("a" * 161, "gsm", 0, "latin1", 2),
        ("é" * 160, "latin1", 0, "latin1", 1),
        ("ê" * 141, "latin1", 0, "latin1", 2),
        ("é" * 141, "latin1", 3, "gsm", 2),
        ("a" * 154 + "[[[", "latin1", 0, "latin1", 1),
        ("a" * 154 + "[[[[", "latin1", 0, "latin1", 2),
        ("[" * 80, "latin1", 0, "latin1", 1),
        ("[" * 81, "latin1", 0, "latin1", 2),
        (b"\x80" * 81, "latin1", 0, "latin1", 2),  # euro signs, as Windows writes it
        ("a" * 70, "ucs2", 8, "gsm", 1),
        ("a" * 71, "ucs2", 8, "gsm", 2),
        (bytes(141), "binary", 4, "gsm", 2),
        ("", "gsm", 0, "gsm", 1),
    ],
)
def test_counts(text: str | bytes, encoding: str, data_coding: int, alphabet: str, count: int) -> None:
    asked = message(text, encoding, data_coding=data_coding)
    requests = segments_of(asked, Manner(alphabet), 0.0)
    assert len(requests) == count
    assert count_of(asked, Manner(alphabet)) == count
    joined = b""
    for sequence, request in enumerate(requests, 1):
        build(request)
        concat, udh, payload = concat_of(request.esm_class, request.short_message, ())
        assert concat == (None if count == 1 else (0x03, count, sequence))
        assert len(udh) == (0 if count == 1 else 6)
        joined += payload
    if isinstance(text, str):
        assert decode(joined, encoding_of(requests[0].data_coding, alphabet)) == text
    else:
        assert joined == text


def test_splitting_drops_sar_and_keeps_other_tlvs() -> None:
    sar = ((0x020C, b"\x00\x01"), (0x020E, b"\x00"), (0x020F, b"\x00"))
    for request in segments_of(message("a" * 200, tlvs=(*sar, (0x1401, b"x"))), GSM, 0.0):
        assert request.tlvs == ((0x1401, b"x"),)
    assert only(segments_of(message("a", tlvs=sar), GSM, 0.0)).tlvs == sar


@pytest.mark.parametrize("size", [10, 134, 153])
def test_a_part_with_its_header_stays_as_it_was(size: int) -> None:
    part = message("a" * size, udh=b"\x05\x00\x03\x2a\x03\x02", concat=(0x2A, 3, 2), esm_class=0x40)
    request = only(segments_of(part, GSM, 0.0))
    assert request.short_message == b"\x05\x00\x03\x2a\x03\x02" + b"a" * size
    assert (request.esm_class, request.data_coding) == (0x40, 0)
    assert count_of(part, GSM) == 1


SAR = ((0x020C, b"\x01\x2a"), (0x020E, b"\x03"), (0x020F, b"\x02"))


@pytest.mark.parametrize(
    ("cut", "octets", "tlvs", "esm_class"),
    [
        ("udh8", b"\x05\x00\x03\x2a\x03\x02" + b"a" * 153, ((0x1401, b"x"),), 0x40),
        # Part 2 may be full and part 3 short: both need the same header, so the width cannot be the link's.
        ("udh16", b"\x05\x00\x03\x2a\x03\x02" + b"a" * 153, ((0x1401, b"x"),), 0x40),
        ("sar", b"a" * 153, (*SAR, (0x1401, b"x")), 0),
        ("payload", b"a" * 153, (*SAR, (0x1401, b"x")), 0),
    ],
)
def test_a_part_by_sar_tells_its_place_as_the_link_asks(cut: str, octets: bytes, tlvs: Any, esm_class: int) -> None:
    part = message("a" * 153, concat=(0x12A, 3, 2), tlvs=(*SAR, (0x1401, b"x")))
    request = only(segments_of(part, Manner(cut=cut), 0.0))
    assert (request.short_message, request.tlvs, request.esm_class) == (octets, tlvs, esm_class)
    assert count_of(part, Manner(cut=cut)) == 1


@pytest.mark.parametrize(("alphabet", "size"), [("gsm", 154), ("ucs2", 68)])
def test_a_part_by_sar_without_room_for_a_header_stays_as_it_was(alphabet: str, size: int) -> None:
    request = only(segments_of(message("a" * size, alphabet, concat=(0x12A, 3, 2), tlvs=SAR), Manner(alphabet), 0.0))
    assert (request.tlvs, request.esm_class) == (SAR, 0)


def test_the_tlvs_of_sar_are_right_by_their_table() -> None:
    requests = segments_of(message("a" * 200), Manner(cut="sar"), 0.0)
    for sequence, request in enumerate(requests, 1):
        parts = write("sar_total_segments", 2), write("sar_segment_seqnum", sequence)
        assert request.tlvs == (write("sar_msg_ref_num", reference_of(0x0102, 8)), *parts)


def test_a_part_by_sar_is_packed_behind_its_header() -> None:
    part = message("a" * 153, concat=(0x12A, 3, 2), tlvs=SAR)
    request = only(segments_of(part, Manner(is_packed=True), 0.0))
    assert (request.short_message[:6], len(request.short_message)) == (b"\x05\x00\x03\x2a\x03\x02", 140)


@pytest.mark.parametrize(
    ("text", "encoding", "alphabet", "sent_coding", "sent_encoding"),
    [
        ("é" * 153, "gsm", "latin1", 0, "latin1"),
        ("Δ" * 153, "gsm", "latin1", 0xF1, "gsm"),  # as UCS2 it would outgrow its SMS
        ("Δ" * 67, "gsm", "latin1", 8, "ucs2"),
        ("é" * 134, "latin1", "gsm", 0, "gsm"),
        ("ê" * 134, "latin1", "gsm", 3, "latin1"),
    ],
)
def test_a_part_is_recoded_only_while_it_fits(
    text: str, encoding: str, alphabet: str, sent_coding: int, sent_encoding: str
) -> None:
    udh = b"\x05\x00\x03\x2a\x03\x02"
    for own in ({"udh": udh, "esm_class": 0x40}, {"tlvs": SAR}):
        request = only(segments_of(message(text, encoding, concat=(0x2A, 3, 2), **own), Manner(alphabet), 0.0))
        assert request.data_coding == sent_coding
        assert request.short_message == udh + encode(text, sent_encoding)


def test_a_header_of_the_senders_own_is_repeated_in_every_part() -> None:
    ports = b"\x06\x05\x04\x0b\x84\x23\xf0"
    asked = message(bytes(200), "binary", udh=ports, esm_class=0x40, data_coding=4)
    requests = segments_of(asked, GSM, 0.0)
    assert [request.short_message[:12] for request in requests] == [
        b"\x0b" + ports[1:] + b"\x00\x03\x03\x02" + bytes((sequence,)) for sequence in (1, 2)
    ]
    assert all(len(request.short_message) <= 140 for request in requests)
    assert sum(len(request.short_message) - 12 for request in requests) == 200
    assert only(segments_of(message(bytes(133), "binary", udh=ports, data_coding=4), GSM, 0.0)).esm_class == 0x40
    # 152 septets and a header of seven octets are 140 octets on the air.
    assert count_of(message("a" * 152, udh=ports, esm_class=0x40), GSM) == 1
    assert len(only(segments_of(message("a" * 152, udh=ports), GSM, 0.0)).short_message) == 159


def test_a_header_without_room_is_our_fault() -> None:
    udh = b"\x86\x70\x84" + bytes(132)
    with pytest.raises(LocalFault):
        segments_of(message("a" * 40, udh=udh, esm_class=0x40), GSM, 0.0)


def test_indicator_without_header_is_dropped() -> None:
    assert only(segments_of(message(esm_class=0x43), GSM, 0.0)).esm_class == 0x03


def test_a_part_too_long_for_short_message_goes_as_message_payload() -> None:
    request = only(segments_of(message(b"a" * 300, concat=(1, 2, 1)), GSM, 0.0))
    assert (request.short_message, request.tlvs) == (b"", ((0x0424, b"a" * 300),))


def test_references_of_neighbours_differ_and_are_repeatable() -> None:
    assert len({reference_of(0x1234_5600 + n) for n in range(256)}) == 256
    assert reference_of(2**63 - 1) == reference_of(2**63 - 1) <= 255
    assert reference_of(0) == 0


def test_what_an_application_tells_us_alone_is_not_passed_on() -> None:
    tlvs = ((0x1498, b"{}"), (0x0204, b"\0\7"), (0x1499, b"otp"), (0x149A, b"key"), (0x1501, b"x"))
    (one,) = segments_of(message(tlvs=tlvs), GSM, 0.0)
    assert one.tlvs == ((0x0204, b"\0\7"), (0x1501, b"x"))
    assert all(part.tlvs == one.tlvs for part in segments_of(message("x" * 200, tlvs=tlvs), GSM, 0.0))


HEADERS = (b"", b"\x06\x05\x04\x0b\x84\x23\xf0", b"\x03\x24\x01\x01", b"\x05\x00\x03\x07\x02\x01")
LETTERS = (b"a", b"[", b"\x1be", "я".encode("utf-16-be"), "я".encode())
SIZES = (0, 40, 76, 77, 80, 81, 133, 134, 139, 140, 141, 160)
ODDITIES = ("", "packed", "changing", "languages", "free", "stranger", "part")


def asked_of_link(alphabet: str, oddity: str) -> Iterator[tuple[Message, Manner]]:
    """What applications hand in, their octets sound or not, over a link that keeps them or would but for one thing."""
    stranger = "gsm" if alphabet == "latin1" else "latin1"
    cuts = itertools.cycle(("udh8", "udh16", "sar", "payload", "udh8"))
    for data_coding, udh, letter, size in itertools.product((0, 0, 1, 3, 4, 8, 0xF1), HEADERS, LETTERS, SIZES):
        languages, changes = (1,) if oddity == "languages" else (), "full" if oddity == "changing" else "off"
        asked = message(
            (letter * size)[:size],
            encoding_of(data_coding, stranger if oddity == "stranger" else alphabet),
            data_coding=data_coding,
            udh=udh,
            concat=(7, 2, 1) if udh == HEADERS[-1] or oddity == "part" else None,
            transliterate="full" if oddity == "free" else "",
            esm_class=0x43,
        )
        yield asked, Manner(alphabet, oddity == "packed", languages, changes, next(cuts))


def way_of(asked: Message, manner: Manner) -> object:
    """The requests and their number, or why there are none."""
    try:
        return *prepared(asked, manner, 0.0), count_of(asked, manner)
    except LocalFault as fault:
        return fault.kind


@pytest.mark.parametrize("alphabet", ["gsm", "latin1", "ascii", "utf8", "ucs2"])
@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_is_kept_would_be_the_same_the_long_way(
    alphabet: str, oddity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list(asked_of_link(alphabet, oddity))
    short = [way_of(*each) for each in asked]
    monkeypatch.setattr(segments, "is_kept_whole", lambda message, manner: False)
    monkeypatch.setattr(segments, "is_kept", lambda message, manner: False)
    for each, way in zip(asked, short, strict=True):
        assert way_of(*each) == way
