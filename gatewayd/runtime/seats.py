"""Seats: who may hold which bind, by kernel record locks that end with their holder.

A seat is a place in one small file. Holding it means holding the kernel's lock on that place, so a worker that dies
gives its seats free at that moment, and no two workers ever hold the same one. How many octets are locked says who
holds it, for those who want to know how the seats are spread: so the two can't differ, and nothing is ever written.
Knows nothing of what a seat is for.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Collection
from hashlib import blake2b
from pathlib import Path
from typing import Final

SEATS_MAX: Final = 1_024
"""How many seats a group may have."""

# A place is longer than any lock in it, for the kernel joins locks that touch each other. Groups are found by a hash of
# forty bits, so that two names never meet; a lock may lie far beyond the end of the file.
_PLACE: Final = 512
_HASH_OCTETS: Final = 5
_LOCK: Final = struct.Struct("@hhqqi0q")  # struct flock: kind, whence, start, length, process


class Seats:
    """One group of seats (those of one link, or of one account)."""

    def __init__(self, descriptor: int, group: int, count: int, slot: int) -> None:
        """Not called directly: see ``SeatFile.group``."""
        self._descriptor = descriptor
        self._start = group * SEATS_MAX * _PLACE
        self._count = self._widest = min(count, SEATS_MAX)
        self._slot = slot
        self.held: set[int] = set()

    def take(self, among: Collection[int] | None = None) -> int | None:
        """A free seat, now ours, or None when there is none; ``among`` says which may be taken, when it matters."""
        if self._widest > self._count and self._taken() >= self._count:
            return None  # there were more seats, and those beyond are still held
        for number in range(self._count) if among is None else among:
            if number not in self.held and number < self._count and self._lock(number):
                self.held.add(number)
                return number
        return None

    def resize(self, count: int) -> None:
        """More seats, or fewer: those that are held stay until they are given back."""
        self._count = min(count, SEATS_MAX)
        self._widest = max(self._widest, self._count)

    def give_back(self, number: int) -> None:
        """The seat is free again."""
        if number in self.held:
            self.held.discard(number)
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, self._request(fcntl.F_UNLCK, number, _PLACE))

    def holders(self) -> list[int | None]:
        """The slot that holds each seat, None for a free one, as it is at this moment."""
        return [self._holder(number) for number in range(self._count)]

    def _taken(self) -> int:
        return sum(self._holder(number) is not None for number in range(self._widest))

    def _holder(self, number: int) -> int | None:
        if number in self.held:
            return self._slot
        answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, self._request(fcntl.F_WRLCK, number, 1))
        kind, _, _, length, _ = _LOCK.unpack(answer)
        return None if kind == fcntl.F_UNLCK else length - 1

    def _lock(self, number: int) -> bool:
        request = self._request(fcntl.F_WRLCK, number, self._slot + 1)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, request)
        except BlockingIOError:
            return False
        return True

    def _request(self, kind: int, number: int, length: int) -> bytes:
        """A lock of its own for each open file (OFD): the process id is 0, as those demand."""
        return _LOCK.pack(kind, os.SEEK_SET, self._start + number * _PLACE, length, 0)


class SeatFile:
    """The file with all groups, opened once by each worker."""

    def __init__(self, path: Path, slot: int) -> None:
        """``slot`` is this worker's, below 256. Raises OSError."""
        # Locks belong to the open file: each worker must open it for itself, after any fork.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._slot = slot
        self._groups: dict[str, Seats] = {}

    def group(self, name: str, count: int) -> Seats:
        """The group of a name, always the same object: two would take each other's locks for their own."""
        known = self._groups.get(name)
        if known is not None:
            known.resize(count)
            return known
        place = int.from_bytes(blake2b(name.encode(), digest_size=_HASH_OCTETS).digest(), "big")
        group = self._groups[name] = Seats(self._descriptor, place, count, self._slot)
        return group

    def close(self) -> None:
        """Give up every seat."""
        os.close(self._descriptor)
