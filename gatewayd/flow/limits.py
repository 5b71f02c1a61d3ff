"""What paces one link: the ordered limits of its scopes, which all workers share, and the pauses that carriers ask for.

Knows no message and no queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from gatewayd.flow.easing import Easing
from gatewayd.message import Scope
from gatewayd.policy.pacing import Rate
from gatewayd.policy.quota import ALL_CALLS, Call
from gatewayd.runtime.shared_limits import Slot, take_all
from gatewayd.runtime.shared_windows import Window, take_one

REASON_THROTTLED = 1
ALONE = -1
"""In the place of a worker's number: there is nobody to agree with on who goes first."""


class Limits:
    """The limits of one link, the narrowest scope first: the agent, its application, its provider.

    ``pause_slot`` is what rests when a carrier asks for a pause without saying of what, ``scopes`` what rests when it
    does. ``counted`` are the calls that take a token. ``gates`` hold what was taken until it really may leave, each
    with its quota of a second: no pace keeps every second and uses it up, and between the turn that a message took and
    its leaving lies a commit, which bunches what was paced when it is slow.
    """

    __slots__ = ("_clock", "_counted", "_easing", "_gates", "_scopes", "pause_slot", "slots", "worker")

    def __init__(
        self,
        slots: Sequence[tuple[Slot, Rate]],
        pause_slot: Slot,
        clock: Callable[[], float] = time.monotonic,
        *,
        scopes: Mapping[Scope, Slot] | None = None,
        worker: int = ALONE,
        counted: Collection[Call] = ALL_CALLS,
        gates: Sequence[tuple[Window, int]] = (),
        easing: Easing | None = None,
    ) -> None:
        self.slots = tuple(slots)
        self.pause_slot = pause_slot
        self.worker = worker
        self._clock = clock
        self._scopes = dict(scopes or {})
        self._counted = frozenset(counted)
        self._gates = tuple(gates)
        self._easing = easing

    def take(self, wanted: int, lane: int = 0) -> tuple[int, float]:
        """How many may go now, and how long until the next may; ``lane`` is that of what would go."""
        if self.worker == ALONE:
            return take_all(self._paced(), wanted, self._clock())
        return take_all(self._paced(), wanted, self._clock(), lane, self.worker)

    def leave(self, call: Call = "message") -> float:
        """0 when one such call may leave now, and is counted; else the seconds until it is worth asking again."""
        if not self._gates or call not in self._counted:
            return 0.0
        return take_one(self._gates, self._clock())

    def give_back(self, unused: int) -> None:
        """Return what was taken and not sent."""
        now = self._clock()
        for slot, rate in self._paced():
            slot.give_back(unused, rate, now)

    def withdraw(self) -> None:
        """Nothing waits here any more."""
        if self.worker != ALONE:
            for slot, _ in self.slots:
                slot.withdraw(self.worker)

    def counts(self, call: Call) -> bool:
        """Whether such a call takes a token."""
        return call in self._counted

    def pause(self, seconds: float, scope: Scope = "") -> None:
        """Nothing goes for a while: the carrier said so."""
        self._scopes.get(scope, self.pause_slot).pause(self._clock() + seconds, REASON_THROTTLED)

    def ease(self, seconds: float, latency_s: float) -> bool:
        """The carrier turned away what went ``latency_s`` ago, and rests so long: slower from then on, where that is
        wanted. Whether it is."""
        return self._easing is not None and self._easing.throttled(latency_s, seconds)

    def _paced(self) -> Sequence[tuple[Slot, Rate]]:
        """The limits as they are for now: of an eased link the same with a part of its rate."""
        if self._easing is None:
            return self.slots
        share = self._easing.share()
        return self.slots if share >= 1.0 else [(slot, rate.of_share(share)) for slot, rate in self.slots]

    def paused_s(self) -> float:
        """What is left of the longest pause that holds this link back; 0 when there is none."""
        return max(0.0, max(slot.paused_until for slot, _ in self.slots) - self._clock())
