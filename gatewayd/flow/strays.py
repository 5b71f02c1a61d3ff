"""Receipts whose message is another worker's than their handset says: the carrier wrote another number.

The home of that number keeps such a receipt, and asks the others. Whoever knows the message takes it; who learns its
name only later, because the receipt came before the answer to the submit, takes it then. Everything here is a bounded
memory beside what is kept durably; a receipt that drops out of it waits in its keeper's store until its time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from gatewayd.message import Receipt

STRAYS_MAX: Final = 10_000
# By then every answer has come, or never will; and a carrier may use its names again.
STRAY_TTL_S: Final = 600.0

_Key = tuple[str, str]
_Entry = TypeVar("_Entry")


class _Shelf(Generic[_Entry]):
    """Entries under a carrier's name, for a while; the oldest name makes room for a new one."""

    def __init__(self, bound: int, clock: Callable[[], float]) -> None:
        self._bound = bound
        self._clock = clock
        self._kept: dict[_Key, tuple[float, list[_Entry]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[tuple[_Key, _Entry]]:
        self._expire()
        for key, (_, entries) in self._kept.items():
            for entry in entries:
                yield key, entry

    def add(self, key: _Key, entry: _Entry) -> None:
        self._expire()
        if key not in self._kept and len(self._kept) >= self._bound:
            del self._kept[next(iter(self._kept))]
        _, entries = self._kept.setdefault(key, (self._clock(), []))
        if entry not in entries:
            entries.append(entry)

    def remove(self, key: _Key, entry: _Entry) -> None:
        _, entries = self._kept.get(key, (0.0, []))
        if entry in entries:
            entries.remove(entry)
            if not entries:
                del self._kept[key]

    def pop(self, key: _Key) -> list[_Entry]:
        self._expire()
        return self._kept.pop(key, (0.0, []))[1]

    def _expire(self) -> None:
        limit = self._clock() - STRAY_TTL_S
        while self._kept:
            key = next(iter(self._kept))
            if self._kept[key][0] > limit:
                return
            del self._kept[key]


class Strays:
    """What this worker asks of the others, and what they ask of it."""

    def __init__(self, bound: int = STRAYS_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._ours: _Shelf[Receipt] = _Shelf(bound, clock)
        self._theirs: _Shelf[tuple[int, Receipt]] = _Shelf(bound, clock)

    def __len__(self) -> int:
        return len(self._ours) + len(self._theirs)

    def ours(self) -> Iterator[tuple[str, Receipt]]:
        """(link, receipt) of all that nobody has claimed yet, for a worker that was away when the others were asked."""
        for (link, _), receipt in self._ours:
            yield link, receipt

    def ask(self, link: str, receipt: Receipt) -> None:
        """The others are asked for this one."""
        self._ours.add((link, receipt.carrier_id), receipt)

    def hear(self, peer: int, link: str, receipt: Receipt) -> None:
        """A peer asked for one that is not known here, or not yet."""
        for spelling in (receipt.carrier_id, *receipt.aliases):
            self._theirs.add((link, spelling), (peer, receipt))

    def claimed(self, link: str, receipt: Receipt) -> None:
        """A peer took one of ours."""
        self._ours.remove((link, receipt.carrier_id), receipt)

    def named(self, link: str, carrier_id: str) -> list[tuple[int, Receipt]]:
        """A carrier told this name for a message of ours: (peer, receipt) of those that were asked for under it."""
        self._ours.pop((link, carrier_id))
        found = self._theirs.pop((link, carrier_id))
        for peer, receipt in found:
            for spelling in (receipt.carrier_id, *receipt.aliases):
                self._theirs.remove((link, spelling), (peer, receipt))
        return found
