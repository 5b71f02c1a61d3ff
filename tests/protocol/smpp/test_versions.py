"""Which version two sides speak, against the tables of the standards (3.4 section 5.2.4, 5.0 section 4.7.13)."""

from __future__ import annotations

import pytest

from protocol.smpp.connection import Answered, BindAsked, Bound, Connection, Role
from protocol.smpp.constants import Command, Status, Tag
from protocol.smpp.errors import LocalFault
from protocol.smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    DataSm,
    DeliverSm,
    SubmitSm,
    SubmitSmResp,
)
from protocol.smpp.versions import NAMES, build_bare, congestion_tlv, said_congestion, said_version, version_of
from tests.protocol.smpp.conversation import LIMITS, hear, sent

TLV = ((Tag.USER_MESSAGE_REFERENCE, b"\0\x01"),)


@pytest.mark.parametrize(
    ("said", "version"),
    [(0x00, 0x33), (0x32, 0x33), (0x33, 0x33), (0x34, 0x34), (0x35, 0x34), (0x4F, 0x34), (0x50, 0x50), (0xFF, 0x50)],
)
def test_a_number_stands_for_a_version(said: int, version: int) -> None:
    assert version_of(said) == version
    assert version in NAMES.values()


def bound(said: int, ours: int = 0x50, command: Command = Command.BIND_TRANSCEIVER) -> Connection:
    connection = Connection(Role.SMSC, LIMITS, 100.0, ours)
    (asked,) = hear(connection, Bind(command, "shop", "secret", interface_version=said, sequence=1))
    assert isinstance(asked, BindAsked)
    connection.accept_bind(asked.pdu, "gateway", 100.0)
    return connection


@pytest.mark.parametrize(
    ("said", "ours", "answer"),
    [
        (0x00, 0x50, ()),
        (0x33, 0x50, ()),
        (0x34, 0x50, ((0x0210, b"\x34"),)),
        (0x50, 0x50, ((0x0210, b"\x50"),)),
        (0x50, 0x34, ((0x0210, b"\x34"),)),
    ],
)
def test_a_bind_is_answered_with_what_both_speak(said: int, ours: int, answer: tuple[tuple[int, bytes], ...]) -> None:
    connection = bound(said, ours)
    (response,) = sent(connection)
    assert isinstance(response, BindResp)
    assert response.tlvs == answer
    assert connection.version == (answer[0][1][0] if answer else 0x33)
    assert connection.peer_version == said


def test_a_peer_that_says_one_thing_and_means_another_is_spoken_to_as_it_means() -> None:
    connection = Connection(Role.SMSC, LIMITS, 100.0, 0x50)
    (asked,) = hear(connection, Bind(system_id="shop", interface_version=0x00, sequence=1))
    assert isinstance(asked, BindAsked)
    connection.accept_bind(asked.pdu, "gateway", 100.0, version=0x34)
    assert (connection.version, connection.peer_version) == (0x34, 0x00)


def test_a_peer_of_3_3_gets_no_tlv_and_nothing_that_it_cannot_know() -> None:
    connection = bound(0x33)
    sent(connection)
    connection.request(DeliverSm(short_message=b"hello", tlvs=TLV), 100.0)
    hear(connection, SubmitSm(sequence=7))
    connection.respond(SubmitSmResp(7, 0, "abc", TLV))
    deliver, response = sent(connection)
    assert deliver == DeliverSm(short_message=b"hello", sequence=1)
    assert response == SubmitSmResp(7, 0, "abc")
    for unknown in (DataSm(), AlertNotification()):
        with pytest.raises(LocalFault):
            connection.request(unknown, 100.0)
    with pytest.raises(LocalFault) as caught:
        connection.request(DeliverSm(tlvs=((Tag.MESSAGE_PAYLOAD, b"long"),)), 100.0)
    assert (caught.value.kind, caught.value.status) == ("field_too_long", Status.ESME_RINVMSGLEN)
    assert connection.window_used == 1, "what could not be written is not waited for"


def test_a_peer_of_3_4_gets_all_of_it() -> None:
    connection = bound(0x34)
    sent(connection)
    connection.request(DeliverSm(tlvs=TLV), 100.0)
    connection.request(DataSm(), 100.0)
    connection.request(AlertNotification(), 100.0)
    first, *_ = sent(connection)
    assert first == DeliverSm(tlvs=TLV, sequence=1)
    assert build_bare(SubmitSmResp(1, 0, "a")) == build_bare(SubmitSmResp(1, 0, "a", TLV))


def esme(asked: int, *said: bytes) -> Connection:
    connection = Connection(Role.ESME, LIMITS, 100.0)
    connection.bind(Bind(system_id="gateway", interface_version=asked), 100.0)
    (bind,) = sent(connection)
    assert isinstance(bind, Bind)
    assert bind.interface_version == asked
    tlvs = tuple((int(Tag.SC_INTERFACE_VERSION), value) for value in said)
    assert hear(connection, BindResp(system_id="carrier", tlvs=tlvs, sequence=bind.sequence)) == [Bound()]
    return connection


@pytest.mark.parametrize(
    ("asked", "said", "version", "peer"),
    [
        (0x34, (b"\x34",), 0x34, 0x34),
        (0x34, (), 0x34, 0),
        (0x34, (b"\x33",), 0x33, 0x33),
        (0x50, (b"\x34",), 0x34, 0x34),
        (0x50, (b"\x50",), 0x50, 0x50),
        (0x34, (b"\x50",), 0x34, 0x50),
        (0x33, (), 0x33, 0),
        (0x34, (b"",), 0x34, 0),
    ],
)
def test_a_carrier_says_what_it_speaks(asked: int, said: tuple[bytes, ...], version: int, peer: int) -> None:
    connection = esme(asked, *said)
    assert (connection.version, connection.peer_version) == (version, peer)


def test_congestion_of_a_carrier_is_kept_until_it_says_otherwise() -> None:
    connection = esme(0x50, b"\x50")
    for value, known in ((b"\x5a", 90), (None, 90), (b"\xff", 100), (b"", 100), (b"\0", 0)):
        sequence = connection.request(SubmitSm(), 100.0)
        tlvs = ((int(Tag.CONGESTION_STATE), value),) if value is not None else ()
        (answered,) = hear(connection, SubmitSmResp(sequence, 0, "id", tlvs))
        assert isinstance(answered, Answered)
        assert connection.peer_congestion == known


def test_congestion_means_nothing_before_5_0() -> None:
    connection = esme(0x34)
    sequence = connection.request(SubmitSm(), 100.0)
    hear(connection, SubmitSmResp(sequence, 0, "id", (congestion_tlv(80),)))
    assert connection.peer_congestion == 0


def test_what_cannot_be_read_says_nothing() -> None:
    assert said_version(((Tag.SC_INTERFACE_VERSION, b"34"),)) == 0
    assert said_congestion(()) is None
    assert [congestion_tlv(state) for state in (-1, 50, 101)] == [(0x0428, b"\0"), (0x0428, b"2"), (0x0428, b"d")]
