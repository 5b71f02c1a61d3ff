"""How long the search for a regular expression can take at worst, told from the expression alone.

Python's engine goes back and tries anew wherever a part of a pattern may take more or less; nested or one behind the
other, such parts multiply. Knows no text and nobody who searches.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

TEXT_MAX: Final = 3072
"""Longer texts are not searched, in characters."""

WAYS_MAX: Final = 4_000
"""How many combinations a pattern may have at each place of a text: a few tenths of a second at the very worst."""

_CAP: Final = 10**9

# The standard library's own reading of a pattern; it has no public name.
_parse: Callable[[str], Any] = importlib.import_module("re._parser").parse


def ways(pattern: str) -> int:
    """In how many ways a sound pattern can be tried at one place of a text of TEXT_MAX characters, capped.

    What is bounded counts with its bounds, what is possessive (``++``, ``{1,9}+``) or atomic once, and so does the last
    repetition of a pattern, behind which nothing can fail.
    """
    return _sequence(list(_parse(pattern)), is_last=True)


def _sequence(items: Sequence[tuple[Any, Any]], *, is_last: bool) -> int:
    product = 1
    for index, (code, argument) in enumerate(items):
        count = _KINDS.get(str(code), _one)
        product = min(_CAP, product * count(argument, is_last and index == len(items) - 1))
    return product


def _one(argument: Any, is_last: bool) -> int:
    return 1


def _branch(argument: Any, is_last: bool) -> int:
    return sum(_sequence(list(way), is_last=is_last) for way in argument[1])


def _group(argument: Any, is_last: bool) -> int:
    return _sequence(list(argument[3]), is_last=is_last)


def _atomic(argument: Any, is_last: bool) -> int:
    return _sequence(list(argument), is_last=False)


def _look_around(argument: Any, is_last: bool) -> int:
    return _sequence(list(argument[1]), is_last=False)


def _conditional(argument: Any, is_last: bool) -> int:
    return sum(_sequence(list(way), is_last=False) for way in argument[1:] if way is not None) + 1


def _possessive(argument: Any, is_last: bool) -> int:
    return _sequence(list(argument[2]), is_last=False)


def _repeat(argument: Any, is_last: bool) -> int:
    least, most, body = int(argument[0]), min(int(argument[1]), TEXT_MAX), list(argument[2])
    inner = _sequence(body, is_last=False)
    if inner == 1:
        return 1 if is_last else max(1, most - least + 1)
    total, power = 0, inner ** min(least, 64)
    for _ in range(least, most + 1):
        total += power
        power *= inner
        if total > _CAP:
            return _CAP
    return total


_KINDS: Final[Mapping[str, Callable[[Any, bool], int]]] = MappingProxyType(
    {
        "BRANCH": _branch,
        "SUBPATTERN": _group,
        "ATOMIC_GROUP": _atomic,
        "ASSERT": _look_around,
        "ASSERT_NOT": _look_around,
        "GROUPREF_EXISTS": _conditional,
        "MAX_REPEAT": _repeat,
        "MIN_REPEAT": _repeat,
        "POSSESSIVE_REPEAT": _possessive,
    }
)
