"""The limits that all workers of one machine share: a mapped file whose slots change one lock at a time.

Knows slots, not rates: how a slot's number moves is asked of the ``Pace`` that the caller brings.

The file outlives the workers, so a crash loop cannot exceed a quota; it starts anew only with the machine, whose
monotonic clock starts anew too. ``now`` is CLOCK_MONOTONIC everywhere: one clock for all processes of one boot.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Sequence
from typing import Protocol

from gatewayd.runtime.shared_table import NAME_SIZE, SharedTable, lock_request

WORKERS_MAX = 64
YIELD_S = 0.01
"""How soon a lower lane looks again whether those that go before it still wait."""
GRACE_S = 0.1
"""How long after its turn a waiter that does not come is still waited for: it may have died."""

# tat, latest clock reading, paused until, why, granted so far, number of the minute, granted in it, and before it
_STATE = struct.Struct("<dddiqqII")
_LANES_AT = NAME_SIZE + 60  # one octet a worker: the lane that it waits in and 1, or 0
_UNTIL_AT = _LANES_AT + WORKERS_MAX  # one number a worker: how long that holds
_UNTIL = struct.Struct("<d")
_NOBODY = bytes(WORKERS_MAX)
_MINUTE_S = 60.0
_MANY = 1_000_000_000

OVERTAKEN_S = 10.0
"""A reader of the clock may be overtaken by another before it has the lock; a difference above this is no such race."""


class Pace(Protocol):
    """How a slot's number moves; ``gatewayd.policy.pacing.Rate`` is one."""

    def at(self, since_s: float) -> Pace:
        """The pace so long after the end of the latest pause."""

    def step(self, tat: float, now: float, wanted: int) -> tuple[int, float, float]:
        """(granted, new tat, seconds until one more may go)."""

    def give_back(self, tat: float, now: float, taken_at: float, unused: int) -> float:
        """The new tat after some of what was granted at ``taken_at`` was not used."""


class SharedLimits(SharedTable):
    """The open file of limits."""

    MAGIC, VERSION, SLOT_SIZE = b"gwlimits", 2, 768

    def __init__(self, descriptor: int, slots_max: int) -> None:
        """Not called directly: see ``open``."""
        super().__init__(descriptor, slots_max)
        self._slots: dict[str, Slot] = {}

    def slot(self, name: str) -> Slot:
        """The slot of this name, the same in every process. Raises SlotsExhausted, or ValueError for a bad name."""
        known = self._slots.get(name)
        if known is None:
            known = self._slots[name] = Slot(self, name, self.find(name))
        return known


class Slot:
    """One limit: its pace so far, a pause that holds everybody back, and who waits for a turn."""

    __slots__ = ("_begin", "_descriptor", "_lock", "_memory", "_offset", "_thread_lock", "_unlock", "name")

    def __init__(self, table: SharedLimits, name: str, offset: int) -> None:
        """Not called directly: see ``SharedLimits.slot``."""
        self.name = name
        self._begin = offset
        self._offset = offset + NAME_SIZE
        self._memory = table.memory
        self._descriptor = table.descriptor
        self._thread_lock = table.thread_lock
        self._lock = lock_request(fcntl.F_WRLCK, offset, table.SLOT_SIZE)
        self._unlock = lock_request(fcntl.F_UNLCK, offset, table.SLOT_SIZE)

    def take(self, rate: Pace, wanted: int, now: float, lane: int = -1, worker: int = -1) -> tuple[int, float]:
        """Reserve up to ``wanted`` sends: (granted, seconds until more may go; 0 if all were granted).

        During a pause nothing is granted, and the wait is what is left of it. With ``lane`` and ``worker``, nothing is
        granted while another worker waits for this limit in a higher lane, and who gets less than it wants is known to
        wait until it comes again.
        """
        # Locked by hand: a context manager would cost as much again as the two system calls.
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                tat, seen, paused_until, reason, total, minute, used, before = _STATE.unpack_from(
                    self._memory, self._offset
                )
                if paused_until > now:
                    if lane >= 0:
                        self._wait(lane, worker, paused_until + GRACE_S)
                    return 0, paused_until - now
                now = seen if 0.0 < seen - now < OVERTAKEN_S else now
                if lane >= 0 and self._is_behind(lane, worker, now):
                    self._wait(lane, worker, now + GRACE_S)
                    return 0, YIELD_S
                if paused_until:
                    rate = rate.at(now - paused_until)
                granted, tat, wait_s = rate.step(tat, now, wanted)
                if minute != now // _MINUTE_S:
                    before = used if minute == now // _MINUTE_S - 1 else 0
                    minute, used = int(now // _MINUTE_S), 0
                _STATE.pack_into(
                    self._memory,
                    self._offset,
                    tat,
                    now,
                    paused_until,
                    reason,
                    total + granted,
                    minute,
                    used + granted,
                    before,
                )
                if lane >= 0:
                    self._wait(lane if granted < wanted else -1, worker, now + wait_s + GRACE_S)
                return granted, wait_s
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def give_back(self, unused: int, rate: Pace, now: float, taken_at: float | None = None) -> None:
        """Return sends that were reserved at ``taken_at`` (None: just now) and will not happen."""
        if unused <= 0:
            return
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                tat, seen, paused_until, reason, total, minute, used, before = _STATE.unpack_from(
                    self._memory, self._offset
                )
                if paused_until:
                    rate = rate.at(now - paused_until)
                tat = rate.give_back(tat, now, now if taken_at is None else taken_at, unused)
                total, used = max(0, total - unused), max(0, used - unused)
                _STATE.pack_into(
                    self._memory, self._offset, tat, seen, paused_until, reason, total, minute, used, before
                )
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def pause(self, until: float, reason_code: int) -> None:
        """Hold everybody back until then (a 429, a throttling answer). A longer pause is never shortened."""
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                state = _STATE.unpack_from(self._memory, self._offset)
                if until > state[2]:
                    _STATE.pack_into(self._memory, self._offset, *state[:2], until, reason_code, *state[4:])
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def resume(self, now: float) -> None:
        """End a pause before its time, and forget its reason: whatever it was for has changed."""
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                state = _STATE.unpack_from(self._memory, self._offset)
                if state[2] > now:
                    _STATE.pack_into(self._memory, self._offset, *state[:2], now, 0, *state[4:])
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def withdraw(self, worker: int) -> None:
        """This worker has nothing more that waits for this limit."""
        if self._memory[self._begin + _LANES_AT + worker]:
            self._wait(-1, worker, 0.0)

    def room(self, rate: Pace, now: float) -> tuple[int, float]:
        """How many could be had now, and in how many seconds another one; takes nothing."""
        tat, _, paused_until = _STATE.unpack_from(self._memory, self._offset)[:3]
        if paused_until > now:
            return 0, float(paused_until - now)
        granted, _, wait_s = (rate.at(now - paused_until) if paused_until else rate).step(tat, now, _MANY)
        return granted, wait_s

    @property
    def paused_until(self) -> float:
        """The end of the latest pause, perhaps past; 0 if there never was one."""
        return float(_STATE.unpack_from(self._memory, self._offset)[2])

    @property
    def pause_reason(self) -> int:
        """The code given with the latest pause."""
        return int(_STATE.unpack_from(self._memory, self._offset)[3])

    @property
    def granted(self) -> int:
        """How many were granted since the file was made, and not given back."""
        return int(_STATE.unpack_from(self._memory, self._offset)[4])

    def used(self, now: float) -> float:
        """About how many went in the last 60 s: a part of the minute before, and all of this one."""
        minute, used, before = _STATE.unpack_from(self._memory, self._offset)[5:]
        age = now // _MINUTE_S - minute
        rest = 1.0 - now % _MINUTE_S / _MINUTE_S
        if age == 0:
            return float(used + before * rest)
        return float(used * rest) if age == 1 else 0.0

    def _wait(self, lane: int, worker: int, until: float) -> None:
        """Note that a worker waits in a lane, or with -1 that it does not. An octet is written whole."""
        at = self._begin + _LANES_AT + worker
        if lane < 0 and not self._memory[at]:
            return
        _UNTIL.pack_into(self._memory, self._begin + _UNTIL_AT + 8 * worker, until)
        self._memory[at] = lane + 1

    def _is_behind(self, lane: int, worker: int, now: float) -> bool:
        """Whether another worker waits in a higher lane, and its time is not over."""
        first = self._begin + _LANES_AT
        waiting = self._memory[first : first + WORKERS_MAX]
        if waiting == _NOBODY or max(waiting) <= lane + 1:
            return False
        for other, theirs in enumerate(waiting):
            if theirs > lane + 1 and other != worker:
                if _UNTIL.unpack_from(self._memory, self._begin + _UNTIL_AT + 8 * other)[0] > now:
                    return True
                self._wait(-1, other, 0.0)
        return False


def take_all(
    limits: Sequence[tuple[Slot, Pace]], wanted: int, now: float, lane: int = -1, worker: int = -1
) -> tuple[int, float]:
    """Reserve under several limits at once: what all of them grant, and the wait for the one that granted least.

    No two locks are held together, so the order of the limits cannot deadlock; what one granted and another refused is
    given back. ``lane`` and ``worker`` as in ``Slot.take``.
    """
    granted, wait_s = wanted, 0.0
    taken: list[tuple[Slot, Pace, int]] = []
    for slot, rate in limits:
        share, slot_wait_s = slot.take(rate, granted, now, lane, worker)
        taken.append((slot, rate, share))
        if share < granted:
            granted, wait_s = share, slot_wait_s
        if granted == 0:
            break
    for slot, rate, share in taken:
        slot.give_back(share - granted, rate, now)
    return granted, wait_s
