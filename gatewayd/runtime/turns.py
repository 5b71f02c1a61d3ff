"""How long a turn of the loop takes: under load what comes within two milliseconds is taken together.

A turn has a price whatever it brings, and much of a message's price is that the processor's caches have forgotten what
the last one needed. So a busy process rests before it looks for more, as a network card gathers its interrupts; a quiet
one, and one whose turns are longer than that anyhow, never does. Knows octets and a clock, nothing of connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

TURN_S: Final = 0.002
BUSY_OCTETS_PER_S: Final = 400_000
"""About 1,000 messages a second with their responses and receipts."""
_LOOK_S: Final = 0.05


class Turns:
    """Those of one process. Whoever reads tells it how much came."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        # Not a timer: a loop that waits for one goes on waking for all that comes meanwhile.
        sleep: Callable[[float], None] = time.sleep,  # noqa: TID251
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._asked: asyncio.AbstractEventLoop | None = None
        self._octets = 0
        self._counted_since = self._rested_at = clock()
        self._is_busy = False

    def brought(self, loop: asyncio.AbstractEventLoop, octets: int) -> None:
        """So many octets came in this turn of the loop; what follows from them is done before the rest."""
        self._octets += octets
        if self._asked is not loop:
            self._asked = loop
            loop.call_soon(loop.call_soon, self._end)

    def _end(self) -> None:
        """Nothing else of this process goes on while it rests, but for its other threads: that is what is wanted."""
        self._asked = None
        now = self._clock()
        counted_s = now - self._counted_since
        if counted_s >= _LOOK_S:
            self._is_busy = self._octets >= BUSY_OCTETS_PER_S * counted_s
            self._octets, self._counted_since = 0, now
        left_s = self._rested_at + TURN_S - now
        if self._is_busy and left_s > 0:
            self._sleep(left_s)
            now += left_s
        self._rested_at = now


TURNS: Final = Turns()
