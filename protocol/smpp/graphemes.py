"""Where one character that people see ends and the next begins: the grapheme clusters of Unicode's UAX #29.

The rules and their tables are ``regex``'s, which is read when the first long text needs them. Knows no alphabet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

_FIRST_COMBINING: Final = "\u0300"  # below, only CR LF is more than one code point


def cluster_ends(text: str) -> list[int]:
    """Return behind which code points a text may be cut without dividing what is seen as one character."""
    if max(text, default="") < _FIRST_COMBINING:
        return [at for at in range(1, len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
    return _ends()(text)


@functools.cache
def _ends() -> Callable[[str], list[int]]:
    import regex

    clusters = regex.compile(r"\X").finditer
    return lambda text: [cluster.end() for cluster in clusters(text)]
