"""SQLite opened right: schema versions, integrity, one reader for the event loop, one writer thread.

Knows SQL and files; knows nothing of groups in the making, nor of what the values mean.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.store.history import History
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

log = logging.getLogger(__name__)

SCHEMA_VERSION = 6
FOLD_SLICE = 200
PRESSED_FOLDING = 4
JOURNAL_SLICE = 20
RECENT_OCTETS = 32 * 1024 * 1024
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0
READ_CHUNK = 500


_Job = Callable[[sqlite3.Connection], None]


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

    def journal(self) -> Iterator[tuple[int, str]]:
        """Every row of the journal, oldest first."""
        yield from self._reader.execute("SELECT sequence, records FROM journal ORDER BY sequence")


class Writer:
    """The one thread that writes. A job that the disk refuses is tried until it succeeds.

    Groups are done in order. The slices of a fold are done in order too, but only while no group waits: a fold is never
    in the way of an acknowledgement. Unless ``is_pressed``: then each group is followed by more folding than it brings,
    so that whoever commits faster than the disk folds is slowed down and does not fill the memory instead.
    """

    def __init__(self, database: Database, tell: Callable[[str, Any], None], history: History | None = None) -> None:
        """What ``history`` is given, it keeps before the journal drops it."""
        self._database = database
        self._history = history
        self._kept = -1
        self._recent: deque[tuple[int, float, bytes]] = deque()
        self._recent_octets = 0
        self._tell = tell
        self._jobs: queue.SimpleQueue[_Job | deque[_Job] | None] = queue.SimpleQueue()
        self._slices: deque[_Job] = deque()
        self._owed_slices = 0
        self.is_pressed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gatewayd-store", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the jobs in line, unless the disk refuses them, and end the thread."""
        self._stopping.set()
        self._jobs.put(None)
        self._thread.join()

    def commit(self, sequence: int, records: bytes, count: int = 1) -> None:
        """One journal row of ``count`` records, durable when ``committed`` is told."""
        self._jobs.put(partial(self._commit, sequence, records, count))

    def fold(self, frozen: Sequence[tuple[Kind, dict[Key, bytes | None]]], sequence: int) -> None:
        """Write the frozen values to their tables in slices, then drop the journal up to here."""
        slices: deque[_Job] = deque()
        for kind, entries in frozen:
            items = list(entries.items())
            for start in range(0, len(items), FOLD_SLICE):
                slices.append(partial(_write_slice, kind, items[start : start + FOLD_SLICE]))
        if self._history is not None:
            slices.append(partial(self._keep, sequence))
        slices.append(partial(self._end_fold, sequence))
        self._jobs.put(slices)

    def _run(self) -> None:
        connection = connect(self._database.path)
        connection.text_factory = bytes  # what it reads goes into a file as it is
        while (job := self._next()) is not None:
            if isinstance(job, deque):
                self._slices.extend(job)
            elif not self._insist(job, connection):
                break  # what comes after a job that was given up must not be done without it
        connection.close()
        if self._history is not None:
            self._history.close()

    def _next(self) -> _Job | deque[_Job] | None:
        if not self._slices:
            return self._jobs.get()
        if self._owed_slices > 0:
            self._owed_slices -= 1
            return self._slices.popleft()
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return self._slices.popleft()
        if job is None:  # the end: the fold goes on at the next start, from the journal
            self._slices.clear()
        return job

    def _insist(self, job: _Job, connection: sqlite3.Connection) -> bool:
        """Whether it was done; it is given up only when the writer is stopped."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                job(connection)
            except Exception as error:  # whatever it is: a writer that ends would let everybody wait for ever
                if not isinstance(error, sqlite3.Error):
                    log.exception("the store's writer failed")
                if connection.in_transaction:
                    connection.rollback()
                self._tell("failed", str(error))
                if self._stopping.wait(wait_s):
                    return False
                wait_s = min(wait_s * 2, RETRY_MAX_S)
            else:
                return True

    def _commit(self, sequence: int, records: bytes, count: int, connection: sqlite3.Connection) -> None:
        # One statement in autocommit: one release of the interpreter lock for the whole group and its fsync.
        began = time.perf_counter()
        text, at = records.decode(), time.time()
        connection.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?)", (sequence, at, text))
        if self._history is not None:
            self._remember(sequence, at, records)
        self._owed_slices = 1 + PRESSED_FOLDING * count // FOLD_SLICE if self.is_pressed else 0
        self._tell("committed", time.perf_counter() - began)

    def _keep(self, upto: int, connection: sqlite3.Connection) -> None:
        """Give history the next folded row, one a slice; after the last one, make it durable."""
        assert self._history is not None
        row = self._folded(upto, connection)
        if row is None:
            self._history.sync()
            return
        self._history.append(*row)
        self._kept = row[0]
        self._slices.appendleft(partial(self._keep, upto))

    def _folded(self, upto: int, connection: sqlite3.Connection) -> tuple[int, float, bytes] | None:
        """The first row that history has not: from memory, where it mostly is, or from the journal."""
        if self._kept >= upto:
            return None
        recent = self._recent
        while recent and recent[0][0] <= self._kept:
            self._recent_octets -= len(recent.popleft()[2])
        if recent and recent[0][0] == self._kept + 1 <= upto:
            return recent[0]
        sql = "SELECT sequence, at, records FROM journal WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT 1"
        row: tuple[int, float, bytes] | None = connection.execute(sql, (self._kept, upto)).fetchone()
        return row

    def _remember(self, sequence: int, at: float, records: bytes) -> None:
        """Most rows are kept a second after they were written: they need not be read back for that."""
        self._recent.append((sequence, at, records))
        self._recent_octets += len(records)
        while self._recent_octets > RECENT_OCTETS:
            self._recent_octets -= len(self._recent.popleft()[2])

    def _end_fold(self, sequence: int, connection: sqlite3.Connection) -> None:
        """Drop the folded rows, a few at a time so that groups go between."""
        row = connection.execute("SELECT min(sequence) FROM journal").fetchone()
        upto = min(sequence, row[0] + JOURNAL_SLICE - 1) if row[0] is not None else sequence
        with _unsynced(connection):
            connection.execute("DELETE FROM journal WHERE sequence <= ?", (upto,))
        if upto < sequence:
            self._slices.appendleft(partial(self._end_fold, sequence))
        else:
            self._tell("folded", None)


def _write_slice(kind: Kind, items: Sequence[tuple[Key, bytes | None]], connection: sqlite3.Connection) -> None:
    """One transaction of a fold, two statements at most: each gives the interpreter lock away once, not once a row.

    Doing it twice changes nothing.
    """
    gone = [key for key, value in items if value is None]
    rows = [_row(kind, key, value) for key, value in items if value is not None]
    with _unsynced(connection):
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
def _unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit without waiting for the disk. The log is one sequence: what is lost with a power cut is its end, so a lost
    slice of a fold is lost together with the end of that fold, and the journal still has what it held."""
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
        # Distributions build SQLite so that whatever is deleted is overwritten, pages of the journal included, that
        # are written anew a moment later anyway. FAST overwrites where a page is written as it is.
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
