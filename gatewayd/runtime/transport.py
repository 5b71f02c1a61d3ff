"""One pump between an asyncio transport and any engine that takes octets and gives events, octets and a deadline.

Knows no wire format, no account and no message: it owns the only clock and the only timer of its connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from gatewayd.runtime.turns import TURNS

logger = logging.getLogger(__name__)

_brought = TURNS.brought

# No timer is worth waking for sooner; loops round delays to a millisecond.
_DELAY_MIN_S = 0.001
# After a pause, what lies in the socket is read before anybody is called silent.
_GRACE_S = 1.0

# The most that one connection may bring in one turn of the loop: whoever floods waits for everybody else in between.
READ_MAX = 16 * 1024
# Of a peer whose words end what others began: of it, so much more. Else a crowd that sends would be read faster than
# what became of its messages, and these would pile up.
READ_MAX_OF_ANSWERS = 4 * READ_MAX
# All pumps of a process read into this one: what was read is taken out before anything else is.
_READ_BUFFER = memoryview(bytearray(READ_MAX_OF_ANSWERS))


class Engine(Protocol):
    """What a pump needs of a connection machine. No call may wait; ``now`` is the pump's clock in seconds.

    ``deadline_min_s``: no deadline that begins at some moment lies nearer to it.
    """

    deadline_min_s: float

    @property
    def wants_close(self) -> bool:
        """Whether the transport must be closed once ``data_to_send`` has nothing left."""

    def receive(self, data: bytes, now: float) -> list[Any]:
        """Take octets; give events."""

    def eof(self, now: float) -> list[Any]:
        """The transport is gone; give the last events."""

    def tick(self, now: float) -> list[Any]:
        """Do what time asks for; harmless when early."""

    def next_deadline(self) -> float | None:
        """When ``tick`` is wanted."""

    def data_to_send(self) -> bytes:
        """Everything gathered since the last call."""


class Pump(asyncio.BufferedProtocol):
    """Moves octets and events; decides nothing.

    ``on_events`` gets every non-empty list of the engine's events. ``on_connected`` is called once, ``on_writable``
    whenever the peer reads again after it had fallen behind. When a hook or the engine raises, this connection alone
    is cut: the failure is logged once and told to ``on_error``; ``on_events`` still gets the engine's last events.

    A peer that does not read may leave ``unsent_max`` octets with us, or lag behind for ``lag_max_s``; then the
    connection is cut as well. A closing connection has ``close_timeout_s`` to take its last octets.
    """

    def __init__(
        self,
        engine: Engine,
        on_events: Callable[[list[Any]], None],
        on_writable: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        on_connected: Callable[[], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        unsent_max: int = 4 * 1024 * 1024,
        lag_max_s: float = 60.0,
        close_timeout_s: float = 5.0,
        read_max: int = READ_MAX,
    ) -> None:
        self._read_buffer = _READ_BUFFER[:read_max]
        self.engine = engine
        self.peername = ""
        self.is_connected = False
        self.is_writable = False
        self._on_events = on_events
        self._on_writable = on_writable
        self._on_connected = on_connected
        self._on_error = on_error
        self._clock = clock
        self._unsent_max = unsent_max
        self._lag_max_s = lag_max_s
        self._close_timeout_s = close_timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()
        self.is_flush_asked = False
        self.is_reading_paused = False
        self._has_failed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._cut_timer: asyncio.TimerHandle | None = None
        self._lag_timer: asyncio.TimerHandle | None = None

    # ---- what the driver asks -------------------------------------------------------------------------------------

    @property
    def tls(self) -> Any:
        """The TLS of this connection, whose certificate may be asked for; None when it is not encrypted."""
        return self._transport.get_extra_info("ssl_object") if self._transport is not None else None

    def flush(self) -> None:
        """Write what the engine has gathered at the end of this loop turn; many calls make one write."""
        if not self.is_flush_asked and self.is_connected:
            self.is_flush_asked = True
            self._loop.call_soon(self._flush_now)

    def pause_reading(self) -> None:
        """Take nothing more from the peer for now; its silence is then no fault, so the engine's timers rest."""
        if not self.is_reading_paused:
            self.is_reading_paused = True
            self._disarm()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the peer again."""
        if self.is_reading_paused:
            self.is_reading_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
                self._arm(_GRACE_S)

    def abort(self) -> None:
        """Cut the connection now; what was not written is lost."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Return once the connection has ended and its last events were told."""
        await self._ended.wait()

    # ---- what asyncio tells ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport stands."""
        # Not an isinstance check: the transports of uvloop do not derive from asyncio's.
        self._transport = stream = cast(asyncio.Transport, transport)
        self.is_connected = self.is_writable = True
        self.peername = _peer_ip(transport)
        _set_nodelay(transport)
        if self.is_reading_paused:
            stream.pause_reading()
        self._call(self._on_connected)
        self._flush_now()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next read goes."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """One read. When there is more, it waits for the next turn: a loop would read on and on while a peer floods."""
        _brought(self._loop, nbytes)
        self.data_received(bytes(self._read_buffer[:nbytes]))
        if nbytes == len(self._read_buffer) and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self.is_reading_paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._has_failed:
            return
        try:
            events = self.engine.receive(data, self._clock())
            if events:
                self._on_events(events)
        except Exception as fault:  # noqa: BLE001  any failure here must end one connection, not the process
            self._fail(fault)
        if not self.is_flush_asked:
            self._flush_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone, by whoever's wish."""
        self.is_connected = self.is_writable = False
        self._disarm()
        for timer in (self._cut_timer, self._lag_timer):
            if timer is not None:
                timer.cancel()
        try:
            events = self.engine.eof(self._clock())
            if events:
                self._on_events(events)
        except Exception as fault:  # noqa: BLE001  whoever waits for the end must still hear of it
            self._fail(fault)
        finally:
            self._ended.set()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self.is_writable = False
        self._lag_timer = self._loop.call_later(self._lag_max_s, self._cut)

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.is_writable = True
        if self._lag_timer is not None:
            self._lag_timer.cancel()
        self._call(self._on_writable)
        self.flush()

    # ---- the reflex: write, close, wind the clock -----------------------------------------------------------------

    def _flush_now(self) -> None:
        self.is_flush_asked = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = self.engine.data_to_send()
        if data:
            transport.write(data)
            if transport.get_write_buffer_size() > self._unsent_max:
                self._cut()
                return
        if self.engine.wants_close:
            transport.close()
            self._cut_timer = self._loop.call_later(self._close_timeout_s, transport.abort)
        else:
            self._arm()

    def _arm(self, delay_min_s: float = _DELAY_MIN_S) -> None:
        """See that the timer fires by the engine's deadline. One that fires too early looks again, so it may stay."""
        if self.is_reading_paused:
            return
        if self._timer is not None and self._timer_at <= self._clock() + self.engine.deadline_min_s:
            return  # in time for whatever began since it was set: nearly always, and asking costs ten calls
        deadline = self.engine.next_deadline()
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._disarm()
        now = self._clock()
        self._timer_at = max(deadline, now + delay_min_s)
        self._timer = self._loop.call_later(self._timer_at - now, self._wake)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        try:
            events = self.engine.tick(self._clock())
            if events:
                self._on_events(events)
        except Exception as fault:  # noqa: BLE001  as in data_received
            self._fail(fault)
        if not self.is_flush_asked:
            self._flush_now()

    def _cut(self) -> None:
        """The peer had its time, or its share of our memory."""
        logger.warning("cut a connection: its peer does not read")
        self.abort()

    def _call(self, hook: Callable[[], None] | None) -> None:
        if hook is None:
            return
        try:
            hook()
        except Exception as fault:  # noqa: BLE001  as in data_received
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        """Something of ours broke: cut this connection, and say so once."""
        if not self._has_failed:
            self._has_failed = True
            logger.error("cut a connection: its driver failed", exc_info=fault)
            if self._on_error is not None:
                self._on_error(fault)
        self.abort()


def _peer_ip(transport: asyncio.BaseTransport) -> str:
    """The peer's address without its port; empty for a Unix socket."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _set_nodelay(transport: asyncio.BaseTransport) -> None:
    """Small PDUs must not wait for an acknowledgement: writes are gathered already."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
