"""Unix time that never jumps, for everything that is due at a moment and must be so after a restart as well.

Knows nothing of what is due.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# How fast a step of the wall clock is followed: an hour in a day and a half, and no timer is wrong by more than this.
FOLLOWING: Final = 0.03
# It is asked several times for each message, and looks at the wall clock so often.
_LOOK_S: Final = 0.02


class SteadyClock:
    """The wall clock as it was at the start, carried on by the monotonic one.

    When somebody steps the wall clock, this one goes a little faster or slower until it agrees again: no wait becomes
    an hour longer, and nothing expires an hour too early. It never goes backwards.
    """

    __slots__ = ("_ahead", "_look_at", "_monotonic", "_seen", "_wall")

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._seen = monotonic()
        self._look_at = self._seen + _LOOK_S
        self._ahead = wall() - self._seen

    def __call__(self) -> float:
        """Seconds since 1970."""
        now = self._monotonic()
        if now >= self._look_at:
            reach = (now - self._seen) * FOLLOWING
            self._ahead += min(reach, max(-reach, self._wall() - now - self._ahead))
            self._seen, self._look_at = now, now + _LOOK_S
        return now + self._ahead
