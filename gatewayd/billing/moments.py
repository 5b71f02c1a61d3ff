"""Moments as people and invoices write them. Knows no record and no file."""

from __future__ import annotations

import datetime
from typing import Final

_FRENCH: Final = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y")


def parse(text: str, zone: datetime.tzinfo = datetime.UTC) -> datetime.datetime:
    """A moment from a date or a date and time; ``zone`` holds where it names none. Raises ValueError.

    RFC 3339 in its usual liberties (a blank for the T, no seconds), and day/month/year.
    """
    found = _parsed(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _parsed(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        for form in _FRENCH:
            try:
                return datetime.datetime.strptime(text, form)  # noqa: DTZ007  # the caller knows the zone
            except ValueError:
                continue
        raise ValueError(f"{text!r} is no date or time; write 2026-11-30 or 2026-11-30T12:00:00Z") from None


def has_time(text: str) -> bool:
    """Whether a moment says more than its day."""
    return ":" in text


def milliseconds(moment: datetime.datetime) -> int:
    """Since 1970."""
    return round((moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) / datetime.timedelta(milliseconds=1))
