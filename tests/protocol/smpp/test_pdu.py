"""The fast paths agree with the table's walker, on sound and on broken input alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.constants import Command, Status
from protocol.smpp.errors import LocalFault, RemoteFault, SmppFault
from protocol.smpp.layouts import walk_build, walk_parse
from protocol.smpp.pdu import (
    DeliverSm,
    DeliverSmResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    build,
    build_answer,
    build_deliver_ok,
    build_submit_ok,
    parse,
)
from tests.protocol.smpp.samples import any_record, mutations, records

FAST = (Command.SUBMIT_SM, Command.DELIVER_SM, Command.SUBMIT_SM_RESP, Command.DELIVER_SM_RESP)
fast_records = st.sampled_from(FAST).flatmap(records)


def outcome(parser: object, data: bytes) -> object:
    """The record, or everything that a fault says."""
    assert callable(parser)
    try:
        return parser(data)
    except RemoteFault as fault:
        return fault.kind, fault.status, fault.command, fault.sequence, fault.detail, fault.fatal


def written(builder: object, pdu: Pdu) -> object:
    assert callable(builder)
    try:
        return builder(pdu)
    except LocalFault as fault:
        return fault.kind, fault.status, fault.command, fault.sequence, fault.detail


@settings(deadline=None, max_examples=300)
@given(fast_records)
def test_the_fast_way_is_the_same_way(pdu: Pdu) -> None:
    data = build(pdu)
    assert data == walk_build(pdu)
    assert parse(data) == walk_parse(data) == pdu


@settings(deadline=None, max_examples=150)
@given(any_record())
def test_parse_undoes_build(pdu: Pdu) -> None:
    assert parse(build(pdu)) == pdu


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_broken_octets_meet_the_same_fault(data: st.DataObject) -> None:
    broken = data.draw(mutations(build(data.draw(fast_records))))
    assert outcome(parse, broken) == outcome(walk_parse, broken)


def test_every_truncation_and_every_changed_octet_meets_the_same_fault() -> None:
    pdu = SubmitSm("WAP", 5, 0, "Brand", 1, 1, "33612345678", 0x40, 1, 2, "", "000001000000000R", 1, 0, 8, 0, b"hi")
    pdu.tlvs = ((0x0204, b"\0\1"), (0x1400, b""))
    sound = build(pdu)
    for size in range(16, len(sound)):
        cut = size.to_bytes(4, "big") + sound[4:size]
        assert outcome(parse, cut) == outcome(walk_parse, cut)
    for position in range(4, len(sound)):
        for octet in (0, 1, 0x80, 0xFE, 0xFF):
            changed = sound[:position] + bytes((octet,)) + sound[position + 1 :]
            assert outcome(parse, changed) == outcome(walk_parse, changed)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=120), st.sampled_from(FAST), st.integers(0, 0xFFFFFFFF))
def test_noise_behind_a_header_meets_the_same_fault(noise: bytes, command: int, status: int) -> None:
    data = b"".join(number.to_bytes(4, "big") for number in (16 + len(noise), command, status, 9)) + noise
    assert outcome(parse, data) == outcome(walk_parse, data)


@pytest.mark.parametrize("command", [0x00000104, 0x01000005, 0x80000104])
def test_a_command_that_only_ends_like_a_message_is_not_one(command: int) -> None:
    data = command.to_bytes(4, "big").join((b"\0\0\0\x11", bytes(9)))
    with pytest.raises(RemoteFault, match="unknown_command"):
        parse(data)


def test_a_message_whose_length_lies_is_fatal() -> None:
    with pytest.raises(RemoteFault, match="wrong_length") as caught:
        parse(build(SubmitSm()) + b"x")
    assert caught.value.fatal


@pytest.mark.parametrize("record", [SubmitSm, DeliverSm])
@pytest.mark.parametrize(
    "fields",
    [
        {"service_type": "123456"},
        {"source_addr": "1" * 21},
        {"destination_addr": "1" * 21},
        {"schedule_delivery_time": "1" * 17},
        {"validity_period": "1" * 17},
        {"short_message": bytes(255)},
        {"source_addr": "a\0b"},
        {"validity_period": "\0"},
        {"source_addr": "\u20ac"},
        {"data_coding": 256},
        {"esm_class": -1},
        {"tlvs": ((0x10000, b""),)},
        {"tlvs": ((0x424, bytes(0x10000)),)},
        {"sequence": 1 << 32},
    ],
)
def test_both_ways_refuse_to_write_the_same(record: type[SubmitSm | DeliverSm], fields: dict[str, object]) -> None:
    pdu = record(**fields)  # type: ignore[arg-type]
    told = written(build, pdu)
    assert isinstance(told, tuple)
    assert told == written(walk_build, pdu)


@pytest.mark.parametrize("field", ["service_type", "source_addr", "destination_addr", "validity_period"])
def test_every_octet_of_a_string_survives(field: str) -> None:
    for octet in range(1, 256):
        pdu = SubmitSm(**{field: chr(octet)})  # type: ignore[arg-type]
        assert parse(build(pdu)) == pdu


@pytest.mark.parametrize("message_id", ["", "a", "x" * 64, "0123456789abcdef"])
def test_the_ready_made_answers_are_what_build_would_write(message_id: str) -> None:
    assert build_submit_ok(77, message_id) == build(SubmitSmResp(77, 0, message_id))
    assert build_deliver_ok(78) == build(DeliverSmResp(78))


def test_an_id_beyond_ascii_is_still_written_right() -> None:
    assert build_submit_ok(77, "\xe9") == build(SubmitSmResp(77, 0, "\xe9"))


@pytest.mark.parametrize("message_id", ["x" * 65, "a\0b", "\u20ac"])
def test_an_id_that_does_not_fit_is_our_fault(message_id: str) -> None:
    with pytest.raises(LocalFault):
        build_submit_ok(77, message_id)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command.SUBMIT_SM, "00000010 80000004 00000058 00000007"),
        (Command.SUBMIT_MULTI, "00000010 80000021 00000058 00000007"),
        (Command.BIND_TRANSCEIVER, "00000010 80000009 00000058 00000007"),
        (Command.DELIVER_SM, "00000011 80000005 00000058 00000007 00"),
        (Command.DATA_SM, "00000011 80000103 00000058 00000007 00"),
        (Command.ALERT_NOTIFICATION, "00000010 80000000 00000058 00000007"),
        (Command.OUTBIND, "00000010 80000000 00000058 00000007"),
        (0x00010200, "00000010 80000000 00000058 00000007"),
        (0x80000004, "00000010 80000000 00000058 00000007"),
        (0, "00000010 80000000 00000058 00000007"),
    ],
)
def test_a_refusal_uses_the_requests_own_response(command: int, expected: str) -> None:
    assert build_answer(command, 7, Status.ESME_RTHROTTLED) == bytes.fromhex(expected)


def test_all_faults_are_one_family() -> None:
    assert issubclass(RemoteFault, SmppFault)
    assert issubclass(LocalFault, SmppFault)
