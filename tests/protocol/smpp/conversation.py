"""Connections brought to a state, and the few words that their tests are written in."""

from __future__ import annotations

from protocol.smpp.connection import BindAsked, Bound, Connection, Event, Limits, Role
from protocol.smpp.constants import Command, Tag
from protocol.smpp.framing import Framer
from protocol.smpp.pdu import Bind, BindResp, Pdu, build, parse

LIMITS = Limits(
    session_init_timeout_s=10.0,
    enquire_interval_s=30.0,
    inactivity_timeout_s=0.0,
    response_timeout_s=20.0,
    window=5,
)

BINDS = {"tx": Command.BIND_TRANSMITTER, "rx": Command.BIND_RECEIVER, "trx": Command.BIND_TRANSCEIVER}


def sent(connection: Connection) -> list[Pdu]:
    """What the connection wants written, as records."""
    return [parse(whole) for whole in Framer(1 << 20).feed(connection.data_to_send())]


def hear(connection: Connection, *pdus: Pdu, now: float = 100.0) -> list[Event]:
    """Give PDUs of the peer in one read."""
    return connection.receive(b"".join(build(pdu) for pdu in pdus), now)


def smsc(mode: str = "trx", limits: Limits = LIMITS, now: float = 100.0) -> Connection:
    """An SMSC side to which a peer has bound."""
    connection = Connection(Role.SMSC, limits, now)
    (asked,) = hear(connection, Bind(BINDS[mode], "shop", "secret", sequence=1), now=now)
    assert isinstance(asked, BindAsked)
    connection.accept_bind(asked.pdu, "gateway", now)
    (answer,) = sent(connection)
    assert answer == BindResp(
        command=Command(BINDS[mode] | 0x80000000),
        system_id="gateway",
        tlvs=((Tag.SC_INTERFACE_VERSION, b"\x34"),),
        sequence=1,
    )
    return connection


def esme(mode: str = "trx", limits: Limits = LIMITS, now: float = 100.0) -> Connection:
    """An ESME side that has bound; its own next sequence_number is 2."""
    connection = Connection(Role.ESME, limits, now)
    connection.bind(Bind(BINDS[mode], "gateway", "secret"), now)
    (asked,) = sent(connection)
    answer = BindResp(command=Command(BINDS[mode] | 0x80000000), system_id="carrier", sequence=asked.sequence)
    assert hear(connection, answer, now=now) == [Bound()]
    return connection
