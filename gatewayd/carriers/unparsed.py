"""Receipts that nobody could read, kept in a small file for whoever writes a dialect for them.

They hold numbers, and perhaps texts: the file is for its owner alone, and never grows beyond its bound. Knows no
dialect.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from protocol.smpp.pdu import DataSm, DeliverSm, build

logger = logging.getLogger(__name__)

SIZE_MAX: Final = 524_288
"""Octets of one file; the one before it is kept beside it."""

PER_S_MAX: Final = 20
"""A carrier that changed its ways sends a thousand of them: some are enough."""

_SAY_AGAIN_S: Final = 600.0
_NAME: Final = "worker-{slot}.unparsed"
_GLOB: Final = "worker-*.unparsed*"


class Unparsed(msgspec.Struct, frozen=True):
    """One of them: when it came (Unix seconds), over which link, and the whole PDU in hexadecimal."""

    at: float
    link: str
    pdu: str


class UnparsedReceipts:
    """Those of one worker."""

    def __init__(self, folder: Path, slot: int, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / _NAME.format(slot=slot)
        self._clock = clock
        self._second = (0, 0)
        self._said: dict[str, float] = {}

    def keep(self, link: str, pdu: DeliverSm | DataSm) -> None:
        """One more. What the disk does not take is not kept: nothing depends on it."""
        now = self._clock()
        if now - self._said.get(link, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._said[link] = now
            logger.warning("link %s: a receipt cannot be read; see it with: gatewayd receipts unparsed", link)
        second, count = self._second
        count = count + 1 if second == int(now) else 1
        self._second = int(now), count
        if count > PER_S_MAX:
            return
        line = msgspec.json.encode(Unparsed(round(now, 3), link, build(pdu).hex())) + b"\n"
        with contextlib.suppress(OSError):
            self._write(line)

    def _write(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size >= SIZE_MAX:
            self._path.replace(f"{self._path}.1")


def kept(folder: Path) -> Iterator[Unparsed]:
    """All that are kept, of all workers, in the order in which they came."""
    found = [entry for path in folder.glob(_GLOB) for entry in _lines_of(path)]
    yield from sorted(found, key=lambda entry: entry.at)


def forget(folder: Path) -> int:
    """Delete them; how many they were."""
    count = len(list(kept(folder)))
    for path in folder.glob(_GLOB):
        path.unlink(missing_ok=True)
    return count


def _lines_of(path: Path) -> Iterator[Unparsed]:
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):  # half of a line, where a disk was full
            yield msgspec.json.decode(line, type=Unparsed)
