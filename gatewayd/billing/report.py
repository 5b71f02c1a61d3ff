"""Records counted up: by account, agent, class, or whatever is asked. Knows no terminal."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gatewayd.billing.record_files import Line

KEYS: Final[dict[str, Callable[[Line], str]]] = {
    "account": lambda line: line.account,
    "agent": lambda line: line.agent,
    "class": lambda line: line.class_name,
    "link": lambda line: line.link,
    "user": lambda line: line.user,
    "rules": lambda line: line.rules,
    "version": lambda line: line.version,
    "day": lambda line: line.start.date().isoformat(),
    "month": lambda line: line.start.date().isoformat()[:7],
}
SUMS: Final = ("records", "free", "mt", "mo", "segments", "credits")


def keys_of(text: str) -> list[str]:
    """``account,agent`` as a list. Raises ValueError for a word that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in KEYS]
    if unknown or not names:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no way to group; there are {', '.join(KEYS)}")
    return names


def within(lines: Iterable[Line], begin: datetime.datetime | None, end: datetime.datetime | None) -> Iterable[Line]:
    """Records that began from ``begin`` on and before ``end``."""
    return (line for line in lines if (begin is None or begin <= line.start) and (end is None or line.start < end))


def counted(lines: Iterable[Line], by: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each group, sorted by its keys."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for line in lines:
        sums = groups.setdefault(tuple(KEYS[name](line) for name in by), [0.0] * len(SUMS))
        for place, amount in enumerate((1, line.is_free, line.mt, line.mo, line.segments, line.credits)):
            sums[place] += amount
    return [
        {**dict(zip(by, group, strict=True)), **dict(zip(SUMS, map(_plain, sums), strict=True))}
        for group, sums in sorted(groups.items())
    ]


def _plain(amount: float) -> int | float:
    return int(amount) if amount == int(amount) else round(amount, 6)
