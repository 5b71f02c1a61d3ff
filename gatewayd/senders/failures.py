"""Who was wrong how often of late: whoever is wrong again and again has to wait.

Knows neither keys nor passwords. Bounded: the one that failed first gives way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FAILURES_MAX: Final = 20
FAILURES_S: Final = 60.0
PEERS_MAX: Final = 10_000


class Failures:
    """Counts by name. ``clock`` tells Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def wait_s(self, who: str) -> float:
        """For how long this one is not to be heard; 0 when it is."""
        count, until = self._counts.get(who, (0, 0.0))
        return max(0.0, until - self._clock()) if count >= FAILURES_MAX else 0.0

    def note(self, who: str) -> float:
        """It was wrong once more; for how long it was not to be heard any more."""
        wait_s, now = self.wait_s(who), self._clock()
        count, until = self._counts.get(who, (0, 0.0))
        if until <= now:
            count, until = 0, now + FAILURES_S
        if who not in self._counts and len(self._counts) >= PEERS_MAX:
            del self._counts[next(iter(self._counts))]
        self._counts[who] = count + 1, until
        return wait_s
