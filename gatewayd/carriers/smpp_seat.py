"""One of a link's binds, as the link sees it: how it stands, what may be sent over it, how it ends.

Knows neither who made its connection nor whether there will be another, and no message: what arrives is handed to the
link as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from gatewayd.carriers.statuses import STUBBORN
from gatewayd.config import schema
from gatewayd.runtime.transport import READ_MAX_OF_ANSWERS, Pump
from protocol.smpp.connection import Connection, Event, Limits, Role
from protocol.smpp.constants import Command, status_name
from protocol.smpp.pdu import Bind
from protocol.smpp.versions import NAMES

logger = logging.getLogger(__name__)

UNBIND_WAIT_S: Final = 3.0

_BIND_COMMANDS: Final = {
    "transceiver": Command.BIND_TRANSCEIVER,
    "transmitter": Command.BIND_TRANSMITTER,
    "receiver": Command.BIND_RECEIVER,
}


def modes_of(settings: schema.Link) -> tuple[str, ...]:
    """What one bind of a link consists of: itself, or a pair, of which receipts have a way before messages go."""
    return ("receiver", "transmitter") if settings.bind == "separate" else (settings.bind,)


class Credentials(NamedTuple):
    """What a bind is asked with."""

    settings: schema.Link
    password: str


class Ears(NamedTuple):
    """Whom a seat tells: of events, of room that came back, and of what went wrong, by a short word."""

    on_events: Callable[[Seat, list[Event]], None]
    on_writable: Callable[[], None]
    on_fault: Callable[[str], None]


class Seat:
    """One connection at a time.

    The link tells what it found among the events: ``bound``, ``refused``, ``closed``. ``where`` is the other end, for
    people; ``narrowed`` how much of its window is not to be used for now.
    """

    def __init__(self, label: str, credentials: Credentials, mode: str, ears: Ears, clock: Callable[[], float]) -> None:
        settings = credentials.settings
        self.is_bound = False
        self.where = ""
        self.mode = mode
        self.submits = mode != "receiver"
        self.narrowed = 0
        self._label = label
        self._credentials = credentials
        self._ears = ears
        self._clock = clock
        self._limits = Limits(
            session_init_timeout_s=settings.bind_timeout_s,
            enquire_interval_s=settings.enquire_interval_s,
            response_timeout_s=settings.response_timeout_s,
            window=settings.window,
        )
        self._version = NAMES[settings.interface_version]
        self._is_stopping = False
        self._is_leaving = False
        self._bound_at = 0.0
        self._trouble = ""
        self.connection, self.pump = self._fresh()

    # ---- what the link asks ---------------------------------------------------------------------------------------

    def free(self) -> int:
        """How many submissions may be sent right now."""
        is_able = self.is_bound and self.submits and not self._is_leaving
        # A carrier that is leaving is still owed answers, and takes nothing more.
        if is_able and self.pump.is_writable and self.connection.is_bound:
            return max(0, self.connection.window_free - self.narrowed)
        return 0

    @property
    def is_empty(self) -> bool:
        """Whether neither side owes the other an answer."""
        return not (self.connection.window_used or self.connection.owed)

    def drain(self) -> None:
        """Take nothing more; answers may still come. There will be no other connection."""
        self._is_stopping = self._is_leaving = True

    async def stop(self) -> None:
        """Unbind, close, and end; every request still open was given back by then."""
        self.drain()
        await self._leave()

    async def _leave(self) -> None:
        """Unbind and close this connection."""
        if self.is_bound:
            if self.connection.is_bound:  # else one of us is leaving already
                self.connection.unbind(self._clock())
                self.pump.flush()
            try:
                async with asyncio.timeout(UNBIND_WAIT_S):
                    await self.pump.wait_closed()
            except TimeoutError:
                logger.warning("%s: no answer to unbind", self._label)
        if self.pump.is_connected:
            self.pump.abort()
            await self.pump.wait_closed()

    # ---- what the link found among the events ---------------------------------------------------------------------

    def bound(self) -> None:
        """The carrier took the bind."""
        self.is_bound = True
        self._bound_at = self._clock()
        self._trouble = ""
        who = self.connection.peer_system_id or "a carrier without a name"
        logger.info("%s: bound to %s at %s", self._label, who, self.where)

    def refused(self, status: int) -> None:
        """The carrier refused the bind."""
        self._note("bind_refused", f"bind refused at {self.where}, {status_name(status)}")
        if status in STUBBORN:
            self._on_stubborn(status)

    def closed(self, reason: str) -> None:
        """The connection ended."""
        if self.is_bound:
            self.is_bound = False
            self._on_lost(reason, self._clock() - self._bound_at)
            if not self._is_leaving:
                logger.warning("%s: lost, %s", self._label, reason)
        elif reason != "bind_refused":
            self._note("bind_failed", f"{reason} at {self.where}")

    def _on_stubborn(self, status: int) -> None:
        """The carrier will say so again."""

    def _on_lost(self, reason: str, stood_s: float) -> None:
        """A bind ended that had stood for so long."""

    # ---- one connection -------------------------------------------------------------------------------------------

    def _fresh(self) -> tuple[Connection, Pump]:
        connection = Connection(Role.ESME, self._limits, self._clock(), self._version)
        pump = Pump(
            connection,
            lambda events: self._ears.on_events(self, events),
            self._ears.on_writable,
            self._clock,
            on_connected=lambda: self._connected(connection),
            on_error=lambda _: self._ears.on_fault("internal"),
            read_max=READ_MAX_OF_ANSWERS,
        )
        return connection, pump

    def _connected(self, connection: Connection) -> None:
        """The connection stands."""
        self._bind(connection)

    def _bind(self, connection: Connection) -> None:
        settings, password = self._credentials
        connection.bind(
            Bind(
                command=_BIND_COMMANDS[self.mode],
                system_id=settings.system_id,
                password=password,
                system_type=settings.system_type,
                interface_version=self._version,
            ),
            self._clock(),
        )

    def _note(self, kind: str, trouble: str) -> None:
        """Count every failed attempt, and log the first of a row alike."""
        self._ears.on_fault(kind)
        if trouble != self._trouble and not self._is_stopping:
            self._trouble = trouble
            logger.warning("%s: %s", self._label, trouble)
