"""The error-ratio guard at work: asks before a message goes over RCS, and tells how each message fared.

What it decides is policy.ratio_guard's; what it counts is shared by all workers. What an attempt taught about a handset
is for flow.reach to remember.
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
from gatewayd.policy.ratio_guard import Fate, GuardState, Terms, Verdict
from gatewayd.runtime.shared_ratio import RatioSlot

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.25
"""How soon those that wait for room are looked at again: other workers may have made some."""
_RELEASED_AT_ONCE = 8


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
        # Those that had to wait, until they go or leave: each has another turn, and may have to wait again.
        self.waiting: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, link: str, guard: Guard | None) -> None:
        """Guard a link from now on, or no longer."""
        self._of.pop(link, None)
        if guard is not None:
            self._of[link] = guard

    def all(self) -> dict[str, Guard]:
        """Each application's guard, by its name."""
        return {guard.slot.name: guard for guard in self._of.values()}

    def watches(self, link: str) -> bool:
        """Whether a link is guarded."""
        return link in self._of

    # -- before it goes -------------------------------------------------------------------------------------------

    def admit(self, link: str, message_id: int, is_known: bool) -> Verdict:
        """Whether it may go now; ``is_known``: its handset is known to take RCS."""
        guard = self._of.get(link)
        if guard is None:
            return Verdict.SEND
        verdict = guard.admit(is_known, self._desk.now())
        if verdict is Verdict.SEND_RESERVED:
            self.reserved[message_id] = guard
        if verdict is not Verdict.WAIT:
            self.waiting.discard(message_id)
        return verdict

    def hold(self, link: str, lane: int, message_id: int) -> bool:
        """It must wait, and lets others pass; it keeps its place in the queue as far as anybody else can see.

        Whether this is news: it did not have to wait before.
        """
        heapq.heappush(self._held.setdefault(link, []), (-lane, message_id))
        self._look_again()
        is_new = message_id not in self.waiting
        self.waiting.add(message_id)
        return is_new

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

    def on_outcome(self, link: str, message_id: int, outcome: Outcome) -> None:
        """The platform answered."""
        guard = self._of.get(link)
        if guard is None:
            return
        match outcome:
            case Accepted():
                self._watch(guard, message_id)
            case Refused(unreachable=unreachable):
                self._settle(guard, message_id, Fate.ERROR if unreachable else Fate.FINE)
            case Deferred():
                self._settle(guard, message_id, Fate.NOT_SENT)
            case Unknown():
                self._settle(guard, message_id, Fate.UNCLEAR)

    def on_receipt(self, link: str, message_id: int, receipt: Receipt) -> bool | None:
        """What the platform said later of one that it had taken; returns what that teaches of the handset.

        False: it is unreachable. True: it was reached, and nobody had vouched for it. None: nothing new.
        """
        guard = self._of.get(link)
        if not receipt.state.is_final:
            return None
        is_delivered = receipt.state is State.DELIVRD
        if not is_delivered and (receipt.unreachable or (guard is not None and receipt.error in guard.errors)):
            if guard is not None:
                self._settle(guard, message_id, Fate.ERROR)
            return False
        if guard is None or message_id not in self.reserved:
            return None
        self._settle(guard, message_id, Fate.FINE)
        return True if is_delivered else None

    def on_left(self, message_id: int) -> None:
        """It ended or went on over another link, and nobody called it unreachable."""
        self.waiting.discard(message_id)
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
