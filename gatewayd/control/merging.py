"""How the answers of several workers to one question become one answer. Pure: plain values in, plain values out.

What a value means is told by its key: amounts are added, ages and what all workers share are the greatest, lists are
strung together, and everything else is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SUMS: Final = frozenset(
    (
        *("accepted", "binds_up", "changed", "dead", "deferred", "delivered", "depth", "fallbacks", "held", "octets"),
        *("offered", "pending", "queue", "refused", "scheduled", "sent", "submitted", "throttled", "too_late"),
        *("under_way", "undelivered", "unknown", "unmatched", "unread", "unwritten", "window", "window_used"),
    )
)
GREATEST: Final = frozenset(
    ("guard", "is_failing", "is_paused", "outbox_age_s", "paused_s", "queue_age_s", "ratio", "used_per_minute")
)

MESSAGE_IDS: Final = "message_ids"
UNDECIDED: Final = "auto"
"""A worker that has seen too few receipts to know knows less than one that does."""


def merged(answers: Sequence[Any]) -> Any:
    """One answer of all; there must be one at least."""
    first = answers[0]
    if len(answers) == 1:
        return first
    if isinstance(first, Mapping):
        return _merged_tables([answer for answer in answers if isinstance(answer, Mapping)])
    if isinstance(first, list):
        return [row for answer in answers if isinstance(answer, list) for row in answer]
    return first


def _merged_tables(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for table in tables for key in table)
    return {key: _merged_value(key, [table[key] for table in tables if key in table]) for key in keys}


def _merged_value(key: str, values: list[Any]) -> Any:
    if isinstance(values[0], Mapping | list):
        return merged(values)
    if key == MESSAGE_IDS:
        return next((value for value in values if value != UNDECIDED), values[0])
    if key in SUMS:
        return sum(values)
    return max(values) if key in GREATEST else values[0]


def page(answer: Mapping[str, Any], pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One page of the pages of all workers, each ``{"rows": …, "limit": n, "upto": key or None}`` in order of "key".

    ``upto`` is how far a worker came when it ran out of time or of room: what others have behind that comes later, so
    that the next page can begin behind one key for all. ``next`` is that key, or None at the end. Where keys are not
    for everybody, a worker gives ``cursor`` instead: its slot and a token, or nothing at its end.
    """
    if "cursor" in answer:  # each worker has a place of its own
        return {"rows": answer["rows"], "next": answer["cursor"] or None}
    stops = [one["upto"] for one in pages if one.get("upto") is not None]
    stop = min(stops) if stops else None
    rows = sorted((row for row in answer["rows"] if stop is None or row["key"] <= stop), key=lambda row: row["key"])
    limit = answer["limit"]
    behind = stop
    if len(rows) > limit:
        rows = rows[:limit]
        behind = rows[-1]["key"]
    left = {key: value for key, value in answer.items() if key not in ("rows", "limit", "upto")}
    return {**left, "rows": rows, "next": behind}
