"""Which of a link's binds this worker opens: as many as its share, and those that nobody else holds.

A bind is opened only while its seat is held, so there are never more than configured, whichever workers live. A seat
whose holder died is taken over within a second; when workers are back, those with more than their share give some up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.carriers.smpp_seat import Seat
from gatewayd.policy.spread import Move, next_move
from gatewayd.runtime.seats import Seats
from gatewayd.runtime.tasks import spawn

log = logging.getLogger(__name__)

LOOK_S = 0.2
ORPHAN_LOOKS = 3
"""A seat that was free for so many looks is anybody's: its worker is not coming for it."""

CLOSE_DRAIN_S = 5.0


class SeatKeeper:
    """Keeps one link's binds in step with the seats that this worker holds."""

    def __init__(
        self, link: SmppLink, seats: Seats, slot: int, count: int, alive: Callable[[], Collection[int]]
    ) -> None:
        self._link = link
        self._seats = seats
        self._slot = slot
        self._count = count
        self._alive = alive
        self._open: dict[int, Seat] = {}
        self._free_looks = 0
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take what is ours, and keep looking."""
        self._link.prepare()
        self._look()
        self._task = spawn(self._keep(), name=f"link {self._link.name} seats")

    async def stop(self) -> None:
        """Look no more; the seats are held until ``release``, for their binds may still be open."""
        for task in (self._task, self._closing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    def release(self) -> None:
        """Give up every seat: the link has closed its binds."""
        for number in tuple(self._open):
            self._seats.give_back(number)
        self._open.clear()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        holders = self._seats.holders()
        held = Counter(holder for holder in holders if holder is not None)
        self._free_looks = self._free_looks + 1 if None in holders else 0
        is_orphaned = self._free_looks >= ORPHAN_LOOKS
        match next_move(held, len(holders), self._slot, self._count, self._alive(), is_orphaned):
            case Move.TAKE:
                self._take()
            case Move.GIVE if self._closing is None or self._closing.done():
                number, seat = next(reversed(self._open.items()))
                self._closing = spawn(self._give(number, seat), name=f"link {self._link.name} gives up a seat")

    def _take(self) -> None:
        number = self._seats.take()
        if number is not None:
            self._free_looks = 0
            self._open[number] = self._link.open_bind()

    async def _give(self, number: int, seat: Seat) -> None:
        log.info("link %s: giving a bind to a worker with fewer", self._link.name)
        await self._link.close_bind(seat, CLOSE_DRAIN_S)
        self._open.pop(number, None)
        self._seats.give_back(number)
