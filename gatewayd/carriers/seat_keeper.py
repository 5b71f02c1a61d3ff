"""Which of a link's binds this worker opens: as many as its share, and those that nobody else holds.

A bind is opened only while its seat is held, so there are never more than configured, whichever workers live. A seat
whose holder died is taken over within a second; when workers are back, those with more than their share give some up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from gatewayd.carriers.berth import Berth
from gatewayd.carriers.door import Door
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.policy.spread import Rest, next_step, share_of
from gatewayd.runtime.seats import Seats
from gatewayd.runtime.tasks import spawn

log = logging.getLogger(__name__)

LOOK_S: Final = 0.1
ORPHAN_LOOKS: Final = 4
"""A seat that was free for so many looks is anybody's: its worker is not coming for it."""

GRACE_S: Final = 3.0
"""But not at once after a start or a reload: the others may only be slower."""

CLOSE_DRAIN_S: Final = 5.0


class SeatKeeper:
    """Keeps one link's binds in step with the seats that this worker holds."""

    def __init__(
        self,
        link: SmppLink,
        seats: Seats,
        slot: int,
        count: int,
        alive: Callable[[], Collection[int]],
        *,
        look_s: float = LOOK_S,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``alive`` gives the slots of the workers that are there, this one's too."""
        self._link = link
        self._seats = seats
        self._slot = slot
        self._count = count
        self._alive = alive
        self._look_s = look_s
        self._grace_until = clock() + grace_s
        self._clock = clock
        self._open: dict[int, Berth | Door] = {}
        self._free_looks: dict[int, int] = {}
        self._rest = Rest()
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take what is ours, and keep looking. Raises OSError when the link cannot be got ready."""
        self._link.prepare()
        self._look()
        self._task = spawn(self._keep(), name=f"link {self._link.name} seats")

    async def stop(self) -> None:
        """Look no more; the seats are held until ``release``, for their binds may still be open."""
        await _end(self._task)
        await _end(self._closing)  # the last one: without the other task none begins

    async def reconnect(self) -> None:
        """Connect each bind anew, one after the other; none is given away meanwhile."""
        self._link.admission.release()
        while self._closing is not None and not self._closing.done():
            await asyncio.wait([self._closing])
        if self._task is None or self._task.done():  # stopped meanwhile
            return
        self._closing = spawn(self._renew(), name=f"link {self._link.name} connects anew")
        await asyncio.wait([self._closing])

    async def _renew(self) -> None:
        for number, seat in tuple(self._open.items()):
            await self._link.close_bind(seat, CLOSE_DRAIN_S)
            self._open[number] = self._link.open_bind()

    def release(self) -> None:
        """Give up every seat: the link has closed its binds."""
        for number in tuple(self._open):
            self._seats.give_back(number)
        self._open.clear()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            self._look()

    def _look(self) -> None:
        holders, now = self._seats.holders(), self._clock()
        held = Counter(holder for holder in holders if holder is not None)
        free = [number for number, holder in enumerate(holders) if holder is None]
        self._free_looks = {number: self._free_looks.get(number, 0) + 1 for number in free}
        orphans = [number for number in free if self._free_looks[number] >= ORPHAN_LOOKS]
        if now < self._grace_until:
            orphans = []
        step = next_step(held, len(holders), self._slot, self._count, self._alive(), len(orphans))
        if step > 0:
            for _ in range(step):
                self._take([*orphans, *free])
            if len(self._open) > share_of(self._slot, len(holders), self._count):
                self._rest.took_orphan(now)
        elif step < 0 and self._rest.is_over(now) and (self._closing is None or self._closing.done()):
            self._rest.gave(now)
            number, seat = next(reversed(self._open.items()))
            self._closing = spawn(self._give(number, seat), name=f"link {self._link.name} gives up a seat")

    def _take(self, among: Collection[int]) -> None:
        number = self._seats.take(among)
        if number is not None:
            self._open[number] = self._link.open_bind()

    async def _give(self, number: int, seat: Berth | Door) -> None:
        log.info("link %s: giving a bind to a worker with fewer", self._link.name)
        await self._link.close_bind(seat, CLOSE_DRAIN_S)
        self._open.pop(number, None)
        self._seats.give_back(number)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
