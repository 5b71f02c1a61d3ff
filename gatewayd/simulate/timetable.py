"""Later events: one heap and one timer, however many are waiting.

Knows nothing of what it calls.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

Call = Callable[[], object]


class Timetable:
    """Calls each callback once its moment has come; callbacks of one moment run in the order they were asked for."""

    __slots__ = ("_armed_for", "_heap", "_order", "_timer")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Call]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_s: float, call: Call) -> None:
        """Run ``call`` after ``delay_s`` seconds, in a later turn of the loop even when that is 0."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, delay_s)
        heapq.heappush(self._heap, (at, next(self._order), call))
        if self._timer is None or at < self._armed_for:
            self._arm(loop, at)

    def clear(self) -> None:
        """Forget everything that has not run yet."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = at
        self._timer = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        # What the callbacks ask for with no delay belongs to the next turn.
        now, newest = loop.time(), next(self._order)
        try:
            while self._heap and self._heap[0][0] <= now and self._heap[0][1] < newest:
                heapq.heappop(self._heap)[2]()
        finally:
            if self._heap:
                self._arm(loop, self._heap[0][0])
