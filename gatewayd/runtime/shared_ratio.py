"""Exact counts of messages and errors that all workers share: a mapped file, with a ring of buckets of time for each.

Knows how counts are kept and forgotten, not what follows from them: that is asked of the function that the caller
brings. ``now`` is Unix seconds; the file outlives workers and, on a disk, the machine's restarts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from gatewayd.runtime.shared_limits import WORKERS_MAX
from gatewayd.runtime.shared_table import NAME_SIZE, SharedTable

T = TypeVar("T")

BUCKETS = 96
"""The window of time moves on in so many steps; one more bucket is kept, so that it is never shorter than asked for."""

# seconds a bucket, number of the newest, total, errors, level, since, pending, state, all ever, errors ever
_HEAD = struct.Struct("<dqqqddiiqq")
_PENDING = struct.Struct("<i")
_BUCKET = struct.Struct("<ii")
_RING = BUCKETS + 1
_PENDING_AT = NAME_SIZE + _HEAD.size
_RING_AT = _PENDING_AT + _PENDING.size * WORKERS_MAX


class Counts:
    """One application's numbers while its slot is locked. ``pending`` is the sum over all workers."""

    __slots__ = ("errors", "forgotten", "level", "pending", "since", "state", "total")

    def __init__(
        self,
        total: int = 0,
        errors: int = 0,
        level: float = 0.0,
        since: float = 0.0,
        pending: int = 0,
        state: int = 0,
        forgotten: int = 0,
    ) -> None:
        self.total = total
        self.errors = errors
        self.level = level
        self.since = since
        self.pending = pending
        self.state = state
        self.forgotten = forgotten


class SharedRatios(SharedTable):
    """The open file of counts."""

    MAGIC, VERSION = b"gwratios", 1
    SLOT_SIZE = _RING_AT + _BUCKET.size * _RING
    IS_OF_ONE_BOOT = False

    def slot(self, name: str, worker: int, window_s: float) -> RatioSlot:
        """The counts of this name, as this worker sees them. Raises SlotsExhausted, or ValueError for a bad name."""
        return RatioSlot(self, name, self.find(name), worker, window_s)


class RatioSlot:
    """One application's counts over the latest ``window_s`` seconds."""

    def __init__(self, table: SharedRatios, name: str, offset: int, worker: int, window_s: float) -> None:
        """Not called directly: see ``SharedRatios.slot``."""
        self.name = name
        self._table = table
        self._memory = table.memory
        self._offset = offset
        self._bucket_s = window_s / BUCKETS
        self._pending_at = offset + _PENDING_AT + _PENDING.size * worker

    def change(self, now: float, decide: Callable[[Counts], T]) -> T:
        """Let ``decide`` look at the counts and change them; nobody else does meanwhile."""
        with self._table.locked(self._offset):
            newest, counts, ever, errors_ever = self._read(now)
            total, errors, pending = counts.total, counts.errors, counts.pending
            answer = decide(counts)
            more, more_errors = counts.total - total, counts.errors - errors
            if more or more_errors:
                at = self._bucket_at(newest)
                in_bucket, errors_in_bucket = _BUCKET.unpack_from(self._memory, at)
                _BUCKET.pack_into(self._memory, at, in_bucket + more, errors_in_bucket + more_errors)
            if counts.pending != pending:
                (mine,) = _PENDING.unpack_from(self._memory, self._pending_at)
                _PENDING.pack_into(self._memory, self._pending_at, mine + counts.pending - pending)
            self._write(newest, counts, ever + more, errors_ever + more_errors)
        return answer

    def read(self, now: float) -> Counts:
        """The counts as they are now."""
        with self._table.locked(self._offset):
            newest, counts, ever, errors_ever = self._read(now)
            self._write(newest, counts, ever, errors_ever)
        return counts

    def ever(self) -> tuple[int, int]:
        """All messages and all errors since the file was made."""
        *_, ever, errors_ever = _HEAD.unpack_from(self._memory, self._offset + NAME_SIZE)
        return ever, errors_ever

    def forget_pending(self) -> None:
        """This worker begins anew: of what its predecessor left open nobody will say how it fared."""
        with self._table.locked(self._offset):
            (mine,) = _PENDING.unpack_from(self._memory, self._pending_at)
            _PENDING.pack_into(self._memory, self._pending_at, 0)
            head = list(_HEAD.unpack_from(self._memory, self._offset + NAME_SIZE))
            head[6] = max(0, head[6] - mine)
            _HEAD.pack_into(self._memory, self._offset + NAME_SIZE, *head)

    def _read(self, now: float) -> tuple[int, Counts, int, int]:
        """The counts after what is too old has gone from them."""
        bucket_s, newest, total, errors, level, since, pending, state, ever, errors_ever = _HEAD.unpack_from(
            self._memory, self._offset + NAME_SIZE
        )
        counts = Counts(total, errors, level, since, pending, state)
        current = int(now // self._bucket_s)
        if bucket_s != self._bucket_s:
            self._gather(current, counts)
            return current, counts, ever, errors_ever
        # A clock that was set back makes no bucket older.
        if current > newest:
            self._forget(range(newest + 1, min(current, newest + _RING) + 1), counts)
        return max(newest, current), counts, ever, errors_ever

    def _forget(self, numbers: range, counts: Counts) -> None:
        """Empty these buckets, and add up the others: what a worker that died in between left uneven is even again."""
        for number in numbers:
            _BUCKET.pack_into(self._memory, self._bucket_at(number), 0, 0)
        start = self._offset + _RING_AT
        ring = list(_BUCKET.iter_unpack(self._memory[start : start + _BUCKET.size * _RING]))
        errors = sum(bucket[1] for bucket in ring)
        counts.total = sum(bucket[0] for bucket in ring)
        counts.forgotten, counts.errors = max(0, counts.errors - errors), errors

    def _gather(self, current: int, counts: Counts) -> None:
        """Another window of time: all that is counted moves to now, and is forgotten later than it might be."""
        start = self._offset + _RING_AT
        self._memory[start : start + _BUCKET.size * _RING] = bytes(_BUCKET.size * _RING)
        _BUCKET.pack_into(self._memory, self._bucket_at(current), counts.total, counts.errors)

    def _bucket_at(self, number: int) -> int:
        return self._offset + _RING_AT + _BUCKET.size * (number % _RING)

    def _write(self, newest: int, counts: Counts, ever: int, errors_ever: int) -> None:
        _HEAD.pack_into(
            self._memory,
            self._offset + NAME_SIZE,
            self._bucket_s,
            newest,
            counts.total,
            counts.errors,
            counts.level,
            counts.since,
            counts.pending,
            counts.state,
            ever,
            errors_ever,
        )
