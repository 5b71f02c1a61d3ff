"""The table and its walker: what they take, what they refuse, and that they undo one another."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.constants import Command, Status
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.layouts import HEADER, LAYOUTS, walk_build, walk_parse
from protocol.smpp.records import (
    Bind,
    BindResp,
    DeliverSmResp,
    EnquireLink,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
)
from tests.protocol.smpp.samples import any_record, mutations


def whole(command: int, body: bytes = b"", status: int = 0, sequence: int = 7) -> bytes:
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def fault_of(data: bytes) -> RemoteFault:
    with pytest.raises(RemoteFault) as caught:
        walk_parse(data)
    return caught.value


def test_the_table_names_real_fields() -> None:
    for layout in LAYOUTS.values():
        assert {field.name for field in layout.fields} <= set(layout.record.__struct_fields__)


@settings(deadline=None, max_examples=200)
@given(any_record())
def test_parse_undoes_build(pdu: Pdu) -> None:
    data = walk_build(pdu)
    assert walk_parse(data) == pdu
    assert walk_build(walk_parse(data)) == data


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_strange_octets_raise_nothing_but_our_faults(data: st.DataObject) -> None:
    broken = data.draw(mutations(walk_build(data.draw(any_record()))))
    with contextlib.suppress(RemoteFault):
        assert walk_parse(broken).sequence == int.from_bytes(broken[12:16], "big")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=80))
def test_noise_raises_nothing_but_our_faults(noise: bytes) -> None:
    with pytest.raises(RemoteFault):
        walk_parse(noise)


@pytest.mark.parametrize("size", [0, 3, 4, 15])
def test_less_than_a_header_is_fatal(size: int) -> None:
    fault = fault_of(bytes(size))
    assert (fault.kind, fault.status, fault.fatal) == ("short_pdu", Status.ESME_RINVCMDLEN, True)


def test_a_length_that_lies_is_fatal() -> None:
    fault = fault_of(whole(Command.ENQUIRE_LINK) + b"x")
    assert (fault.kind, fault.status, fault.fatal) == ("wrong_length", Status.ESME_RINVCMDLEN, True)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Command.BROADCAST_SM, "unsupported_command"),
        (Command.QUERY_BROADCAST_SM_RESP, "unsupported_command"),
        (0x00010200, "unknown_command"),
        (0xFFFFFFFF, "unknown_command"),
    ],
)
def test_a_command_that_we_do_not_speak(command: int, kind: str) -> None:
    fault = fault_of(whole(command))
    assert (fault.kind, fault.status, fault.fatal) == (kind, Status.ESME_RINVCMDID, False)
    assert (fault.command, fault.sequence) == (command, 7)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 16 + b"\0\0\0\x34\0\0\0", Status.ESME_RINVSYSID),
        (b"me\0" + b"p" * 9 + b"\0\0\x34\0\0\0", Status.ESME_RINVPASWD),
        (b"me\0pw\0" + b"t" * 13 + b"\0\x34\0\0\0", Status.ESME_RINVSYSTYP),
        (b"me\0pw\0\0\x34\0\0" + b"r" * 41 + b"\0", Status.ESME_RBINDFAIL),
        (b"me\0pw\0\0\x34", Status.ESME_RINVCMDLEN),
    ],
)
def test_a_bind_is_held_to_its_limits(body: bytes, status: Status) -> None:
    assert fault_of(whole(Command.BIND_TRANSCEIVER, body)).status == status


def test_the_longest_bind_is_taken() -> None:
    pdu = walk_parse(whole(Command.BIND_RECEIVER, b"s" * 15 + b"\0" + b"p" * 8 + b"\0\0\x33\x01\x02\0"))
    assert pdu == Bind(Command.BIND_RECEIVER, "s" * 15, "p" * 8, "", 0x33, 1, 2, "", sequence=7)


@pytest.mark.parametrize("status", [0, 0x58, 0x4FF])
def test_a_response_may_come_without_its_body(status: int) -> None:
    assert walk_parse(whole(Command.SUBMIT_SM_RESP, status=status)) == SubmitSmResp(7, status)
    assert walk_parse(whole(Command.DELIVER_SM_RESP, status=status)) == DeliverSmResp(7, status)
    assert walk_parse(whole(Command.QUERY_SM_RESP, status=status)) == QuerySmResp(7, status)


def test_a_refusal_of_a_message_is_written_without_a_body() -> None:
    assert len(walk_build(SubmitSmResp(7, 0x58, "ignored"))) == 16
    assert len(walk_build(BindResp(status=0x0E, system_id="ignored"))) == 16
    assert walk_build(DeliverSmResp(7, 0x64)).endswith(b"\0\0\0\x07\0")


def test_what_follows_a_body_without_tlvs_is_ignored() -> None:
    assert walk_parse(whole(Command.ENQUIRE_LINK, b"\x02\x04\0\0")) == EnquireLink(sequence=7)
    assert walk_parse(whole(Command.QUERY_SM, b"id\0\x01\x01123\0junk")) == QuerySm("id", 1, 1, "123", sequence=7)


@pytest.mark.parametrize(
    ("pdu", "kind"),
    [
        (SubmitSm(source_addr="x" * 21), "field_too_long"),
        (SubmitSm(sequence=-1), "out_of_range"),
        (SubmitSm(sequence=1 << 32), "out_of_range"),
        (Bind(command=Command.SUBMIT_SM), "wrong_command"),
        (Bind(command=Command.OUTBIND), "wrong_command"),
    ],
)
def test_we_write_nothing_that_is_wrong(pdu: Pdu, kind: str) -> None:
    with pytest.raises(LocalFault) as caught:
        walk_build(pdu)
    assert caught.value.kind == kind
