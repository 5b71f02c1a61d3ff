"""When an endpoint that fails is left alone, and how it is tried again: a circuit breaker that is told the time."""

from __future__ import annotations

import enum
from typing import Final

from gatewayd.policy.retry import doubled_s, upper_half_s

FAILURES_MAX: Final = 5
OPEN_FIRST_S: Final = 1.0
OPEN_MAX_S: Final = 60.0


class BreakerState(enum.IntEnum):
    """In the order of trouble."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2
    DISABLED = 3


class Breaker:
    """Closed while it works. After FAILURES_MAX failures in a row open: nothing goes for a while, then one probe.

    Each probe that fails doubles the next wait, up to OPEN_MAX_S. ``now`` is monotonic seconds; ``share`` is chance
    (0 to 1), by which each wait is drawn from its upper half, so that many do not come back at once.
    """

    __slots__ = ("_failures", "_open_until", "_paused_until", "_probes", "state")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As if nothing had been."""
        self.state = BreakerState.CLOSED
        self._failures = self._probes = 0
        self._open_until = self._paused_until = 0.0

    def room(self, in_flight: int, concurrency: int, now: float) -> int:
        """How many more may go now."""
        if self.state is BreakerState.DISABLED or now < self._paused_until:
            return 0
        if self.state is BreakerState.OPEN and now >= self._open_until:
            self.state = BreakerState.HALF_OPEN
        if self.state is BreakerState.OPEN:
            return 0
        return max(0, (1 if self.state is BreakerState.HALF_OPEN else concurrency) - in_flight)

    def waits_until(self, now: float) -> float | None:
        """When to ask for room again, if time alone brings it."""
        if self.state is BreakerState.DISABLED:
            return None
        until = max(self._paused_until, self._open_until if self.state is BreakerState.OPEN else 0.0)
        return until if until > now else None

    def succeeded(self) -> bool:
        """It took one. Whether it had been in trouble before."""
        self._failures = 0
        if self.state in (BreakerState.CLOSED, BreakerState.DISABLED):
            return False
        self.state = BreakerState.CLOSED
        self._probes = 0
        return True

    def failed(self, now: float, share: float) -> bool:
        """It did not. Whether it is left alone from now on: what was on its way when it opened says nothing new."""
        self._failures += 1
        is_too_much = self.state is BreakerState.CLOSED and self._failures >= FAILURES_MAX
        if not (is_too_much or self.state is BreakerState.HALF_OPEN):
            return False
        self._probes += 1
        self._open_until = now + upper_half_s(doubled_s(OPEN_FIRST_S, OPEN_MAX_S, self._probes), share)
        self.state = BreakerState.OPEN
        return is_too_much

    def pause(self, until: float) -> None:
        """It asked for silence until a moment."""
        self._paused_until = max(self._paused_until, until)

    def disable(self) -> None:
        """It is gone for good, until ``reset``."""
        self.state = BreakerState.DISABLED
