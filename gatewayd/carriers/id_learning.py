"""Finds out how a carrier spells the ids of its receipts, from the first of them that can mean one message only.

Pure: ids in, a verdict out. Knows neither messages nor the store: an id that was named on another bind teaches nothing.
"""

from __future__ import annotations

from typing import Final

from protocol.smpp.receipt_ids import spellings

ENOUGH: Final = 10
"""So many receipts in a row that agree are a verdict."""

RECENT_MAX: Final = 10_000


class IdLearner:
    """What is known of one link. ``recent`` are the keys of messages that have no receipt yet, for the link to fill."""

    __slots__ = ("_agreeing", "_candidate", "recent")

    def __init__(self) -> None:
        self.recent: dict[str, None] = {}
        self._candidate = ""
        self._agreeing = 0

    def on_receipt(self, carrier_id: str) -> str:
        """The verdict, a mode of ``receipt_ids``, or an empty text as long as there is none."""
        meanings = spellings(carrier_id)
        found = [key for key in meanings if key in self.recent]
        if len(found) != 1 or len(carrier_id.lstrip("0")) < 2:  # one digit is the same in both
            return ""
        mode = meanings[found[0]]
        del self.recent[found[0]]
        if mode != self._candidate:
            self._candidate, self._agreeing = mode, 0
        self._agreeing += 1
        return mode if self._agreeing >= ENOUGH else ""
