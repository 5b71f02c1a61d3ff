"""What changed of one kind of record since the last fold, in memory.

Holds each change as the journal has it, kind, key and value in one text that one call made; what was only implied is
held as it is. Knows neither file nor table, and decides nothing about either.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gatewayd.store.kinds import Key, Kind

Entries = dict[Key, bytes | None]
"""By key its record, None for what is gone."""

GONE_PER_ENTRY: Final = 8
"""So many keys that are gone weigh as one that has a value. They hold a fifth of its memory or less, and a fold makes
more of them, since what it brings to the tables ends later: counted alike, each fold brought on the next."""

_encode = msgspec.json.Encoder().encode


class Overlay:
    """The changes of one kind since the last fold, as the journal has them: kind, key and value in one text, which is
    made by one call. ``fresh`` holds keys that no table can know yet, ``gone`` is how many of ``changed`` are gone."""

    __slots__ = ("changed", "decoder", "folding", "fresh", "gone", "kind", "record_decoder")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.fresh: dict[Key, bytes | msgspec.Struct] = {}
        self.changed: Entries = {}
        self.folding: Entries = {}
        self.gone = 0
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind.type)
        self.record_decoder: msgspec.json.Decoder[tuple[str, Key, Any]] = msgspec.json.Decoder(
            tuple[str, Key, kind.type]  # type: ignore[name-defined]
        )

    def change(self, key: Key, record: bytes | None) -> None:
        """Set what a table may know otherwise, to None where it is gone."""
        self.gone += (record is None) - (self.changed.get(key, b"") is None)
        self.changed[key] = record

    @property
    def weight(self) -> int:
        """How far it is a reason to fold, in entries with a value."""
        return len(self.fresh) + len(self.changed) - self.gone + self.gone // GONE_PER_ENTRY

    def find(self, key: Key) -> bytes | None:
        """The value's text, ``b""`` when it was deleted, None when only the table can know."""
        for entries in (self.fresh, self.changed, self.folding):
            if key in entries:
                record = entries[key]
                return self.kind.value_in(key, self.recorded(key, record)) if record is not None else b""
        return None

    def recorded(self, key: Key, record: bytes | msgspec.Struct) -> bytes:
        """The record of a key, made now where it was only implied."""
        return record if isinstance(record, bytes) else _encode((self.kind.name, key, record))

    def hot(self) -> Entries:
        """The record of every key that no table may know as it is."""
        fresh = {key: r if isinstance(r, bytes) else self.recorded(key, r) for key, r in self.fresh.items()}
        return {**self.folding, **self.changed, **fresh}

    def freeze(self) -> Entries:
        """Everything since the last fold, for the next one. Nobody changes it any more: another thread reads it."""
        self.folding = self.hot()  # there was no other fold: they come one after the other
        self.changed, self.fresh, self.gone = {}, {}, 0
        return self.folding
