"""Billing records as a table for questions: one SQLite file beside the record files, a row for each record.

All workers write to it, each over its own connection. Knows nothing of the store; nothing is ever deleted here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.billing.record_files import text_of
from gatewayd.runtime.syncing import sync_folder
from gatewayd.store.records import Cdr

NAME: Final = "records.sqlite"
VERSION: Final = 1
BUSY_S: Final = 5.0
_MODE: Final = 0o640

# "end" is a word of SQL, so the two moments have names that need no quotes. ``last_number`` outlives rows that people
# prune: numbers of a worker go on behind it even where spool and record files are new.
_SCHEMA: Final = f"""
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    worker INTEGER NOT NULL,
    number INTEGER NOT NULL,
    class TEXT NOT NULL,
    free INTEGER NOT NULL,
    account TEXT NOT NULL,
    agent TEXT NOT NULL,
    user TEXT NOT NULL,
    link TEXT NOT NULL,
    start_time TEXT NOT NULL,
    end_time TEXT,
    message_ids TEXT NOT NULL,
    mt INTEGER NOT NULL,
    mo INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    credits REAL NOT NULL,
    rules TEXT NOT NULL,
    version TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX record_start_time ON record (start_time);
CREATE TABLE last_number (worker INTEGER PRIMARY KEY, number INTEGER NOT NULL);
PRAGMA user_version = {VERSION};
"""
_COLUMNS: Final = 18
# One statement for a batch: it gives up the interpreter's lock once, not for each row.
_INSERT: Final = (
    "INSERT OR IGNORE INTO record SELECT "
    + ", ".join(f"json_extract(value, '$[{place}]')" for place in range(_COLUMNS))
    + " FROM json_each(?)"
)
_LAST: Final = (
    "INSERT INTO last_number VALUES (?, ?) ON CONFLICT (worker) DO UPDATE SET number = max(number, excluded.number)"
)


class RecordTable:
    """The table of one folder, for writing. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def last_sequence(self, origin: int) -> int:
        """The highest number of a record that a worker ever had in this table, 0 for none. Raises OSError."""
        if not self._path.exists():
            return 0
        try:
            row = self._open().execute("SELECT number FROM last_number WHERE worker = ?", (origin,)).fetchone()
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return int(row[0]) if row else 0

    def append(self, cdrs: Sequence[Cdr]) -> None:
        """Insert those whose id is not there yet; durable when this returns. Raises OSError."""
        last: dict[int, int] = {}
        for cdr in cdrs:
            last[cdr.origin] = max(cdr.sequence, last.get(cdr.origin, 0))
        rows = msgspec.json.encode([_row(cdr) for cdr in cdrs]).decode()
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_INSERT, (rows,))
            connection.executemany(_LAST, last.items())
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fault(self, error: sqlite3.Error) -> OSError:
        self.close()  # with what is half done
        return OSError(f"{self._path}: {error}; if it is damaged, move it away and a new one is begun")

    def _open(self) -> sqlite3.Connection:
        """The connection, to the file that has the name now: it may have been moved away."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            inode = 0
        if self._connection is not None and inode != self._inode:
            self.close()
        if self._connection is None:
            if not inode:
                _create(self._path)
            self._connection = connection = _connect(self._path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise sqlite3.DatabaseError(f"its version is {version}, and not {VERSION}")
            self._inode = self._path.stat().st_ino
        return self._connection


def _row(cdr: Cdr) -> tuple[Any, ...]:
    record = cdr.record
    return (
        cdr.id,
        cdr.origin,
        cdr.sequence,
        record.name,
        int(record.is_free),
        record.account,
        cdr.agent,
        cdr.user,
        record.link,
        text_of(record.start_ms),
        text_of(record.end_ms) if record.end_ms else None,
        record.message_ids,
        record.mt_count,
        record.mo_count,
        record.segments,
        record.credits,
        record.rules,
        record.version,
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:  # it is no table
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Whole or not at all, whichever worker is first, and for no stranger's eyes. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
    try:
        connection = _connect(draft)
        try:
            # Whoever reads must not be in the way of whoever writes.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        finally:
            connection.close()
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another worker was first
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
