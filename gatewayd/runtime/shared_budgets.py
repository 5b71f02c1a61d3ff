"""How many may go in a minute, in an hour and in a day, exactly, for all workers and over restarts of the machine.

A mapped file with a slot for each name; in it, for each span, a ring of buckets of time. No window of a span ever holds
more than its limit; a sixtieth of the span later than it might be, what went is forgotten. ``now`` is Unix seconds.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Sequence
from typing import Final

from gatewayd.runtime.shared_table import NAME_SIZE, SharedTable, lock_request

SPANS_S: Final = (60.0, 3_600.0, 86_400.0)
_STEPS: Final = 60
_RING: Final = _STEPS + 1  # one more, so that no bucket is forgotten before the last moment in it is a span ago
_HEAD = struct.Struct("<qq")  # number of the newest bucket, sum of all
_BUCKETS = struct.Struct(f"<{_RING}I")
_BUCKET = struct.Struct("<I")
_SPAN_SIZE = _HEAD.size + _BUCKETS.size
_SPANS: Final = range(len(SPANS_S))
_STEP_S: Final = tuple(span_s / _STEPS for span_s in SPANS_S)
_AT: Final = tuple(NAME_SIZE + span * _SPAN_SIZE for span in _SPANS)


class SharedBudgets(SharedTable):
    """The open file."""

    MAGIC, VERSION = b"gwbudget", 1
    SLOT_SIZE = NAME_SIZE + _SPAN_SIZE * len(SPANS_S)
    IS_OF_ONE_BOOT = False

    def slot(self, name: str) -> BudgetSlot:
        """What this name has used, the same in every process. Raises SlotsExhausted, or ValueError for a bad name."""
        return BudgetSlot(self, self.find(name))


class BudgetSlot:
    """What one has used of its limits. ``limits`` are those of ``SPANS_S``, in order; 0 is none."""

    __slots__ = ("_lock", "_offset", "_table", "_unlock")

    def __init__(self, table: SharedBudgets, offset: int) -> None:
        """Not called directly: see ``SharedBudgets.slot``."""
        self._table = table
        self._offset = offset
        self._lock = lock_request(fcntl.F_WRLCK, offset, table.SLOT_SIZE)
        self._unlock = lock_request(fcntl.F_UNLCK, offset, table.SLOT_SIZE)

    def take(self, limits: Sequence[int], wanted: int, now: float) -> int:
        """How many of ``wanted`` may go; they count as gone."""
        # Locked by hand: a context manager would cost as much again as the two system calls.
        table = self._table
        with table.thread_lock:
            fcntl.fcntl(table.descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                heads = [self._turn(span, now) for span in _SPANS]
                granted = wanted
                for limit, (_, total) in zip(limits, heads, strict=True):
                    if limit and limit - total < granted:
                        granted = max(0, limit - total)
                if granted:
                    self._add(granted, heads)
                return granted
            finally:
                fcntl.fcntl(table.descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def give_back(self, unused: int, now: float) -> None:
        """So many that were just taken did not go after all."""
        with self._table.locked(self._offset):
            self._add(-unused, [self._turn(span, now) for span in _SPANS])

    def room(self, limits: Sequence[int], now: float) -> tuple[int, float]:
        """How many might go now, and in how many seconds one more where none may; -1 without a limit."""
        room, wait_s = -1, 0.0
        with self._table.locked(self._offset):
            for span, limit in enumerate(limits):
                if limit:
                    left = max(0, limit - self._turn(span, now)[1])
                    room = left if room < 0 else min(room, left)
                    if not left:
                        wait_s = max(wait_s, self._wait_s(span, now, limit))
        return room, wait_s

    def used(self, now: float) -> tuple[int, ...]:
        """How many went in each span."""
        with self._table.locked(self._offset):
            return tuple(self._turn(span, now)[1] for span in _SPANS)

    # -- one ring -------------------------------------------------------------------------------------------------

    def _turn(self, span: int, now: float) -> tuple[int, int]:
        """Bring the ring of a span up to now; gives the number of the newest bucket and the sum of all."""
        memory, at = self._table.memory, self._offset + _AT[span]
        number = int(now / _STEP_S[span])
        newest, total = _HEAD.unpack_from(memory, at)
        steps = number - newest
        if steps == 0 or -_RING < steps < 0:  # a clock that went back a little: as if no time had gone by
            return newest, total
        if 0 < steps < _RING:
            for gone in range(newest + 1, number + 1):
                bucket = at + _HEAD.size + gone % _RING * _BUCKET.size
                total -= _BUCKET.unpack_from(memory, bucket)[0]
                _BUCKET.pack_into(memory, bucket, 0)
        else:
            # All of it is past; or the clock went back far, and nobody knows when they went: as if all had gone now.
            total = total if steps < 0 else 0
            _BUCKETS.pack_into(memory, at + _HEAD.size, *[0] * _RING)
            _BUCKET.pack_into(memory, at + _HEAD.size + number % _RING * _BUCKET.size, total)
        _HEAD.pack_into(memory, at, number, total)
        return number, total

    def _add(self, count: int, heads: Sequence[tuple[int, int]]) -> None:
        memory = self._table.memory
        for relative, (newest, total) in zip(_AT, heads, strict=True):
            at = self._offset + relative
            bucket = at + _HEAD.size + newest % _RING * _BUCKET.size
            before = _BUCKET.unpack_from(memory, bucket)[0]
            after = max(0, before + count)
            _BUCKET.pack_into(memory, bucket, after)
            _HEAD.pack_into(memory, at, newest, total + after - before)

    def _wait_s(self, span: int, now: float, limit: int) -> float:
        """In how many seconds a full span has room for one more."""
        newest, total = self._turn(span, now)
        buckets = _BUCKETS.unpack_from(self._table.memory, self._offset + _AT[span] + _HEAD.size)
        for number in range(newest - _STEPS, newest + 1):
            total -= buckets[number % _RING]
            if total < limit:
                return max(0.0, (number + _RING) * _STEP_S[span] - now)
        return SPANS_S[span]
