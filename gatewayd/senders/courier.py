"""Brings what accounts are owed at a sink other than SMPP to its endpoints, until each was taken, expired or refused.

The part that webhooks and their like have in common: order, retries, breakers, dead letters, and bounds on all of it.
What an endpoint speaks is its poster's business.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from gatewayd.policy.breaker import BreakerState
from gatewayd.policy.retry import post_delay_s
from gatewayd.runtime.alarms import Alarm
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.trail import Trail
from gatewayd.senders.burial import Graveyard
from gatewayd.senders.gates import Gate, Poster, Verdict
from gatewayd.senders.lanes import Lane, Terms, handset_in
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Spool

log = logging.getLogger(__name__)

HOT_MAX: Final = 2_000
LOAD_MAX: Final = 50
SCAN_MAX: Final = 200
SWEEP_S: Final = 15.0
SWEEP_AGAIN_S: Final = 0.5
SWEEP_MAX: Final = 500
REFUSALS_MAX: Final = 4
PAUSE_MAX_S: Final = 3_600.0
ORPHAN: Final = Terms("", 100_000, 259_200.0, 604_800.0)

_Batch = list[tuple[Lane, Delivery]]


class Courier:
    """All accounts' deliveries to one sink."""

    def __init__(
        self,
        sink: str,
        spool: Spool,
        metrics: Metrics,
        trail: Trail,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.sink = sink
        self._spool = spool
        self._metrics = metrics
        self._trail = trail
        self._clock = clock
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._gates: dict[str, Gate] = {"": Gate("", None)}
        self._lanes: dict[str, Lane] = {}
        self._terms: Mapping[str, Terms] = {}
        self._hot: dict[int, Delivery] = {}
        self._later: list[tuple[float, int, Lane]] = []
        self._dirty: set[str] = set()
        self._alarms: dict[str, Alarm] = {}
        self._still = asyncio.Event()
        self._is_stopping = False
        self.graveyard = Graveyard(spool, clock)

    # -- start, change, end -------------------------------------------------------------------------------------------

    def configure(self, terms: Mapping[str, Terms], posters: Mapping[str, Poster]) -> None:
        """By these from now on; an endpoint that had failed or was gone is tried anew. Those in place of which there is
        another poster, or none, are closed."""
        self._terms = terms
        for name in [name for name in self._gates if name and name not in posters]:
            self._exchange(self._gates[name], None)
        for name, poster in posters.items():
            self._exchange(self._gates.setdefault(name, Gate(name, None)), poster)
        for account in {*terms, *self._lanes}:
            lane = self._lane(account)
            self._gates[lane.terms.endpoint].leave(lane)
            lane.terms = terms.get(account, ORPHAN)
            self._gates[lane.terms.endpoint].lanes[account] = lane
            lane.recall()
            self._wake(lane)

    def _exchange(self, gate: Gate, poster: Poster | None) -> None:
        old, gate.poster = gate.poster, poster
        gate.breaker.reset()
        if old is not None and old is not poster:
            spawn(old.close(), name=f"{self.sink} {gate.name} closes")

    def start(self) -> None:
        """Take up what the last run owed. The store must have been folded."""
        for delivery_id, account in self._spool.owed(self.sink):
            lane = self._lane(account)
            lane.fresh.append(delivery_id)
            lane.owed += 1
        for delivery_id, account in self._spool.dead(self.sink):
            self._lane(account).dead.append(delivery_id)
        for lane in self._lanes.values():
            self._wake(lane)
        self._sweep()

    async def stop(self, drain_s: float) -> None:
        """Begin nothing more, and let what is on its way come to its end for a while; the rest stays in the store."""
        self._is_stopping = True
        for alarm in self._alarms.values():
            alarm.cancel()
        try:
            async with asyncio.timeout(drain_s):
                while any(gate.flying for gate in self._gates.values()):
                    self._still.clear()
                    await self._still.wait()
        except TimeoutError:
            log.warning("= %s: posts were still unanswered; they are made again at the next start", self.sink)
        for gate in self._gates.values():
            if gate.poster is not None:
                spawn(gate.poster.close(), name=f"{self.sink} {gate.name} closes")

    # -- from flow ----------------------------------------------------------------------------------------------------

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now."""
        for delivery in deliveries:
            lane = self._lane(delivery.account)
            lane.fresh.append(delivery.id)
            lane.owed += 1
            self._keep(delivery)
            self._wake(lane)

    def has_room(self, account: str) -> bool:
        """Whether more may be owed to the account."""
        lane = self._lanes.get(account)
        return lane is None or lane.owed < lane.terms.depth_max

    def make_room(self, account: str) -> None:
        """Drop what is oldest: the endpoint has been away too long for what it is sent."""
        lane = self._lanes.get(account)
        delivery_id = lane.drop() if lane is not None else None
        if lane is not None and delivery_id is not None:
            self._spool.settle_delivery(delivery_id)
            self._end(lane, delivery_id, "any", "overflow")

    # -- from people --------------------------------------------------------------------------------------------------

    def dead_letters(self, account: str, after: int = 0, limit: int = 100) -> list[Delivery]:
        """The account's dead letters with ids above ``after``, oldest first."""
        lane = self._lanes.get(account)
        ids = sorted(number for number in lane.dead if number > after)[:limit] if lane is not None else []
        return self._spool.dead_letters(ids)

    def replay(self, account: str, ids: Iterable[int] | None = None) -> int:
        """Owe dead letters again, all of them (at most REPLAY_MAX at once) or these; how many. Its endpoint is tried
        anew, also if it had said that it is gone."""
        lane = self._lanes.get(account)
        if lane is None:
            return 0
        revived = self.graveyard.revive(lane, ids)
        self.add(revived)
        self.offer_now(account)
        return len(revived)

    def drop(self, account: str, chosen: Mapping[int, str]) -> int:
        """Forget these for good, ids with their kinds; how many that were. What is on its way stays."""
        lane = self._lanes.get(account)
        if lane is None:
            return 0
        gone = lane.discard(chosen)
        for delivery_id in gone:
            self._spool.settle_delivery(delivery_id)
            self._end(lane, delivery_id, chosen[delivery_id], "dropped")
        self._wake(lane)
        return len(gone)

    def knows(self, account: str) -> bool:
        """Whether anything was ever owed to the account here, or may be."""
        return account in self._lanes

    def is_postponed(self, delivery: Delivery) -> bool:
        """Whether it failed, and waits for its next try."""
        lane = self._lanes.get(delivery.account)
        return lane is not None and delivery.id in lane.postponed

    def offer_now(self, account: str) -> int:
        """Wait neither for the time of a retry nor for a breaker; how many were waiting for their time."""
        lane = self._lanes.get(account)
        if lane is None:
            return 0
        self._gates[lane.terms.endpoint].breaker.reset()
        count = lane.recall()
        self._wake(lane)
        return count

    def is_back(self, endpoint: str) -> None:
        """It can be reached again: what failed meanwhile failed because it could not."""
        gate = self._gates[endpoint]
        gate.breaker.reset()
        gate.recall()
        self._wake_gate(gate)

    # -- the pump -----------------------------------------------------------------------------------------------------

    def _lane(self, account: str) -> Lane:
        lane = self._lanes.get(account)
        if lane is None:
            lane = self._lanes[account] = Lane(account, self._terms.get(account, ORPHAN))
            self._gates[lane.terms.endpoint].lanes[account] = lane
        return lane

    def _wake(self, lane: Lane) -> None:
        gate = self._gates[lane.terms.endpoint]
        gate.list(lane)
        self._wake_gate(gate)

    def _wake_gate(self, gate: Gate) -> None:
        """Look at it at the end of the loop turn."""
        if not self._dirty:
            self._loop.call_soon(self._pump_all)
        self._dirty.add(gate.name)

    def _pump_all(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for name in () if self._is_stopping else dirty:
            self._pump(self._gates[name])

    def _pump(self, gate: Gate) -> None:
        poster, scanned = gate.poster, 0
        while poster is not None and gate.listed and gate.room(self._loop.time()) > 0:
            batch, looked_at = self._gather(gate, poster.batch_max)
            if batch:
                gate.flying += 1
                spawn(self._post(gate, poster, batch), name=f"{self.sink} {gate.name} post")
            scanned += looked_at
            if scanned >= SCAN_MAX:  # the rest after whoever else wants the loop
                self._wake_gate(gate)
                return
        until = gate.breaker.waits_until(self._loop.time())
        if until is not None:
            self._set_alarm(f"gate {gate.name}", until, lambda: self._wake_gate(gate))

    def _gather(self, gate: Gate, batch_max: int) -> tuple[_Batch, int]:
        """The next ones, of each lane in turn; and how many were looked at for that."""
        batch: _Batch = []
        looked_at = 0
        while gate.listed and len(batch) < batch_max and looked_at < SCAN_MAX:
            lane = gate.listed.popleft()
            lane.is_listed = False
            looked_at += 1
            delivery, is_empty = self._next(lane)
            if not is_empty:
                gate.list(lane)
            if delivery is not None:
                batch.append((lane, delivery))
        return batch, looked_at

    def _next(self, lane: Lane) -> tuple[Delivery | None, bool]:
        """What the lane has to go now, if the first one that is looked at may; and whether it has nothing left."""
        if lane.ready:
            delivery_id, handset = heapq.heappop(lane.ready)
            delivery = self._fetch([delivery_id])
            if not delivery:
                lane.release(handset)
                return None, False
            return (None if self._expire(lane, delivery[0]) else delivery[0]), False
        if not lane.loaded and not self._load(lane):
            return None, True
        fresh = lane.loaded.popleft()
        if not lane.claim(fresh):
            self._keep(fresh)
            return None, False
        return (None if self._expire(lane, fresh) else fresh), False

    def _load(self, lane: Lane) -> bool:
        """Read the next ones; False when there are none."""
        while len(lane.fresh) and not lane.loaded:
            ids = [lane.fresh.popleft() for _ in range(min(LOAD_MAX, len(lane.fresh)))]
            lane.loaded.extend(self._fetch(ids))
            lane.owed -= len(ids) - len(lane.loaded)
        return bool(lane.loaded)

    def _fetch(self, ids: Sequence[int]) -> list[Delivery]:
        hot = [self._hot.pop(delivery_id, None) for delivery_id in ids]
        if None not in hot:
            return [delivery for delivery in hot if delivery is not None]
        return self._spool.deliveries(ids)

    def _keep(self, delivery: Delivery) -> None:
        """In memory too, if there is room."""
        if len(self._hot) < HOT_MAX:
            self._hot[delivery.id] = delivery

    # -- what comes of it ---------------------------------------------------------------------------------------------

    async def _post(self, gate: Gate, poster: Poster, batch: _Batch) -> None:
        began = self._loop.time()
        try:
            verdicts = await poster.post([delivery for _, delivery in batch])
        except Exception:  # a fault of ours: what it was about is not lost for it
            log.exception("= %s %s: a post failed", self.sink, gate.name)
            verdicts = [Verdict("later", "internal")] * len(batch)
        gate.flying -= 1
        self._metrics.post.labels(self.sink, gate.name).observe(self._loop.time() - began)
        for (lane, delivery), verdict in zip(batch, verdicts, strict=True):
            self._metrics.posts.labels(self.sink, gate.name, verdict.reason).value += 1
            self._settle(gate, lane, delivery, verdict)
            self._wake(lane)
        self._wake_gate(gate)
        self._still.set()

    def _settle(self, gate: Gate, lane: Lane, delivery: Delivery, verdict: Verdict) -> None:
        if verdict.fate != "taken":
            self._spool.note(delivery.id, "delivery_failed", bind=gate.name, reason=verdict.reason)
        match verdict.fate:
            case "taken":
                self._spool.settle_delivery(delivery.id)
                self._end(lane, delivery.id, delivery.kind, "delivered")
                if self._trail.wants:
                    self._trail.tell("delivered", **delivery.told())
                lane.release(handset_in(delivery))
                if gate.breaker.succeeded():
                    log.warning("= %s %s works again", self.sink, gate.name)
                    gate.recall()
                return
            case "gone":
                self._gone(gate)
                lane.put_ready(delivery.id, handset_in(delivery))
                self._keep(delivery)
                return
            case "refused":
                lane.refusals[delivery.id] = lane.refusals.get(delivery.id, 0) + 1
        if verdict.pause_s > 0:
            gate.breaker.pause(self._loop.time() + min(verdict.pause_s, PAUSE_MAX_S))
            lane.put_ready(delivery.id, handset_in(delivery))
            self._keep(delivery)
            return
        if gate.breaker.failed(self._loop.time(), self._chance()):
            log.warning("= %s %s fails (%s); it is tried now and then", self.sink, gate.name, verdict.reason)
        if lane.refusals.get(delivery.id, 0) >= REFUSALS_MAX:
            self._bury(lane, delivery, "refused", verdict.reason)
        else:
            self._postpone(lane, delivery)

    def _gone(self, gate: Gate) -> None:
        if gate.breaker.state is not BreakerState.DISABLED:
            log.error("= %s %s says that it is gone; a reload or a replay tries it again", self.sink, gate.name)
            gate.breaker.disable()

    def _postpone(self, lane: Lane, delivery: Delivery) -> None:
        delivery.attempts += 1
        self._spool.save_delivery(delivery)
        self._metrics.deliveries.labels(lane.account, self.sink, delivery.kind, "retried").value += 1
        delay_s = min(post_delay_s(delivery.attempts, self._chance()), max(0.0, delivery.due - self._clock()))
        at = self._loop.time() + delay_s
        lane.postponed[delivery.id] = (handset_in(delivery), at)
        self._keep(delivery)
        heapq.heappush(self._later, (at, delivery.id, lane))
        self._set_alarm("retry", self._later[0][0], self._retry_now)

    def _retry_now(self) -> None:
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            at, delivery_id, lane = heapq.heappop(self._later)
            handset, its_time = lane.postponed.get(delivery_id, ("", 0.0))
            if its_time == at:  # else it went, was dropped, or was postponed again
                del lane.postponed[delivery_id]
                lane.put_ready(delivery_id, handset)
                self._wake(lane)
        if self._later:
            self._set_alarm("retry", self._later[0][0], self._retry_now)

    def _set_alarm(self, name: str, at: float, act: Callable[[], None]) -> None:
        alarm = self._alarms.get(name)
        if alarm is None:
            alarm = self._alarms[name] = Alarm(self._loop, act)
        if not self._is_stopping:
            alarm.set(at)

    def _expire(self, lane: Lane, delivery: Delivery) -> bool:
        """Whether its time is over; then it is a dead letter, and its handset is free."""
        if delivery.due > self._clock():
            return False
        self._bury(lane, delivery, "expired", "expired")
        return True

    def _bury(self, lane: Lane, delivery: Delivery, outcome: str, reason: str) -> None:
        self._trail.say("delivery_dead", **delivery.told(), reason=reason)
        self.graveyard.bury(lane, delivery, reason)
        self._end(lane, delivery.id, delivery.kind, outcome)
        lane.release(handset_in(delivery))

    def _end(self, lane: Lane, delivery_id: int, kind: str, outcome: str) -> None:
        if outcome != "delivered":
            self._spool.note(delivery_id, "delivery_ended", outcome=outcome)
        self._hot.pop(delivery_id, None)
        lane.ended(delivery_id)
        self._metrics.deliveries.labels(lane.account, self.sink, kind, outcome).value += 1

    def _sweep(self) -> None:
        """Bury what waits for an endpoint that stays away, the oldest first; forget what is dead for long enough."""
        is_done = True
        for lane in self._lanes.values():
            swept = 0
            while swept < SWEEP_MAX and self._is_overdue(lane):
                self._next(lane)
                swept += 1
            is_done &= swept < SWEEP_MAX
            self.graveyard.sweep(lane, SWEEP_MAX)
            if swept:
                self._wake(lane)
        self._set_alarm("sweep", self._loop.time() + (SWEEP_S if is_done else SWEEP_AGAIN_S), self._sweep)

    def _is_overdue(self, lane: Lane) -> bool:
        """Whether the time of the one that would go next is over."""
        if lane.ready:
            return all(each.due <= self._clock() for each in self._spool.deliveries([lane.ready[0][0]]))
        return (bool(lane.loaded) or self._load(lane)) and lane.loaded[0].due <= self._clock()

    # -- for metrics --------------------------------------------------------------------------------------------------

    def depths(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """Deliveries that are owed, by account and sink."""
        return [((lane.account, self.sink), lane.owed) for lane in self._known()]

    def bounds(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """How many may be owed, by account and sink."""
        return [((account, self.sink), terms.depth_max) for account, terms in self._terms.items()]

    def ages(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """Seconds that the oldest of each account has waited."""
        return [((lane.account, self.sink), self._age(lane)) for lane in self._known()]

    def dead_counts(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """Dead letters, by account and sink."""
        return [((lane.account, self.sink), len(lane.dead)) for lane in self._known()]

    def states(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """How each endpoint's breaker stands."""
        return [
            ((self.sink, gate.name), gate.breaker.state) for gate in self._gates.values() if gate.poster is not None
        ]

    def _known(self) -> Iterable[Lane]:
        return [lane for lane in self._lanes.values() if lane.terms is not ORPHAN or lane.owed or len(lane.dead)]

    def _age(self, lane: Lane) -> float:
        oldest = lane.oldest()
        found = self._spool.deliveries([oldest]) if oldest is not None else []
        return max(0.0, self._clock() - found[0].created_at) if found else 0.0
