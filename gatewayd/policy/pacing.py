"""Rate arithmetic (GCRA): given when the paid-for time of a limit ends, how many may go now and how long to wait.

Knows neither the clock nor where the state of a limit is kept.
"""

from __future__ import annotations

import math

import msgspec

from gatewayd.policy.quota import with_headroom

# Clock readings are floats: an instant that is due must not be missed by the rounding of the last bit. In messages,
# so it is far too small to let one more through in any window.
_ROUNDING = 1e-6

# More than this share of a minute's quota cannot be saved up for one burst: what a burst may hold is missing from the
# steady pace, else the minute that begins with a burst would exceed the quota.
_BURST_SHARE_OF_QUOTA = 10

# Who counts is at the other end of a network and of busy machines: what was sent a little more than a minute apart may
# arrive within one. So much later may a message be than another one.
_SPREAD_OF_ARRIVALS_S = 0.1

# A turn that comes late has not lost its messages: so much of lost time is made up for. More than this was idleness.
LATE_S = 0.1
_DOUBLINGS_MAX = 60


class Ramp(msgspec.Struct, frozen=True, gc=False):
    """How a pace comes back after a pause: at ``start`` of itself, doubled every ``double_s`` until it is whole.

    ``start`` of 1 or more means at once.
    """

    start: float = 0.1
    double_s: float = 10.0

    def share(self, since_s: float) -> float:
        """The share of the pace that may be used so long after the end of the pause; at most 1."""
        if since_s < 0.0:
            return self.start
        doublings = since_s // self.double_s
        return min(1.0, self.start * 2.0**doublings) if doublings < _DOUBLINGS_MAX else 1.0


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A steady pace and what may go at once after idleness: never more than ``rate_per_s * w + burst`` in w seconds.

    With ``late_s``, a turn that comes up to so much too late makes up for it, and w is that much longer.

    The state of a limit is one number, ``tat`` (theoretical arrival time): the moment until which the pace has been
    used up. 0 is the state of a new limit. ``burst`` is at least 1; ``rate_per_s`` is above 0, or infinite.

    ``ramp`` says how it comes back after a pause, ``whole`` what the ramp is a share of where that is not this rate
    itself. ``horizon_s`` is how far ahead a sound ``tat`` may lie, beyond what the burst allows.
    """

    rate_per_s: float
    burst: int = 1
    ramp: Ramp | None = None
    whole: float = 0.0
    horizon_s: float = 0.0
    late_s: float = 0.0

    def at(self, since_s: float) -> Rate:
        """The rate so long after the end of a pause: slower for a while, and without bursts, when it has a ramp."""
        if self.ramp is None:
            return self
        share = self.ramp.share(since_s)
        whole = self.whole or self.rate_per_s
        if share >= 1.0 or whole == math.inf:
            return self
        # The time that a burst used up in advance is still owed when the slower pace begins.
        return Rate(min(self.rate_per_s, share * whole), 1, horizon_s=self.burst / self.rate_per_s)

    def of_share(self, share: float) -> Rate:
        """A part of this rate, and no bursts; what a burst used up in advance is still owed."""
        if self.rate_per_s == math.inf:
            return self
        return Rate(self.rate_per_s * share, 1, horizon_s=self.burst / self.rate_per_s)

    def step(self, tat: float, now: float, wanted: int) -> tuple[int, float, float]:
        """Grant up to ``wanted`` at once: (granted, new tat, seconds until one more may go; 0 if all were granted).

        Every ``tat`` is healed: one that lies further ahead than a full burst can put it (a clock that was set back,
        another boot, a damaged file) counts as a burst that was just used.
        """
        if self.rate_per_s == math.inf:
            return wanted, now, 0.0
        interval_s = 1.0 / self.rate_per_s
        horizon = now + self.burst * interval_s
        if tat < now:
            if now - tat > self.late_s:
                tat = now
        elif not tat <= horizon:  # also true of a NaN
            latest = max(horizon, now + self.horizon_s)
            tat = min(latest, tat)  # in this order: the minimum of a NaN and a number is the first of them
            return 0, tat, tat + interval_s - horizon
        granted = min(wanted, int((horizon - tat) / interval_s + _ROUNDING))
        tat += granted * interval_s
        if granted >= wanted:
            return granted, tat, 0.0
        return granted, tat, tat + interval_s - horizon

    def give_back(self, tat: float, now: float, taken_at: float, unused: int) -> float:
        """The new tat after ``unused`` messages, granted at ``taken_at``, were not sent after all.

        What the pace has meanwhile refilled is not refunded: with it, those who took since could be followed by
        one burst too many.
        """
        if self.rate_per_s == math.inf:
            return tat
        return tat - max(0.0, unused / self.rate_per_s - max(0.0, now - taken_at))


UNLIMITED = Rate(math.inf)

LATE_SHARE = 0.02
"""By how much the pace stays below the window of a second, so that turns that are late by 20 ms can be made up for."""


def rate_of(
    per_minute: int = 0, rate_per_s: float = 0.0, burst: float = 1, per_second: int = 0, headroom: float = 0.0
) -> Rate:
    """The pace that keeps all limits; a limit of 0 is none, and a burst below 1 counts as 1.

    In no window of 60 s more than ``per_minute`` go, bursts and late turns included, in none of 1 s more than
    ``rate_per_s + burst``, and on average the ``headroom`` of each quota is left. A quota of a second is kept on
    average only: no pace could keep each window and use it up, see ``window_of``. With a quota the burst is at most a
    tenth of it, so that nine tenths can always be used.
    """
    size = max(1, int(burst))
    for quota in (per_minute, per_second):
        if quota > 0:
            size = min(size, max(1, quota // _BURST_SHARE_OF_QUOTA))
    pace = rate_per_s if rate_per_s > 0 else math.inf
    # A pace that an operator gave is kept in each second, late turns or not.
    late_s = LATE_S if (per_minute > 0 or per_second > 0) and rate_per_s <= 0 else 0.0
    if per_minute > 0:
        spread = per_minute / 60.0 * _SPREAD_OF_ARRIVALS_S
        # A quota of one a minute leaves nothing beside its burst of one: half a message more than nothing still
        # rounds down to the quota in every window.
        most = max(per_minute - size - spread, 0.5) / (60.0 + late_s)
        pace = min(pace, most, with_headroom(per_minute, headroom) / 60.0)
    if per_second > 0:
        pace = min(pace, window_of(per_second, headroom) * (1.0 - LATE_SHARE))
    return Rate(pace, size, late_s=late_s)


def window_of(per_second: int, headroom: float) -> int:
    """How many may go in any one second: all of the headroom is for the way to the platform.

    A network that hurries a bunch by a tenth of a second must not make it exceed what the platform counts: a 429 costs
    a minute. The pace stays a little below this window: each turn that is late in a full window is lost for ever, since
    the same window one second later is full as well.
    """
    return with_headroom(per_second, headroom)
