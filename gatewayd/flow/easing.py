"""The share of its pace that one link uses for now, in all workers: less after its carrier could not follow.

Knows no link; whether the share is one of a rate or of a window is for those who ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gatewayd.policy.easing import Eased, congested, share_at, throttled
from gatewayd.runtime.shared_shares import Share


class Easing:
    """One link's. ``climb_s`` is how long it would take from nothing to the whole, above 0."""

    __slots__ = ("_climb_s", "_clock", "_rest_s", "_share")

    def __init__(
        self, share: Share, climb_s: float, rest_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``rest_s`` is how long a carrier that is full is given before it is believed once more."""
        self._share = share
        self._climb_s = climb_s
        self._rest_s = rest_s
        self._clock = clock

    def share(self) -> float:
        """The share now; 1 is the whole."""
        share, at = self._share.read()
        return share_at(Eased(share, at), self._climb_s, self._clock()) if at else 1.0

    def throttled(self, latency_s: float, rest_s: float) -> bool:
        """The carrier turned away what went ``latency_s`` ago. Whether that made it slower."""
        now = self._clock()
        return self._share.change(
            lambda share, at: throttled(Eased(share, at), self._climb_s, now, now - latency_s, rest_s)
        )

    def congested(self, state: int) -> bool:
        """The carrier tells its congestion_state (0 to 100). Whether anything follows from it."""
        now = self._clock()
        return self._share.change(
            lambda share, at: congested(Eased(share, at), self._climb_s, now, state, self._rest_s)
        )
