"""While something rests: who must not wait for its end goes on at once, and a handset that rests holds back no other.

Knows queues and deadlines; what rests, and until when, is the limits'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gatewayd.flow.desk import Desk
from gatewayd.message import State
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Progress, Stage
from gatewayd.policy.quota import Pauses, falls_inside
from gatewayd.store.spool import Journey

USERS_MAX = 10_000
SWEEP_S = 0.25
SLICE = 256
_SAME_S = 1.0
# A timer may fire a trifle before its time: asking for the rest of it would go round until the clock moves.
_EARLY_S = 0.001


class _Sweep:
    """One pause of one link: which messages were looked at already."""

    __slots__ = ("is_waiting", "looked_at", "seen", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.seen: set[int] = set()
        self.looked_at = -SWEEP_S
        self.is_waiting = False


class Pausing:
    """The pauses of this worker's messages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._users = Pauses(USERS_MAX)
        self._sweeps: dict[str, _Sweep] = {}
        self._loop = asyncio.get_running_loop()

    # -- one handset ----------------------------------------------------------------------------------------------

    def pause_user(self, link: str, handset: str, seconds: float) -> None:
        """The platform wants to hear nothing more for this handset for a while."""
        now = self._desk.now()
        self._users.pause(f"{link}|{handset}", now + seconds, now)

    def holds_back(self, link: str, handset: str, journey: Journey) -> bool:
        """Whether its handset rests: then the message waits by itself, or goes on where it cannot wait."""
        if not len(self._users):
            return False
        until = self._users.until(f"{link}|{handset}", self._desk.now())
        if not until:
            return False
        progress, expires_at = journey.progress, journey.message.expires_at
        if falls_inside(until, progress.rcs_until, expires_at):
            self._go_on(journey, "user_paused")
            return True
        progress.stage, progress.queue, progress.due = Stage.POSTPONED, "", until
        self._desk.spool.save(journey)
        return True

    # -- a whole link ---------------------------------------------------------------------------------------------

    def sweep(self, link: str, left_s: float) -> None:
        """The link rests for so long: whoever has its deadline before the end goes on now. Bounded work a turn."""
        until = self._desk.now() + left_s
        sweep = self._sweeps.get(link)
        if sweep is None or abs(sweep.until - until) > _SAME_S:
            sweep = self._sweeps[link] = _Sweep(until)
        wait_s = sweep.looked_at + SWEEP_S - self._loop.time()
        if wait_s > _EARLY_S:
            if not sweep.is_waiting:
                sweep.is_waiting = True
                self._loop.call_later(wait_s, self._wake, link, sweep)
            return
        sweep.looked_at = self._loop.time()
        ids = [message_id for message_id in self._desk.queues[link].ids() if message_id not in sweep.seen]
        sweep.seen.update(ids)
        if ids:
            self._slice(link, ids, sweep.until)

    def _wake(self, link: str, sweep: _Sweep) -> None:
        sweep.is_waiting = False
        self._desk.wake(link)

    def _slice(self, link: str, ids: Sequence[int], until: float) -> None:
        journeys = [journey for message_id in ids[:SLICE] if (journey := self._desk.journey(message_id)) is not None]
        for journey in journeys:
            progress = journey.progress
            is_queued = progress.stage is Stage.QUEUED and progress.queue == link  # not finished or moved meanwhile
            limits = (progress.rcs_until, journey.message.expires_at)
            if is_queued and _has_another_way(progress) and falls_inside(until, *limits):
                self._go_on(journey, "paused")
        if len(ids) > SLICE:
            self._loop.call_soon(self._slice, link, ids[SLICE:], until)

    def _go_on(self, journey: Journey, reason: str) -> None:
        """Its place in the old queue is no longer true, and is passed over when its turn comes."""
        expires_at, now = journey.message.expires_at, self._desk.now()
        step = steps.leave_rcs(journey.progress, reason, State.EXPIRED, reason, expires_at, now)
        self._desk.apply(journey, step)


def _has_another_way(progress: Progress) -> bool:
    return progress.position + 1 < len(progress.links)
