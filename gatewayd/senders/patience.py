"""What comes a little faster than an account may send waits for its answer instead of being refused.

One for each bind that has such an account; nothing is read from the bind meanwhile, so what waits is one read at most.
Knows neither connection nor desk.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gatewayd.runtime.instruments import Tally
from protocol.smpp.pdu import SubmitSm

if TYPE_CHECKING:
    from gatewayd.senders.accounts import Account

LOOK_S: Final = 0.005
"""No sooner is it looked again whether the next may go: at a high rate several go at once."""

HandIn = Callable[[Sequence[SubmitSm], int], None]
"""Gets submits and how many of them, the first ones, were granted; the others are refused."""


class Patience:
    """The submits of one bind that wait for their turn."""

    def __init__(self, account: Account, on_empty: Callable[[], None], delayed: Tally) -> None:
        """``on_empty`` is called when nothing waits any more."""
        self._account = account
        self._on_empty = on_empty
        self._delayed = delayed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[SubmitSm, HandIn, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, submits: Sequence[SubmitSm], hand_in: HandIn) -> None:
        """Hand in what may go, keep what may go soon, and let the rest be refused."""
        granted = 0 if self._waiting else self._account.take(len(submits))
        if granted:
            hand_in(submits[:granted], granted)
        rest = submits[granted:]
        if rest:
            kept = self._keep(rest, hand_in)
            if kept < len(rest):
                hand_in(rest[kept:], 0)

    def close(self) -> None:
        """The bind is gone: what waits was never taken."""
        self._waiting.clear()
        self._disarm()

    def _keep(self, rest: Sequence[SubmitSm], hand_in: HandIn) -> int:
        """How many of these will have their turn in time; they wait from now on."""
        settings = self._account.settings
        delay_s, rate = settings.throttle_delay_s, settings.rate_per_s
        wait_s = self._account.room()[1]
        fitting = len(rest) if wait_s <= delay_s else 0
        if fitting and rate:
            fitting = max(0, min(fitting, 1 + int((delay_s - wait_s) * rate) - len(self._waiting)))
        deadline = self._loop.time() + delay_s
        self._waiting.extend((submit, hand_in, deadline) for submit in rest[:fitting])
        self._delayed.value += fitting
        if fitting:
            self._arm(wait_s)
        return fitting

    def _look(self) -> None:
        """Hand in those whose turn it is; whoever waited in vain, because other binds were faster, is refused."""
        self._timer = None
        waiting = self._waiting
        granted = self._account.take(len(waiting))
        for hand_in, submits in self._first(granted):
            hand_in(submits, len(submits))
        now = self._loop.time()
        late = sum(1 for _ in itertools.takewhile(lambda one: one[2] <= now, waiting))
        for hand_in, submits in self._first(late):
            hand_in(submits, 0)
        if waiting:
            self._arm(min(self._account.room()[1], waiting[0][2] - now))
        else:
            self._on_empty()

    def _first(self, count: int) -> list[tuple[HandIn, list[SubmitSm]]]:
        """So many of those that wait, in order, together where they were handed in together."""
        taken = [self._waiting.popleft() for _ in range(count)]
        groups = itertools.groupby(taken, key=lambda one: one[1])
        return [(hand_in, [submit for submit, *_ in group]) for hand_in, group in groups]

    def _arm(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(max(LOOK_S, wait_s), self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
