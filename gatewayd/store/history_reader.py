"""Finds in the history what it tells of some names: a message's id, a number. Also while it is being written.

Reads files and changes nothing; what a crash left unfinished or twice is passed over. Knows names and groups, not what
the changes mean.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.store import history_index, segments
from gatewayd.store.history_files import Stretch
from gatewayd.store.history_lines import with_texts
from gatewayd.store.kinds import Key
from gatewayd.store.rehoming import slots_of, spool_path

# The name of notes about links. As an octet it is everywhere.
LINK = b"0"
_ABOUT_LINKS = b'["note",0,'
_BEGIN = b'{"at":'

Change = tuple[str, Key, msgspec.Raw]


class Group(msgspec.Struct):
    """Changes that were committed together. ``changes`` are (kind, key, value), the value as JSON text."""

    at: float
    sequence: int
    changes: list[Change]
    worker: int = 0

    @property
    def identity(self) -> tuple[int, int, float]:
        """The same for a group that was written twice: a sequence number comes again after a restore."""
        return self.worker, self.sequence, round(self.at, 6)


class _Texts(msgspec.Struct):
    at: float
    sequence: int
    texts: list[str]


_decode = msgspec.json.Decoder(Group).decode
_decode_texts = msgspec.json.Decoder(_Texts).decode


def groups_of(worker: int, stretch: Stretch, names: Collection[bytes]) -> Iterator[Group]:
    """The groups of a stretch in which any of the names may stand, in order. Raises OSError."""
    index = b""
    with contextlib.suppress(FileNotFoundError):
        index = stretch.index.read_bytes()
    found = history_index.find(index, names)
    with contextlib.suppress(FileNotFoundError), stretch.groups.open("rb") as file:  # it was purged meanwhile
        for offset, length in found.lines:
            file.seek(offset)
            yield from _decoded(worker, file.read(length), names)
        file.seek(found.end)
        for octets in _cut(file.read()):
            yield from _decoded(worker, octets, names)


def texts_of(stretch: Stretch, groups: Collection[Group]) -> dict[tuple[int, float], list[str]]:
    """The texts of groups, by (sequence, at), where they are kept still."""
    wanted = {(group.sequence, group.at) for group in groups}
    found: dict[tuple[int, float], list[str]] = {}
    with contextlib.suppress(FileNotFoundError), stretch.texts.open("rb") as file:
        for line in file:
            with contextlib.suppress(msgspec.MsgspecError):
                texts = _decode_texts(line)
                if (texts.sequence, texts.at) in wanted:
                    found[texts.sequence, texts.at] = texts.texts
    return found


def opened(group: Group, texts: list[str] | None = None) -> list[tuple[str, Key, Any]]:
    """The changes with their values, and their texts, where there are any."""
    changes = [(kind, key, msgspec.json.decode(raw)) for kind, key, raw in group.changes]
    return with_texts(changes, texts) if texts is not None else changes


def decoded(worker: int, group: segments.Group) -> Group:
    """A group that is in the journal still. Raises msgspec.MsgspecError."""
    sequence, at, records = group
    return Group(at, sequence, msgspec.json.decode(records, type=list[Change]), worker)


def mentions(octets: bytes, names: Collection[bytes]) -> bool:
    """Whether any of the names stands in there, perhaps as a part of something else."""
    return any((_ABOUT_LINKS if name == LINK else name) in octets for name in names)


def _cut(octets: bytes) -> Iterator[bytes]:
    """Groups one by one: each begins at a line of its own."""
    start = 0
    while start < len(octets):
        end = octets.find(b"\n" + _BEGIN, start) + 1 or len(octets)
        yield octets[start:end]
        start = end


def _decoded(worker: int, octets: bytes, names: Collection[bytes]) -> Iterator[Group]:
    if mentions(octets, names):
        with contextlib.suppress(msgspec.MsgspecError):
            group = _decode(octets)
            group.worker = worker
            yield group


def journal_of(spool: Path, connection: sqlite3.Connection, names: Collection[bytes]) -> Iterator[segments.Group]:
    """The groups of a spool's journal in which any of the names stands, in order; those that are whole by now."""
    in_table = connection.execute("SELECT sequence, at, CAST(records AS BLOB) FROM journal ORDER BY sequence")
    for group in chain(in_table, _in_files(spool)):
        if mentions(group[2], names):
            yield group


def _in_files(spool: Path) -> Iterator[segments.Group]:
    for _, path in segments.files_of(spool):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # it was folded meanwhile
            yield from segments.read(file)


def spool_files(spool_folder: Path) -> Iterator[tuple[int, Path]]:
    """(slot, file) of every worker's spool."""
    for slot in slots_of(spool_folder):
        yield slot, spool_path(spool_folder, slot)
