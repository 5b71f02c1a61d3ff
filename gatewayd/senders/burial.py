"""Dead letters: what no endpoint took in its time or would ever take, kept for a while so that it can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import msgspec

from gatewayd.senders.lanes import Lane
from gatewayd.store.records import Delivery, Facts
from gatewayd.store.spool import Spool

REPLAY_MAX: Final = 1_000


class Graveyard:
    """Where dead letters lie. Each lane knows the ids of its own."""

    def __init__(self, spool: Spool, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock

    def bury(self, lane: Lane, delivery: Delivery, reason: str) -> None:
        """It is owed no more. Where an account has as many dead letters as it may be owed, the oldest is forgotten."""
        now = self._clock()
        facts = msgspec.structs.replace(delivery.facts or Facts(), dead_because=reason, dead_at=now)
        due = now + lane.terms.dead_letter_s
        self._spool.bury(msgspec.structs.replace(delivery, due=due, facts=facts))
        lane.dead.append(delivery.id)
        while len(lane.dead) > lane.terms.depth_max:
            self._spool.forget_dead(lane.dead.popleft())

    def revive(self, lane: Lane, ids: Iterable[int] | None) -> list[Delivery]:
        """Dead letters that are owed again from now on: all, up to REPLAY_MAX at once, or these."""
        wanted = set(islice(lane.dead if ids is None else set(ids) & set(lane.dead), REPLAY_MAX))
        revived = []
        for dead in self._spool.dead_letters(sorted(wanted)):
            facts = msgspec.structs.replace(dead.facts or Facts(), dead_because="", dead_at=0.0)
            due = self._clock() + lane.terms.ttl_s
            revived.append(msgspec.structs.replace(dead, due=due, attempts=0, facts=facts))
            self._spool.revive(revived[-1])
        lane.dead.discard(wanted)
        return revived

    def sweep(self, lane: Lane, limit: int) -> None:
        """Forget what was kept for long enough, the oldest first."""
        for _ in range(limit):
            if not len(lane.dead):
                return
            found = self._spool.dead_letters([lane.dead[0]])
            if found and found[0].due > self._clock():
                return
            self._spool.forget_dead(lane.dead.popleft())
