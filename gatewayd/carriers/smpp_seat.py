"""One of a link's binds: connecting, binding, and coming back after a loss, for as long as the link lives.

Knows no message: what arrives is handed to the link as it is.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from typing import Final

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.statuses import STUBBORN
from gatewayd.config import schema
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.transport import Pump
from protocol.smpp.connection import Connection, Event, Limits, Role
from protocol.smpp.constants import Command, status_name
from protocol.smpp.pdu import Bind
from protocol.smpp.states import BOUND

logger = logging.getLogger(__name__)

STUBBORN_FACTOR: Final = 5.0
STABLE_FACTOR: Final = 10.0
UNBIND_WAIT_S: Final = 3.0

_BIND_COMMANDS: Final = {
    "transceiver": Command.BIND_TRANSCEIVER,
    "transmitter": Command.BIND_TRANSMITTER,
    "receiver": Command.BIND_RECEIVER,
}


class Seat:
    """One connection at a time, from ``start`` to ``stop``.

    The link tells what it found among the events: ``bound``, ``refused``, ``closed``.
    """

    def __init__(
        self,
        label: str,
        settings: schema.Link,
        password: str,
        on_events: Callable[[Seat, list[Event]], None],
        on_writable: Callable[[], None],
        on_fault: Callable[[str], None],
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.is_bound = False
        self._label = label
        self._settings = settings
        self._password = password
        self._on_events = on_events
        self._on_writable = on_writable
        self._on_fault = on_fault
        self._clock = clock
        self._backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, rng)
        self._limits = Limits(
            session_init_timeout_s=settings.bind_timeout_s,
            enquire_interval_s=settings.enquire_interval_s,
            response_timeout_s=settings.response_timeout_s,
            window=settings.window,
        )
        self._submits = settings.bind != "receiver"
        self._is_stopping = False
        self._bound_at = 0.0
        self._trouble = ""
        self._is_stubborn = False
        self._task: asyncio.Task[None] | None = None
        self.connection, self.pump = self._fresh()

    # ---- what the link asks ---------------------------------------------------------------------------------------

    def free(self) -> int:
        """How many submissions may be sent right now."""
        is_able = self.is_bound and self._submits and not self._is_stopping
        # A carrier that is leaving is still owed answers, and takes nothing more.
        if is_able and self.pump.is_writable and self.connection.state in BOUND:
            return self.connection.window_free
        return 0

    def start(self, tls: ssl.SSLContext | None) -> None:
        """Begin to connect, and keep connected."""
        self._task = spawn(self._run(tls), name=self._label)

    def drain(self) -> None:
        """Take nothing more; answers may still come."""
        self._is_stopping = True

    async def stop(self) -> None:
        """Unbind, close, and end; every request still open was given back by then."""
        self._is_stopping = True
        if self.is_bound:
            if self.connection.state in BOUND:  # else one of us is leaving already
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
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # ---- what the link found among the events ---------------------------------------------------------------------

    def bound(self) -> None:
        """The carrier took the bind."""
        self.is_bound = True
        self._bound_at = self._clock()
        self._trouble = ""
        logger.info("%s: bound to %s", self._label, self.connection.peer_system_id or "a carrier without a name")

    def refused(self, status: int) -> None:
        """The carrier refused the bind."""
        self._is_stubborn = status in STUBBORN
        self._note("bind_refused", f"bind refused, {status_name(status)}")

    def closed(self, reason: str) -> None:
        """The connection ended."""
        if self.is_bound:
            self.is_bound = False
            if self._clock() - self._bound_at >= self._settings.reconnect_min_s * STABLE_FACTOR:
                self._backoff.reset()
            if not self._is_stopping:
                logger.warning("%s: lost, %s", self._label, reason)
        elif reason != "bind_refused":
            self._note("bind_failed", reason)

    # ---- coming back, always --------------------------------------------------------------------------------------

    async def _run(self, tls: ssl.SSLContext | None) -> None:
        while not self._is_stopping:
            self._is_stubborn = False
            await self._live_once(tls)
            wait_s = self._backoff.next_s()
            if self._is_stubborn:
                wait_s = max(wait_s, self._settings.reconnect_min_s * STUBBORN_FACTOR)
            if not self._is_stopping:
                await asyncio.sleep(wait_s)

    async def _live_once(self, tls: ssl.SSLContext | None) -> None:
        """Connect, bind, and return when the connection has ended."""
        settings = self._settings
        self.connection, self.pump = self._fresh()
        try:
            async with asyncio.timeout(settings.bind_timeout_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: self.pump, settings.host, settings.port, ssl=tls
                )
        except (OSError, TimeoutError) as error:
            self._note("connect_failed", f"no connection, {_reason_of(error)}")
            self.pump.abort()
            if not self.pump.is_connected:
                return
        await self.pump.wait_closed()

    def _fresh(self) -> tuple[Connection, Pump]:
        connection = Connection(Role.ESME, self._limits, self._clock())
        pump = Pump(
            connection,
            lambda events: self._on_events(self, events),
            self._on_writable,
            self._clock,
            on_connected=lambda: self._bind(connection),
            on_error=lambda _: self._on_fault("internal"),
        )
        return connection, pump

    def _bind(self, connection: Connection) -> None:
        settings = self._settings
        connection.bind(
            Bind(
                command=_BIND_COMMANDS[settings.bind],
                system_id=settings.system_id,
                password=self._password,
                system_type=settings.system_type,
            ),
            self._clock(),
        )

    def _note(self, kind: str, trouble: str) -> None:
        """Count every failed attempt, and log the first of a row alike."""
        self._on_fault(kind)
        if trouble != self._trouble and not self._is_stopping:
            self._trouble = trouble
            logger.warning("%s: %s", self._label, trouble)


def _reason_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}"
    return type(error).__name__
