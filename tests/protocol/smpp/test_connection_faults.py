"""What a stranger can do to a connection: documented faults, the right answer, and a stream that survives."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.connection import (
    Answered,
    Bound,
    Closed,
    Connection,
    Event,
    FaultSeen,
    Limits,
    Role,
    Unanswered,
)
from protocol.smpp.constants import Command, Status
from protocol.smpp.layouts import HEADER
from protocol.smpp.pdu import (
    Bind,
    BindResp,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    build,
    build_answer,
)
from tests.protocol.smpp.conversation import LIMITS, esme, hear, sent, smsc
from tests.protocol.smpp.samples import any_record, mutations

ALIVE = EnquireLink(sequence=999)


def raw(command: int, body: bytes = b"", status: int = 0, sequence: int = 7) -> bytes:
    return HEADER.pack(16 + len(body), command, status, sequence) + body


@pytest.mark.parametrize(
    ("command", "body", "kind", "status", "detail"),
    [
        (Command.SUBMIT_SM, b"123456\0", "field_too_long", Status.ESME_RINVSERTYP, "submit_sm: service_type"),
        (Command.SUBMIT_SM, b"\0\1\1" + b"1" * 21 + b"\0", "field_too_long", 0x0A, "submit_sm: source_addr"),
        (Command.SUBMIT_SM, b"\0\1\1\0\1\1" + b"1" * 30, "field_too_long", 0x0B, "submit_sm: destination_addr"),
        (
            Command.SUBMIT_SM,
            b"\0\1\1\0\1\1\0\0\0\0\0\0\0\0\0\0\x09hi",
            "message_overrun",
            1,
            "submit_sm: short_message",
        ),
        (Command.SUBMIT_SM, b"\0\1\1\0\1\1\0\0\0\0\0\0\0\0\0\0\x02hi\x02", "tlv_overrun", 0xC0, "submit_sm: tlvs"),
        (Command.SUBMIT_SM, b"", "short_pdu", Status.ESME_RINVCMDLEN, "submit_sm: service_type"),
        (Command.QUERY_SM, b"x" * 70, "field_too_long", Status.ESME_RINVMSGID, "query_sm: message_id"),
        (Command.DATA_SM, b"\0", "short_pdu", Status.ESME_RINVCMDLEN, "data_sm: source_addr_ton"),
        (Command.BROADCAST_SM, b"junk", "unsupported_command", Status.ESME_RINVCMDID, "broadcast_sm"),
        (0x00010200, b"junk", "unknown_command", Status.ESME_RINVCMDID, "0x00010200"),
    ],
)
def test_a_broken_request_is_answered_and_the_stream_survives(
    command: int, body: bytes, kind: str, status: int, detail: str
) -> None:
    connection = smsc()
    events = connection.receive(raw(command, body) + build(ALIVE), 101.0)
    assert events == [FaultSeen(kind, status, detail)]
    assert connection.data_to_send() == build_answer(command, 7, status) + build(EnquireLinkResp(999))


def test_a_broken_bind_is_answered_in_kind() -> None:
    connection = Connection(Role.SMSC, LIMITS, 0.0)
    body = b"s" * 20 + b"\0pw\0\0\x34\0\0\0"
    assert connection.receive(raw(Command.BIND_RECEIVER, body), 1.0) == [
        FaultSeen("field_too_long", Status.ESME_RINVSYSID, "bind_receiver: system_id")
    ]
    answer = BindResp(command=Command.BIND_RECEIVER_RESP, status=Status.ESME_RINVSYSID, sequence=7)
    assert sent(connection) == [answer]


@pytest.mark.parametrize("command", [0x80000333, Command.BROADCAST_SM_RESP])
def test_an_unknown_response_is_never_answered(command: int) -> None:
    connection = smsc()
    (fault,) = connection.receive(raw(command), 1.0)
    assert isinstance(fault, FaultSeen)
    assert fault.kind in ("unknown_command", "unsupported_command")
    assert connection.data_to_send() == b""


@pytest.mark.parametrize(
    ("data", "kind", "sequence", "told"),
    [
        (bytes(16), "short_length", 0, "command_length"),
        (b"\0\0\0\x0f" + bytes(12), "short_length", 0, "command_length"),
        (bytes.fromhex("00020000 00000004 00000000 0000002A"), "oversized", 42, "command_length"),
        (b"GET / HTTP/1.1\r\n\r\n", "oversized", int.from_bytes(b".1\r\n", "big"), "HTTP, not SMPP"),
        (bytes.fromhex("16030100 f5010000 f10303aa 00000001"), "oversized", 1, "TLS, not SMPP"),
        (b"PROXY TCP4 192.0.2.1 ", "oversized", int.from_bytes(b"92.0", "big"), "a PROXY header, not SMPP"),
        (b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c", "oversized", 0x2111000C, "a PROXY header, not SMPP"),
    ],
)
def test_a_broken_length_is_nacked_and_ends_it(data: bytes, kind: str, sequence: int, told: str) -> None:
    connection = smsc()
    connection.request(EnquireLink(), 1.0, "waits")
    connection.data_to_send()
    events = connection.receive(build(ALIVE) + data + build(ALIVE), 1.0)
    assert events == [FaultSeen(kind, 2, told), Unanswered("waits", "lost"), Closed(kind)]
    assert sent(connection) == [EnquireLinkResp(999), GenericNack(Status.ESME_RINVCMDLEN, sequence=sequence)]
    assert connection.wants_close
    assert connection.receive(build(ALIVE), 2.0) == []
    assert connection.data_to_send() == b""


def test_sequence_zero_is_tolerated_and_told() -> None:
    connection = smsc()
    assert hear(connection, SubmitSm(sequence=0)) == [FaultSeen("sequence_zero", 0, "submit_sm"), SubmitSm()]
    connection.respond_submit(0, "id")
    assert sent(connection) == [SubmitSmResp(0, 0, "id")]
    assert hear(connection, EnquireLink()) == [FaultSeen("sequence_zero", 0, "enquire_link")]
    assert sent(connection) == [EnquireLinkResp(0)]


def test_a_reused_sequence_is_tolerated_and_told() -> None:
    connection = smsc()
    first, second = SubmitSm(short_message=b"a", sequence=5), SubmitSm(short_message=b"b", sequence=5)
    assert hear(connection, first, second) == [first, FaultSeen("sequence_reused", 0, "submit_sm"), second]
    connection.respond_submit(5, "a")
    connection.respond_submit(5, "b")
    assert len(sent(connection)) == 2
    assert hear(connection, first) == [first]


def test_a_response_to_nothing_is_told_and_ignored() -> None:
    connection = esme()
    unexpected = FaultSeen("unexpected_response", 0, "submit_sm_resp")
    assert hear(connection, SubmitSmResp(77, 0, "id")) == [unexpected]
    connection.request(SubmitSm(), 1.0, "a")
    assert hear(connection, DeliverSmResp(2)) == [FaultSeen("unexpected_response", 0, "deliver_sm_resp")]
    assert hear(connection, SubmitSmResp(2, 0, "id"), SubmitSmResp(2, 0, "id"), now=1.0) == [
        Answered("a", SubmitSmResp(2, 0, "id"), 0.0),
        unexpected,
    ]
    assert hear(connection, GenericNack(3)) == [FaultSeen("unexpected_response", 0, "generic_nack")]


def test_a_refusal_with_a_broken_body_is_still_a_refusal() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    events = connection.receive(raw(Command.SUBMIT_SM_RESP, b"no end", 0x58, sequence=2), 3.0)
    assert events == [
        FaultSeen("unterminated_string", 0, "submit_sm_resp: message_id"),
        Answered("a", SubmitSmResp(2, Status.ESME_RTHROTTLED), 2.0),
    ]


def test_an_acceptance_whose_id_cannot_be_read_is_malformed() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    connection.data_to_send()
    events = connection.receive(raw(Command.SUBMIT_SM_RESP, b"x" * 80 + b"\0", sequence=2), 3.0)
    assert events == [
        FaultSeen("field_too_long", 0, "submit_sm_resp: message_id"),
        Unanswered("a", "malformed"),
    ]
    assert connection.data_to_send() == b""
    assert connection.window_used == 0


def test_a_broken_response_to_nothing_changes_nothing() -> None:
    connection = esme()
    events = connection.receive(raw(Command.SUBMIT_SM_RESP, b"x" * 80), 3.0)
    assert [event.kind for event in events if isinstance(event, FaultSeen)] == ["field_too_long", "unexpected_response"]


def test_a_bind_resp_with_an_overlong_name_still_binds() -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(system_id="gateway"), 0.0)
    events = connection.receive(raw(Command.BIND_TRANSCEIVER_RESP, b"n" * 30 + b"\0", sequence=1), 1.0)
    assert events == [FaultSeen("field_too_long", 0, "bind_transceiver_resp: system_id"), Bound()]
    assert connection.peer_system_id == ""


@pytest.mark.parametrize("status", [0x400, 0x4FF, 0xFFFFFFFF])
def test_a_vendors_status_is_a_status(status: int) -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    assert hear(connection, SubmitSmResp(2, status), now=1.0) == [Answered("a", SubmitSmResp(2, status), 0.0)]


def fresh(kind: str) -> Connection:
    limits = Limits(pdu_size_max=2_000)
    if kind == "open smsc":
        return Connection(Role.SMSC, limits, 0.0)
    if kind == "bound smsc":
        return smsc(limits=limits)
    connection = esme(limits=limits)
    for number in range(3):
        connection.request(SubmitSm(), 100.0, number)
    connection.data_to_send()
    return connection


KINDS = ["open smsc", "bound smsc", "bound esme"]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(KINDS), st.data(), st.lists(st.integers(0, 600), max_size=8))
def test_any_cutting_of_any_stream_gives_the_same_events(kind: str, data: st.DataObject, cuts: list[int]) -> None:
    wholes = [build(pdu) for pdu in data.draw(st.lists(any_record(), max_size=4))]
    stream = b"".join(data.draw(mutations(whole)) if data.draw(st.booleans()) else whole for whole in wholes)
    stream += data.draw(st.binary(max_size=20))
    once = fresh(kind)
    expected = once.receive(stream, 101.0)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = fresh(kind)
    got: list[Event] = []
    for start, end in itertools.pairwise(edges):
        got += pieces.receive(stream[start:end], 101.0)
    assert got == expected
    assert pieces.data_to_send() == once.data_to_send()
    assert pieces.state is once.state


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(KINDS), st.lists(st.binary(max_size=60), max_size=5))
def test_noise_never_raises_and_the_end_comes_once(kind: str, reads: list[bytes]) -> None:
    connection = fresh(kind)
    events = [event for read in reads for event in connection.receive(read, 101.0)]
    events += connection.eof(102.0)
    assert [type(event) for event in events].count(Closed) == 1
    assert isinstance(events[-1], Closed)
    if kind == "bound esme":
        told = [event.context for event in events if isinstance(event, Answered | Unanswered)]
        assert sorted(map(str, told)) == ["0", "1", "2"]


def test_a_stream_that_ends_within_a_pdu_is_told() -> None:
    connection = smsc()
    assert connection.receive(build(EnquireLink(sequence=9))[:7], 101.0) == []
    assert connection.eof(102.0) == [FaultSeen("truncated", 0, "the stream ended within a PDU"), Closed("eof")]
