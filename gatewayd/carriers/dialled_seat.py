"""A bind that we connect: again after each loss, at the host whose turn it is, never in a hurry.

Knows no other bind; what all of a link must keep to is the dialer's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.dialing import Dialer
from gatewayd.carriers.smpp_seat import Credentials, Ears, Seat
from gatewayd.carriers.statuses import WRONG_CREDENTIALS
from gatewayd.policy.failover import Failover
from gatewayd.runtime.tasks import spawn

logger = logging.getLogger(__name__)

STABLE_FACTOR: Final = 10.0
"""A bind that stood for so many times the shortest wait was no failure."""


class DialledSeat(Seat):
    """Connected from ``start`` to ``stop``, as far as the carrier lets it."""

    def __init__(
        self,
        label: str,
        credentials: Credentials,
        mode: str,
        ears: Ears,
        dialer: Dialer,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        super().__init__(label, credentials, mode, ears, clock)
        settings = credentials.settings
        self._dialer = dialer
        self._failover = Failover(len(dialer.hosts), settings.failover_after)
        self._backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, rng)
        self._refusals = Backoff(settings.bind_refused_wait_s, settings.bind_refused_wait_max_s, rng)
        self._stable_s = settings.reconnect_min_s * STABLE_FACTOR
        self._wait_s: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._has_settled = asyncio.Event()

    @property
    def is_away(self) -> bool:
        """Whether its bind stands at another host than the first."""
        return self.is_bound and self._failover.is_away and not self._is_leaving

    def start(self) -> None:
        """Begin to connect, and keep connected."""
        self._task = spawn(self._run(), name=self._label)

    async def stop(self) -> None:
        """Unbind, close, and end."""
        await super().stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def go_back(self, until_empty: Callable[[Seat], Awaitable[None]]) -> bool:
        """Leave the host that it is at for the first one, once nothing is owed; whether it was taken there."""
        self._is_leaving = True
        await until_empty(self)
        if self._is_stopping or not self.is_bound:
            self._is_leaving = self._is_stopping
            return False
        self._failover.go_back()
        self._has_settled.clear()
        self._wait_s = 0.0
        await self._leave()
        self._is_leaving = self._is_stopping
        await self._has_settled.wait()
        return self._is_home()

    def _is_home(self) -> bool:
        return self.is_bound and not self._failover.is_away

    # ---- what the link found among the events ---------------------------------------------------------------------

    def bound(self) -> None:
        """The carrier took the bind."""
        self._refusals.reset()
        super().bound()
        self._has_settled.set()

    def _on_stubborn(self, status: int) -> None:
        if status in WRONG_CREDENTIALS:
            settings = self._credentials.settings
            self._dialer.admission.refused(settings.bind_refused_wait_s, settings.bind_refused_wait_max_s)
            self._wait_s = 0.0  # it waits with all of the link
        else:
            self._wait_s = self._refusals.next_s()

    def _on_lost(self, reason: str, stood_s: float) -> None:
        if self._wait_s is not None:  # it is we who left
            return
        if stood_s >= self._stable_s:
            self._backoff.reset()
            self._failover.stood()
        if reason == "unbound_by_peer" and not self._backoff.failures:
            self._backoff.next_s()  # should it do so again soon, it is a failure
            self._wait_s = 0.0
        elif stood_s < self._stable_s:
            self._move()

    # ---- coming back, always --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self._is_stopping:
                await self._dialer.wait_for_turn()
                self._wait_s = None
                await self._live_once()
                await self._rest()
        finally:
            self._has_settled.set()

    async def _rest(self) -> None:
        """What lies between a connection and the next."""
        if not self._is_stopping:
            wait_s = self._backoff.next_s() if self._wait_s is None else self._wait_s
            if wait_s:
                await asyncio.sleep(wait_s)

    async def _live_once(self) -> None:
        """Connect, bind, and return when the connection has ended."""
        self.connection, self.pump = self._fresh()
        place = self._failover.place
        self.where = str(self._dialer.hosts[place])
        try:
            await self._dialer.connect(place, lambda: self.pump)
        except (OSError, TimeoutError) as error:
            self._note("connect_failed", f"no connection to {self.where}, {reason_of(error)}")
            self.pump.abort()
            if not self.pump.is_connected:
                self._move()
                return
        await self.pump.wait_closed()

    def closed(self, reason: str) -> None:
        """The connection ended."""
        if not self.is_bound:
            self._move()
        super().closed(reason)

    def _move(self) -> None:
        """One more attempt was for nothing: is it another host's turn?"""
        place = self._failover.place
        is_new = self._failover.failed()
        if self._failover.place != place and not self._is_stopping:
            self._ears.on_fault("host_changed")
            logger.warning("%s: goes on at %s", self._label, self._dialer.hosts[self._failover.place])
        if is_new:
            self._wait_s = 0.0
            self._backoff.reset()  # how long the other host was not there says nothing of this one
        self._has_settled.set()


def reason_of(error: Exception) -> str:
    """Why a connection did not come about, in a word or a few."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}"
    return type(error).__name__
