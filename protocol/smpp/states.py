"""The law of states: which side may ask what, and when.

Knows no octets, no time and no connection: it is a table with questions on it.

The rules (3.4 sections 2.2 and 2.3), which the table below spells out:

1. A connection is OPEN until a bind succeeds. Then it is BOUND_TX, BOUND_RX or BOUND_TRX, seen from the ESME: TX may
   submit, RX is delivered to, TRX does both.
2. An ESME asks to bind, submit, query, cancel and replace; an SMSC asks to deliver, alerts, and asks for a bind
   (outbind). data_sm goes either way, by the same direction as submit and deliver.
3. enquire_link may be asked by either side in any state, before the bind as well: peers do so, and answering costs
   nothing. unbind likewise ends the connection in whatever state it comes.
4. Whoever has sent unbind (UNBINDING) asks nothing more and takes no new message, but still gets its answers and
   still owes its own. Whoever is sent one answers it last, after all that it owes. After CLOSED nothing is read and
   nothing is said.
5. A response needs no rule of its own: it belongs to a request, or it is a fault.
"""

from __future__ import annotations

import enum
from typing import Final

from protocol.smpp.constants import Status
from protocol.smpp.records import (
    AlertNotification,
    Bind,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)


class Role(enum.Enum):
    """Which side of the connection we are."""

    SMSC = "smsc"
    ESME = "esme"

    @property
    def peer(self) -> Role:
        """The other side."""
        return Role.ESME if self is Role.SMSC else Role.SMSC


class ConnState(enum.Enum):
    """Where a connection stands; the first three are those of 3.4 section 2.2, seen from the ESME."""

    OPEN = "open"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    CLOSED = "closed"


_SUBMITTING: Final = frozenset({ConnState.BOUND_TX, ConnState.BOUND_TRX})
_DELIVERING: Final = frozenset({ConnState.BOUND_RX, ConnState.BOUND_TRX})
_OPEN: Final = frozenset({ConnState.OPEN})
_ALIVE: Final = frozenset(ConnState) - {ConnState.CLOSED}

BOUND: Final = _SUBMITTING | _DELIVERING
"""The states in which a bind stands."""

LAW: Final[tuple[tuple[type[Pdu], Role, frozenset[ConnState]], ...]] = (
    (Bind, Role.ESME, _OPEN),
    (SubmitSm, Role.ESME, _SUBMITTING),
    (SubmitMulti, Role.ESME, _SUBMITTING),
    (DataSm, Role.ESME, _SUBMITTING),
    (QuerySm, Role.ESME, _SUBMITTING),
    (CancelSm, Role.ESME, _SUBMITTING),
    (ReplaceSm, Role.ESME, _SUBMITTING),
    (EnquireLink, Role.ESME, _ALIVE),
    (Outbind, Role.SMSC, _OPEN),
    (DeliverSm, Role.SMSC, _DELIVERING),
    (DataSm, Role.SMSC, _DELIVERING),
    (AlertNotification, Role.SMSC, _DELIVERING),
    (EnquireLink, Role.SMSC, _ALIVE),
)
"""(request, who asks it, in which states)."""

UNANSWERED: Final[frozenset[type[Pdu]]] = frozenset({Outbind, AlertNotification})
"""Requests that have no response (3.4 sections 4.1.7 and 4.12)."""

CROSSED: Final[dict[Role, Status]] = {Role.SMSC: Status.ESME_RSYSERR, Role.ESME: Status.ESME_RX_T_APPN}
"""What our role answers to a message that crossed our unbind on the wire: it is nobody's fault, and comes again."""

_ISSUED: Final[dict[tuple[Role, ConnState], frozenset[type[Pdu]]]] = {
    (role, state): frozenset(record for record, issuer, states in LAW if issuer is role and state in states)
    for role in Role
    for state in ConnState
}
_EVER: Final[dict[Role, frozenset[type[Pdu]]]] = {
    role: frozenset(record for record, issuer, _ in LAW if issuer is role) for role in Role
}


def issued(role: Role, state: ConnState) -> frozenset[type[Pdu]]:
    """The requests that ``role`` may ask in ``state``."""
    return _ISSUED[role, state]


def ever_issued(role: Role) -> frozenset[type[Pdu]]:
    """The requests that ``role`` may ask in some state."""
    return _EVER[role]
