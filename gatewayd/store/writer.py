"""The one thread that writes: groups to the journal, and between them, in slices, what a fold brings to the tables.

Knows in which order things become durable; knows nothing of groups in the making, nor of what the values mean.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gatewayd.store.database import Database, connect, end_fold, groups_behind, write_slice
from gatewayd.store.history import History
from gatewayd.store.history_lines import Outline
from gatewayd.store.kinds import Key, Kind
from gatewayd.store.segments import Segments, folded_files

log = logging.getLogger(__name__)

FOLD_SLICE = 200
PRESSED_FOLDING = 4
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0

_Job = Callable[[sqlite3.Connection], None]


class _Fold(NamedTuple):
    """The values to be written to the tables, and the group that holds the last of them."""

    frozen: Sequence[tuple[Kind, dict[Key, bytes | None]]]
    sequence: int


class Writer:
    """The one thread that writes. A job that the disk refuses is tried until it succeeds.

    Groups are done in order. The slices of a fold are done in order too, but only while no group waits: a fold is never
    in the way of an acknowledgement. Unless ``is_pressed``: then each group is followed by more folding than it brings,
    so that whoever commits faster than the disk folds is slowed down and does not fill the memory instead.
    """

    def __init__(self, database: Database, tell: Callable[[str, Any], None], history: History | None = None) -> None:
        """``history`` is given every group, and has it on the disk before the journal drops it."""
        self._database = database
        self._segments = Segments(database.path, database.identity)
        self._history = history
        self._tell = tell
        self._jobs: queue.SimpleQueue[_Job | _Fold | None] = queue.SimpleQueue()
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

    def commit(self, sequence: int, records: bytes, count: int = 1, outline: Outline | None = None) -> None:
        """One group of ``count`` records, durable when ``committed`` is told; ``outline`` is for history."""
        self._jobs.put(partial(self._commit, sequence, records, count, outline))

    def fold(self, frozen: Sequence[tuple[Kind, dict[Key, bytes | None]]], sequence: int) -> None:
        """Write the frozen values to their tables in slices, then drop the journal up to here."""
        self._jobs.put(_Fold(frozen, sequence))

    def _run(self) -> None:
        connection = connect(self._database.path)
        if self._history is not None:
            self._insist(self._keep_older, connection)
        while (job := self._next()) is not None:
            if isinstance(job, _Fold):
                self._segments.turn_over()  # a file of the journal ends with the last group of a fold
                self._begin(job)
            elif not self._insist(job, connection):
                break  # what comes after a job that was given up must not be done without it
        connection.close()
        self._segments.turn_over()
        if self._history is not None:
            self._history.close()

    def _begin(self, fold: _Fold) -> None:
        """In the order of their keys, neighbours are in one slice: a page of a table is written once, and not for each
        row of it. Of receipts that come late, that is half of what the disk is given."""
        for kind, entries in fold.frozen:
            keys = sorted(entries)  # all numbers, or all texts
            for start in range(0, len(keys), FOLD_SLICE):
                items = [(key, entries[key]) for key in keys[start : start + FOLD_SLICE]]
                self._slices.append(partial(write_slice, kind, items))
        if self._history is not None:
            self._slices.append(self._sync_history)
        self._slices.append(partial(self._end_fold, fold.sequence))

    def _next(self) -> _Job | _Fold | None:
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
                if not isinstance(error, (sqlite3.Error, OSError)):
                    log.exception("the store's writer failed")
                if connection.in_transaction:
                    connection.rollback()
                self._tell("failed", getattr(error, "strerror", None) or str(error))
                if self._stopping.wait(wait_s):
                    return False
                wait_s = min(wait_s * 2, RETRY_MAX_S)
            else:
                return True

    def _commit(
        self, sequence: int, records: bytes, count: int, outline: Outline | None, connection: sqlite3.Connection
    ) -> None:
        began = time.perf_counter()
        at = time.time()
        self._segments.append(sequence, at, records)
        self._owed_slices = 1 + PRESSED_FOLDING * count // FOLD_SLICE if self.is_pressed else 0
        self._tell("committed", time.perf_counter() - began)
        if self._history is not None:
            # At once, while it is in the processor's cache; all of a fold together held the loop up for half a second.
            self._history.append(sequence, at, records, outline)

    def _keep_older(self, connection: sqlite3.Connection) -> None:
        """Give history what an earlier life committed and did not fold: nobody knows how much of it was on the disk."""
        assert self._history is not None
        for group in groups_behind(self._database.folded, connection, self._database):
            self._history.append(*group)

    def _sync_history(self, connection: sqlite3.Connection) -> None:
        assert self._history is not None
        self._history.sync()

    def _end_fold(self, sequence: int, connection: sqlite3.Connection) -> None:
        end_fold(sequence, connection)
        # One by one: a group that comes meanwhile need not wait for all of them.
        for path in folded_files(self._database.path, sequence):
            self._slices.append(partial(self._drop, path))
        self._slices.append(self._tell_folded)

    def _drop(self, path: Path, connection: sqlite3.Connection) -> None:
        path.unlink(missing_ok=True)

    def _tell_folded(self, connection: sqlite3.Connection) -> None:
        self._tell("folded", None)
