"""The two time formats of SMPP 3.4 section 7.1.1, absolute and relative, to Unix seconds and back.

Knows no clock: the present is an argument, and whether a time in the past is a fault is the caller's business.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from protocol.smpp.errors import RemoteFault

_SIZE: Final = 16  # YYMMDDhhmmsstnnp without its NUL
_YEAR_MAX: Final = 9998


def parse_time(text: str, now_unix: float, status: int) -> float:
    """Return the Unix seconds that an SMPP time names, 0.0 for the empty string (no time given).

    A relative time counts from ``now_unix`` in calendar years and months. Raises RemoteFault (``bad_time``) with the
    ``status`` of the field it was read from: ESME_RINVSCHED or ESME_RINVEXPIRY.
    """
    if not text:
        return 0.0
    digits, direction = text[:-1], text[-1]
    if len(text) != _SIZE or not (digits.isascii() and digits.isdigit()):
        raise RemoteFault("bad_time", status)
    years, months, days, hours, minutes, seconds = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    tenths, quarters = int(digits[12]), int(digits[13:15])
    try:
        if direction == "R":
            start = _add_months(datetime.fromtimestamp(now_unix, UTC), years * 12 + months)
            span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=tenths * 100)
            return (start + span).timestamp()
        if direction in "+-" and quarters <= 48:
            offset = timedelta(minutes=15 * quarters)
            zone = timezone(offset if direction == "+" else -offset)
            return datetime(
                2000 + years, months, days, hours, minutes, seconds, tenths * 100_000, tzinfo=zone
            ).timestamp()
    except (ValueError, OverflowError):
        pass  # a thirteenth month, a thirtieth of February, a life time beyond the calendar
    raise RemoteFault("bad_time", status)


def format_absolute(unix: float) -> str:
    """Return the absolute form, in UTC and whole seconds, of a moment in this century."""
    moment = datetime.fromtimestamp(unix, UTC)
    return f"{moment:%y%m%d%H%M%S}000+"


def _add_months(moment: datetime, months: int) -> datetime:
    if not months:
        return moment
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year > _YEAR_MAX:
        raise OverflowError
    # The 31st of a shorter month is its last day.
    first_of_next = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
    last_day = (first_of_next - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))
