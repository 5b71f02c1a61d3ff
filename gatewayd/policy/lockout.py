"""When whoever binds with a wrong password is not listened to any more, and for how long.

Knows neither clock nor address: ``now`` is seconds of any clock, and what is counted is the caller's to say.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

SHARED_FACTOR = 3
"""An address, and an account, may be wrong so many times as often as one account from one address: they are many."""

_ROUNDING_S = 0.001  # a moment and what is added to it may make a little more than was added


class Terms(msgspec.Struct, frozen=True):
    """``failures`` within ``window_s`` lock out for ``lockout_s``; 0 failures: nobody is ever locked out."""

    failures: int
    window_s: float
    lockout_s: float

    def shared(self) -> Terms:
        """The same for what several share: an address, an account."""
        return Terms(self.failures * SHARED_FACTOR, self.window_s, self.lockout_s)


class Mark(NamedTuple):
    """What is known of one: how often it was wrong since when, and until when it is locked out (0: it never was)."""

    times: int = 0
    since: float = 0.0
    until: float = 0.0


def wait_s(mark: Mark, now: float, terms: Terms) -> float:
    """For how long it is not listened to; 0 when it is.

    A clock that was set back must not lock anybody out for longer than was meant.
    """
    left = mark.until - now
    return left if terms.failures and 0.0 < left <= terms.lockout_s + _ROUNDING_S else 0.0


def failed(mark: Mark, now: float, terms: Terms) -> Mark:
    """It was wrong once more. Failures are counted from the first one on; one lock-out follows another by new ones."""
    if not terms.failures:
        return mark
    is_new = not mark.times or not 0.0 <= now - mark.since <= terms.window_s
    times, since = (1, now) if is_new else (mark.times + 1, mark.since)
    if times >= terms.failures:
        return Mark(0, 0.0, now + terms.lockout_s)
    return Mark(times, since, mark.until)
