"""Events from a file, through the engine of a rule set: what would have been charged.

One JSON object a line; see docs/billing.md. Knows no store: the same engine serves the running daemon.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gatewayd.billing import moments
from gatewayd.billing.record_files import text_of
from gatewayd.policy import billing
from gatewayd.policy.billing import Event, Record
from gatewayd.policy.billing_rules import RuleBook

_HOUR_MS: Final = 3_600_000
_ABSENT: Final = object()


class ReplayFault(ValueError):
    """A line cannot be used; the text says which and why."""


class _Form:
    """How the file writes its moments: all in hours, or all as dates."""

    def __init__(self) -> None:
        self.in_hours: bool | None = None

    def read(self, value: object) -> int:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(value, str):
            at_ms = moments.milliseconds(moments.parse(value))
        elif isinstance(value, int | float) and is_number and math.isfinite(value):
            at_ms = round(value * _HOUR_MS)
        else:
            raise ValueError(f"{value!r} is no time: write hours as a number, or an RFC 3339 date and time")
        if self.in_hours is None:
            self.in_hours = is_number
        if self.in_hours != is_number:
            raise ValueError("some times are hours and some are dates: write all in one way")
        return at_ms

    def write(self, at_ms: int) -> float | str:
        if self.in_hours:
            hours = at_ms / _HOUR_MS
            return int(hours) if hours.is_integer() else hours
        return text_of(at_ms)


def replay(lines: Iterable[str], book: RuleBook) -> Iterator[dict[str, Any]]:
    """The records, by their start. Raises ReplayFault for the first line that cannot be used."""
    form = _Form()
    events: dict[tuple[str, str], list[Event]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            agent, user, event = _event(json.loads(line), number, book, form)
        except ValueError as error:
            raise ReplayFault(f"line {number}: {error}") from error
        if event is not None:
            events.setdefault((agent, user), []).append(event)
    found = [(record, agent, user) for (agent, user), of in events.items() for record in billing.replay(book, of)]
    found.sort(key=lambda row: (row[0].start_ms, row[1:], row[0].message_ids))
    for record, agent, user in found:
        yield _row(record, agent, user, form)


def _event(given: object, number: int, book: RuleBook, form: _Form) -> tuple[str, str, Event | None]:
    if not isinstance(given, dict):
        raise ValueError("it is no JSON object")
    kind = str(given.get("kind", "")).lower()
    if kind not in ("mt", "mo"):
        raise ValueError(f"kind is {given.get('kind')!r}; write mt or mo")
    if "t" not in given:
        raise ValueError("t, the time, is missing")
    at_ms = form.read(given["t"])
    agent, user = str(given.get("agent", "")), str(given.get("user", ""))
    rules = book.at(at_ms)
    name = str(given.get("id") or f"line-{number}")
    account = str(given.get("account", ""))
    text = str(given.get("text") or "")
    if kind == "mo":
        is_stop = bool(given.get("stop", text.strip().upper() == "STOP"))
        counts = rules.counts(bool(given.get("action", False)), is_stop)
        return agent, user, Event(at_ms, "mo", name, account) if counts else None
    if rules.bill_on == "delivered":
        delivered_at = given.get("delivered_at", _ABSENT)
        if delivered_at is None:
            return agent, user, None
        at_ms = at_ms if delivered_at is _ABSENT else form.read(delivered_at)
    segments = given.get("segments", 1)
    if not isinstance(segments, int) or isinstance(segments, bool) or segments < 1:
        raise ValueError(f"segments is {segments!r}; write a whole number from 1 on")
    return agent, user, Event(at_ms, "mt", name, account, is_basic=_is_basic(given, text), segments=segments)


def _is_basic(given: dict[str, Any], text: str) -> bool:
    if "class" in given:
        word = str(given["class"]).lower()
        if word.split("_")[0] not in ("basic", "single"):
            raise ValueError(f"class is {given['class']!r}; write basic or single")
        return word.startswith("basic")
    return "text" in given and billing.is_basic(text, is_plain=not (given.get("suggestions") or given.get("media")))


def _row(record: Record, agent: str, user: str, form: _Form) -> dict[str, Any]:
    return {
        "class": record.name,
        "start": form.write(record.start_ms),
        "end": form.write(record.end_ms) if record.is_conversation else None,
        "message_ids": list(record.message_ids),
        "agent": agent,
        "user": user,
        "account": record.account,
        "free": record.is_free,
        "mt": record.mt_count,
        "mo": record.mo_count,
        "segments": record.segments,
        "credits": record.credits,
        "rules": record.rules,
        "version": record.version,
    }
