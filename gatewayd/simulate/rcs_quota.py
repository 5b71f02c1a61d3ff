"""The platform's quota: so many requests in each minute and each second, in windows that do not slide.

Pure: the time is an argument. Knows nothing of HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


class FixedWindow:
    """At most ``limit`` in each window of ``length_s``; 0 means no limit."""

    __slots__ = ("_count", "_window", "length_s", "limit")

    def __init__(self, limit: int, length_s: float) -> None:
        self.limit = limit
        self.length_s = length_s
        self._window = -1
        self._count = 0

    def wait_s(self, now: float) -> float:
        """0 when one more may pass at ``now``, else how long until the next window."""
        window = math.floor(now / self.length_s)
        if window != self._window:
            self._window = window
            self._count = 0
        if not self.limit or self._count < self.limit:
            return 0.0
        return (window + 1) * self.length_s - now

    def count(self) -> None:
        """One passed, in the window that ``wait_s`` was last asked about."""
        self._count += 1


class Quota:
    """A limit a minute and a limit a second; a request that is refused counts in neither."""

    __slots__ = ("_minute", "_second")

    def __init__(self, per_minute: int = 0, per_s: int = 0) -> None:
        self._minute = FixedWindow(per_minute, 60.0)
        self._second = FixedWindow(per_s, 1.0)

    def take(self, now: float) -> float:
        """Count one request at ``now`` and return 0, or count nothing and return how long to wait."""
        wait_s = max(self._minute.wait_s(now), self._second.wait_s(now))
        if not wait_s:
            self._minute.count()
            self._second.count()
        return wait_s


def busiest(times: Sequence[float], window_s: float) -> int:
    """The greatest number of ``times`` (ascending) in any half-open window of ``window_s``, wherever it begins."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most
