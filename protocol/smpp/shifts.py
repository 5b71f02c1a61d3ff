"""Which national language tables carry a text in the fewest segments (TS 23.038 6.2.1.2).

Knows no message: which languages may be used is the caller's to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from protocol.smpp.headers import CONCAT_8_SIZE, SMS_SIZE, Shift, shift_header
from protocol.smpp.national import LANGUAGES, locking_table
from protocol.smpp.text import letters_of


def identifiers_of(languages: Iterable[str]) -> tuple[int, ...]:
    """Return the national language identifiers of languages by their names, in order and each once."""
    return tuple(sorted({LANGUAGES.index(language) for language in languages}))


def best_shift(text: str, languages: Iterable[int]) -> Shift | None:
    """Return the tables that carry every character of a text in the fewest segments, headers counted.

    ``languages`` are the identifiers of those that may be used; (0, 0) is the default alphabet alone. Where segments
    are equal, a locking shift is avoided: a handset that does not know it shows another text, while one that does not
    know a single shift shows bare letters (6.2.1.2.4). None when no two of the tables carry the text.
    """
    counts = Counter(map(ord, text))
    allowed = tuple(languages)
    best: Shift | None = None
    least = (0, False, 0)
    for locking in (0, *(language for language in allowed if locking_table(language) is not None)):
        for single in (0, *allowed):
            shift = locking, single
            septets = _septets(counts, shift)
            if septets is None:
                continue
            cost = _segments(septets, shift), locking > 0, septets + bool(single)
            if best is None or cost < least:
                best, least = shift, cost
    return best


def _septets(counts: Counter[int], shift: Shift) -> int | None:
    """How many septets a text takes; None if it cannot go."""
    letters = letters_of(shift)
    septets = 0
    for char, count in counts.items():
        letter = letters.get(char)
        if letter is None:
            return None
        septets += len(letter) * count
    return septets


def _segments(septets: int, shift: Shift) -> int:
    """At least so many, if no escape pair stands across a cut."""
    header = len(shift_header(shift))
    if septets <= (SMS_SIZE - header) * 8 // 7:
        return 1
    concat = CONCAT_8_SIZE - bool(header)  # in another header, its length octet is there already
    part = (SMS_SIZE - header - concat) * 8 // 7
    return -(-septets // part)
