"""A text made to fit an alphabet by letters that come near: typographic signs first, then the rest, where allowed.

A character that the alphabet carries is never touched. Knows no message and no link.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from types import MappingProxyType
from typing import Final

from protocol.smpp.text import TextFault, encode

OFF: Final = "off"
TYPOGRAPHIC: Final = "typographic"
FULL: Final = "full"
_LEVELS: Final = (OFF, TYPOGRAPHIC, FULL)
_TOLD_MAX: Final = 20

_SIGNS: Final = MappingProxyType(
    dict.fromkeys("‘’‚‛′‵ʹʻʼ´`‹›", "'")
    | dict.fromkeys("“”„‟″‶«»", '"')
    | dict.fromkeys("‐‑‒–—―−⁃﹣－", "-")
    | dict.fromkeys(
        "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    )
    | dict.fromkeys("\x85\u2028\u2029\x0b", "\n")
    | dict.fromkeys("\u00ad\u200b\u200e\u200f\u2060\ufeff", "")
    | {"…": "...", "‥": "..", "⁄": "/", "∕": "/", "•": "*", "∙": "*", "·": ".", "⁓": "~", "∼": "~"}
)
# Emoji and other pictures have no letters that come near: such a text stays as it is.
_PICTURES: Final = frozenset({"So", "Sk", "Cn", "Co", "Cs"})


def stronger(one: str, other: str) -> str:
    """The one of two levels that allows more; nothing is OFF."""
    return max(one or OFF, other or OFF, key=_LEVELS.index)


def fitted(text: str, alphabet: str, level: str) -> tuple[str, str] | None:
    """A text that the alphabet carries, and what was changed for it; None when it cannot be had at this level."""
    if level == OFF:
        return None
    composed = unicodedata.normalize("NFC", text)
    told: Counter[tuple[str, str]] = Counter()
    fitting = []
    for char in composed:
        if _carries(alphabet, char):
            fitting.append(char)
            continue
        near = _near(char, alphabet, level == FULL)
        if near is None:
            return None
        told[char, near] += 1
        fitting.append(near)
    return "".join(fitting), _summary(told)


@functools.lru_cache(maxsize=8192)
def _carries(alphabet: str, char: str) -> bool:
    try:
        encode(char, alphabet)
    except TextFault:
        return False
    return True


@functools.lru_cache(maxsize=8192)
def _near(char: str, alphabet: str, is_full: bool) -> str | None:
    """What stands for a character that the alphabet lacks, or None."""
    near = _SIGNS.get(char)
    if near is None and is_full and unicodedata.category(char) not in _PICTURES:
        near = _letters(char, alphabet)
    return near if near is not None and all(_carries(alphabet, letter) for letter in near) else None


def _letters(char: str, alphabet: str) -> str | None:
    """The letter without its marks, if that is one of the alphabet's; else as people spell it in ASCII."""
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    if bare and all(_carries(alphabet, letter) for letter in bare):
        return bare
    from anyascii import anyascii

    spelt = anyascii(char)
    return spelt if spelt or unicodedata.combining(char) or unicodedata.category(char) == "Cf" else None


def _summary(told: Counter[tuple[str, str]]) -> str:
    """What became of what, in the order of their first places: the words themselves are not in it."""
    shown = [
        f"{_named(char)} to {_named(near)}" + (f" ({count})" if count > 1 else "")
        for (char, near), count in list(told.items())[:_TOLD_MAX]
    ]
    if len(told) > _TOLD_MAX:
        shown.append(f"{len(told) - _TOLD_MAX} more")
    return ", ".join(shown)


def _named(letters: str) -> str:
    if not letters:
        return "nothing"
    is_plain = letters.isprintable() and not letters.isspace() and not unicodedata.combining(letters[0])
    return letters if is_plain else "+".join(f"U+{ord(letter):04X}" for letter in letters)
