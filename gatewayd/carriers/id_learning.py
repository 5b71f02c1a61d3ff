"""Finds out how a carrier spells the ids of its receipts, from the first of them that can mean one message only.

Pure: ids in, a verdict out. Knows neither messages nor the store: an id that was named on another bind teaches nothing.

What can mean one message only is known as long as no name is forgotten: where an old one was, the next number that it
may be read as would seem to be the only one. So every name leaves a mark, for good, and none of its letters. A mark
that two names share makes an id say nothing, or once in a while the wrong thing, as do names that were heard elsewhere:
a verdict needs many that agree, and few that do not.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from protocol.smpp.receipt_ids import spellings

ENOUGH: Final = 20
"""So many receipts that agree are a verdict,"""

CLEAR: Final = 5
"""if they are so many times those that do not: names that other workers heard make some of these."""

MARKS: Final = 1 << 20
"""Places for marks, an octet each: of 100,000 names, one in ten shares one."""


class IdLearner:
    """What is known of one link: of which ids its messages had, and what its receipts seem to mean by them."""

    __slots__ = ("_counts", "_marks")

    def __init__(self) -> None:
        self._marks = bytearray(MARKS)
        self._counts: Counter[str] = Counter()

    def on_named(self, key: str) -> None:
        """The carrier named a message; ``key`` is the canonical one."""
        self._marks[hash(key) % MARKS] = 1

    def on_receipt(self, carrier_id: str) -> str:
        """The verdict, a mode of ``receipt_ids``, or an empty text as long as there is none."""
        if len(carrier_id.lstrip("0")) < 2:  # one digit is the same in both
            return ""
        found = [mode for key, mode in spellings(carrier_id).items() if self._marks[hash(key) % MARKS]]
        if len(found) != 1:
            return ""
        mode = found[0]
        self._counts[mode] += 1
        agreeing = self._counts[mode]
        others = self._counts.total() - agreeing
        return mode if agreeing >= max(ENOUGH, CLEAR * others) else ""
