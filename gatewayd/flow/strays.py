"""Receipts whose message is another worker's than their handset says: the carrier wrote another number.

The home of that number keeps such a receipt, and asks the others. Whoever knows the message takes it; who learns its
name only later, because the receipt came before the answer to the submit, takes it then. Everything here is a bounded
memory beside what is kept durably; a receipt that drops out of it waits in its keeper's store until its time is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

from gatewayd.message import Receipt

STRAYS_MAX: Final = 10_000

_Key = tuple[str, str]
_Entry = TypeVar("_Entry")


class Strays:
    """What this worker asks of the others, and what they ask of it."""

    def __init__(self, bound: int = STRAYS_MAX) -> None:
        self._bound = bound
        self._ours: dict[_Key, list[Receipt]] = {}
        self._theirs: dict[_Key, list[tuple[int, Receipt]]] = {}

    def __len__(self) -> int:
        return len(self._ours) + len(self._theirs)

    def ours(self) -> Iterator[tuple[str, Receipt]]:
        """(link, receipt) of all that nobody has claimed yet, for a worker that was away when the others were asked."""
        for (link, _), receipts in self._ours.items():
            for receipt in receipts:
                yield link, receipt

    def ask(self, link: str, receipt: Receipt) -> None:
        """The others are asked for this one."""
        self._keep(self._ours, (link, receipt.carrier_id), receipt)

    def hear(self, peer: int, link: str, receipt: Receipt) -> None:
        """A peer asked for one that is not known here, or not yet."""
        for spelling in (receipt.carrier_id, *receipt.aliases):
            self._keep(self._theirs, (link, spelling), (peer, receipt))

    def claimed(self, link: str, receipt: Receipt) -> None:
        """A peer took one of ours."""
        self._drop(self._ours, (link, receipt.carrier_id), receipt)

    def named(self, link: str, carrier_id: str) -> list[tuple[int, Receipt]]:
        """A carrier told this name for a message of ours: (peer, receipt) of those that were asked for under it."""
        self._ours.pop((link, carrier_id), None)
        found = self._theirs.pop((link, carrier_id), [])
        for asked in found:
            for spelling in (asked[1].carrier_id, *asked[1].aliases):
                self._drop(self._theirs, (link, spelling), asked)
        return found

    def _keep(self, kept: dict[_Key, list[_Entry]], key: _Key, entry: _Entry) -> None:
        """The oldest name makes room for a new one."""
        if key not in kept and len(kept) >= self._bound:
            del kept[next(iter(kept))]
        entries = kept.setdefault(key, [])
        if entry not in entries:
            entries.append(entry)

    @staticmethod
    def _drop(kept: dict[_Key, list[_Entry]], key: _Key, entry: _Entry) -> None:
        entries = kept.get(key, [])
        if entry in entries:
            entries.remove(entry)
            if not entries:
                del kept[key]
