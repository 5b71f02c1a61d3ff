"""What a link does about each command_status of its carrier, unless ``links.*.statuses`` says otherwise.

One table: the defaults of that key, docs/links.md and the links themselves come from it. Knows no link and no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

Word = Literal["retry", "pause", "next", "fail", "unreachable"]

RETRY_S: Final = 5.0
RETRY_MAX_S: Final = 86_400.0
WORDS: Final[Mapping[Word, str]] = {
    "retry": "the carrier or our bind is unwell: this message is tried again on this link, after 5 s (`retry 30`: "
    "after 30 s), then less and less often; after `retry_max` tries the next link has its turn",
    "pause": "the carrier is busy with us: all of the link rests for `throttle_pause_s`, and is slower afterwards; no "
    "try is used up",
    "next": "this carrier will not take this message: the next link of its route has its turn; without one it is "
    "UNDELIV",
    "fail": "nobody is to take this message: it is UNDELIV at once, whatever the route has left",
    "unreachable": "as `next`, and the number is counted among those that nobody can be reached at",
}


class Action(NamedTuple):
    """What to do; ``retry_s`` is for ``retry`` alone."""

    word: Word
    retry_s: float = RETRY_S


class CarrierStatus(NamedTuple):
    """A status that a specification names: since which version, and what it is taken for."""

    number: int
    name: str
    since: str
    word: Word


class Span(NamedTuple):
    """What is to be done about the statuses from ``first`` to ``last``."""

    first: int
    last: int
    action: Action


_NAMES_34: Final[tuple[tuple[int, str, Word], ...]] = (
    (0x01, "ESME_RINVMSGLEN", "next"),
    (0x02, "ESME_RINVCMDLEN", "next"),
    (0x03, "ESME_RINVCMDID", "next"),
    (0x04, "ESME_RINVBNDSTS", "retry"),
    (0x05, "ESME_RALYBND", "next"),
    (0x06, "ESME_RINVPRTFLG", "next"),
    (0x07, "ESME_RINVREGDLVFLG", "next"),
    (0x08, "ESME_RSYSERR", "retry"),
    (0x0A, "ESME_RINVSRCADR", "next"),
    (0x0B, "ESME_RINVDSTADR", "unreachable"),
    (0x0C, "ESME_RINVMSGID", "next"),
    (0x0D, "ESME_RBINDFAIL", "next"),
    (0x0E, "ESME_RINVPASWD", "next"),
    (0x0F, "ESME_RINVSYSID", "next"),
    (0x11, "ESME_RCANCELFAIL", "next"),
    (0x13, "ESME_RREPLACEFAIL", "next"),
    (0x14, "ESME_RMSGQFUL", "pause"),
    (0x15, "ESME_RINVSERTYP", "next"),
    (0x33, "ESME_RINVNUMDESTS", "next"),
    (0x34, "ESME_RINVDLNAME", "next"),
    (0x40, "ESME_RINVDESTFLAG", "next"),
    (0x42, "ESME_RINVSUBREP", "next"),
    (0x43, "ESME_RINVESMCLASS", "next"),
    (0x44, "ESME_RCNTSUBDL", "next"),
    (0x45, "ESME_RSUBMITFAIL", "next"),
    (0x48, "ESME_RINVSRCTON", "next"),
    (0x49, "ESME_RINVSRCNPI", "next"),
    (0x50, "ESME_RINVDSTTON", "unreachable"),
    (0x51, "ESME_RINVDSTNPI", "unreachable"),
    (0x53, "ESME_RINVSYSTYP", "next"),
    (0x54, "ESME_RINVREPFLAG", "next"),
    (0x55, "ESME_RINVNUMMSGS", "next"),
    (0x58, "ESME_RTHROTTLED", "pause"),
    (0x61, "ESME_RINVSCHED", "next"),
    (0x62, "ESME_RINVEXPIRY", "next"),
    (0x63, "ESME_RINVDFTMSGID", "next"),
    (0x64, "ESME_RX_T_APPN", "retry"),
    (0x65, "ESME_RX_P_APPN", "next"),
    (0x66, "ESME_RX_R_APPN", "next"),
    (0x67, "ESME_RQUERYFAIL", "next"),
    (0xC0, "ESME_RINVOPTPARSTREAM", "next"),
    (0xC1, "ESME_ROPTPARNOTALLWD", "next"),
    (0xC2, "ESME_RINVPARLEN", "next"),
    (0xC3, "ESME_RMISSINGOPTPARAM", "next"),
    (0xC4, "ESME_RINVOPTPARAMVAL", "next"),
    (0xFE, "ESME_RDELIVERYFAILURE", "next"),
    (0xFF, "ESME_RUNKNOWNERR", "next"),
)
_NAMES_50: Final[tuple[tuple[int, str, Word], ...]] = (
    (0x100, "ESME_RSERTYPUNAUTH", "next"),
    (0x101, "ESME_RPROHIBITED", "next"),
    (0x102, "ESME_RSERTYPUNAVAIL", "retry"),
    (0x103, "ESME_RSERTYPDENIED", "next"),
    (0x104, "ESME_RINVDCS", "next"),
    (0x105, "ESME_RINVSRCADDRSUBUNIT", "next"),
    (0x106, "ESME_RINVDSTADDRSUBUNIT", "next"),
    (0x107, "ESME_RINVBCASTFREQINT", "next"),
    (0x108, "ESME_RINVBCASTALIAS_NAME", "next"),
    (0x109, "ESME_RINVBCASTAREAFMT", "next"),
    (0x10A, "ESME_RINVNUMBCAST_AREAS", "next"),
    (0x10B, "ESME_RINVBCASTCNTTYPE", "next"),
    (0x10C, "ESME_RINVBCASTMSGCLASS", "next"),
    (0x10D, "ESME_RBCASTFAIL", "next"),
    (0x10E, "ESME_RBCASTQUERYFAIL", "next"),
    (0x10F, "ESME_RBCASTCANCELFAIL", "next"),
    (0x110, "ESME_RINVBCAST_REP", "next"),
    (0x111, "ESME_RINVBCASTSRVGRP", "next"),
    (0x112, "ESME_RINVBCASTCHANIND", "next"),
)
STATUSES: Final[tuple[CarrierStatus, ...]] = (
    *(CarrierStatus(number, name, "3.4", word) for number, name, word in _NAMES_34),
    *(CarrierStatus(number, name, "5.0", word) for number, name, word in _NAMES_50),
)
# 5.0 has other names for some that 3.4 has.
RENAMED: Final[Mapping[str, int]] = {
    "ESME_RINVTLVSTREAM": 0xC0,
    "ESME_RTLVNOTALLWD": 0xC1,
    "ESME_RINVTLVLEN": 0xC2,
    "ESME_RMISSINGTLV": 0xC3,
    "ESME_RINVTLVVAL": 0xC4,
}
NUMBERS: Final[Mapping[str, int]] = {**{status.name: status.number for status in STATUSES}, **RENAMED}

OTHERWISE: Final = Action("next")
"""For whatever no specification names: a carrier's own word is seldom one that passes."""

_HEXADECIMAL = r"0x[0-9A-Fa-f]{1,8}"
_SPAN: Final = re.compile(rf"({_HEXADECIMAL})(?:-({_HEXADECIMAL}))?", re.ASCII)
_ACTION: Final = re.compile(r"(retry|pause|next|fail|unreachable)(?: ([0-9]{1,5}(?:\.[0-9]{1,3})?))?", re.ASCII)


def action_of(text: str) -> Action:
    """``pause``, ``retry 30`` and the like. Raises ValueError for anything else."""
    found = _ACTION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    word, seconds = found.groups()
    if seconds is None:
        return Action(word)  # type: ignore[arg-type]
    if word != "retry" or not 0 < float(seconds) <= RETRY_MAX_S:
        raise ValueError(text)
    return Action("retry", float(seconds))


def span_of(text: str) -> tuple[int, int]:
    """The first and the last status that a key of ``links.*.statuses`` means. Raises ValueError for anything else."""
    if text in NUMBERS:
        return NUMBERS[text], NUMBERS[text]
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    first = int(found[1], 16)
    last = int(found[2], 16) if found[2] else first
    if not 0 < first <= last:
        raise ValueError(text)
    return first, last


def spans_of(statuses: Mapping[str, str]) -> list[Span]:
    """What a link's own table says, the narrowest span first. Raises ValueError."""
    spans = [Span(*span_of(key), action_of(text)) for key, text in statuses.items()]
    return sorted(spans, key=lambda span: span.last - span.first)


def defaults() -> Iterator[Span]:
    """The same of what is shipped."""
    for status in STATUSES:
        yield Span(status.number, status.number, Action(status.word))
