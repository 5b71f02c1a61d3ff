"""RFC 3339 moments, written strictly and read leniently. Does not know what time it is."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(text: str | None) -> float:
    """Unix seconds of a timestamp, or 0.0 when there is none or it makes no sense.

    A missing zone means UTC, as one platform leaves it out. An event is worth more than its time of day, so an
    unreadable one is no fault.
    """
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - _EPOCH).total_seconds())


def write(unix: float) -> str:
    """The timestamp of a moment in Unix seconds, in UTC and whole seconds.

    The second that has begun counts: what should live for half a second must not have expired already.
    """
    return _written(math.ceil(unix))


@lru_cache(maxsize=64)
def _written(second: int) -> str:
    # All that is sent within a second has the same deadline, most times.
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
