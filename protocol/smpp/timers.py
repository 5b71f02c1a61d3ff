"""The timers of one connection as moments: what falls due when, from what was last seen and asked.

Knows no PDU and does nothing: the connection acts on what is due. All of them are in one list, so that the next
deadline and what a tick finds due cannot disagree.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from protocol.smpp.constants import Command
from protocol.smpp.states import BOUND, ConnState


class Limits(msgspec.Struct, frozen=True):
    """The bounds of one connection; a time of 0 turns its timer off. ``window``: our unanswered requests."""

    pdu_size_max: int = 65_536
    session_init_timeout_s: float = 10.0
    enquire_interval_s: float = 30.0
    inactivity_timeout_s: float = 0.0
    response_timeout_s: float = 30.0
    window: int = 100

    @property
    def shortest_s(self) -> float:
        """The shortest time of any timer; infinite when none is on."""
        times = self.session_init_timeout_s, self.enquire_interval_s, self.inactivity_timeout_s, self.response_timeout_s
        return min((time_s for time_s in times if time_s > 0), default=math.inf)


class Due(enum.StrEnum):
    """What a moment asks for; the first three are acts, the others end the connection and are its reason."""

    REQUEST = "request"
    PROBE = "probe"
    INACTIVITY = "inactivity"
    SESSION_INIT = "session_init_timeout"
    BIND = "bind_timeout"
    UNBIND = "unbind_timeout"
    ENQUIRE = "enquire_timeout"


class Asked(NamedTuple):
    """A question of the connection's own: its sequence_number, when it went, and which command answers it."""

    sequence: int
    at: float
    answer: int


def answers(asked: Asked | None, sequence: int, command: int) -> bool:
    """Whether a response is the answer to ``asked``; generic_nack answers everything."""
    return asked is not None and asked.sequence == sequence and command in (asked.answer, Command.GENERIC_NACK)


class Timers:
    """Moments in seconds: when the connection began, last heard anything, last carried a message; and what is asked.

    ``leaving_at`` is when the peer asked to unbind while it was still owed answers.
    """

    __slots__ = ("_limits", "_opened_at", "active_at", "binding", "heard_at", "leaving_at", "probe", "unbinding")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._opened_at = self.heard_at = self.active_at = now
        self.binding: Asked | None = None
        self.probe: Asked | None = None
        self.unbinding: Asked | None = None
        self.leaving_at: float | None = None

    def running(self, state: ConnState, oldest_at: float | None) -> Iterator[tuple[float, Due]]:
        """Every running timer (3.4 section 2.7); ``oldest_at`` is when our oldest request expires."""
        limits, answer_s = self._limits, self._limits.response_timeout_s
        if state is ConnState.CLOSED:
            return
        if oldest_at is not None:
            yield oldest_at, Due.REQUEST
        if state is ConnState.OPEN and limits.session_init_timeout_s > 0:
            yield self._opened_at + limits.session_init_timeout_s, Due.SESSION_INIT
        if self.binding is not None and answer_s > 0:
            yield self.binding.at + answer_s, Due.BIND
        if self.unbinding is not None and answer_s > 0:
            yield self.unbinding.at + answer_s, Due.UNBIND
        if self.leaving_at is not None and answer_s > 0:
            yield self.leaving_at + answer_s, Due.UNBIND
        if state in BOUND:
            yield from self._running_bound()

    def _running_bound(self) -> Iterator[tuple[float, Due]]:
        """Those that only a bind has: is the peer there, and is it of any use?"""
        limits, answer_s = self._limits, self._limits.response_timeout_s
        if self.probe is None:
            if limits.enquire_interval_s > 0:
                yield self.heard_at + limits.enquire_interval_s, Due.PROBE
        elif answer_s > 0:
            # Whoever still talks is alive, even if it forgot to answer.
            yield max(self.probe.at, self.heard_at) + answer_s, Due.ENQUIRE
        if limits.inactivity_timeout_s > 0:
            yield self.active_at + limits.inactivity_timeout_s, Due.INACTIVITY
