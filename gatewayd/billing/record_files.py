"""Billing records as rotating files of JSON Lines: one record a line, appended, synced, never changed.

A file is ``cdr-WORKER.jsonl``; when it is full it becomes ``cdr-WORKER-LAST.jsonl``, LAST being the sequence number of
its last record. Knows nothing of the store: who writes says what, and asks what was written last.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from gatewayd.policy.billing import Record
from gatewayd.runtime.syncing import sync_folder
from gatewayd.store.records import Cdr

_TAIL_OCTETS: Final = 65_536
_FILE_MODE: Final = 0o640
_NAME = re.compile(r"cdr-(?P<origin>\d+)(?:-(?P<last>\d+))?\.jsonl")


class Line(msgspec.Struct, frozen=True, omit_defaults=False):
    """A record as it stands in a file. Times are RFC 3339 in UTC; ``end`` is null for a message alone."""

    id: str
    class_name: str = msgspec.field(name="class")
    is_free: bool = msgspec.field(name="free")
    account: str
    agent: str
    user: str
    link: str
    start: datetime.datetime
    end: datetime.datetime | None
    message_ids: tuple[str, ...]
    mt: int
    mo: int
    segments: int
    credits: float
    rules: str
    version: str


def time_of(at_ms: int) -> datetime.datetime:
    """A moment in UTC."""
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=at_ms)


def text_of(at_ms: int) -> str:
    """A moment in RFC 3339, in UTC; always of the same length, so that text compares as time does."""
    return time_of(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_of(name: str, agent: str, user: str, record: Record) -> Line:
    """A record as it is written."""
    return Line(
        id=name,
        class_name=record.name,
        is_free=record.is_free,
        account=record.account,
        agent=agent,
        user=user,
        link=record.link,
        start=time_of(record.start_ms),
        end=time_of(record.end_ms) if record.end_ms else None,
        message_ids=record.message_ids,
        mt=record.mt_count,
        mo=record.mo_count,
        segments=record.segments,
        credits=record.credits,
        rules=record.rules,
        version=record.version,
    )


def read_lines(folder: Path) -> Iterator[Line]:
    """All records of all files, worker by worker, each in the order of its making.

    What was not written whole, because it is being written or a crash came between, is left out. Raises OSError.
    """
    decode = msgspec.json.Decoder(Line).decode
    for path in _files(folder):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and line.strip(b"\0\n "):
                    try:
                        yield decode(line)
                    except msgspec.MsgspecError:
                        continue


def _files(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if _named(path)[0] >= 0), key=_named)


def _named(path: Path) -> tuple[int, float]:
    """(worker, last sequence) by a file's name; the last is not known of the current file. (-1, 0): it is not ours."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return -1, 0.0
    return int(match["origin"]), int(match["last"]) if match["last"] else math.inf


class RecordFiles:
    """The files of one folder, for writing. Used by one thread at a time."""

    def __init__(self, folder: Path, size_max: int) -> None:
        """``size_max`` octets make a file full."""
        self._folder = folder
        self._size_max = size_max
        self._last: dict[int, int] = {}

    def prepare(self) -> None:
        """Make the folder. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def last_sequence(self, origin: int) -> int:
        """The sequence number of the last record that a worker has in its files, 0 for none.

        The first time it also cuts off what a crash left unfinished at the end of the file. Raises OSError.
        """
        if origin not in self._last:
            current = self._repair(self._path(origin))
            named = map(_named, self._folder.iterdir() if self._folder.is_dir() else ())
            rotated = [int(last) for of, last in named if of == origin and last < math.inf]
            self._last[origin] = max([current, *rotated])
        return self._last[origin]

    def append(self, cdrs: Iterable[Cdr]) -> None:
        """Write those that are not written, in their order; durable when this returns. Raises OSError."""
        by_origin: dict[int, list[Cdr]] = {}
        for cdr in cdrs:
            if cdr.sequence > self.last_sequence(cdr.origin):
                by_origin.setdefault(cdr.origin, []).append(cdr)
        for origin, of_origin in by_origin.items():
            of_origin.sort(key=lambda cdr: cdr.sequence)
            try:
                self._append(origin, of_origin)
            except OSError:
                self._last.pop(origin, None)  # some may be there: look again before the next try
                raise

    def _append(self, origin: int, cdrs: Sequence[Cdr]) -> None:
        path = self._path(origin)
        lines = [msgspec.json.encode(line_of(cdr.id, cdr.agent, cdr.user, cdr.record)) + b"\n" for cdr in cdrs]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE), "ab") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            is_full = file.tell() >= self._size_max
        self._last[origin] = last = cdrs[-1].sequence
        if is_full:
            path.rename(self._folder / f"cdr-{origin}-{last:015}.jsonl")
        sync_folder(self._folder)  # a new name is durable only with its folder

    def _path(self, origin: int) -> Path:
        return self._folder / f"cdr-{origin}.jsonl"

    def _repair(self, path: Path) -> int:
        """Cut off what is behind the last whole record; its sequence number, 0 when there is none."""
        if not path.exists():
            return 0
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            last, upto = _last_record(file, end)
            if upto < end:
                file.truncate(upto)
                os.fsync(file.fileno())
        return last


def _last_record(file: BinaryIO, end: int) -> tuple[int, int]:
    """(sequence, offset behind it) of the last whole record before ``end``."""
    tail_octets = _TAIL_OCTETS
    while True:
        start = file.seek(max(0, end - tail_octets))
        tail = file.read(end - start)
        whole = tail.rfind(b"\n") + 1
        while whole:
            begin = tail.rfind(b"\n", 0, whole - 1) + 1
            if begin == 0 and start > 0:
                break  # its beginning is further up
            sequence = _sequence_of(tail[begin:whole])
            if sequence:
                return sequence, start + whole
            whole = begin
        if start == 0:
            return 0, 0
        tail_octets *= 4


def _sequence_of(line: bytes) -> int:
    """0 for what is no record: a power cut may leave anything behind what was synced."""
    try:
        found: Any = msgspec.json.decode(line, type=Line)
    except msgspec.MsgspecError:
        return 0
    number = found.id.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
