"""Whom a carrier's limit holds for, and who need not wait for the end of it.

Knows neither the clock nor where a pause is kept: moments are arguments, of any one clock.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

Call = Literal["message", "capability", "revoke"]
"""What is asked of a platform."""

ALL_CALLS: frozenset[Call] = frozenset({"message", "capability", "revoke"})


def falls_inside(pause_until: float, *deadlines: float) -> bool:
    """Whether waiting for the end of a pause would be too late for one of the deadlines; a deadline of 0 is none."""
    return any(0 < deadline <= pause_until for deadline in deadlines)


def with_headroom(quota: int, headroom: float) -> int:
    """What is used of a quota when a share of it is left for the unevenness of the way to the platform.

    Requests that left evenly may arrive in a bunch. A quota is never rounded down to none.
    """
    return max(1, int(quota * (1.0 - headroom))) if quota > 0 else 0


class Pauses:
    """Handsets to which nothing may go for a while, at most ``size_max`` of them: the one that ends first gives way."""

    __slots__ = ("_size_max", "_until")

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        """How many are remembered, those included that are over and were not asked for since."""
        return len(self._until)

    def pause(self, key: str, until: float, now: float) -> None:
        """Hold this one back until then. A longer pause is never shortened."""
        if until <= self._until.get(key, now):
            return
        self._until.pop(key, None)
        if len(self._until) >= self._size_max:
            self._make_room(now)
        self._until[key] = until

    def until(self, key: str, now: float) -> float:
        """When its pause ends, or 0 when there is none."""
        until = self._until.get(key, 0.0)
        if 0.0 < until <= now:
            del self._until[key]
            return 0.0
        return until

    def keys(self) -> Collection[str]:
        """Who is remembered."""
        return self._until.keys()

    def _make_room(self, now: float) -> None:
        over = [key for key, until in self._until.items() if until <= now]
        for key in over or [min(self._until, key=self._until.__getitem__)]:
            del self._until[key]
