"""Later events: one heap and one timer of the loop, whatever the number of events.

Knows nothing of what the events do.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable

Action = Callable[[], object]


class Schedule:
    """Calls actions when they are due by ``clock`` (seconds). A fake clock is served by calling ``tick`` by hand."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Action]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._sleepers: set[asyncio.Future[None]] = set()
        self._paused = False

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_s: float, action: Action) -> None:
        """Call ``action`` once, ``delay_s`` from now, never from inside this call."""
        due = self.clock() + delay_s
        heapq.heappush(self._heap, (due, self._count, action))
        self._count += 1
        self._arm()

    async def sleep(self, delay_s: float) -> None:
        """Wait ``delay_s``, or until the schedule is closed."""
        if delay_s <= 0.0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(future)
        future.add_done_callback(self._sleepers.discard)
        self.after(delay_s, lambda: None if future.done() else future.set_result(None))
        await future

    def tick(self) -> None:
        """Call what is due now, in order; what those calls schedule for now is called as well."""
        if self._paused:
            return
        try:
            while self._heap and self._heap[0][0] <= self.clock():
                heapq.heappop(self._heap)[2]()
        finally:
            self._arm()

    def pause(self) -> None:
        """Keep every event but call none until ``resume``; wake every sleeper."""
        self._paused = True
        self._disarm()

    def resume(self) -> None:
        """Go on: what fell due meanwhile is called by the loop's next turn, in order."""
        self._paused = False
        self._arm()

    def close(self) -> None:
        """Forget every event and wake every sleeper."""
        self._heap.clear()
        self._disarm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for future in list(self._sleepers):
            if not future.done():
                future.set_result(None)

    def _arm(self) -> None:
        if self._paused or not self._heap:
            return
        due = self._heap[0][0]
        if self._timer is not None:
            if due >= self._armed_for:
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._armed_for = due
        self._timer = loop.call_at(loop.time() + max(0.0, due - self.clock()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.tick()
