"""How many messages an account may hand in now: by the second, the minute, the hour and the day, over all workers.

Counts what is handed in, by whichever interface; what becomes of it is not its business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gatewayd.config import schema
from gatewayd.policy.pacing import rate_of
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_limits import SharedLimits

UNLIMITED = -1
SPANS = ("minute", "hour", "day")


class Allowance:
    """The limits of one account, as they are configured at present."""

    __slots__ = ("_budget", "_clock", "_limits", "_rate", "_slot")

    def __init__(
        self,
        name: str,
        settings: schema.Account,
        limits: SharedLimits,
        budgets: SharedBudgets | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` tells Unix seconds, the same in all workers; without ``budgets``, seconds alone are limited."""
        self._clock = clock
        self._slot = limits.slot(f"account:{name}") if settings.rate_per_s else None
        # Without a burst of its own an account may send one second's worth at once.
        self._rate = rate_of(0, settings.rate_per_s, settings.burst or max(1.0, settings.rate_per_s))
        self._limits = (settings.per_minute, settings.per_hour, settings.per_day)
        self._budget = budgets.slot(f"account:{name}") if budgets is not None and any(self._limits) else None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self._slot is not None or self._budget is not None

    def take(self, wanted: int) -> int:
        """How many of ``wanted`` messages may be handed in now; they count as handed in."""
        if self._slot is None and self._budget is None:
            return wanted
        granted = self.take_calls(wanted)
        if self._budget is not None and granted:
            allowed = self._budget.take(self._limits, granted, self._clock())
            if allowed < granted and self._slot is not None:
                self._slot.give_back(granted - allowed, self._rate, time.monotonic())
            return allowed
        return granted

    def take_calls(self, wanted: int) -> int:
        """The same of what is no message, and costs a second's pace alone."""
        return wanted if self._slot is None else self._slot.take(self._rate, wanted, time.monotonic())[0]

    def give_back(self, unused: int) -> None:
        """So many were refused for what they are: they count against the second only, as the work was done."""
        if self._budget is not None:
            self._budget.give_back(unused, self._clock())

    def room(self) -> tuple[int, float]:
        """How many could be handed in now, and in how many seconds one more; -1 without any limit."""
        room, wait_s = (UNLIMITED, 0.0) if self._slot is None else self._slot.room(self._rate, time.monotonic())
        if self._budget is not None:
            left, left_wait_s = self._budget.room(self._limits, self._clock())
            room = left if room < 0 else min(room, left)
            wait_s = max(wait_s, left_wait_s)
        return room, wait_s

    def used(self) -> dict[str, float]:
        """What share of each limit of a minute, an hour and a day was used within the last one."""
        if self._budget is None:
            return {}
        counts = self._budget.used(self._clock())
        return {span: used / limit for span, used, limit in zip(SPANS, counts, self._limits, strict=True) if limit}
