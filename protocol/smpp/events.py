"""What a connection tells whoever drives it.

Values without behaviour; requests of the peer appear among them as the PDU records themselves.
"""

from __future__ import annotations

import msgspec

from protocol.smpp.records import Bind, Pdu


class BindAsked(msgspec.Struct, frozen=True, gc=False):
    """An ESME asks to bind; answer with ``accept_bind`` or ``refuse_bind``."""

    pdu: Bind


class Bound(msgspec.Struct, frozen=True, gc=False):
    """Our bind was accepted (ESME role)."""


class BindRefused(msgspec.Struct, frozen=True, gc=False):
    """Our bind was refused with this command_status (ESME role); Closed follows."""

    status: int


class Answered(msgspec.Struct, frozen=True):
    """The response to one of our requests; ``latency_s`` is send to answer, in seconds."""

    context: object
    pdu: Pdu
    latency_s: float


class Unanswered(msgspec.Struct, frozen=True):
    """One of our requests ended without a response that says what became of it.

    ``reason``: ``timeout``; ``lost`` (the connection ended); ``nacked`` (generic_nack, with its ``status``);
    ``malformed`` (the response said ESME_ROK, and the rest could not be read).
    """

    context: object
    reason: str
    status: int = 0


class FaultSeen(msgspec.Struct, frozen=True, gc=False):
    """The peer did something that the specification forbids; for the counter and the log.

    ``kind`` is a short stable word, ``status`` what the peer was told (0: nothing), ``detail`` names the PDU and
    perhaps the field, never a value.
    """

    kind: str
    status: int
    detail: str = ""


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The end: exactly once, and always the last event. ``reason`` is a short stable word."""

    reason: str


Event = Pdu | BindAsked | Bound | BindRefused | Answered | Unanswered | FaultSeen | Closed
