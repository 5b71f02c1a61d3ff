"""Seats: who may hold which bind, by kernel record locks that end with their holder.

A seat is one octet of one small file. Holding it means holding the kernel's lock on that octet, so a worker that dies
gives its seats free at that moment, and no two workers ever hold the same one. The octet's value is the holder's slot,
for those who want to know how the seats are spread. Knows nothing of what a seat is for.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from zlib import crc32

_GROUPS = 4_096
_SEATS_PER_GROUP = 1_024
_FREE = 0xFF


class Seats:
    """One group of seats (those of one link, or of one account)."""

    def __init__(self, descriptor: int, group: int, count: int, slot: int) -> None:
        """Not called directly: see ``SeatFile.group``."""
        self._descriptor = descriptor
        self._start = group * _SEATS_PER_GROUP
        self._count = count
        self._slot = slot
        self.held: set[int] = set()

    def take(self) -> int | None:
        """A free seat, now ours, or None when all are taken."""
        for number in range(self._count):
            if number not in self.held and self._lock(fcntl.F_WRLCK, number):
                os.pwrite(self._descriptor, bytes((self._slot,)), self._start + number)
                self.held.add(number)
                return number
        return None

    def resize(self, count: int) -> None:
        """More seats, or fewer: those that are held stay until they are given back."""
        self._count = min(count, _SEATS_PER_GROUP)

    def give_back(self, number: int) -> None:
        """The seat is free again."""
        if number in self.held:
            self.held.discard(number)
            os.pwrite(self._descriptor, bytes((_FREE,)), self._start + number)
            self._lock(fcntl.F_UNLCK, number)

    def holders(self) -> list[int | None]:
        """The slot that holds each seat, None for a free one, as it is at this moment."""
        return [self._slot if number in self.held else self._holder(number) for number in range(self._count)]

    def _holder(self, number: int) -> int | None:
        request = _request(fcntl.F_WRLCK, self._start + number)
        answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, request)
        if struct.unpack("hhqqi4x", answer)[0] == fcntl.F_UNLCK:
            return None
        slot = os.pread(self._descriptor, 1, self._start + number)
        return slot[0] if slot else _FREE

    def _lock(self, kind: int, number: int) -> bool:
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _request(kind, self._start + number))
        except BlockingIOError:
            return False
        return True


class SeatFile:
    """The file with all groups, opened once by each worker."""

    def __init__(self, path: Path, slot: int) -> None:
        # Locks belong to the open file: each worker must open it for itself, after any fork.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._slot = slot
        self._names: dict[int, str] = {}

    def group(self, name: str, count: int) -> Seats:
        """The group of a name. Raises ValueError for two names that would share a place."""
        place = crc32(name.encode()) % _GROUPS
        if self._names.setdefault(place, name) != name:
            raise ValueError(f"{name} and {self._names[place]} fall on the same seats; rename one of them")
        return Seats(self._descriptor, place, min(count, _SEATS_PER_GROUP), self._slot)

    def close(self) -> None:
        """Give up every seat."""
        os.close(self._descriptor)


def _request(kind: int, start: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, 1, 0)
