"""The table of limits that all workers of one machine share: a mapped file whose slots change one lock at a time.

Knows slots, not rates: how a slot's number moves is asked of the ``Pace`` that the caller brings.

A slot is locked with a kernel record lock of its own (an OFD lock), which the kernel frees when its holder dies: a
worker that crashes at any instruction blocks nobody. The file outlives the workers, so a crash loop cannot exceed a
quota; it starts anew only with the machine, whose monotonic clock starts anew too.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

_MAGIC = b"gwlimits"
_VERSION = 1
_HEADER = struct.Struct("<8sII36s12x")  # magic, version, number of slots, boot id
_NAME_SIZE = 79
_NAME = struct.Struct(f"<{_NAME_SIZE}sB")  # name, its length (0: the slot is free)
_STATE = struct.Struct("<dddi")  # tat, latest clock reading, paused until, why
_SLOT_SIZE = 128

# A reader of the clock may be overtaken by another before it has the lock; a difference above this is no such race.
_OVERTAKEN_S = 10.0

_BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")


class Pace(Protocol):
    """How a slot's number moves; ``gatewayd.policy.pacing.Rate`` is one."""

    def step(self, tat: float, now: float, wanted: int) -> tuple[int, float, float]:
        """(granted, new tat, seconds until one more may go)."""

    def give_back(self, tat: float, now: float, taken_at: float, unused: int) -> float:
        """The new tat after some of what was granted at ``taken_at`` was not used."""


class SlotsExhausted(RuntimeError):
    """Every slot of the file has a name already."""


class SharedLimits:
    """The open file. ``now`` is CLOCK_MONOTONIC everywhere: one clock for all processes of one boot."""

    def __init__(self, descriptor: int, slots_max: int) -> None:
        """Not called directly: see ``open``."""
        self._descriptor = descriptor
        self._slots_max = slots_max
        self._memory = mmap.mmap(descriptor, _file_size(slots_max), mmap.MAP_SHARED)
        self._slots: dict[str, Slot] = {}
        # A record lock belongs to the open file, so threads that share it are kept apart by a lock of their own.
        self._thread_lock = threading.Lock()

    @classmethod
    def open(cls, path: str | Path, slots_max: int = 1024) -> SharedLimits:
        """Map the file, made new if it is missing, of another version, size or boot. Raises OSError.

        Each process opens it for itself: an open file inherited by fork would share its parent's locks.
        """
        path = Path(path)
        with _creation_lock(path):
            if not _is_usable(path, slots_max):
                _create(path, slots_max)
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(descriptor, slots_max)
        except BaseException:
            os.close(descriptor)
            raise

    def slot(self, name: str) -> Slot:
        """The slot of this name, the same in every process. Raises SlotsExhausted, or ValueError for a bad name."""
        known = self._slots.get(name)
        if known is not None:
            return known
        raw = name.encode()
        if not raw or len(raw) > _NAME_SIZE:
            raise ValueError(f"a limit's name has 1 to {_NAME_SIZE} octets, not {len(raw)}")
        slot = self._slots[name] = Slot(self, name, self._find(raw))
        return slot

    def names(self) -> list[str]:
        """The names of all slots in use, by any process."""
        found = []
        for offset in self._offsets():
            raw, size = _NAME.unpack_from(self._memory, offset)
            if size:
                found.append(raw[:size].decode(errors="replace"))
        return found

    def close(self) -> None:
        """Unmap and close; its slots must not be used any more."""
        if self._descriptor >= 0:
            self._memory.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def _offsets(self) -> range:
        return range(_HEADER.size, _file_size(self._slots_max), _SLOT_SIZE)

    def _find(self, raw: bytes) -> int:
        with self._locked(_lock_request(fcntl.F_WRLCK, 0, _HEADER.size), _lock_request(fcntl.F_UNLCK, 0, _HEADER.size)):
            for offset in self._offsets():
                found, size = _NAME.unpack_from(self._memory, offset)
                if size and found[:size] == raw:
                    return offset
                if not size:
                    _STATE.pack_into(self._memory, offset + _NAME.size, 0.0, 0.0, 0.0, 0)
                    # The length octet is the last to be written: who dies before it has taken nothing.
                    self._memory[offset : offset + len(raw)] = raw
                    self._memory[offset + _NAME_SIZE] = len(raw)
                    return offset
        raise SlotsExhausted(f"all {self._slots_max} limits are in use")

    @contextlib.contextmanager
    def _locked(self, lock: bytes, unlock: bytes) -> Iterator[None]:
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, lock)
            try:
                yield
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, unlock)


class Slot:
    """One limit: its pace so far, and a pause that holds everybody back."""

    __slots__ = ("_descriptor", "_lock", "_memory", "_offset", "_thread_lock", "_unlock", "name")

    def __init__(self, table: SharedLimits, name: str, offset: int) -> None:
        """Not called directly: see ``SharedLimits.slot``."""
        self.name = name
        self._offset = offset + _NAME.size
        self._memory = table._memory
        self._descriptor = table._descriptor
        self._thread_lock = table._thread_lock
        self._lock = _lock_request(fcntl.F_WRLCK, offset, _SLOT_SIZE)
        self._unlock = _lock_request(fcntl.F_UNLCK, offset, _SLOT_SIZE)

    def take(self, rate: Pace, wanted: int, now: float) -> tuple[int, float]:
        """Reserve up to ``wanted`` sends: (granted, seconds until more may go; 0 if all were granted).

        During a pause nothing is granted, and the wait is what is left of it.
        """
        # Locked by hand: a context manager would cost as much again as the two system calls.
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                tat, seen, paused_until, reason = _STATE.unpack_from(self._memory, self._offset)
                if paused_until > now:
                    return 0, paused_until - now
                now = _latest(now, seen)
                granted, tat, wait_s = rate.step(tat, now, wanted)
                _STATE.pack_into(self._memory, self._offset, tat, now, paused_until, reason)
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
                tat, seen, paused_until, reason = _STATE.unpack_from(self._memory, self._offset)
                tat = rate.give_back(tat, now, now if taken_at is None else taken_at, unused)
                _STATE.pack_into(self._memory, self._offset, tat, seen, paused_until, reason)
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    def pause(self, until: float, reason_code: int) -> None:
        """Hold everybody back until then (a 429, a throttling answer). A longer pause is never shortened."""
        with self._thread_lock:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._lock)
            try:
                tat, seen, paused_until, _ = _STATE.unpack_from(self._memory, self._offset)
                if until > paused_until:
                    _STATE.pack_into(self._memory, self._offset, tat, seen, until, reason_code)
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._unlock)

    @property
    def paused_until(self) -> float:
        """The end of the latest pause, perhaps past; 0 if there never was one."""
        return float(_STATE.unpack_from(self._memory, self._offset)[2])

    @property
    def pause_reason(self) -> int:
        """The code given with the latest pause."""
        return int(_STATE.unpack_from(self._memory, self._offset)[3])


def take_all(limits: Sequence[tuple[Slot, Pace]], wanted: int, now: float) -> tuple[int, float]:
    """Reserve under several limits at once: what all of them grant, and the wait for the one that granted least.

    No two locks are held together, so the order of the limits cannot deadlock; what one granted and another refused is
    given back.
    """
    granted, wait_s = wanted, 0.0
    taken: list[tuple[Slot, Pace, int]] = []
    for slot, rate in limits:
        share, slot_wait_s = slot.take(rate, granted, now)
        taken.append((slot, rate, share))
        if share < granted:
            granted, wait_s = share, slot_wait_s
        if granted == 0:
            break
    for slot, rate, share in taken:
        slot.give_back(share - granted, rate, now)
    return granted, wait_s


def _latest(now: float, seen: float) -> float:
    """The time to count with: another process may have read the clock later and yet come first."""
    return seen if 0.0 < seen - now < _OVERTAKEN_S else now


def _file_size(slots_max: int) -> int:
    return _HEADER.size + slots_max * _SLOT_SIZE


def _lock_request(kind: int, start: int, length: int) -> bytes:
    """A ``struct flock``; the process id is 0 as OFD locks demand, the rest is padding up to its size."""
    return struct.pack("@hhqqi0q", kind, os.SEEK_SET, start, length, 0)


def _boot_id() -> bytes:
    try:
        return _BOOT_ID_PATH.read_bytes().strip()
    except OSError:
        return b"unknown"  # then only the runtime directory itself, emptied at boot, tells boots apart


def _header(slots_max: int) -> bytes:
    return _HEADER.pack(_MAGIC, _VERSION, slots_max, _boot_id())


def _is_usable(path: Path, slots_max: int) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_HEADER.size) == _header(slots_max) and path.stat().st_size == _file_size(slots_max)
    except FileNotFoundError:
        return False


def _create(path: Path, slots_max: int) -> None:
    """Put a new file in the place of the old, which whoever still maps it keeps: cutting it short would kill them."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        # Real zeros, not a hole: a page that cannot be allocated later would be a SIGBUS instead of an error.
        file.write(_header(slots_max) + bytes(slots_max * _SLOT_SIZE))
    fresh.replace(path)


@contextlib.contextmanager
def _creation_lock(path: Path) -> Iterator[None]:
    """One process at a time looks at the file and replaces it. The lock's own file is never replaced."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _lock_request(fcntl.F_WRLCK, 0, 0))
        yield
    finally:
        os.close(descriptor)
