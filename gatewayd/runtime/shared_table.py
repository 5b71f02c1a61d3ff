"""A mapped file of named slots that all workers of one machine share, each changed under a lock of its own.

Knows how slots are found and locked, not what they hold. A slot is locked with a kernel record lock (an OFD lock),
which the kernel frees when its holder dies: a worker that crashes at any instruction blocks nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

_HEADER = struct.Struct("<8sII36s12x")  # magic, version, number of slots, boot id
NAME_SIZE_MAX = 79
_NAME = struct.Struct(f"<{NAME_SIZE_MAX}sB")  # name, its length (0: the slot is free)
NAME_SIZE = _NAME.size

_BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")


class SlotsExhausted(RuntimeError):
    """Every slot of the file has a name already."""


class SharedTable:
    """The open file. Who inherits says what it is: ``MAGIC``, ``VERSION``, ``SLOT_SIZE`` with the name's octets.

    ``IS_OF_ONE_BOOT``: what it holds means nothing after the machine was started anew.
    """

    MAGIC: ClassVar[bytes]
    VERSION: ClassVar[int]
    SLOT_SIZE: ClassVar[int]
    IS_OF_ONE_BOOT: ClassVar[bool] = True

    def __init__(self, descriptor: int, slots_max: int) -> None:
        """Not called directly: see ``open``."""
        self.descriptor = descriptor
        self._slots_max = slots_max
        self.memory = mmap.mmap(descriptor, self._file_size(slots_max), mmap.MAP_SHARED)
        # A record lock belongs to the open file, so threads that share it are kept apart by a lock of their own.
        self.thread_lock = threading.Lock()

    @classmethod
    def open(cls, path: str | Path, slots_max: int = 1024) -> Self:
        """Map the file, made new if it is missing, of another version, size or boot. Raises OSError.

        Each process opens it for itself: an open file inherited by fork would share its parent's locks.
        """
        path = Path(path)
        with _creation_lock(path):
            if not cls._is_usable(path, slots_max):
                cls._create(path, slots_max)
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(descriptor, slots_max)
        except BaseException:
            os.close(descriptor)
            raise

    def names(self) -> list[str]:
        """The names of all slots in use, by any process."""
        found = []
        for offset in self._offsets():
            raw, size = _NAME.unpack_from(self.memory, offset)
            if size:
                found.append(raw[:size].decode(errors="replace"))
        return found

    def close(self) -> None:
        """Unmap and close; its slots must not be used any more."""
        if self.descriptor >= 0:
            self.memory.close()
            os.close(self.descriptor)
            self.descriptor = -1

    def find(self, name: str) -> int:
        """Where the slot of this name begins, taken now if nobody has it: all zeros behind its name.

        Raises SlotsExhausted, or ValueError for a name that does not fit.
        """
        raw = name.encode()
        if not raw or len(raw) > NAME_SIZE_MAX:
            raise ValueError(f"a slot's name has 1 to {NAME_SIZE_MAX} octets, not {len(raw)}")
        with self._locked(0, _HEADER.size):
            for offset in self._offsets():
                found, size = _NAME.unpack_from(self.memory, offset)
                if size and found[:size] == raw:
                    return offset
                if not size:
                    self.memory[offset : offset + self.SLOT_SIZE] = bytes(self.SLOT_SIZE)
                    # The length octet is the last to be written: who dies before it has taken nothing.
                    self.memory[offset : offset + len(raw)] = raw
                    self.memory[offset + NAME_SIZE_MAX] = len(raw)
                    return offset
        raise SlotsExhausted(f"all {self._slots_max} slots are in use")

    @contextlib.contextmanager
    def locked(self, offset: int) -> Iterator[None]:
        """Nobody else changes the slot that begins there."""
        with self._locked(offset, self.SLOT_SIZE):
            yield

    @contextlib.contextmanager
    def _locked(self, start: int, length: int) -> Iterator[None]:
        with self.thread_lock:
            fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLKW, lock_request(fcntl.F_WRLCK, start, length))
            try:
                yield
            finally:
                fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLKW, lock_request(fcntl.F_UNLCK, start, length))

    def _offsets(self) -> range:
        return range(_HEADER.size, self._file_size(self._slots_max), self.SLOT_SIZE)

    @classmethod
    def _file_size(cls, slots_max: int) -> int:
        return _HEADER.size + slots_max * cls.SLOT_SIZE

    @classmethod
    def _header(cls, slots_max: int) -> bytes:
        boot = _boot_id() if cls.IS_OF_ONE_BOOT else b"any"
        return _HEADER.pack(cls.MAGIC, cls.VERSION, slots_max, boot)

    @classmethod
    def _is_usable(cls, path: Path, slots_max: int) -> bool:
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
                return header == cls._header(slots_max) and path.stat().st_size == cls._file_size(slots_max)
        except FileNotFoundError:
            return False

    @classmethod
    def _create(cls, path: Path, slots_max: int) -> None:
        """Put a new file in the place of the old, which whoever still maps it keeps: cutting it short would kill."""
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            # Real zeros, not a hole: a page that cannot be allocated later would be a SIGBUS instead of an error.
            file.write(cls._header(slots_max) + bytes(slots_max * cls.SLOT_SIZE))
        fresh.replace(path)


def lock_request(kind: int, start: int, length: int) -> bytes:
    """A ``struct flock``; the process id is 0 as OFD locks demand, the rest is padding up to its size."""
    return struct.pack("@hhqqi0q", kind, os.SEEK_SET, start, length, 0)


def _boot_id() -> bytes:
    try:
        return _BOOT_ID_PATH.read_bytes().strip()
    except OSError:
        return b"unknown"  # then only the runtime directory itself, emptied at boot, tells boots apart


@contextlib.contextmanager
def _creation_lock(path: Path) -> Iterator[None]:
    """One process at a time looks at the file and replaces it. The lock's own file is never replaced."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, lock_request(fcntl.F_WRLCK, 0, 0))
        yield
    finally:
        os.close(descriptor)
