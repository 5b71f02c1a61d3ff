"""Lists of numbers that an administrator wants to be asked about: files in a folder, read by every worker.

Each worker takes the numbers of its own handsets and leaves a mark when it has them all; the last one removes the list.
Reading a list twice does no harm, so a worker that starts anew begins again. Knows nothing of platforms.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gatewayd.policy.homes import home_of
from gatewayd.policy.operators import LineFault, e164_of

log = logging.getLogger(__name__)

FOLDER: Final = "qualify"
FAULTS_SHOWN_MAX: Final = 20
_LIST: Final = ".numbers"


class Delivered(msgspec.Struct, frozen=True):
    """What became of a list's lines. ``faults`` are the first that could not be used."""

    numbers: int
    unusable: int
    faults: tuple[str, ...]


def deliver(spool_folder: Path, link: str, lines: Iterable[str]) -> Delivered:
    """Put a list where the workers find it, as a whole. Raises OSError.

    The number is the first field of a line; what follows a ; or a , is not looked at, nor are remarks (#).
    """
    folder = spool_folder / FOLDER
    owner = spool_folder.stat()
    folder.mkdir(exist_ok=True)
    _give(folder, owner)
    fresh = folder / f"{link}.{time.time_ns()}{_LIST}"
    spare = fresh.with_suffix(".new")
    count = unusable = 0
    faults: list[str] = []
    with contextlib.ExitStack() as undoing:
        undoing.callback(spare.unlink, missing_ok=True)
        with spare.open("w", encoding="ascii") as file:
            for number, line in enumerate(lines, 1):
                text = line.strip().lstrip("\ufeff").split(";")[0].split(",")[0].strip('"')
                if not text or text[0] == "#":
                    continue
                try:
                    file.write(e164_of(text) + "\n")
                    count += 1
                except LineFault as fault:
                    unusable += 1
                    if len(faults) < FAULTS_SHOWN_MAX:
                        faults.append(f"line {number}: {fault}")
            file.flush()
            os.fsync(file.fileno())
        _give(spare, owner)
        if count:
            spare.rename(fresh)
    return Delivered(count, unusable, tuple(faults))


class QualifyLists:
    """The lists, as one worker sees them."""

    def __init__(self, spool_folder: Path, slot: int = 0, count: int = 1) -> None:
        self._folder = spool_folder / FOLDER
        self._slot = slot
        self._count = count
        self._open: tuple[Path, Iterator[str]] | None = None
        self._over: set[Path] = set()  # read to the end, and not marked before it is durable

    def take(self, limit: int) -> tuple[str, list[str], Callable[[], None] | None] | None:
        """The next handsets of this worker, of at most ``limit`` lines: the link, they, and what to call once durable.

        None when there is no list. The last part of a list comes with the call; it may have no handsets.
        """
        if self._open is None:
            path = self._next()
            if path is None:
                return None
            self._open = (path, _lines(path))
        path, lines = self._open
        handsets: list[str] = []
        is_over = True
        for read, handset in enumerate(lines, 1):
            if home_of(handset, self._count) == self._slot:
                handsets.append(handset)
            if read >= limit:
                is_over = False
                break
        if is_over:
            self._open = None
            self._over.add(path)
        link = path.name.partition(".")[0]
        return link, handsets, (lambda: self._finish(path)) if is_over else None

    def _next(self) -> Path | None:
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(self._folder.glob(f"*{_LIST}")):
                if path not in self._over and not self._mark_of(path, self._slot).exists():
                    return path
        return None

    def _mark_of(self, path: Path, slot: int) -> Path:
        return path.with_suffix(f".{slot}-of-{self._count}")

    def _finish(self, path: Path) -> None:
        """All of this worker's handsets are durable."""
        self._over.discard(path)
        try:
            self._mark_of(path, self._slot).touch()
            if all(self._mark_of(path, slot).exists() for slot in range(self._count)):
                path.unlink(missing_ok=True)
                for mark in self._folder.glob(f"{path.stem}.*-of-*"):
                    mark.unlink(missing_ok=True)
        except OSError as error:
            log.error("= %s: a list that was read cannot be put away: %s", path, error.strerror)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                if line.strip().isdigit():
                    yield line.strip()
    except OSError as error:
        log.error("= %s: cannot be read: %s", path, error.strerror)


def _give(path: Path, owner: os.stat_result) -> None:
    """What root makes is the daemon's, too."""
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
