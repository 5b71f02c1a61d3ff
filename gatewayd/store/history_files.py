"""Where history lies on the disk, and what goes when its time is over or there is too much of it.

``spool_dir/history/worker-N/`` holds for each stretch of time a file of groups, their index, and, where texts are kept,
those in a file of their own, which goes first. Knows names, ages and sizes; writes and reads nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = "history"
GROUPS, INDEX, TEXTS = ".json", ".index", ".texts"
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z)\.json")
_FORMAT: Final = "%Y-%m-%dT%H-%M-%S.%fZ"


class Stretch(msgspec.Struct, frozen=True):
    """The files of one stretch of time of one worker; ``since`` is the moment of its first group (Unix seconds)."""

    groups: Path
    since: float

    @property
    def index(self) -> Path:
        """Which names are in which group."""
        return self.groups.with_suffix(INDEX)

    @property
    def texts(self) -> Path:
        """The texts of its groups, if they are kept."""
        return self.groups.with_suffix(TEXTS)

    @property
    def octets(self) -> int:
        """What all of its files take."""
        return sum(map(_size, (self.groups, self.index, self.texts)))


class Purged(msgspec.Struct):
    """What one purge took away, by reason, and the octets that are left."""

    age: int = 0
    size: int = 0
    text: int = 0
    octets: int = 0


def folder_of(spool_folder: Path, slot: int) -> Path:
    """Where a worker keeps its history."""
    return spool_folder / FOLDER / f"worker-{slot}"


def folders(spool_folder: Path) -> list[tuple[int, Path]]:
    """(slot, folder) of every worker that ever kept any."""
    found = []
    for path in (spool_folder / FOLDER).glob("worker-*"):
        slot = path.name.removeprefix("worker-")
        if slot.isdigit() and path.is_dir():
            found.append((int(slot), path))
    return sorted(found)


def name_of(at: float) -> str:
    """The name of a stretch that begins at a moment."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime(_FORMAT)[:-4] + "Z" + GROUPS


def stretches(folder: Path) -> list[Stretch]:
    """All of a folder, the oldest first."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                since = datetime.datetime.strptime(match[1], _FORMAT).replace(tzinfo=datetime.UTC)
                found.append(Stretch(path, since.timestamp()))
    return sorted(found, key=lambda stretch: stretch.since)


def purge(spool_folder: Path, now: float, *, keep_s: float, text_s: float, size_max: int) -> Purged:
    """Take away what is too old, texts first, and the oldest of what is too much.

    A file whose last group is old is old; a text is old by the first one of its file, so that none outlives its time.
    The newest stretch of a worker is being written: it goes only when it is old, which its writer sees to.
    """
    purged = Purged()
    kept: list[Stretch] = []
    spared: set[Path] = set()
    for _, folder in folders(spool_folder):
        of_folder = stretches(folder)
        spared.update(stretch.groups for stretch in of_folder[-1:])
        for stretch in of_folder:
            if _written_at(stretch.groups) < now - keep_s or not keep_s:
                _remove(stretch)
                purged.age += 1
                continue
            if stretch.since < now - text_s and stretch.texts.exists():
                stretch.texts.unlink(missing_ok=True)
                purged.text += 1
            kept.append(stretch)
    purged.octets = sum(stretch.octets for stretch in kept)
    for stretch in sorted(kept, key=lambda stretch: stretch.since):
        if purged.octets <= size_max:
            break
        if stretch.groups not in spared:
            purged.octets -= stretch.octets
            _remove(stretch)
            purged.size += 1
    return purged


def _remove(stretch: Stretch) -> None:
    """The texts first, and the groups last: what is left after a crash is found again."""
    for path in (stretch.texts, stretch.index, stretch.groups):
        path.unlink(missing_ok=True)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def all_stretches(spool_folder: Path) -> Iterator[tuple[int, Stretch]]:
    """(slot, stretch) of all workers, the newest first."""
    found = [(slot, stretch) for slot, folder in folders(spool_folder) for stretch in stretches(folder)]
    yield from sorted(found, key=lambda entry: -entry[1].since)
