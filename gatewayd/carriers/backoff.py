"""Waits that double with each failure up to a bound, with jitter. Knows neither what failed nor what time it is."""

from __future__ import annotations

import random


class Backoff:
    """One thing's failures in a row. The wait is drawn from the upper half of the doubled interval.

    So a fleet does not come back at once, and no wait is so short that the doubling is for nothing.
    """

    __slots__ = ("_max_s", "_min_s", "_rng", "failures")

    def __init__(self, min_s: float, max_s: float, rng: random.Random) -> None:
        self.failures = 0
        self._min_s = min_s
        self._max_s = max_s
        self._rng = rng

    def next_s(self) -> float:
        """Count one more failure; seconds to wait after it."""
        # The exponent is bounded so that a year of failures does not overflow a float.
        interval_s = min(self._max_s, self._min_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return interval_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
