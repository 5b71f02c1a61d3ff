"""Another number of workers: every record goes to the spool of its handset's new home, before any worker starts.

A batch is durable in its new file before it leaves the old one, and copying it twice changes nothing, so the process
may be killed at any moment and the next start goes on. A file beside the spools says for how many workers they are
arranged.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.policy.homes import home_of
from gatewayd.runtime.syncing import sync_folder
from gatewayd.store import kinds
from gatewayd.store.database import Database, StoreFault, connect, end_fold, unsynced, write_row
from gatewayd.store.history import History
from gatewayd.store.implied import Changes
from gatewayd.store.kinds import Key, Kind
from gatewayd.store.records import Parked
from gatewayd.store.segments import drop

log = logging.getLogger(__name__)

MARKER_FILE = "workers"
BATCH = 500
_UNFINISHED = "rehoming"

_Rows = list[tuple[Key, str]]


def spool_path(folder: Path, slot: int) -> Path:
    """Where a worker's spool lies."""
    return folder / f"worker-{slot}.spool"


def arrange(
    folder: Path, count: int, check: str = "quick", history: Callable[[int], History | None] = lambda slot: None
) -> int:
    """Bring every record home for ``count`` workers; returns how many had to move. Raises StoreFault.

    ``history`` gives that of a slot, if it keeps any: what leaves the journal here must be told there as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    existing = slots_of(folder)
    marker = folder / MARKER_FILE
    arranged = marker.read_text(encoding="ascii").strip() if marker.exists() else str(len(existing))
    if existing and (arranged != str(count) or existing[-1] >= count):
        log.info("= store: arranging the spools of %s workers for %d", arranged, count)
        try:
            moved = _Move(folder, existing, count, check, history).run(partial(_write_marker, marker, _UNFINISHED))
        except (sqlite3.Error, msgspec.MsgspecError, KeyError, OSError) as error:
            raise StoreFault(
                f"{folder}: the spools could not be arranged for {count} workers ({error}). Nothing is lost; "
                "see that the disk has room and start again"
            ) from error
        log.info("= store: %d records went to another worker's spool", moved)
    elif marker.exists() and arranged == str(count):
        return 0
    else:
        moved = 0
    _write_marker(marker, str(count))
    return moved


def slots_of(folder: Path) -> list[int]:
    """The slots that have a spool, in order."""
    names = (path.stem.removeprefix("worker-") for path in folder.glob("worker-*.spool"))
    return sorted(int(name) for name in names if name.isdigit())


def _write_marker(marker: Path, text: str) -> None:
    """Durable when it returns: no record may move under a mark that says that all are at home."""
    spare = marker.with_suffix(".new")
    with spare.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    spare.replace(marker)
    sync_folder(marker.parent)


class _Move:
    """One arrangement, over all files at once."""

    def __init__(
        self,
        folder: Path,
        existing: list[int],
        count: int,
        check: str,
        history: Callable[[int], History | None],
    ) -> None:
        self._history = history
        self._count = count
        self._undo = contextlib.ExitStack()
        self._paths = {slot: spool_path(folder, slot) for slot in sorted({*existing, *range(count)})}
        self._check = check
        self._databases: dict[int, Database] = {}
        self._files: dict[int, sqlite3.Connection] = {}
        self._moved = 0

    def run(self, begin: Callable[[], None]) -> int:
        """Move everything; files that no worker will own are taken away once they are empty.

        ``begin`` is called when all files are locked and nothing was changed yet.
        """
        with self._undo:
            for slot, path in self._paths.items():
                self._databases[slot] = Database(path, self._check)
                self._undo.callback(self._databases[slot].close)
                self._files[slot] = connect(path)
                self._undo.callback(self._files[slot].close)
            begin()
            for slot, file in self._files.items():
                settle_journal(self._databases[slot], file, self._history(slot))
            for slot in self._paths:
                self._move_from(slot)
            for slot in [slot for slot in self._paths if slot >= self._count]:
                self._insist_empty(slot)
        for slot in [slot for slot in self._paths if slot >= self._count]:
            # The log first: left alone, it would be taken for that of the next file of this name.
            for suffix in ("-wal", "-shm", ""):
                Path(f"{self._paths[slot]}{suffix}").unlink(missing_ok=True)
            self._paths[slot].with_suffix(".lock").unlink(missing_ok=True)
        return self._moved

    def _move_from(self, slot: int) -> None:
        """Messages last: they say where what names them belongs."""
        homes = _Homes(self._files, slot, self._count)
        self._move_kind(slot, kinds.SENT, homes.of_sent)
        self._move_kind(slot, kinds.PROGRESS, homes.of_message_id)
        self._move_kind(slot, kinds.MESSAGE, lambda key, value: home_of(value.destination, self._count))
        self._move_kind(slot, kinds.DELIVERY, lambda key, value: home_of(value.source, self._count))
        self._move_kind(slot, kinds.DEAD_LETTER, lambda key, value: home_of(value.source, self._count))
        self._move_kind(slot, kinds.SESSION, homes.of_last_word)
        self._move_kind(slot, kinds.CAPABILITY, homes.of_last_word)
        self._move_kind(slot, kinds.ALIAS, homes.of_last_word)
        self._move_kind(slot, kinds.TAKEN, homes.of_last_word)
        self._move_kind(slot, kinds.RESULT, lambda key, value: home_of(value.destination, self._count))
        self._move_kind(slot, kinds.BILLING, homes.of_last_word)
        self._move_kind(slot, kinds.CDR, lambda key, value: value.origin if value.origin < self._count else 0)
        self._move_kind(slot, kinds.WANTED, homes.of_last_word)
        self._move_kind(slot, kinds.ORDER, lambda key, value: slot if slot < self._count else 0)
        self._move_kind(slot, kinds.PARKED, homes.of_parked)
        # These name no handset: every home learns them.
        self._copy_to_all(slot, kinds.SEEN)
        self._copy_to_all(slot, kinds.FILE, replaces=False)

    def _move_kind(self, slot: int, kind: Kind, home: Callable[[Any, Any], int | None]) -> None:
        """``home`` gives None for what belongs to nobody: it stays, unless its file goes."""
        decode = msgspec.json.Decoder(kind.type).decode
        for rows in _batches(self._files[slot], kind):
            leaving: dict[int, _Rows] = {}
            orphans: _Rows = []
            for key, text in rows:
                to = home(key, decode(text))
                if to is None and slot >= self._count:
                    orphans.append((key, text))
                elif to is not None and to != slot:
                    leaving.setdefault(to, []).append((key, text))
            for to, of_home in leaving.items():
                self._copy(to, kind, of_home)
            if orphans:
                self._copy(slot % self._count, kind, orphans, replaces=False)
            self._drop(slot, kind, [key for of_home in (*leaving.values(), orphans) for key, _ in of_home])

    def _copy_to_all(self, slot: int, kind: Kind, *, replaces: bool = True) -> None:
        for rows in _batches(self._files[slot], kind):
            for to in range(self._count):
                if to != slot:
                    self._copy(to, kind, rows, replaces=replaces)
            if slot >= self._count:
                self._drop(slot, kind, [key for key, _ in rows])

    def _copy(self, to: int, kind: Kind, rows: _Rows, *, replaces: bool = True) -> None:
        target = self._files[to]
        target.execute("BEGIN IMMEDIATE")
        for key, text in rows:
            row = target.execute(f"SELECT value FROM {kind.name} WHERE key = ?", (key,)).fetchone()
            if row is not None and kind is kinds.PARKED:
                write_row(target, kind, key, _parked_together(row[0], text))
            elif row is None or replaces:
                write_row(target, kind, key, text.encode())
        target.execute("COMMIT")

    def _drop(self, slot: int, kind: Kind, keys: list[Key]) -> None:
        if not keys:
            return
        source = self._files[slot]
        source.execute("BEGIN IMMEDIATE")
        source.executemany(f"DELETE FROM {kind.name} WHERE key = ?", [(key,) for key in keys])
        source.execute("COMMIT")
        self._moved += len(keys)

    def _insist_empty(self, slot: int) -> None:
        for kind in kinds.KINDS:
            left = self._files[slot].execute(f"SELECT count(*) FROM {kind.name}").fetchone()[0]
            if left:
                raise StoreFault(
                    f"{self._paths[slot]}: {left} records of {kind.name} found no home; nothing was removed"
                )


def _parked_together(one: str, other: str) -> bytes:
    """Receipts under one name that came to two homes, because they bore two numbers."""
    parked, more = (msgspec.json.decode(text, type=Parked) for text in (one, other))
    parked.receipts += [receipt for receipt in more.receipts if receipt not in parked.receipts]
    parked.due = max(parked.due, more.due)
    return msgspec.json.encode(parked)


class _Homes:
    """Finds the homes of one file's records that name only a message, or end in a handset."""

    def __init__(self, files: Mapping[int, sqlite3.Connection], slot: int, count: int) -> None:
        self._files = [files[slot], *(file for other, file in files.items() if other != slot)]
        self._count = count
        self._decode = msgspec.json.Decoder(kinds.MESSAGE.type).decode

    def of_message_id(self, key: int, value: object = None) -> int | None:
        """The home of the message with this id, in whichever file it lies by now.

        None when there is no such message: a name that outlived it is good for counting only.
        """
        for file in self._files:
            row = file.execute("SELECT value FROM message WHERE key = ?", (key,)).fetchone()
            if row is not None:
                return home_of(self._decode(row[0]).destination, self._count)
        return None

    def of_sent(self, key: str, value: Any) -> int | None:
        """The home of the message that a carrier's id names, or of the handset that may still read it."""
        if value.told:
            return home_of(value.told[0].source, self._count)
        return self.of_message_id(value.message_id)

    def of_parked(self, key: str, value: Any) -> int:
        """The home of the first handset that receipts under this name bore."""
        return home_of(value.receipts[0].handset if value.receipts else "", self._count)

    def of_last_word(self, key: str, value: object) -> int:
        """Keys that end in ``|handset``."""
        return home_of(key.rpartition("|")[2], self._count)


def _batches(connection: sqlite3.Connection, kind: Kind) -> Iterator[_Rows]:
    """A kind's rows in the order of its keys; what is deleted meanwhile does not disturb."""
    last: Key = -1 if kind.integer_key else ""
    while True:
        sql = f"SELECT key, value FROM {kind.name} WHERE key > ? ORDER BY key LIMIT ?"
        rows: _Rows = connection.execute(sql, (last, BATCH)).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield rows


def settle_journal(database: Database, connection: sqlite3.Connection, history: History | None = None) -> None:
    """Write what only the journal knows to the tables, and drop it; an interruption does no harm."""
    changes = Changes(lambda key: database.read_value(kinds.PROGRESS, key))
    last = database.folded
    with unsynced(connection):
        for last, at, records in database.groups():
            if history is not None:
                history.append(last, at, records)
            connection.execute("BEGIN IMMEDIATE")
            for kind, key, value in changes.of(at, records):
                if value is None:
                    connection.execute(f"DELETE FROM {kind.name} WHERE key = ?", (key,))
                else:
                    write_row(connection, kind, key, value)
            connection.execute("COMMIT")
    if history is not None:
        history.sync()
        history.close()
    end_fold(last, connection)
    drop(database.path, last)
