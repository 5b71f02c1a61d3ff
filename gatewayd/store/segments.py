"""The journal's files: beside a spool, one or several for each stretch of time between two folds, with all its groups.

``worker-0.spool.journal-000000000042`` begins with a line that tells which spool it belongs to. A group is a line of
its number, its moment, its length and a sum over all of it, then its records as they are, then a line break. A file is
written once, from beginning to end. Knows groups as octets and never looks into one.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

from gatewayd.runtime.syncing import sync_folder

Group = tuple[int, float, bytes]
"""Its number, when it was committed (Unix seconds), and its records (a JSON array)."""

FILE_OCTETS: Final = 16 * 1024 * 1024
"""So large a file may be before the next one is begun: commits wait 40 ms where 96 MB are taken away at once."""

_MODE: Final = 0o600  # whole numbers and texts are in there
NAMED: Final = ".journal-"
"""Between a spool's name and the number of a file's first group."""
_TITLE: Final = re.compile(rb"gatewayd journal 1 ([0-9a-f]{16})\n")
_TITLE_MAX: Final = 64
_HEAD: Final = re.compile(rb"((\d{1,15}) (\d{1,12}\.\d{6}) (\d{1,12})) ([0-9a-f]{8})\n")
_HEAD_MAX: Final = 64
# zlib gives the interpreter lock away for more than 5 KiB, and getting it back takes longer than the sum.
_SUMMED_AT_ONCE: Final = 5 * 1024


class DamagedJournal(Exception):
    """A file is not what was written, or is missing; the text says which, and what of it."""


class Segments:
    """The files of one spool, as the one who writes them has them. Used by one thread."""

    def __init__(self, spool: Path, identity: str) -> None:
        """``identity`` is the spool's, 16 hexadecimal digits: it tells its files from those of another."""
        self._spool = spool
        self._title = b"gatewayd journal 1 %b\n" % identity.encode()
        self._file = -1
        self._size = 0  # as far as it is durable, its name included

    def append(self, sequence: int, at: float, records: bytes) -> None:
        """Make a group durable. Raises OSError: done again, it is written over what the disk took of it."""
        if self._size >= FILE_OCTETS:
            self.turn_over()
        if self._file < 0:
            self._begin(sequence)
        head = b"%d %.6f %d" % (sequence, at, len(records))
        title = b"" if self._size else self._title
        parts = (b"%b%b %08x\n" % (title, head, _sum(head, records)), records, b"\n")
        length = sum(map(len, parts))
        written = os.pwritev(self._file, parts, self._size)
        if written < length:  # a disk that is full says so of what is left
            written += os.pwrite(self._file, b"".join(parts)[written:], self._size + written)
        if written < length:
            raise OSError(errno.ENOSPC, "a part of a group only went to the disk")
        if not self._size:
            sync_folder(self._spool.parent)
        self._size += length

    def turn_over(self) -> None:
        """The next group begins another file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self, sequence: int) -> None:
        # O_DSYNC: a write waits until the disk has it, and the file's new length with it. One call for each group.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DSYNC | os.O_CLOEXEC
        self._file = os.open(self._spool.with_name(f"{self._spool.name}{NAMED}{sequence:012}"), flags, _MODE)
        self._size = 0


def files_of(spool: Path) -> list[tuple[int, Path]]:
    """The number of the first group, and the path, of every file of a spool's journal, in order."""
    found = []
    for path in spool.parent.glob(f"{spool.name}{NAMED}*"):
        first = path.name.rpartition("-")[2]
        if first.isdigit():
            found.append((int(first), path))
    return sorted(found)


def folded_files(spool: Path, upto: int) -> list[Path]:
    """The files that begin with this group or an earlier one, to be taken away; the last of them must end with it."""
    return [path for first, path in files_of(spool) if first <= upto]


def drop(spool: Path, upto: int) -> None:
    """Take all of them away at once."""
    for path in folded_files(spool, upto):
        path.unlink(missing_ok=True)


def replay(spool: Path, identity: str, after: int) -> Iterator[Group]:
    """Every group behind number ``after``, in order: what was acknowledged and is in no table yet.

    A group that a crash cut short is the last of its file, and nobody was told that it is durable. Raises
    DamagedJournal when anything else is missing or damaged, or a file is of another spool; OSError.
    """
    last = after
    for _, path in files_of(spool):
        with path.open("rb") as file:
            if not _belongs(file, path, identity):
                continue
            for group in follow(file, last):
                last = group[0]
                yield group
            place = file.tell()
            if any(sequence > last for sequence in _numbers_in(file.read())):
                raise DamagedJournal(f"{path}: what lies at octet {place} is damaged, and more groups follow")


def follow(file: BinaryIO, after: int, end: float = float("inf")) -> Iterator[Group]:
    """What ``read`` gives behind number ``after``. Raises DamagedJournal where a number is left out."""
    for group in read(file, end):
        if group[0] > after + 1:
            raise DamagedJournal(f"{file.name}: group {after + 1} should be in front of it, and is missing")
        if group[0] > after:
            after = group[0]
            yield group


def read(file: BinaryIO, end: float = float("inf")) -> Iterator[Group]:
    """The groups of a file up to the first one that is not whole, or not before octet ``end``.

    Also while it is being written. The file is left where that one begins.
    """
    _read_title(file)
    while True:
        place = file.tell()
        head = _HEAD.fullmatch(file.readline(_HEAD_MAX))
        if head is not None and place < end:
            # No more than there is: a length may be damaged, too.
            octets = file.read(min(int(head[4]) + 1, os.fstat(file.fileno()).st_size))
            if _is_whole(head, octets):
                yield int(head[2]), float(head[3]), octets[:-1]
                continue
        file.seek(place)
        return


def _belongs(file: BinaryIO, path: Path, identity: str) -> bool:
    """Whether there may be groups in it. Raises DamagedJournal."""
    found = _read_title(file)
    if found is None and any(_numbers_in(file.read())):
        raise DamagedJournal(f"{path}: its first line is damaged, and groups follow")
    if found is not None and found != identity:
        raise DamagedJournal(
            f"{path} is the journal of another spool than the {path.name.partition(NAMED)[0]} beside it"
        )
    return found is not None


def _read_title(file: BinaryIO) -> str | None:
    """Which spool it is of; None when a crash came before it was said."""
    file.seek(0)
    title = _TITLE.fullmatch(file.readline(_TITLE_MAX))
    return title[1].decode() if title else None


def _numbers_in(octets: bytes) -> Iterator[int]:
    """The numbers of groups that are whole, wherever they begin."""
    for head in _HEAD.finditer(octets):
        if _is_whole(head, octets[head.end() : head.end() + int(head[4]) + 1]):
            yield int(head[2])


def _is_whole(head: re.Match[bytes], octets: bytes) -> bool:
    """Whether these are the records of that head, and the line break."""
    is_long_enough = len(octets) == int(head[4]) + 1 and octets.endswith(b"\n")
    return is_long_enough and _sum(head[1], octets[:-1]) == int(head[5], 16)


def _sum(head: bytes, records: bytes) -> int:
    """CRC-32 over a group's head and records."""
    found, octets = crc32(head), memoryview(records)
    for start in range(0, len(octets), _SUMMED_AT_ONCE):
        found = crc32(octets[start : start + _SUMMED_AT_ONCE], found)
    return found
