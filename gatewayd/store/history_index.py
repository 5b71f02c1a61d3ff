"""Beside each file of kept lines: which names are in which line, as hashes, so that few lines need be read.

A block for each line: its offset and length, the number of hashes, the hashes; little endian, in steps of four
octets. A hash is the CRC-32 of a name, or what is lowest in an id; it may be another's: whoever finds a line looks into
it. Knows no file.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Final
from zlib import crc32

import msgspec

_HEAD: Final = struct.Struct("<QII")
_STEP: Final = 4


class Found(msgspec.Struct):
    """(offset, length) of each line that may hold a name; what lies from ``end`` on is not in the index."""

    lines: list[tuple[int, int]]
    end: int


def block_of(offset: int, length: int, names: Iterable[bytes], ids: Collection[int] = ()) -> bytes:
    """The block of one line; ``ids`` are below 2**64."""
    hashes, wide = array("I", map(crc32, names)), array("Q", ids)
    if sys.byteorder == "big":
        hashes.byteswap()
        wide.byteswap()
    lowest = memoryview(wide).cast("B").cast("I")[::2].tobytes()
    return _HEAD.pack(offset, length, len(hashes) + len(wide)) + hashes.tobytes() + lowest


def find(index: bytes, names: Collection[bytes]) -> Found:
    """The lines that may hold any of the names.

    A crash leaves an index short, or with anything behind what had reached the disk: it is believed up to the first
    block that does not begin where the line before it ended.
    """
    wanted = [hashed for name in names for hashed in _hashes_of(name)]
    found: list[tuple[int, int]] = []
    end = place = 0
    while place + _HEAD.size <= len(index):
        offset, length, count = _HEAD.unpack_from(index, place)
        after = place + _HEAD.size + _STEP * count
        if offset != end or not length or after > len(index):
            break
        if any(_holds(index, hashed, place + _HEAD.size, after) for hashed in wanted):
            found.append((offset, length))
        end, place = offset + length, after
    return Found(found, end)


def _hashes_of(name: bytes) -> Iterator[bytes]:
    yield crc32(name).to_bytes(_STEP, "little")
    if name.isdigit():
        yield (int(name) & 0xFFFF_FFFF).to_bytes(_STEP, "little")


def _holds(index: bytes, hashed: bytes, start: int, end: int) -> bool:
    place = index.find(hashed, start, end)
    while place >= 0:
        if (place - start) % _STEP == 0:
            return True
        place = index.find(hashed, place + 1, end)
    return False
