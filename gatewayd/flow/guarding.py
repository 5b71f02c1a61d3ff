"""The error-ratio guard at work: asks before a message goes over RCS, and tells how each message fared.

What it decides is policy.ratio_guard's; what it counts is shared by all workers. It also remembers what an attempt
taught about a handset, so that a number that failed once is not tried again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy import ratio_guard
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.ratio_guard import Fate, GuardState, Terms, Verdict
from gatewayd.runtime.shared_ratio import RatioSlot
from gatewayd.store.kinds import CAPABILITY
from gatewayd.store.records import Capability
from gatewayd.store.spool import Journey

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.25
"""How soon those that wait for room are looked at again: other workers may have made some."""
_RELEASED_AT_ONCE = 8
_HOUR_S = 3_600.0
# A refusal while sending may be the platform's mistake about all handsets: it is not believed for months.
_REFUSED_KEEP_H = 24.0
_NOT_ASKED = ("assumed", "untried")


class Guard:
    """One application's: its shared counts, its thresholds, and what counts as an error."""

    __slots__ = ("errors", "hold_s", "slot", "terms")

    def __init__(self, slot: RatioSlot, terms: Terms, hold_s: float, errors: Collection[str]) -> None:
        self.slot = slot
        self.terms = terms
        self.hold_s = hold_s
        self.errors = frozenset(errors)

    def admit(self, is_known: bool, now: float) -> Verdict:
        """Whether one more may go."""
        return self.slot.change(now, lambda counts: ratio_guard.admit(counts, self.terms, is_known, now))

    def settle(self, is_reserved: bool, fate: Fate, now: float) -> None:
        """How one that went turned out."""
        before, after, share = self.slot.change(now, lambda counts: self._settle(counts, is_reserved, fate, now))
        if after != before:
            words = (self.slot.name, GuardState(after).name.lower(), 100 * share)
            log.warning("application %s: the guard is %s, %.1f %% of its messages were unreachable", *words)

    def _settle(self, counts: ratio_guard.Counts, is_reserved: bool, fate: Fate, now: float) -> tuple[int, int, float]:
        before = counts.state
        ratio_guard.settle(counts, self.terms, is_reserved, fate, now)
        return before, counts.state, ratio_guard.ratio(counts)


class Guards:
    """The guards of all links, and the messages of this worker that they have reserved room for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._of: dict[str, Guard] = {}
        # By message: whose room it holds, until it is known how it fared.
        self.reserved: dict[int, Guard] = {}
        self._watched: deque[tuple[float, int]] = deque()
        self._held: dict[str, list[tuple[int, int]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, link: str, guard: Guard | None) -> None:
        """Guard a link from now on, or no longer."""
        self._of.pop(link, None)
        if guard is not None:
            self._of[link] = guard

    def all(self) -> dict[str, Guard]:
        """Each application's guard, by its name."""
        return {guard.slot.name: guard for guard in self._of.values()}

    # -- before it goes -------------------------------------------------------------------------------------------

    def admit(self, link: str, journey: Journey, handset: str, known: Capability | None) -> Verdict | str:
        """Whether it may go now: a Verdict, or a word on why a number that failed before is not tried again.

        ``known`` is what the platform said of the handset; None when it said so of this very message.
        """
        guard = self._of.get(link)
        if guard is None:
            return Verdict.SEND
        if known is not None and known.reason in _NOT_ASKED:
            learned = self._learned(link, handset)
            if learned is not None and not learned.capable:
                return f"not_rcs_{learned.reason}"
            is_known = learned is not None
        else:
            is_known = True
        verdict = guard.admit(is_known, self._desk.now())
        if verdict is Verdict.SEND_RESERVED:
            self.reserved[journey.progress.id] = guard
        return verdict

    def hold(self, link: str, lane: int, message_id: int) -> None:
        """It must wait, and lets others pass; it keeps its place in the queue as far as anybody else can see."""
        heapq.heappush(self._held.setdefault(link, []), (-lane, message_id))
        self._look_again()

    def held(self, link: str) -> int:
        """How many wait here."""
        return len(self._held.get(link, ()))

    def _release(self, guard: Guard) -> None:
        """There may be room: the first of those that wait have another turn."""
        for link, held in self._held.items():
            if held and self._of.get(link) is guard:
                self._return(link, held)

    def _return(self, link: str, held: list[tuple[int, int]]) -> None:
        queue = self._desk.queues.get(link)
        for _ in range(min(len(held), _RELEASED_AT_ONCE)):
            lane, message_id = heapq.heappop(held)
            if queue is not None:
                queue.give_back(-lane, message_id)
        self._desk.wake(link)

    # -- how it fared ---------------------------------------------------------------------------------------------

    def on_outcome(self, link: str, message_id: int, journey: Journey | None, outcome: Outcome) -> None:
        """The platform answered."""
        guard = self._of.get(link)
        if guard is None:
            return
        match outcome:
            case Accepted():
                self._watch(guard, message_id)
            case Refused(error, unreachable):
                self._settle(guard, message_id, Fate.ERROR if unreachable else Fate.FINE)
                if unreachable and journey is not None:
                    self._learn(link, journey, False, error)
            case Deferred():
                self._settle(guard, message_id, Fate.NOT_SENT)
            case Unknown():
                self._settle(guard, message_id, Fate.UNCLEAR)

    def on_receipt(self, link: str, journey: Journey, receipt: Receipt) -> None:
        """What the platform said later of one that it had taken."""
        guard, message_id = self._of.get(link), journey.progress.id
        if guard is None or not receipt.state.is_final:
            return
        if receipt.state is not State.DELIVRD and (receipt.unreachable or receipt.error in guard.errors):
            self._settle(guard, message_id, Fate.ERROR)
            self._learn(link, journey, False, receipt.error)
        elif message_id in self.reserved:
            if receipt.state is State.DELIVRD:
                self._learn(link, journey, True, "delivered")
            self._settle(guard, message_id, Fate.FINE)

    def on_left(self, message_id: int) -> None:
        """It ended or went on over another link, and nobody called it unreachable."""
        if message_id in self.reserved:
            self._settle(self.reserved[message_id], message_id, Fate.FINE)

    def _watch(self, guard: Guard, message_id: int) -> None:
        """It was taken: for some time the platform may still call it unreachable."""
        if message_id not in self.reserved:
            return
        if guard.hold_s <= 0:
            self._settle(guard, message_id, Fate.FINE)
            return
        self._watched.append((self._desk.now() + guard.hold_s, message_id))
        self._look_again()

    def _settle(self, guard: Guard, message_id: int, fate: Fate) -> None:
        reserving = self.reserved.pop(message_id, None)
        if reserving is None and fate in (Fate.FINE, Fate.UNCLEAR):
            return
        guard.settle(reserving is guard, fate, self._desk.now())
        if reserving is not None and reserving is not guard:  # it was taken up anew by a reload
            reserving.settle(True, Fate.FINE, self._desk.now())
        if reserving is not None:
            self._release(guard)

    # -- the clock ------------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.tick()

    def tick(self) -> None:
        """Those that were watched for long enough are fine, and those that wait have another turn."""
        now = self._desk.now()
        while self._watched and self._watched[0][0] <= now:
            self.on_left(self._watched.popleft()[1])
        for link, held in self._held.items():
            if held:
                self._return(link, held)
        if self._watched or any(self._held.values()):
            self._look_again()

    def stop(self) -> None:
        """Look at nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    # -- what it taught -------------------------------------------------------------------------------------------

    def _learned(self, link: str, handset: str) -> Capability | None:
        known: Capability | None = self._desk.spool.journal.get(CAPABILITY, f"{link}|{handset}")
        return known if known is not None and known.due > self._desk.now() else None

    def _learn(self, link: str, journey: Journey, capable: bool, reason: str) -> None:
        settings = self._desk.settings.get(link)
        if settings is None:
            return
        message, now = journey.message, self._desk.now()
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        keep_h = settings.capability_yes_h if capable else min(_REFUSED_KEEP_H, settings.capability_no_h)
        kept = Capability(capable=capable, reason=reason, at=now, due=now + keep_h * _HOUR_S)
        self._desk.spool.journal.put(CAPABILITY, f"{link}|{handset}", kept)
