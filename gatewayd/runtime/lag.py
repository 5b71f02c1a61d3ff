"""How late the event loop is: a timer that looks a few times a second by how much it was called too late.

Knows no metric: it is given the histogram to observe into.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from gatewayd.runtime.instruments import Timing

LOOK_S: Final = 0.2


class LoopLag:
    """Watches the loop that it is started on."""

    def __init__(self, timing: Timing, *, look_s: float = LOOK_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._timing = timing
        self._look_s = look_s
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Look from now on."""
        self._due = self._clock() + self._look_s
        self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def stop(self) -> None:
        """Look no more; no harm before ``start`` or twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timing.observe(self._clock() - self._due)
        self.start()
