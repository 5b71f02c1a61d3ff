"""Which worker is the home of a handset, and what a message id says of where it was made.

Everything about a handset happens in its home: its messages, their parts and receipts, its conversation.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

SLOTS_MAX: Final = 256

# The same handset is written with a plus, with 00, nationally with 0 or bare. What all spellings share is the end of
# the number; six digits of it, for there are countries whose whole numbers have no more.
_DIGITS: Final = 6
# 1,024 ids may be made in a millisecond before they run ahead of the clock.
STEP_BITS: Final = 10
STEP_MASK: Final = (1 << STEP_BITS) - 1
TIME_SHIFT: Final = STEP_BITS + 8


def home_of(address: str, workers: int) -> int:
    """The slot, 0 to ``workers`` - 1, of the home of an address, however it is written."""
    return crc32(address[-_DIGITS:].encode()) % workers if workers > 1 else 0


def id_of(sequence: int, slot: int) -> int:
    """A message id: unique over all workers, rising with time in each.

    Milliseconds, slot and step, in this order: dictionaries find the place of a number by its lowest bits, and those of
    ids that live at the same time must differ, else each look into one touches three cold places in place of one.
    """
    return sequence >> STEP_BITS << TIME_SHIFT | slot << STEP_BITS | sequence & STEP_MASK


def sequence_of(message_id: int) -> int:
    """The part of an id that rises with time."""
    return message_id >> TIME_SHIFT << STEP_BITS | message_id & STEP_MASK


def slot_of(message_id: int) -> int:
    """The worker that made an id."""
    return message_id >> STEP_BITS & (SLOTS_MAX - 1)


def sequence_at(at: float) -> int:
    """About where the ids of a moment (Unix seconds) are, in every worker."""
    return int(at * 1000) << STEP_BITS


def sequence_after(message_id: int) -> int:
    """Where the ids of the millisecond after an id begin: of its own, nobody knows who made how many."""
    return (message_id >> TIME_SHIFT) + 1 << STEP_BITS


def made_at(message_id: int) -> float:
    """The moment (Unix seconds) at which an id was made, to the millisecond."""
    return (message_id >> TIME_SHIFT) / 1000
