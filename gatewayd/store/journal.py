"""Durable keyed records: a journal of groups of changes, and tables for what lasts.

Every change is encoded once and joined to the current group. A writer thread appends a group to a file of the journal
(one call, which waits for the disk), and only then are those told who wait for it. Now and then the journal is folded:
what is still alive is written to the tables in bulk, and the folded files are dropped. What was created and deleted
between two folds, which is most messages, never touches a table. Reading looks at the changes since the last fold
first, then at the tables. Knows keys and values, not what they mean, but for whether a value may hold somebody's words:
history is spared the look where none does. What one record implies for another key is ``store.implied``'s knowledge.

The laws of this file:

- A group is committed before anything that was asked for ``then`` is called.
- Groups are committed in order; a group that cannot be committed (disk full) is tried again until it can, and
  meanwhile nothing behind it is acknowledged.
- A fold writes values as they were when it began, after the last group that holds them: replaying the journal over a
  half-written fold ends in the same state, because each entry is a whole value, never a difference.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.store.database import Database, StoreFault
from gatewayd.store.history import History
from gatewayd.store.history_lines import RECORDS_BETWEEN, Outline
from gatewayd.store.implied import Changes
from gatewayd.store.kinds import DELIVERY, KINDS, MESSAGE, NOTE, PROGRESS, SENT, Key, Kind
from gatewayd.store.overlay import Overlay
from gatewayd.store.writer import Writer

log = logging.getLogger(__name__)

# Nobody waits for the end of a delivery, nor for a note: so long they may wait for a group that somebody waits for.
# Where few messages come, it is one commit less for each.
UNAWAITED_WAIT_S = 0.05
FOLD_INTERVAL_S = 60.0
FOLD_OCTETS = 96 * 1024 * 1024

Callback = Callable[[list[Any]], None]

_encode = msgspec.json.Encoder().encode


class JournalTimes(msgspec.Struct):
    """What the metrics want to know of commits and folds: hooks, called on the event loop."""

    committed: Callable[[float, int], None] = lambda seconds, records: None
    failed: Callable[[str], None] = lambda reason: None
    folded: Callable[[float], None] = lambda seconds: None


class Journal:
    """The store's engine: put, delete, get, and ``then`` to be called once what was put is durable."""

    def __init__(
        self,
        path: Path,
        *,
        group_wait_s: float = 0.002,
        fold_entries: int = 50_000,
        check: str = "quick",
        hooks: JournalTimes | None = None,
        history: History | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Open the file, check it, bring its schema up to date and read back what was not folded.

        ``history`` keeps what is folded; without one, notes are not written.
        Raises StoreFault when the file is damaged, newer than this program, or used by another process.
        """
        self._database = Database(path, check)
        self._loop = loop or asyncio.get_running_loop()
        self._group_wait_s = group_wait_s
        self._fold_entries = fold_entries
        self._hooks = hooks or JournalTimes()
        self._overlays = {kind.name: Overlay(kind) for kind in KINDS}
        self._records: list[bytes] = []  # of the group in the making
        # For history, which would have to look for it: see ``history_lines.Outline``.
        self._ids: list[Any] = []
        self._messages: list[int] = []
        self._is_odd = False
        self._waiters: dict[Callback, list[Any]] = {}
        self._octets = 0  # in the journal, not folded yet
        self._sequence = self._replay()
        self._sealed_at = -math.inf
        self._folded_at = self._loop.time()
        self._is_resting = True  # no group is in flight, and none is to be sealed
        self._unawaited: asyncio.TimerHandle | None = None  # seals the group that nobody waits for
        self._in_flight: tuple[int, dict[Callback, list[Any]]] | None = None
        self._is_folding = False
        self._fold_wanted = False
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self.is_failing = False
        self._keeps_history = history is not None
        self._writer = Writer(self._database, self._on_writer, history)
        self._writer.start()

    # -- changes ------------------------------------------------------------------------------------------------

    def put(self, kind: Kind, key: Key, value: Any, *, new: bool = False) -> None:
        """Set a value. ``new`` promises that this key was never stored before."""
        if kind is PROGRESS:
            self._ids.append(key)
            if value.payload:
                self._is_odd = True
        elif kind is MESSAGE:
            self._messages.append(len(self._records))
            if value.tlvs:
                self._is_odd = True
        elif kind is DELIVERY:
            self._ids.append(key)
            if value.kind != "receipt" or value.payload or value.tlvs:
                self._is_odd = True
        elif kind is not SENT or value.told:
            self._is_odd = True
        overlay = self._overlays[kind.name]
        record = _encode((kind.name, key, value))
        if new or key in overlay.fresh:
            overlay.fresh[key] = record
        else:
            overlay.change(key, record)
        self._records.append(record)
        if self._is_resting:
            self._schedule()

    def delete(self, kind: Kind, key: Key) -> None:
        """Remove a key; one that is not there is no fault."""
        if kind is PROGRESS or kind is DELIVERY:
            self._ids.append(key)
        elif kind is not SENT and kind is not MESSAGE:
            self._is_odd = True
        overlay = self._overlays[kind.name]
        if overlay.fresh.pop(key, None) is None:
            overlay.change(key, None)
        self._records.append(_encode((kind.name, key, None)))
        if self._is_resting:
            self._schedule()

    def imply(self, kind: Kind, key: Key, value: msgspec.Struct) -> None:
        """Set the value of a key that was never stored before, which another record of this group implies, as
        ``store.implied`` says. Nobody may change it afterwards: it is kept as it is."""
        self._overlays[kind.name].fresh[key] = value

    def imply_gone(self, kind: Kind, key: Key) -> None:
        """Remove a key, which another record of this group implies."""
        overlay = self._overlays[kind.name]
        if overlay.fresh.pop(key, None) is None:
            overlay.change(key, None)

    def note(self, about: int, facts: Mapping[str, Any]) -> None:
        """Tell history what no record says, of a message, of a delivery, or of a link (under 0)."""
        if not self._keeps_history:
            return
        self._ids.append(about)
        self._records.append(_encode((NOTE, about, facts)))
        if self._is_resting:
            self._schedule()

    def then(self, callback: Callback, item: Any) -> None:
        """Call ``callback`` with the list of its items once all that was put up to now is durable."""
        items = self._waiters.get(callback)
        if items is None:
            self._waiters[callback] = [item]
            if self._is_resting or self._unawaited is not None:
                self._schedule()
        else:
            items.append(item)

    @property
    def pending(self) -> int:
        """Changes that are not durable yet."""
        return len(self._records) + (self._in_flight[0] if self._in_flight is not None else 0)

    @property
    def octets(self) -> int:
        """What was committed since the last fold began."""
        return self._octets

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, key: Key) -> Any:
        """The value as this process last put it, or None."""
        overlay = self._overlays[kind.name]
        record = overlay.fresh.get(key)
        if record is not None:
            return overlay.record_decoder.decode(record)[2] if isinstance(record, bytes) else record
        text: bytes | str | None = overlay.find(key)
        if text is None:
            text = self._database.read_value(kind, key)
        return overlay.decoder.decode(text) if text else None

    def get_many(self, kind: Kind, keys: Sequence[int]) -> dict[int, Any]:
        """Several integer keys at once; those that do not exist are left out."""
        overlay = self._overlays[kind.name]
        found: dict[int, Any] = {}
        cold: list[int] = []
        for key in keys:
            text = overlay.find(key)
            if text is None:
                cold.append(key)
            elif text:
                found[key] = overlay.decoder.decode(text)
        for key, value in self._database.read_values(kind, cold):
            found[key] = overlay.decoder.decode(value)
        return found

    def scan(self, kind: Kind) -> Iterator[tuple[Key, Any]]:
        """Every value of a kind, cold ones first. For start-up and small kinds only."""
        overlay = self._overlays[kind.name]
        for key, text in self._database.scan(kind):
            if overlay.find(key) is None:
                yield key, overlay.decoder.decode(text)
        for key, record in overlay.hot().items():
            if record is not None:
                yield key, overlay.record_decoder.decode(record)[2]

    def due(self, kind: Kind, before: float) -> Iterator[tuple[Any, float]]:
        """Key and ``due`` of cold values whose ``due`` lies before a moment, the earliest first.

        What changed since the last fold is left out, so that what was dealt with never stands before what was not.
        """
        overlay = self._overlays[kind.name]
        for key, due in self._database.due(kind, before):
            if overlay.find(key) is None:
                yield key, due

    def column(self, kind: Kind, column: str) -> Iterator[tuple[int, str]]:
        """Key and column of all rows in the tables, by key. Right after a fold, that is everything."""
        return self._database.column(kind, column)

    def count(self, kind: Kind, without: str, words: str) -> int:
        """How many rows in the tables have nothing in a column, and these words in their value. Right after a fold."""
        return self._database.count(kind, without, words)

    # -- for people: reading all of a kind, in pieces, see store.walking ------------------------------------------

    def changed_keys(self, kind: Kind, after: Key) -> list[Key]:
        """The keys behind ``after`` that changed since the last fold, in order."""
        overlay = self._overlays[kind.name]
        keys = {*overlay.folding, *overlay.changed, *overlay.fresh}
        return sorted(key for key in keys if key > after)  # type: ignore[operator]

    def rows_after(self, kind: Kind, after: Key, limit: int) -> list[tuple[Key, str]]:
        """So many rows of the tables behind a key, in order; some may have changed since the last fold."""
        return self._database.rows_after(kind, after, limit)

    def text_of(self, kind: Kind, key: Key, cold: str | None = None) -> bytes | str | None:
        """The value's text, or None when there is none; ``cold`` is what the table says, if that is known."""
        text: bytes | str | None = self._overlays[kind.name].find(key)
        if text is None:
            text = cold if cold is not None else self._database.read_value(kind, key)
        return text or None

    # -- groups -------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Seal at the end of this loop turn when idle; under load give a group a few milliseconds to gather."""
        self._is_resting = False
        if self._unawaited is not None:
            self._unawaited.cancel()
            self._unawaited = None
        wait_s = self._sealed_at + self._group_wait_s - self._loop.time()
        if wait_s <= 0:
            self._loop.call_soon(self._seal)
        else:
            self._loop.call_later(wait_s, self._seal)

    def _seal(self) -> None:
        if not (self._records or self._waiters):
            self._is_resting = True
            return
        if not self._waiters and self._unawaited is None:
            self._unawaited = self._loop.call_later(UNAWAITED_WAIT_S, self._seal)
            return
        self._unawaited = None
        records, self._records = self._records, []
        waiters, self._waiters = self._waiters, {}
        self._sealed_at = self._loop.time()
        self._sequence += 1
        count = len(records)
        self._in_flight = (count, waiters)
        self._idle.clear()
        group = _joined(records)
        self._octets += len(group)
        self._writer.commit(self._sequence, group, count, self._outline(records))
        entries = sum([overlay.weight for overlay in self._overlays.values()])
        self._writer.is_pressed = self._is_folding and 2 * entries >= self._fold_entries
        if self._wants_fold(entries):
            self._start_fold()

    def _outline(self, records: list[bytes]) -> Outline | None:
        """What history may know of a group without looking, and nothing of one with anything rare in it."""
        is_told = self._keeps_history and not self._is_odd and records
        outline = Outline(records, self._messages, self._ids) if is_told else None
        self._messages, self._ids, self._is_odd = [], [], False
        return outline

    def tick(self) -> None:
        """Fold what has become old although nothing new comes; to be called now and then."""
        is_idle = not self._records and self._in_flight is None
        if self._octets and is_idle and self._loop.time() - self._folded_at > FOLD_INTERVAL_S:
            self.then(_nothing, None)

    def _wants_fold(self, entries: int) -> bool:
        if self._is_folding:
            return False
        is_old = self._sealed_at - self._folded_at > FOLD_INTERVAL_S and self._octets > 0
        return self._fold_wanted or entries >= self._fold_entries or self._octets >= FOLD_OCTETS or is_old

    def _start_fold(self) -> None:
        """Freeze now: the group that holds the last of these values is already ahead in the writer's line."""
        self._is_folding, self._fold_wanted = True, False
        self._folded_at = self._loop.time()
        self._octets = 0
        frozen = [
            (overlay.kind, overlay.freeze()) for overlay in self._overlays.values() if overlay.fresh or overlay.changed
        ]
        self._writer.fold(frozen, self._sequence)

    def _on_writer(self, event: str, detail: Any) -> None:
        """Called by the writer thread."""
        self._loop.call_soon_threadsafe(self._on_written, event, detail)

    def _on_written(self, event: str, detail: Any) -> None:
        if event == "failed":
            if not self.is_failing:
                log.error("= store cannot commit: %s; accepting nothing until it can", detail)
            self.is_failing = True
            self._hooks.failed(detail)
        elif event == "folded":
            self._recovered()
            self._is_folding = False
            self._hooks.folded(self._loop.time() - self._folded_at)
            for overlay in self._overlays.values():
                overlay.folding = {}
            self._set_idle()
        else:
            self._on_committed(detail)

    def _recovered(self) -> None:
        if self.is_failing:
            log.warning("= store commits again")
            self.is_failing = False

    def _on_committed(self, seconds: float) -> None:
        self._recovered()
        assert self._in_flight is not None  # one group at a time
        count, waiters = self._in_flight
        self._in_flight = None
        self._is_resting = True
        self._hooks.committed(seconds, count)
        if self._records or self._waiters:
            self._schedule()
        for callback, items in waiters.items():
            try:
                callback(items)
            except Exception:  # one waiter's fault must not keep the others from their answers
                log.exception("a callback after a commit failed")
        self._set_idle()

    def _set_idle(self) -> None:
        if self._is_resting and not self._is_folding and not self._records:
            self._idle.set()

    # -- start and end ------------------------------------------------------------------------------------------

    def _replay(self) -> int:
        """Read the journal back into the overlays; returns the last sequence number."""
        changes = Changes(lambda key: self._database.read_value(PROGRESS, key))
        last = self._database.folded
        try:
            for sequence, at, records in self._database.groups():
                last = sequence
                self._octets += len(records)
                for kind, key, value in changes.of(at, records):
                    record = _encode((kind.name, key, msgspec.Raw(value))) if value is not None else None
                    self._overlays[kind.name].change(key, record)
        except StoreFault:
            self._database.close()
            raise
        except (msgspec.DecodeError, KeyError, sqlite3.DatabaseError) as error:
            self._database.close()
            raise StoreFault(
                f"{self._database.path}: group {last} of the journal cannot be read ({error}). "
                "Restore a backup, or move the file and what lies beside it away to start empty"
            ) from error
        return last

    def highest_key(self, kinds: Iterable[Kind]) -> int:
        """The highest integer key of these kinds, in tables and journal."""
        highest = 0
        for kind in kinds:
            overlay = self._overlays[kind.name]
            keys = [key for entries in (overlay.changed, overlay.fresh) for key in entries if type(key) is int]
            highest = max(highest, self._database.highest_key(kind), max(keys, default=0))
        return highest

    async def durable(self) -> None:
        """Wait until what was put up to now is durable, whatever comes after it. Never returns if the disk refuses."""
        done: asyncio.Future[None] = self._loop.create_future()
        self.then(_settle, done)
        await done

    async def flush(self) -> None:
        """Wait until nothing is pending. Never returns while the disk refuses."""
        while self._in_flight is not None or self._records or self._waiters or self._is_folding:
            self._idle.clear()
            if self._records and not self._waiters:
                self.then(_nothing, None)
            await self._idle.wait()

    async def fold(self) -> None:
        """Fold now, so that the next start reads little; a fold that is under way already is followed by another."""
        self._fold_wanted = True
        while self._fold_wanted:
            self.then(_nothing, None)
            await self.flush()

    async def close(self, timeout_s: float = 10.0) -> None:
        """Commit what is pending, fold, and close the file. A disk that refuses does not hold this up for ever."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.fold()
        except TimeoutError:
            log.error("= store closed with %d changes that the disk did not take; none was acknowledged", self.pending)
        self._writer.stop()
        self._database.close()


def _joined(records: list[bytes]) -> bytes:
    """A group's records, as a JSON array."""
    if not records:
        return b"[]"
    records[0] = b"[" + records[0]
    records[-1] += b"]"
    return RECORDS_BETWEEN.join(records)


def _nothing(items: list[Any]) -> None:
    """A waiter that only wants the group to be sealed."""


def _settle(waiting: list[asyncio.Future[None]]) -> None:
    for one in waiting:
        if not one.done():  # nobody waits for it any more
            one.set_result(None)
