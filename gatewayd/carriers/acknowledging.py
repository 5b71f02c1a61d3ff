"""Answering a carrier's reports once they are durable, or refusing them for now, over the bind that they came by.

Knows no report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gatewayd.runtime.transport import Pump
from protocol.smpp.connection import Connection, ConnState
from protocol.smpp.constants import Status
from protocol.smpp.pdu import DataSmResp, DeliverSmResp

REPORTS_PER_SEAT_MAX: Final = 2_000
"""Reports that a carrier may have unacknowledged on one bind before it is no longer read."""

_CLOSED: Final = ConnState.CLOSED  # asked for each report, and looking a member up in its class is dear


class Token(msgspec.Struct, frozen=True):
    """Where a report must be answered."""

    pump: Pump
    connection: Connection
    sequence: int
    is_data: bool


def acknowledge(tokens: Sequence[object], stored: bool) -> None:
    """Answer reports; those of a connection that is gone will be repeated by the carrier."""
    for token in tokens:
        if not isinstance(token, Token) or token.connection.state is _CLOSED:
            continue
        pump, connection = token.pump, token.connection
        if not stored or token.is_data:
            respond(connection, token.sequence, token.is_data, Status.ESME_ROK if stored else Status.ESME_RX_T_APPN)
        else:
            connection.respond_deliver(token.sequence)
        if pump.is_reading_paused and connection.owed <= REPORTS_PER_SEAT_MAX // 2:
            pump.resume_reading()
        if not pump.is_flush_asked:
            pump.flush()


def respond(connection: Connection, sequence: int, is_data: bool, status: int) -> None:
    """Answer one with any status."""
    if is_data:
        connection.respond(DataSmResp(sequence=sequence, status=status))
    else:
        connection.respond(DeliverSmResp(sequence=sequence, status=status))
