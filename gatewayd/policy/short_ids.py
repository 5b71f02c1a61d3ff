"""Message ids of at most eight hexadecimal digits, for applications of SMPP 3.3, which take no longer ones.

A short name holds the slot of the worker that made the id, and the number of a block of ids: ids rise with time, so a
block is about four milliseconds, and a name comes again after three days at the earliest, or after 67 million messages
of one worker. From the name and the time of day the id is found again without anything being kept. Knows no clock.
"""

from __future__ import annotations

from typing import Final

from gatewayd.policy.homes import id_of, sequence_of, slot_of

BLOCK_SIZE: Final = 1 << 12
"""Ids of one block: a name is given to the first, and to a group that begins with it."""

_SLOT_BITS: Final = 6
_BLOCKS: Final = 1 << (32 - _SLOT_BITS)
_SLOT_MASK: Final = (1 << _SLOT_BITS) - 1


def first_of_block(sequence: int) -> int:
    """The lowest sequence from ``sequence`` on that begins a block."""
    return -(-sequence // BLOCK_SIZE) * BLOCK_SIZE


def short_name(message_id: int) -> str:
    """The name of an id that begins a block."""
    block = sequence_of(message_id) // BLOCK_SIZE % _BLOCKS
    return f"{block << _SLOT_BITS | slot_of(message_id) & _SLOT_MASK:08x}"


def ids_named(name: int, sequence: int) -> tuple[int, ...]:
    """The ids that may bear a short name, the likeliest first, when ids are about at ``sequence`` now: the last before
    that, one ahead (of a worker in a hurry), and the one before, whose message has waited for long."""
    block, slot = name >> _SLOT_BITS, name & _SLOT_MASK
    now = sequence // BLOCK_SIZE
    last = now - (now - block) % _BLOCKS
    found = (last, last + _BLOCKS, last - _BLOCKS)
    return tuple(id_of(each * BLOCK_SIZE, slot) for each in found if each >= 0)
