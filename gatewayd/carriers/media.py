"""The local files that templates name: which are wanted, what is in them, and their octets in pieces.

Reads files in threads, so that a big one stops nobody. Knows no platform.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

CHUNK = 262_144


class Seen(msgspec.Struct, frozen=True):
    """What is in a file: the SHA-256 of it in hexadecimal digits, and its size in octets."""

    digest: str
    size: int


class Media:
    """The files of ``rcs.media_dir`` that templates name, for all links of a process."""

    def __init__(self) -> None:
        self.wanted: Mapping[str, str] = {}
        self._folder = Path()
        self._listeners: set[Callable[[], None]] = set()
        self._known: dict[str, tuple[object, Seen]] = {}
        # One at a time: hashing is for the moments when nobody is in a hurry.
        self._turn = asyncio.Lock()

    def learn(self, folder: str, wanted: Mapping[str, str]) -> None:
        """From now on these are wanted, names with their media types; what is in them may have changed."""
        self._folder = Path(folder)
        self.wanted = dict(wanted)
        self._known = {name: known for name, known in self._known.items() if name in wanted}
        for listener in list(self._listeners):
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each ``learn``."""
        self._listeners.add(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Do so no more."""
        self._listeners.discard(listener)

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self._folder / name

    async def look(self, name: str) -> Seen:
        """What is in a file now, hashed anew only if it looks changed; raises OSError."""
        async with self._turn:
            state, content = await asyncio.to_thread(_look, self.path(name), self._known.get(name))
            self._known[name] = (state, content)
            return content


def _look(path: Path, known: tuple[object, Seen] | None) -> tuple[object, Seen]:
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        state = (str(path), facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if known is not None and known[0] == state:
            return known
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return state, Seen(digest, file.tell())


async def pieces(file: BinaryIO, digest: str, before: bytes, after: bytes) -> AsyncIterator[bytes]:
    """The octets of an open file between two others. Raises OSError before the last piece if they are not as hashed."""
    await asyncio.to_thread(file.seek, 0)
    found = hashlib.sha256()
    piece = before
    while octets := await asyncio.to_thread(_next, file, found):
        if piece:
            yield piece
        piece = octets
    if found.hexdigest() != digest:
        raise OSError("the file was changed while it was read")
    yield piece + after


def _next(file: BinaryIO, found: hashlib._Hash) -> bytes:
    octets = file.read(CHUNK)
    found.update(octets)
    return octets
