"""Keeps the share of unreachable numbers in what an operator is sent below its bound, before it can be measured.

Operators cut the access of applications that send too many messages to numbers that are not theirs. Over which window
they measure is not known, so this holds in every window of at least ``sample_min`` messages, however it lies:

- A message to a number that is not known to take RCS may turn out to be an error. It is sent only if a leaky bucket has
  room for one more error, and it holds that room until it is known how it fared. An error stays in the bucket, anything
  else gives the room back.
- Each message that is sent, whoever it is for, lets ``warn`` of an error leak out, never of one that is still open. So
  n messages in a row bring at most ``burst + warn * n`` errors, which is at most ``known_only * n`` for every n from
  ``sample_min`` on: that is what ``burst`` is made of.
- Numbers that are known and yet fail are not foreseen. For them are the thresholds, and what lies between them and the
  operator's ``ratio_max``: exact counts over a window of time warn, then let only known numbers pass, then stop the
  route, and return by themselves.

Pure arithmetic on ``Counts``, which all workers share.
"""

from __future__ import annotations

import enum
from typing import Protocol

import msgspec

# The leak is a sum of fractions: what is missing to a whole error by rounding alone is not missing.
_ROUNDING = 1e-9


class GuardState(enum.IntEnum):
    """How far the guard has closed."""

    OPEN = 0
    WARNED = 1
    KNOWN_ONLY = 2
    STOPPED = 3


class Verdict(enum.Enum):
    """What becomes of a message that would go over RCS now."""

    SEND = "send"  # the number is known: nothing is reserved
    SEND_RESERVED = "send_reserved"  # it may turn out to be an error, and has its room
    WAIT = "wait"  # as soon as open messages turn out well there is room
    KNOWN_ONLY = "guard_known_only"
    STOPPED = "guard_stopped"


class Fate(enum.Enum):
    """How a message that was sent turned out."""

    FINE = "fine"
    ERROR = "error"
    UNCLEAR = "unclear"  # nobody will ever know: it takes its room with it
    NOT_SENT = "not_sent"  # the platform did not take it as a message at all (throttled, no connection)


class Counts(Protocol):
    """What all workers share for one application.

    ``total`` and ``errors`` are exact over the window of time; ``forgotten`` errors have just left it. ``level`` is
    what is in the bucket, ``pending`` the part of it that is still open. ``state`` is a GuardState, entered at
    ``since``.
    """

    total: int
    errors: int
    forgotten: int
    level: float
    pending: int
    state: int
    since: float


class Terms(msgspec.Struct, frozen=True):
    """The thresholds, as shares; ``comeback`` is the share of a threshold below which the guard opens again."""

    warn: float = 0.05
    known_only: float = 0.08
    stop: float = 0.12
    ratio_max: float = 0.15
    sample_min: int = 200
    comeback: float = 0.75
    stop_s: float = 900.0

    @property
    def burst(self) -> float:
        """How many errors may come in a row, beside what the messages sent let leak."""
        return max(1.0, float(int((self.known_only - self.warn) * self.sample_min + _ROUNDING)))


def admit(counts: Counts, terms: Terms, is_known: bool, now: float) -> Verdict:
    """Whether one more message may go, and count it if so."""
    _forget(counts)
    _reopen(counts, terms, now)
    if counts.state == GuardState.STOPPED:
        return Verdict.STOPPED
    if counts.total >= terms.sample_min and counts.errors + 1 > terms.ratio_max * (counts.total + 1):
        _enter(counts, GuardState.STOPPED, now)
        return Verdict.STOPPED
    if is_known:
        _count(counts, terms)
        return Verdict.SEND
    if counts.state == GuardState.KNOWN_ONLY:
        return Verdict.KNOWN_ONLY
    if counts.level + 1.0 > terms.burst + _ROUNDING:
        # Without those still open, would there be room?
        return Verdict.WAIT if counts.level - counts.pending + 1.0 <= terms.burst else Verdict.KNOWN_ONLY
    _count(counts, terms)
    counts.pending += 1
    counts.level += 1.0
    return Verdict.SEND_RESERVED


def settle(counts: Counts, terms: Terms, is_reserved: bool, fate: Fate, now: float) -> None:
    """What became of a message that was admitted. An error that was not reserved for counts just as much."""
    _forget(counts)
    if is_reserved:
        counts.pending = max(0, counts.pending - 1)
        if fate in (Fate.FINE, Fate.NOT_SENT):
            counts.level = max(float(counts.pending), counts.level - 1.0)
    elif fate is Fate.ERROR:
        counts.level += 1.0
    if fate is Fate.NOT_SENT:
        # What leaked for it had not been earned. It may have leaked less, from an emptier bucket; the next message that
        # is tried makes up for that.
        counts.total -= 1
        counts.level += terms.warn
    elif fate is Fate.ERROR:
        counts.errors += 1
        _close(counts, terms, now)


def ratio(counts: Counts) -> float:
    """The share of errors in the window of time."""
    return counts.errors / counts.total if counts.total > 0 else 0.0


def _count(counts: Counts, terms: Terms) -> None:
    counts.total += 1
    counts.level = max(float(counts.pending), counts.level - terms.warn)


def _forget(counts: Counts) -> None:
    """Errors that have left the window of time leave the bucket as well; an empty window holds nothing."""
    if counts.total <= 0 and counts.errors <= 0:
        counts.level = float(counts.pending)
    elif counts.forgotten:
        counts.level = max(float(counts.pending), counts.level - counts.forgotten)
    counts.forgotten = 0


def _measured(counts: Counts, terms: Terms) -> float:
    """The ratio, or 0 while there are too few messages to speak of one."""
    return ratio(counts) if counts.total >= terms.sample_min else 0.0


def _close(counts: Counts, terms: Terms, now: float) -> None:
    """One more error: is a threshold reached?"""
    measured = _measured(counts, terms)
    for state, threshold in (
        (GuardState.STOPPED, terms.stop),
        (GuardState.KNOWN_ONLY, terms.known_only),
        (GuardState.WARNED, terms.warn),
    ):
        if measured >= threshold:
            if counts.state < state:
                _enter(counts, state, now)
            return


def _reopen(counts: Counts, terms: Terms, now: float) -> None:
    """Open step by step: below the threshold by a good margin, or, when stopped, on probation after a while."""
    measured = _measured(counts, terms)
    if counts.state == GuardState.STOPPED and (
        measured < terms.stop * terms.comeback or now - counts.since >= terms.stop_s
    ):
        _enter(counts, GuardState.KNOWN_ONLY, now)
    if counts.state == GuardState.KNOWN_ONLY and measured < terms.known_only * terms.comeback:
        _enter(counts, GuardState.WARNED, now)
    if counts.state == GuardState.WARNED and measured < terms.warn * terms.comeback:
        _enter(counts, GuardState.OPEN, now)


def _enter(counts: Counts, state: GuardState, now: float) -> None:
    counts.state, counts.since = int(state), now
