"""How a link's seats are spread over the workers: evenly, without a word between them."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping


class Move(enum.Enum):
    """What a worker does after a look at the seats."""

    STAY = "stay"
    TAKE = "take"
    GIVE = "give"


def next_move(
    held: Mapping[int, int], seats: int, slot: int, workers: int, alive: Collection[int], is_orphaned: bool
) -> Move:
    """One step of ``slot``, given how many seats each worker holds.

    A worker takes a free seat up to its share (the first workers' shares are one larger where it does not come out
    even), and beyond that only a seat that stayed free (``is_orphaned``): its worker is away. Whoever has more than its
    share gives one up when a worker that is ``alive`` holds less than its own and no seat is free for it.
    """
    mine = held.get(slot, 0)
    free = seats - sum(held.values())
    if free > 0:
        return Move.TAKE if mine < share_of(slot, seats, workers) or is_orphaned else Move.STAY
    is_short = any(held.get(other, 0) < share_of(other, seats, workers) for other in alive)
    return Move.GIVE if is_short and mine > share_of(slot, seats, workers) else Move.STAY


def share_of(slot: int, seats: int, workers: int) -> int:
    """How many of the seats are a worker's when all workers live."""
    return seats // workers + (slot < seats % workers)
