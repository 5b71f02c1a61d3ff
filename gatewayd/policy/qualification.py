"""When a platform may be asked about many handsets, and when a handset's turn to be asked about comes.

All moments are Unix seconds. Knows no link, no platform and no store.
"""

from __future__ import annotations

import datetime
import math

import msgspec

HOUR_S = 3_600.0
STALE_S = 7 * 24 * HOUR_S
"""How long an answer serves beyond the moment at which it is to be asked for again."""


class Hours(msgspec.Struct, frozen=True):
    """Some hours of each day, half open, by the clock of a zone. Without ``opens`` the whole day."""

    opens: datetime.time | None = None
    closes: datetime.time = datetime.time()
    zone: datetime.tzinfo = datetime.UTC

    def is_open(self, now: float) -> bool:
        """Whether ``now`` lies within."""
        if self.opens is None:
            return True
        moment = datetime.datetime.fromtimestamp(now, self.zone).time()
        if self.opens < self.closes:
            return self.opens <= moment < self.closes
        return moment >= self.opens or moment < self.closes

    def next_opening(self, now: float) -> float:
        """When they begin the next time, after ``now``, however the clock of the zone is changed till then."""
        if self.opens is None:
            return now
        today = datetime.datetime.fromtimestamp(now, self.zone).date()
        days = (today + datetime.timedelta(days=count) for count in range(3))
        moments = (datetime.datetime.combine(day, self.opens, self.zone).timestamp() for day in days)
        return next(moment for moment in moments if moment > now)


def hours_of(text: str, zone: datetime.tzinfo) -> Hours:
    """The hours that a text such as ``22:00-07:00`` names; an empty one is the whole day."""
    if not text:
        return Hours(zone=zone)
    opens, _, closes = text.partition("-")
    return Hours(datetime.time.fromisoformat(opens), datetime.time.fromisoformat(closes), zone)


def first_turn(now: float, new_h: float) -> float:
    """When a handset that was never asked about has its turn: at the next of the moments that lie ``new_h`` apart.

    They are the same for all, so that new handsets are gathered and asked about together. 0: now.
    """
    if new_h <= 0:
        return now
    period_s = new_h * HOUR_S
    return math.ceil(now / period_s) * period_s


def next_turn(now: float, capable: bool, yes_h: float, no_h: float) -> float:
    """When a handset that was asked about just now has its turn again."""
    return now + (yes_h if capable else no_h) * HOUR_S
