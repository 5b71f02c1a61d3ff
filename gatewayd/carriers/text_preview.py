"""What a text becomes on an SMS link, and why: its alphabet, its segments, and the letters that forced UCS2.

Sends nothing, and knows no terminal.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec

from gatewayd.carriers.transliteration import FULL, OFF, TYPOGRAPHIC
from gatewayd.carriers.wording import Manner, Wording, parts_of, wording_of
from gatewayd.message import Message
from protocol.smpp.headers import NO_SHIFT, SMS_SIZE
from protocol.smpp.national import LANGUAGES
from protocol.smpp.shifts import best_shift
from protocol.smpp.text import decode, letters_of

_UNITS: Final = {"gsm": "septets", "ucs2": "16-bit units"}
_UNIT_SIZE: Final = {"ucs2": 2}


class Segment(msgspec.Struct, frozen=True):
    """One SMS: its words, how many units they take, and how many there is room for."""

    text: str
    units: int
    room: int


class Letter(msgspec.Struct, frozen=True):
    """A letter that the GSM alphabet lacks: its name in Unicode, how often it stands there, where first (from 1)."""

    letter: str
    name: str
    count: int
    position: int


class Preview(msgspec.Struct, frozen=True):
    """What becomes of a text. ``changed`` tells what was transliterated, ``hints`` what would make fewer segments."""

    alphabet: str
    data_coding: int
    tables: tuple[str, ...]
    units: str
    segments: tuple[Segment, ...]
    missing: tuple[Letter, ...]
    changed: str
    hints: tuple[str, ...]


def preview(message: Message, text: str, manner: Manner) -> Preview:
    """How a link that wants texts in this manner is given a message."""
    wording = wording_of(message, manner)
    locking, single = wording.shift
    tables = [f"{LANGUAGES[locking]} locking shift"] if locking else []
    tables += [f"{LANGUAGES[single]} single shift"] if single else []
    segments = tuple(_segments(wording, manner))
    return Preview(
        wording.encoding,
        wording.data_coding,
        tuple(tables),
        _UNITS.get(wording.encoding, "octets"),
        segments,
        tuple(_missing(text)),
        wording.changed,
        tuple(_hints(message, text, manner, len(segments))),
    )


def _segments(wording: Wording, manner: Manner) -> Iterator[Segment]:
    parts = parts_of(wording, manner)
    room = SMS_SIZE - len(wording.udh)
    if len(parts) > 1:
        room -= manner.concat_size(wording.udh)
    size = _UNIT_SIZE.get(wording.encoding, 1)
    for part in parts:
        words = decode(part, wording.encoding, "replace", wording.shift)
        yield Segment(words, len(part) // size, room * 8 // 7 if wording.encoding == "gsm" else room // size)


def _missing(text: str) -> Iterator[Letter]:
    letters = letters_of(NO_SHIFT)
    seen: dict[str, int] = {}
    for position, letter in enumerate(text, 1):
        if ord(letter) not in letters:
            seen.setdefault(letter, position)
    for letter, position in seen.items():
        yield Letter(letter, unicodedata.name(letter, f"U+{ord(letter):04X}"), text.count(letter), position)


def _hints(message: Message, text: str, manner: Manner, count: int) -> Iterator[str]:
    """Keys that would save segments, or spare a link that takes no UCS2 from it."""
    if manner.alphabet != "gsm":
        return
    shift = best_shift(text, range(1, len(LANGUAGES))) if not manner.languages else None
    if shift is not None and shift != NO_SHIFT:
        languages = [LANGUAGES[identifier] for identifier in dict.fromkeys(shift) if identifier]
        other = dataclasses.replace(manner, languages=tuple(map(LANGUAGES.index, languages)))
        if (fewer := _count(message, other)) < count:
            names = ", ".join(f'"{language}"' for language in languages)
            yield f"national_languages = [{names}] would make {fewer}"
    if manner.transliterate == OFF and not message.transliterate:
        for level in (TYPOGRAPHIC, FULL):
            other = dataclasses.replace(manner, transliterate=level)
            wording = wording_of(message, other)
            if wording.changed:
                fewer = len(parts_of(wording, other))
                yield f'transliterate = "{level}" would make {fewer}: {wording.changed}'
                return


def _count(message: Message, manner: Manner) -> int:
    return len(parts_of(wording_of(message, manner), manner))
