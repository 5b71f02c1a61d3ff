"""Asking platforms about many handsets at once: for each link that is asked so, one job, in one of the workers.

Whose turn it is, and what was learned, is kept by the homes of the handsets. The job gathers from them, part by part,
so that no loop turn is long; it waits for the platform's hours, for its quota, and for the result of what it ordered.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import zoneinfo
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, Protocol

from gatewayd.carriers.link import Batch, BatchAsker
from gatewayd.config import schema
from gatewayd.flow.desk import Desk
from gatewayd.flow.parcels import Due, Learned, Seek
from gatewayd.flow.reach import Reach
from gatewayd.policy.qualification import Hours, hours_of
from gatewayd.runtime.tasks import spawn
from gatewayd.store.kinds import ORDER
from gatewayd.store.qualify_lists import QualifyLists
from gatewayd.store.records import Order

log = logging.getLogger(__name__)

PART: Final = 500
"""So many handsets are dealt with in one loop turn."""

LOOK_S: Final = 60.0
SEAT_LOOK_S: Final = 2.0
LIST_LOOK_S: Final = 5.0
SEEK_TIMEOUT_S: Final = 5.0
FETCH_FIRST_S, FETCH_MAX_S = 10.0, 300.0
CLOSED_RETRY_S: Final = 900.0
"""The platform says that it is closed in hours in which it should be open: its clock is another."""

RETRY_FIRST_S, RETRY_MAX_S = 30.0, 900.0
PAUSE_S: Final = 60.0
REFUSED_RETRY_S: Final = 6 * 3_600.0
ORDER_MAX_S: Final = 36 * 3_600.0

Said = Seek | Due | Learned


class Pace(Protocol):
    """What paces a link."""

    def take(self, wanted: int) -> tuple[int, float]:
        """How many may go now, and how long until the next may."""

    def pause(self, seconds: float) -> None:
        """Nothing goes for a while."""


class Phase(enum.Enum):
    """What a job does next."""

    GATHER = "gather"
    ASK = "ask"
    FETCH = "fetch"
    TELL = "tell"


class Bureau:
    """All jobs of this worker, and its homes' side of everybody's jobs. Alone, it says everything to itself."""

    def __init__(self, desk: Desk, reach: Reach, pace_of: Callable[[str], Pace]) -> None:
        self.desk = desk
        self.pace_of = pace_of
        self.send: Callable[[int, Said], None] = self.hear
        self.everybody: Callable[[], Iterable[int]] = lambda: (0,)
        self.home_of: Callable[[str], int] = lambda handset: 0
        self.has_seat: Callable[[str], bool] = lambda link: True
        self.lists: QualifyLists | None = None
        self._reach = reach
        self._jobs: dict[str, Job] = {}
        self._lists_at = 0.0

    def offer(self, link: str, asker: BatchAsker) -> None:
        """This link's platform can be asked about many from now on, in the place of an earlier one."""
        self.withdraw(link)
        self._jobs[link] = Job(self, link, asker)

    def withdraw(self, link: str) -> None:
        """It can't any more. What was ordered there is kept."""
        job = self._jobs.pop(link, None)
        if job is not None:
            job.stop()

    def stop(self) -> None:
        """Ask nothing more."""
        for link in list(self._jobs):
            self.withdraw(link)
        self.lists = None

    def tick(self) -> None:
        """Several times a second."""
        now = self.desk.now()
        self._read_lists(now)
        for link, job in self._jobs.items():
            settings = self.desk.settings.get(link)
            if settings is not None and settings.capability == "bulk":
                job.tick(now, settings)

    def hear(self, peer: int, said: Said) -> None:
        """What a job says to a home, or a home to a job; ``peer`` is whose word it is."""
        match said:
            case Seek(link, count):
                self.send(peer, Due(link, self._reach.due(link, count)))
            case Due(link, handsets):
                if link in self._jobs:
                    self._jobs[link].gathered(peer, handsets)
            case Learned(link, reachable, others):
                self._reach.learn(link, reachable, others)

    def _read_lists(self, now: float) -> None:
        journal = self.desk.spool.journal
        if self.lists is None or now < self._lists_at or journal.is_failing or journal.pending > 10 * PART:
            return
        part = self.lists.take(PART)
        if part is None:
            self._lists_at = now + LIST_LOOK_S
            return
        link, handsets, finish = part
        self._reach.want(link, handsets)
        if finish is not None:
            journal.then(_call_each, finish)


class Job:
    """The questions to one platform, one after the other."""

    def __init__(self, bureau: Bureau, link: str, asker: BatchAsker) -> None:
        self._bureau = bureau
        self._link = link
        self._asker = asker
        self._phase = Phase.GATHER
        self._next_at = 0.0
        self._seat_at = 0.0
        self._has_seat = False
        self._batch: list[str] = []
        self._homes: list[int] = []
        self._sought_until = 0.0
        self._sought = 0
        self._at_least = 1
        self._failures = self._fetches = 0
        self._reachable: frozenset[str] = frozenset()
        self._told = 0
        self._hours: tuple[tuple[str, str], Hours] | None = None
        self._task: asyncio.Task[None] | None = None
        self._order: Order | None = bureau.desk.spool.journal.get(ORDER, link)
        if self._order is not None:
            self._phase, self._batch = Phase.FETCH, self._order.handsets

    def stop(self) -> None:
        """Leave off; an answer under way is asked for again by whoever comes next."""
        if self._task is not None:
            self._task.cancel()

    def tick(self, now: float, settings: schema.Link) -> None:
        """Do the next thing, if its time has come."""
        if now < self._next_at or (self._task is not None and not self._task.done()) or not self._is_ours(now):
            return
        if self._phase is Phase.TELL:
            self._tell(now)
            return
        if not self._hours_of(settings).is_open(now):
            return
        match self._phase:
            case Phase.GATHER:
                self._gather(now)
            case Phase.ASK:
                self._call(now, lambda: self._ask(now))
            case Phase.FETCH:
                self._call(now, lambda: self._fetch(now))

    def _is_ours(self, now: float) -> bool:
        if not self._has_seat and now >= self._seat_at:
            self._seat_at = now + SEAT_LOOK_S
            self._has_seat = self._bureau.has_seat(self._link)
        return self._has_seat

    def _hours_of(self, settings: schema.Link) -> Hours:
        key = settings.bulk_hours, settings.bulk_zone
        if self._hours is None or self._hours[0] != key:
            self._hours = key, hours_of(settings.bulk_hours, zoneinfo.ZoneInfo(settings.bulk_zone))
        return self._hours[1]

    # -- gathering ----------------------------------------------------------------------------------------------------

    def _gather(self, now: float) -> None:
        """Ask the homes one after the other, a part at a time."""
        if now < self._sought_until:
            return
        if self._sought:  # no answer came: that home is away, and its handsets keep
            self._homes.pop(0)
        elif not self._homes and not self._batch:
            self._homes = sorted(self._bureau.everybody())
        room = min(self._asker.size_max - len(self._batch), PART)
        if self._homes and room > 0:
            self._sought, self._sought_until = room, now + SEEK_TIMEOUT_S
            self._bureau.send(self._homes[0], Seek(self._link, room))
            return
        self._conclude(now)

    def _conclude(self, now: float) -> None:
        """All homes were asked, or there is no more room."""
        self._sought, self._sought_until, self._homes = 0, 0.0, []
        if len(self._batch) >= self._at_least:
            self._phase = Phase.ASK
        else:  # those there are come up again
            self._batch, self._next_at = [], now + LOOK_S

    def gathered(self, peer: int, handsets: Sequence[str]) -> None:
        """A home's answer; one that is shorter than it might be is its last."""
        if not self._sought or not self._homes or self._homes[0] != peer:
            return  # too late: they come up again
        self._batch.extend(handsets)
        if len(handsets) < self._sought:
            self._homes.pop(0)
        self._sought, self._sought_until = 0, 0.0
        if not self._homes or len(self._batch) >= self._asker.size_max:
            self._conclude(self._now())

    # -- asking -------------------------------------------------------------------------------------------------------

    def _call(self, now: float, call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """One request, within the quota."""
        granted, wait_s = self._bureau.pace_of(self._link).take(1)
        if granted == 0:
            self._next_at = now + wait_s
            return
        self._next_at = now + LOOK_S  # should the call end by a fault of ours
        self._task = spawn(call(), name=f"link {self._link} asks in bulk")

    async def _ask(self, now: float) -> None:
        batch = await self._asker.ask_many(self._batch)
        self._count(batch)
        match batch.kind:
            case "ordered":
                log.info("link %s: ordered answers about %d handsets", self._link, len(self._batch))
                self._order = Order(batch.request_id, self._batch, now)
                self._bureau.desk.spool.journal.put(ORDER, self._link, self._order)
                self._phase, self._fetches, self._failures = Phase.FETCH, 0, 0
                self._next_at = self._now() + FETCH_FIRST_S
            case "answered":
                self._answered(batch)
            case "too_few":
                self._at_least = self._asker.size_min
                self._give_up(LOOK_S)
            case "refused":
                self._refused(batch)
            case _:
                self._wait(batch)

    async def _fetch(self, now: float) -> None:
        assert self._order is not None  # what the phase means
        batch = await self._asker.fetch_many(self._order.request_id)
        self._count(batch)
        match batch.kind:
            case "answered":
                self._answered(batch)
            case "running" if now - self._order.at < ORDER_MAX_S:
                self._fetches += 1
                wait_s = min(FETCH_FIRST_S * 2 ** min(self._fetches, 10), FETCH_MAX_S)
                self._next_at = self._now() + (batch.retry_s or wait_s)
            case "lost" | "running":
                self._forget_order()
                self._phase, self._next_at = Phase.ASK, self._now()
            case "refused" | "too_few":
                self._refused(batch)
            case _:
                self._wait(batch)

    def _count(self, batch: Batch) -> None:
        self._bureau.desk.metrics.bulk_questions.labels(self._link, batch.kind).value += 1

    def _wait(self, batch: Batch) -> None:
        """Closed, throttled or away: the same again, later."""
        if batch.kind == "closed":
            self._next_at = self._now() + CLOSED_RETRY_S
            return
        self._failures += 1
        wait_s = batch.retry_s or min(RETRY_FIRST_S * 2 ** min(self._failures - 1, 10), RETRY_MAX_S)
        if batch.pauses:
            wait_s = batch.retry_s or PAUSE_S
            self._bureau.pace_of(self._link).pause(wait_s)
        self._next_at = self._now() + wait_s

    def _refused(self, batch: Batch) -> None:
        log.error("link %s: the platform takes no question about many handsets: %s", self._link, batch.error)
        self._forget_order()
        self._give_up(REFUSED_RETRY_S)

    def _give_up(self, wait_s: float) -> None:
        """These handsets come up again by themselves."""
        self._batch, self._phase, self._next_at = [], Phase.GATHER, self._now() + wait_s

    def _forget_order(self) -> None:
        if self._order is not None:
            self._order = None
            self._bureau.desk.spool.journal.delete(ORDER, self._link)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _answered(self, batch: Batch) -> None:
        self._reachable, self._told, self._failures = batch.reachable, 0, 0
        self._phase, self._next_at = Phase.TELL, self._now()
        count = len(batch.reachable.intersection(self._batch))
        log.info("link %s: %d of %d handsets take RCS", self._link, count, len(self._batch))

    def _tell(self, now: float) -> None:
        """To each home what was learned of its handsets, a part at a time. The order is forgotten after the last."""
        part = self._batch[self._told : self._told + PART]
        of_home: dict[int, Learned] = {}
        for handset in part:
            home = self._bureau.home_of(handset)
            learned = of_home.setdefault(home, Learned(self._link, [], []))
            (learned.reachable if handset in self._reachable else learned.others).append(handset)
        for home, learned in of_home.items():
            self._bureau.send(home, learned)
        self._told += len(part)
        if self._told >= len(self._batch):
            self._forget_order()
            self._reachable = frozenset()
            self._batch, self._phase, self._next_at = [], Phase.GATHER, now

    def _now(self) -> float:
        return self._bureau.desk.now()


def _call_each(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
