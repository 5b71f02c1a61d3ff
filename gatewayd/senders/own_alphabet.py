"""Words as one application reads and writes them: in its own alphabet, and in UCS2 where that lacks a character.

Knows no message.
"""

from __future__ import annotations

from protocol.smpp import text

_WIDE = "ucs2"


def coded(words: str, default: str) -> tuple[int, bytes]:
    """The data_coding and the octets of a text. ``default`` is the alphabet that 0 means to the application.

    Raises TextFault for what is no text at all: half of a pair of surrogates.
    """
    try:
        return 0, text.encode(words, default)
    except text.TextFault:
        return text.data_coding_of(_WIDE, default), text.encode(words, _WIDE)
