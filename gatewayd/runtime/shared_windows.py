"""How many went in the last second, exactly and for all workers: the moments of the latest, in a slot of the limits.

A pace alone must leave a part of a quota unused to keep each window; this looks at the window itself. Knows no rate.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from gatewayd.runtime.shared_limits import OVERTAKEN_S, SharedLimits
from gatewayd.runtime.shared_table import NAME_SIZE

WINDOW_S = 1.0
MARKS_MAX = 80
"""So many moments are kept. Of a larger quota every second, third … one is, and a window may hold that many less."""

_STATE = struct.Struct("<qqd")  # how many went, of how many one is marked, the latest clock reading
_MARK = struct.Struct("<d")
_MARKS_AT = NAME_SIZE + _STATE.size


class Window:
    """At most so many in any second; ``quota`` may differ from call to call, as after a reload."""

    __slots__ = ("_offset", "_table", "_taken", "name")

    def __init__(self, table: SharedLimits, name: str) -> None:
        """Raises SlotsExhausted, or ValueError for a bad name."""
        self.name = name
        self._table = table
        self._offset = table.find(name)
        self._taken = -1

    def take(self, quota: int, now: float) -> float:
        """Count one more when it may go: 0, else the seconds until it may."""
        with self._table.locked(self._offset):
            wait_s, count, stride, now = self._look(quota, now)
            if wait_s:
                return wait_s
            if count % stride == 0:
                self._mark(count // stride, now)
            self._taken = count + 1
            _STATE.pack_into(self._table.memory, self._offset + NAME_SIZE, count + 1, stride, now)
            return 0.0

    def give_back(self) -> None:
        """The one that was just taken did not go. When another has gone since, it stays counted."""
        with self._table.locked(self._offset):
            count, stride, seen = _STATE.unpack_from(self._table.memory, self._offset + NAME_SIZE)
            if count == self._taken:
                _STATE.pack_into(self._table.memory, self._offset + NAME_SIZE, count - 1, stride, seen)

    def _look(self, quota: int, now: float) -> tuple[float, int, int, float]:
        """(seconds to wait, how many went, the stride of marks, the moment that it is)."""
        count, stride, seen = _STATE.unpack_from(self._table.memory, self._offset + NAME_SIZE)
        now = seen if 0.0 < seen - now < OVERTAKEN_S else now
        wanted = -(-quota // (MARKS_MAX - 1))
        if stride != wanted:
            # Nobody remembers at which moments the others went: as if all had gone now.
            stride = wanted
            if count:
                count = quota
                for number in range(MARKS_MAX):
                    self._mark(number, now)
        # The first marked one that is not before the one that must be out of the window.
        first = -(-(count - quota) // stride) if count >= quota else -1
        if first < 0:
            return 0.0, count, stride, now
        at = self._offset + _MARKS_AT + first % MARKS_MAX * _MARK.size
        gone_at = _MARK.unpack_from(self._table.memory, at)[0]
        if not gone_at <= now:  # a damaged file, or a clock that was set back; also true of a NaN
            self._mark(first, now)
            gone_at = now
        return max(0.0, gone_at + WINDOW_S - now), count, stride, now

    def _mark(self, number: int, at: float) -> None:
        _MARK.pack_into(self._table.memory, self._offset + _MARKS_AT + number % MARKS_MAX * _MARK.size, at)


def take_one(windows: Sequence[tuple[Window, int]], now: float) -> float:
    """Count one more in all windows, each with its quota: 0, else the seconds to wait, and it is counted in none."""
    for number, (window, quota) in enumerate(windows):
        wait_s = window.take(quota, now)
        if wait_s:
            for taken, _ in windows[:number]:
                taken.give_back()
            return wait_s
    return 0.0
