"""SQLite opened right: schema versions, integrity, a reader for the event loop, and how a row is written.

Knows SQL and files; knows nothing of groups in the making, nor of what the values mean.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.store.kinds import (
    KINDS_OF_VERSION_1,
    KINDS_SINCE_VERSION_2,
    KINDS_SINCE_VERSION_3,
    KINDS_SINCE_VERSION_4,
    KINDS_SINCE_VERSION_5,
    KINDS_SINCE_VERSION_6,
    Key,
    Kind,
)
from gatewayd.store.segments import DamagedJournal, Group, replay

log = logging.getLogger(__name__)

SCHEMA_VERSION = 8
READ_CHUNK = 500


class StoreFault(Exception):
    """The store cannot be used; the text says which file, why, and what to do."""


def _migrate_0(connection: sqlite3.Connection) -> None:
    """The first schema: the journal and a table for each kind."""
    connection.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, at REAL NOT NULL, records TEXT NOT NULL)")
    _create(connection, KINDS_OF_VERSION_1)


def _migrate_1(connection: sqlite3.Connection) -> None:
    """Billing: what is known of each pair of agent and user, and the records that are not in their file yet."""
    _create(connection, KINDS_SINCE_VERSION_2)


def _migrate_2(connection: sqlite3.Connection) -> None:
    """Questions in bulk: who is to be asked about and when, and what an operator is working on."""
    _create(connection, KINDS_SINCE_VERSION_3)


def _migrate_3(connection: sqlite3.Connection) -> None:
    """Users who hide their number: which alias is behind which address."""
    _create(connection, KINDS_SINCE_VERSION_4)


def _migrate_4(connection: sqlite3.Connection) -> None:
    """Files that were uploaded to a platform: what it calls them."""
    _create(connection, KINDS_SINCE_VERSION_5)


def _migrate_5(connection: sqlite3.Connection) -> None:
    """Dead letters: what no endpoint took in its time. Senders' own keys of submits, and how messages ended."""
    _create(connection, KINDS_SINCE_VERSION_6)


def _migrate_6(connection: sqlite3.Connection) -> None:
    """The journal becomes files: which spool they belong to, and from which group on they are not in the tables yet.

    The table keeps what an older gatewayd wrote until it is folded, and the groups of a copy, which is one file.
    """
    connection.execute("CREATE TABLE folded (spool TEXT NOT NULL, sequence INTEGER NOT NULL)")
    connection.execute("INSERT INTO folded SELECT '', coalesce(min(sequence), 1) - 1 FROM journal")
    name_anew(connection)


def _migrate_7(connection: sqlite3.Connection) -> None:
    """Changes that another record implies (``implied``) have none of their own in the journal. The tables are as they
    were, but an older gatewayd would not know of these changes."""


def _create(connection: sqlite3.Connection, kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        connection.execute(kind.create)
        for column in kind.columns:
            connection.execute(
                f"CREATE INDEX {kind.name}_{column} ON {kind.name} ({column}) WHERE {column} IS NOT NULL"
            )


# One step for each version, from that version to the next. A step is never changed once released.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _migrate_0,
    _migrate_1,
    _migrate_2,
    _migrate_3,
    _migrate_4,
    _migrate_5,
    _migrate_6,
    _migrate_7,
)


class Database:
    """One spool file: opened, locked against a second process, checked and brought up to date."""

    def __init__(self, path: Path, check: str = "quick") -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self._prepare(check)
            self._reader = connect(path)
            self._reader.execute("PRAGMA query_only = ON")
            self.identity, self.folded = folded(self._reader)
        except sqlite3.OperationalError as error:
            self._lock.close()
            raise StoreFault(
                f"{path}: {error}; see that the disk has room and that the daemon's user may write there"
            ) from error
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise StoreFault(
                f"{path}: {error}; the file is damaged or not a spool. Restore a backup, or move it away to start empty"
            ) from error
        except StoreFault:
            self._lock.close()
            raise

    def _prepare(self, check: str) -> None:
        connection = connect(self.path)
        try:
            if check != "off":
                _check(connection, self.path, check)
            _migrate(connection, self.path)
        finally:
            connection.close()

    def close(self) -> None:
        """Close the reader and give the file free for another process."""
        self._reader.close()
        self._lock.close()

    # -- reading, on the event loop -------------------------------------------------------------------------------

    def read_value(self, kind: Kind, key: Key) -> str | None:
        """The text of one value."""
        row = self._reader.execute(f"SELECT value FROM {kind.name} WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def read_values(self, kind: Kind, keys: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The texts of several values."""
        for start in range(0, len(keys), READ_CHUNK):
            chunk = keys[start : start + READ_CHUNK]
            marks = ",".join("?" * len(chunk))
            yield from self._reader.execute(f"SELECT key, value FROM {kind.name} WHERE key IN ({marks})", chunk)

    def scan(self, kind: Kind) -> Iterator[tuple[Key, str]]:
        """Every row of a kind in the order of its keys."""
        yield from self._reader.execute(f"SELECT key, value FROM {kind.name} ORDER BY key")

    def rows_after(self, kind: Kind, after: Key, limit: int) -> list[tuple[Key, str]]:
        """So many rows behind a key, in the order of their keys."""
        sql = f"SELECT key, value FROM {kind.name} WHERE key > ? ORDER BY key LIMIT ?"
        return self._reader.execute(sql, (after, limit)).fetchall()

    def column(self, kind: Kind, column: str) -> Iterator[tuple[int, str]]:
        """Key and column of every row that has one, in the order of the keys."""
        yield from self._reader.execute(
            f"SELECT key, {column} FROM {kind.name} WHERE {column} IS NOT NULL ORDER BY key"
        )

    def count(self, kind: Kind, without: str, words: str) -> int:
        """How many rows have nothing in a column, and these words in their value."""
        sql = f"SELECT count(*) FROM {kind.name} WHERE {without} IS NULL AND instr(value, ?)"
        return int(self._reader.execute(sql, (words,)).fetchone()[0])

    def due(self, kind: Kind, before: float) -> Iterator[tuple[Key, float]]:
        """Key and ``due`` of rows whose ``due`` lies before a moment, the earliest first.

        Read in chunks: a statement left open would hold the reader, and all that it is asked, at an old state.
        """
        sql = (
            f"SELECT key, due FROM {kind.name} WHERE due IS NOT NULL AND due < ? AND (due, key) > (?, ?) "
            "ORDER BY due, key LIMIT ?"
        )
        last: tuple[float, Key] = (-math.inf, 0)
        while rows := self._reader.execute(sql, (before, *last, READ_CHUNK)).fetchall():
            yield from rows
            key, due = rows[-1]
            last = (due, key)

    def highest_key(self, kind: Kind) -> int:
        """The highest integer key, 0 when there is none."""
        row = self._reader.execute(f"SELECT max(key) FROM {kind.name}").fetchone()
        return int(row[0] or 0)

    def groups(self) -> Iterator[Group]:
        """Every group of the journal that may not be in the tables, the oldest first. Raises StoreFault."""
        try:
            yield from groups_behind(self.folded, self._reader, self)
        except DamagedJournal as error:
            raise StoreFault(
                f"{error}. Put back what belongs there, restore a backup, or move {self.path.name}* away to start empty"
            ) from error
        except OSError as error:
            raise StoreFault(f"{error.filename or self.path}: {error.strerror}") from error


def groups_behind(sequence: int, connection: sqlite3.Connection, database: Database) -> Iterator[Group]:
    """The groups of the journal behind a number, the oldest first. Raises DamagedJournal, OSError."""
    sql = "SELECT sequence, at, CAST(records AS BLOB) FROM journal WHERE sequence > ? ORDER BY sequence"
    last = sequence
    for group in connection.execute(sql, (sequence,)):
        last = group[0]
        yield group
    yield from replay(database.path, database.identity, last)


def folded(connection: sqlite3.Connection) -> tuple[str, int]:
    """What the files of a spool's journal are told by, and up to which group they are in the tables."""
    identity, sequence = connection.execute("SELECT spool, sequence FROM folded").fetchone()
    return identity, sequence


def name_anew(connection: sqlite3.Connection) -> None:
    """Give a spool a name that no other has."""
    connection.execute("UPDATE folded SET spool = lower(hex(randomblob(8)))")


def end_fold(sequence: int, connection: sqlite3.Connection) -> None:
    """Everything up to this group is in the tables, durably once this returns: the journal's files of it may go."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE folded SET sequence = ?", (sequence,))
    connection.execute("DELETE FROM journal WHERE sequence <= ?", (sequence,))
    connection.execute("COMMIT")


def write_slice(kind: Kind, items: Sequence[tuple[Key, bytes | None]], connection: sqlite3.Connection) -> None:
    """One transaction of a fold, two statements at most: each gives the interpreter lock away once, not once a row.

    ``items`` are keys with the journal's record of each, None for one that is gone. Doing it twice changes nothing.
    """
    gone = [key for key, record in items if record is None]
    rows = [_row(kind, key, kind.value_in(key, record)) for key, record in items if record is not None]
    with unsynced(connection):
        connection.execute("BEGIN IMMEDIATE")
        if gone:
            connection.execute(f"DELETE FROM {kind.name} WHERE key IN ({_marks(len(gone))})", gone)
        if rows:
            marks = ",".join([f"({_marks(len(rows[0]))})"] * len(rows))
            connection.execute(f"INSERT OR REPLACE INTO {kind.name} VALUES {marks}", [v for row in rows for v in row])
        connection.execute("COMMIT")


def _marks(count: int) -> str:
    return ",".join("?" * count)


@contextlib.contextmanager
def unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit without waiting for the disk. The log is one sequence: what is lost with a power cut is its end, so a lost
    slice of a fold is lost together with the end of that fold, and the journal still has what it held; ``end_fold``
    waits for all of it."""
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        if connection.in_transaction:  # within one the setting cannot be changed
            connection.rollback()
        connection.execute("PRAGMA synchronous = FULL")


def _row(kind: Kind, key: Key, value: bytes) -> tuple[Any, ...]:
    if not kind.columns:
        return (key, value.decode())
    record = msgspec.json.decode(value, type=kind.type)
    return (key, value.decode(), *(column(record) for column in kind.columns.values()))


def write_row(connection: sqlite3.Connection, kind: Kind, key: Key, value: bytes) -> None:
    """One value, in the caller's transaction."""
    row = _row(kind, key, value)
    connection.execute(f"INSERT OR REPLACE INTO {kind.name} VALUES ({_marks(len(row))})", row)


def connect(path: Path) -> sqlite3.Connection:
    """Open a spool's file for reading and writing; transactions are the caller's to begin."""
    with contextlib.suppress(OSError):  # which SQLite will meet as well, and say
        # Texts and numbers are in it: a new one is its owner's alone, whatever the umask. What SQLite puts beside it
        # gets the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # isolation_level None: transactions are ours to begin; the reader and the writer stay on their own threads.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -4096")
        # Distributions build SQLite so that whatever is deleted is overwritten, at the price of writing pages that are
        # free. FAST overwrites where a page is written as it is.
        connection.execute("PRAGMA secure_delete = FAST")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _lock(path: Path) -> Any:
    """Hold the file against a second gatewayd for as long as this process lives."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_suffix(".lock").open("a")
    except OSError as error:
        raise StoreFault(
            f"{path.parent}: {error.strerror}; give the daemon's user a writable daemon.spool_dir"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StoreFault(
            f"{path}: another gatewayd is using this spool; stop it first or choose another spool_dir"
        ) from error
    os.set_inheritable(handle.fileno(), False)
    return handle


def _check(connection: sqlite3.Connection, path: Path, check: str) -> None:
    pragma = "integrity_check" if check == "full" else "quick_check"
    found = [row[0] for row in connection.execute(f"PRAGMA {pragma}(5)")]
    if found != ["ok"]:
        raise StoreFault(
            f"{path}: integrity check failed ({' '.join('; '.join(found).split())}). "
            "Restore a backup, or move the file away to start empty"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreFault(
            f"{path}: schema version {version} is newer than this gatewayd knows ({SCHEMA_VERSION}); "
            "start the newer gatewayd, or restore a backup"
        )
    for step in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {step + 1}")
        connection.execute("COMMIT")
    if version < SCHEMA_VERSION:
        what = f"schema brought from version {version} to" if version else "begun, with schema version"
        log.info("= store %s: %s %d", path.name, what, SCHEMA_VERSION)
