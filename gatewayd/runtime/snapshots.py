"""One scrape for all workers: a worker's figures kept over its death, and several workers' as one.

What was once shown is written down first, so that a worker's successor goes on counting from there and no counter ever
jumps back. Gauges live and die with their worker. Knows no metric by name: each figure says how it adds up.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from operator import add
from pathlib import Path
from typing import Final

import msgspec

from gatewayd.runtime.instruments import Across, Figure

log = logging.getLogger(__name__)

_COUNTING: Final = ("counter", "histogram")

# Not JSON, which knows neither infinity nor "not a number".
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Figure]).decode

_Rows = dict[tuple[str, ...], list[int | float]]


def merge(snapshots: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Several workers as one daemon, in the order in which metrics are first seen."""
    found: dict[str, list[Figure]] = {}
    for figures in snapshots:
        for figure in figures:
            alike = found.setdefault(figure.name, [])
            if not alike or figure.is_like(alike[0]):
                alike.append(figure)
    return [alike[0] if len(alike) == 1 else _merged(alike) for alike in found.values()]


def _merged(alike: Sequence[Figure]) -> Figure:
    """Most rows of a large configuration stand still at zero in most workers, and adding those changes nothing."""
    first = alike[0]
    rows: _Rows = dict(first.rows)
    counted: dict[tuple[str, ...], list[list[int | float]]] = {}
    for figure in alike[1:]:
        for values, numbers in figure.rows:
            if values not in rows:
                rows[values] = numbers
            elif first.across != "sum" or any(numbers):
                counted.setdefault(values, [rows[values]]).append(numbers)
    for values, several in counted.items():
        rows[values] = _together(first.across, several)
    return msgspec.structs.replace(first, rows=list(rows.items()))


def _together(across: Across, several: Sequence[list[int | float]]) -> list[int | float]:
    first = several[0]
    last = [numbers[-1] for numbers in several]
    if across != "sum":  # only what is read is: one number a row
        return [max(last) if across == "max" else min(last)]
    # Exact, so that the order of the workers makes no difference: the last bit of a counter must not go back either.
    # Of a histogram, all but the last are whole numbers.
    total = sum(last)
    if type(total) is not int:
        total = math.fsum(last)
    if len(first) == 1:
        return [total]
    added = first
    for numbers in several[1:]:
        added = list(map(add, added, numbers))
    added[-1] = total
    return added


class Ledger:
    """One worker slot's file of what its workers have shown so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = read_counts(path)
        self._is_failing = False
        self._turn = asyncio.Lock()
        self._writing = threading.Lock()

    async def show(self, read: Callable[[], list[Figure]]) -> list[Figure]:
        """As ``snapshot``: read on the loop, whose instruments these are, and all the rest beside it, in turn."""
        async with self._turn:
            return await asyncio.to_thread(self.snapshot, read())

    def snapshot(self, own: list[Figure]) -> list[Figure]:
        """What this worker shows now, its predecessors' counts included; written down before it is given away.

        A folder that is full costs a jump after the next death, not the scrape.
        """
        figures = merge([own, self._before])
        spare = self._path.with_suffix(".new")
        with self._writing:
            try:
                spare.write_bytes(_encode([figure for figure in figures if _is_kept(figure)]))
                spare.replace(self._path)
            except OSError as error:
                if not self._is_failing:
                    log.warning("= counts cannot be written down: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False
        return figures


def ledger_path(folder: Path, slot: int) -> Path:
    """Where a slot's counts are written down."""
    return folder / f"metrics-{slot}.counts"


def read_counts(path: Path) -> list[Figure]:
    """What a slot that may be without a worker has counted: gauges are gone with their worker."""
    try:
        figures = _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return []
    return [figure for figure in figures if _is_kept(figure)]


def _is_kept(figure: Figure) -> bool:
    """Whether it goes on after its worker. What all workers are told by somebody else is kept there."""
    return figure.kind in _COUNTING and figure.across == "sum"


def pack(figures: Sequence[Figure]) -> bytes:
    """For the way between workers."""
    return _encode(figures)


def unpack(octets: bytes) -> list[Figure]:
    """The other end of ``pack``."""
    return _decode(octets)
