"""A copy of a spool while it is in use: whole, of one moment, made in slices that leave the disk to the traffic.

Knows files and SQLite; runs in a thread of its own. A copy is opened and checked before it is called one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gatewayd.runtime.syncing import sync_folder
from gatewayd.store.database import folded, name_anew
from gatewayd.store.segments import DamagedJournal, Group, files_of, follow

PAGES: Final = 256
REST_S: Final = 0.005
TRIES: Final = 10
_MODE: Final = 0o600


class CopyFault(Exception):
    """A copy cannot be made, or is none, in a sentence for people."""


class Copied(msgspec.Struct, frozen=True):
    """One file of a backup, as its list has it."""

    name: str
    octets: int
    sha256: str
    version: int
    groups: int


def copy_spool(source: Path, target: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Copied:
    """Copy a spool that other connections go on writing to. ``progress`` gets pages done and to do.

    A transaction is held open for reading meanwhile, and the journal's files: the copy is of the moment at which this
    began, and never begins anew because of what is written. The write-ahead log grows for so long. Raises CopyFault.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
        with contextlib.ExitStack() as stack:
            _copy(_Moment(source, stack), target, progress)
        _sync(target)
        sync_folder(target.parent)
        return examine(target)
    except (OSError, sqlite3.Error, DamagedJournal) as error:
        raise CopyFault(f"{target}: {getattr(error, 'strerror', None) or error}") from error


class _Moment:
    """A spool as it is now, whatever becomes of it: its tables, and the groups that may not be in them."""

    def __init__(self, source: Path, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._files: dict[int, BinaryIO] = {}
        self.tables, newest = self._reader(source), self._reader(source)
        for _ in range(TRIES):
            sequence = self._stand_still(source)
            if folded(newest)[1] == sequence:
                break  # no fold has ended meanwhile, so no file that is needed was dropped before it was seen
        # What a version before these files wrote lies in a table, until it is folded.
        (last,) = self.tables.execute("SELECT max(sequence) FROM journal").fetchone()
        self._after = int(last or sequence)
        self._ends = {first: os.fstat(file.fileno()).st_size for first, file in self._files.items()}

    def _reader(self, source: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{source}?mode=ro", uri=True, isolation_level=None)
        return self._stack.enter_context(contextlib.closing(connection))

    def _stand_still(self, source: Path) -> int:
        """Up to which group the tables have everything, from now on."""
        self.tables.rollback()  # what an earlier try began
        # What is held can be read although it is dropped: before the tables stand still, and what came just then.
        self._hold(source)
        self.tables.execute("BEGIN")
        _, sequence = folded(self.tables)  # from here on the moment stands still
        self._hold(source)
        return sequence

    def _hold(self, source: Path) -> None:
        for first, path in files_of(source):
            if first not in self._files:
                with contextlib.suppress(FileNotFoundError):
                    self._files[first] = self._stack.enter_context(path.open("rb"))

    def groups(self) -> Iterator[Group]:
        """Those that are not in the tables, in order. Raises DamagedJournal."""
        after = self._after
        for first, file in sorted(self._files.items()):
            for group in follow(file, after, self._ends[first]):
                after = group[0]
                yield group


def _copy(moment: _Moment, target: Path, progress: Callable[[int, int], None]) -> None:
    writing = sqlite3.connect(target)
    try:

        def on_step(status: int, left: int, total: int) -> None:
            progress(total - left, total)

        moment.tables.backup(writing, pages=PAGES, progress=on_step, sleep=REST_S)
        # One file, not three: what was copied says that it has a write-ahead log.
        writing.execute("PRAGMA journal_mode = DELETE")
        writing.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)",
            ((sequence, at, records.decode()) for sequence, at, records in moment.groups()),
        )
        # It is another spool: what lies beside the first one is not to be replayed over it.
        name_anew(writing)
        writing.commit()
    finally:
        writing.close()


def examine(path: Path) -> Copied:
    """What a copy is, once it is known to be whole. Raises CopyFault, or OSError when it cannot be read."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
            if found != ["ok"]:
                raise CopyFault(f"{path}: {'; '.join(found)}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (groups,) = connection.execute("SELECT count(*) FROM journal").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CopyFault(f"{path}: {error}") from error
    return Copied(path.name, path.stat().st_size, digest(path), version, groups)


def digest(path: Path) -> str:
    """The file's SHA-256. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
