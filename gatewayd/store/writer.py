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
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from gatewayd.store.database import Database, connect, end_fold, groups_behind, write_slice
from gatewayd.store.history import History
from gatewayd.store.kinds import Key, Kind
from gatewayd.store.segments import Group, Segments, drop

log = logging.getLogger(__name__)

FOLD_SLICE = 200
PRESSED_FOLDING = 4
RECENT_OCTETS = 32 * 1024 * 1024
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0

_Job = Callable[[sqlite3.Connection], None]


class Writer:
    """The one thread that writes. A job that the disk refuses is tried until it succeeds.

    Groups are done in order. The slices of a fold are done in order too, but only while no group waits: a fold is never
    in the way of an acknowledgement. Unless ``is_pressed``: then each group is followed by more folding than it brings,
    so that whoever commits faster than the disk folds is slowed down and does not fill the memory instead.
    """

    def __init__(self, database: Database, tell: Callable[[str, Any], None], history: History | None = None) -> None:
        """What ``history`` is given, it keeps before the journal drops it."""
        self._database = database
        self._segments = Segments(database.path, database.identity)
        self._history = history
        self._kept = database.folded
        self._recent: deque[Group] = deque()
        self._recent_octets = 0
        self._older: Iterator[Group] | None = None
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
        """One group of ``count`` records, durable when ``committed`` is told."""
        self._jobs.put(partial(self._commit, sequence, records, count))

    def fold(self, frozen: Sequence[tuple[Kind, dict[Key, bytes | None]]], sequence: int) -> None:
        """Write the frozen values to their tables in slices, then drop the journal up to here."""
        slices: deque[_Job] = deque()
        for kind, entries in frozen:
            items = list(entries.items())
            for start in range(0, len(items), FOLD_SLICE):
                slices.append(partial(write_slice, kind, items[start : start + FOLD_SLICE]))
        if self._history is not None:
            slices.append(partial(self._keep, sequence))
        slices.append(partial(self._end_fold, sequence))
        self._jobs.put(slices)

    def _run(self) -> None:
        connection = connect(self._database.path)
        while (job := self._next()) is not None:
            if isinstance(job, deque):
                self._segments.turn_over()  # a file of the journal ends with the last group of a fold
                self._slices.extend(job)
            elif not self._insist(job, connection):
                break  # what comes after a job that was given up must not be done without it
        connection.close()
        self._segments.turn_over()
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

    def _commit(self, sequence: int, records: bytes, count: int, connection: sqlite3.Connection) -> None:
        began = time.perf_counter()
        at = time.time()
        self._segments.append(sequence, at, records)
        if self._history is not None:
            self._remember((sequence, at, records))
        self._owed_slices = 1 + PRESSED_FOLDING * count // FOLD_SLICE if self.is_pressed else 0
        self._tell("committed", time.perf_counter() - began)

    def _keep(self, upto: int, connection: sqlite3.Connection) -> None:
        """Give history the next folded group, one a slice; after the last one, make it durable."""
        assert self._history is not None
        group = self._next_kept(upto, connection)
        if group is None:
            self._history.sync()
            return
        self._history.append(*group)
        self._kept = group[0]
        self._slices.appendleft(partial(self._keep, upto))

    def _next_kept(self, upto: int, connection: sqlite3.Connection) -> Group | None:
        """The first group that history has not: from memory, where it mostly is, or from the journal."""
        if self._kept >= upto:
            return None
        recent = self._recent
        while recent and recent[0][0] <= self._kept:
            self._recent_octets -= len(recent.popleft()[2])
        if recent and recent[0][0] == self._kept + 1:
            self._older = None
            return recent[0]
        if self._older is None:
            self._older = groups_behind(self._kept, connection, self._database)
        return next(self._older, None)

    def _remember(self, group: Group) -> None:
        """Most groups are kept a second after they were written: they need not be read back for that."""
        self._recent.append(group)
        self._recent_octets += len(group[2])
        while self._recent_octets > RECENT_OCTETS:
            self._recent_octets -= len(self._recent.popleft()[2])

    def _end_fold(self, sequence: int, connection: sqlite3.Connection) -> None:
        """What was folded is durable in its tables before the journal forgets it."""
        end_fold(connection, sequence)
        drop(self._database.path, sequence)
        self._older = None
        self._tell("folded", None)
