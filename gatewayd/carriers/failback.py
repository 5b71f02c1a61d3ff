"""Binds that stand at another host than the first go back, one after the other, when the first answers again.

Knows when to look and whom to send; how a bind leaves and comes is its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gatewayd.carriers.berth import Berth
from gatewayd.carriers.dialing import Dialer
from gatewayd.carriers.door import Door
from gatewayd.carriers.smpp_seat import Seat
from gatewayd.runtime.tasks import spawn

logger = logging.getLogger(__name__)

DOUBLINGS_MAX: Final = 4
"""A host that answers and takes no bind is looked at less and less often, down to a sixteenth."""


class Failback:
    """The way back of one link's binds in one worker."""

    def __init__(
        self,
        name: str,
        interval_s: float,
        dialer: Dialer,
        berths: Callable[[], Sequence[Berth | Door]],
        until_empty: Callable[[Seat], Awaitable[None]],
    ) -> None:
        """``interval_s`` 0: nobody goes back. ``until_empty`` returns once nothing is owed on a bind."""
        self._name = name
        self._interval_s = interval_s if len(dialer.hosts) > 1 else 0.0
        self._dialer = dialer
        self._berths = berths
        self._until_empty = until_empty
        self._in_vain = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, where there is anything to look for."""
        if self._interval_s and self._task is None:
            self._task = spawn(self._look(), name=f"link {self._name} looks for its first host")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s * 2 ** min(self._in_vain, DOUBLINGS_MAX))
            await self.look()

    async def look(self) -> None:
        """Once: send back who is away, until one is not taken there."""
        away = [seat for berth in self._berths() for seat in berth.away]
        if not away:
            self._in_vain = 0
        elif await self._dialer.answers(0):
            logger.info("link %s: %s answers again", self._name, self._dialer.hosts[0])
            self._in_vain += 1  # until they are found at home: a host may take binds and cut them at once
            for seat in away:
                if seat.is_away and not await seat.go_back(self._until_empty):
                    return
