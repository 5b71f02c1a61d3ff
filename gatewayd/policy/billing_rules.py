"""How an operator counts: the switches of one version of a rule set, and which version is in force when.

Data only. Knows no message, no file and no price.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

_HOUR_MS: Final = 3_600_000
_SECOND_MS: Final = 1_000
_DAY: Final = datetime.timedelta(days=1)

Hours = Annotated[float, Meta(gt=0, le=8_760)]


class Classes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the records of a rule set are called."""

    basic: str = "basic_message"
    single: str = "single_message"
    mt_first: str = "a2p_conversation"
    mo_first: str = "p2a_conversation"
    mo_basic: str = "p2a_basic_message"
    mo_single: str = "p2a_single_message"


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a rule set. Dates are days in UTC; ``valid_until`` is the first day on which it no longer holds.

    ``starts_on``: a conversation starts with an ``answer`` to the other side, or with the ``first_message`` of either.
    ``bill_on``: a message to the handset counts when the platform took it (``sent``), or when it was ``delivered``.
    ``absorb``: of the messages that were not answered before, the ``last`` one belongs to the conversation, or ``all``.
    ``mo_anchor``: a conversation that the handset began starts at our first answer, or at the last text before it.
    ``mo_alone``: what nobody answered is ``free``, or ``charged``.
    ``free`` names the classes that cost nothing. ``settle_s`` is how long a record waits for events that come late.
    """

    version: str
    valid_from: datetime.date
    valid_until: datetime.date | None = None
    starts_on: Literal["answer", "first_message"] = "answer"
    bill_on: Literal["sent", "delivered"] = "delivered"
    absorb: Literal["last", "all"] = "last"
    reply_window_h: Hours = 24.0
    session_h: Hours = 24.0
    mo_reply_window_h: Hours = 24.0
    mo_session_h: Hours = 24.0
    mo_anchor: Literal["first_mt", "last_mo"] = "first_mt"
    mo_alone: Literal["free", "charged"] = "free"
    basic_class: bool = True
    count_action_tap: bool = True
    count_stop: bool = True
    reply_at_limit_counts: bool = True
    session_holds_at_end: bool = False
    settle_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    credits_per_segment: Annotated[float, Meta(ge=0, le=1_000)] = 0.0
    classes: Classes = Classes()
    free: tuple[str, ...] = ()

    @property
    def reply_window_ms(self) -> int:
        """How long a message to the handset can be answered."""
        return round(self.reply_window_h * _HOUR_MS)

    @property
    def session_ms(self) -> int:
        """How long a conversation lasts that we began."""
        return round(self.session_h * _HOUR_MS)

    @property
    def mo_reply_window_ms(self) -> int:
        """How long a text from the handset can be answered."""
        return round(self.mo_reply_window_h * _HOUR_MS)

    @property
    def mo_session_ms(self) -> int:
        """How long a conversation lasts that the handset began."""
        return round(self.mo_session_h * _HOUR_MS)

    @property
    def settle_ms(self) -> int:
        """How long events may be late."""
        return round(self.settle_s * _SECOND_MS)

    def is_over(self, limit_ms: int, at_ms: int) -> bool:
        """Whether a time to answer that ends at ``limit_ms`` has passed at ``at_ms``."""
        return at_ms > limit_ms if self.reply_at_limit_counts else at_ms >= limit_ms

    def holds(self, start_ms: int, end_ms: int, at_ms: int) -> bool:
        """Whether a moment lies in a conversation."""
        return start_ms <= at_ms and (at_ms < end_ms or (self.session_holds_at_end and at_ms == end_ms))

    def counts(self, is_tap: bool, is_stop: bool) -> bool:
        """Whether a text from a handset is one for billing."""
        return (self.count_action_tap or not is_tap) and (self.count_stop or not is_stop)


class RuleBook:
    """All versions of one rule set."""

    __slots__ = ("_begins_ms", "name", "versions")

    def __init__(self, name: str, versions: Sequence[RuleSet]) -> None:
        """Raises ValueError where the versions do not follow one another."""
        self.name = name
        self.versions = tuple(sorted(versions, key=lambda version: version.valid_from))
        if not self.versions:
            raise ValueError("there is no version")
        for older, newer in zip(self.versions, self.versions[1:], strict=False):
            if older.valid_from == newer.valid_from or (older.valid_until or newer.valid_from) > newer.valid_from:
                raise ValueError(f"versions {older.version} and {newer.version} hold at the same time")
        if any(version.valid_until and version.valid_until <= version.valid_from for version in self.versions):
            raise ValueError("a version ends before it begins")
        if len({version.version for version in self.versions}) < len(self.versions):
            raise ValueError("two versions have the same name")
        self._begins_ms = [_moment_ms(version.valid_from) for version in self.versions]

    def at(self, at_ms: int) -> RuleSet:
        """The version in force: the last that had begun. Before the first one there is only the first."""
        return self.versions[max(0, bisect_right(self._begins_ms, at_ms) - 1)]

    def is_expired(self, day: datetime.date) -> bool:
        """Whether the operator's rules may have changed since: no version says that it holds on this day."""
        until = self.versions[-1].valid_until
        return until is not None and day >= until


def _moment_ms(day: datetime.date) -> int:
    return (day - datetime.date(1970, 1, 1)) // _DAY * 24 * _HOUR_MS
