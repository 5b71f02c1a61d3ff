"""How a link's seats are spread over the workers: evenly, without a word between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

REST_MIN_S: Final = 2.0
REST_MAX_S: Final = 300.0
REST_MEMORY_S: Final = 60.0


def next_step(
    held: Mapping[int, int], seats: int, slot: int, workers: int, alive: Collection[int], orphaned: int
) -> int:
    """How many seats ``slot`` takes now; -1 when it gives one up. ``held`` says how many each worker holds.

    A worker takes free seats up to its share (the first workers' shares are one larger where it does not come out
    even), and of those that stayed free (``orphaned``), whose worker is away, as many as an even part for all that are
    ``alive``. When no seat is free and one of these holds less than its share, then the one that has most above its own
    gives one up: only one, so that none is closed in vain.
    """
    mine, free = held.get(slot, 0), seats - sum(held.values())
    share = share_of(slot, seats, workers)
    if free > 0:
        even = -(-orphaned // max(1, len(alive)))
        return min(free, max(share - mine, even))
    if mine <= share or all(held.get(other, 0) >= share_of(other, seats, workers) for other in alive):
        return 0
    above = {other: count - share_of(other, seats, workers) for other, count in held.items()}
    return -1 if slot == max(above, key=lambda other: (above[other], -other)) else 0


def share_of(slot: int, seats: int, workers: int) -> int:
    """How many of the seats are a worker's when all workers live."""
    return seats // workers + (slot < seats % workers)


class Rest:
    """How long a seat that nobody came for is kept before it is given up to a worker that is alive and has too few.

    Such a worker may be unable to take it (it has not taken up a new configuration yet): what is given up in vain comes
    back as an orphan, and is then kept longer each time.
    """

    __slots__ = ("_gave_at", "_rest_s", "_until")

    def __init__(self) -> None:
        self._rest_s = REST_MIN_S
        self._until = 0.0
        self._gave_at = float("-inf")

    def took_orphan(self, now: float) -> None:
        """An orphan was taken."""
        is_again = now - self._gave_at < REST_MEMORY_S + self._rest_s
        self._rest_s = min(REST_MAX_S, self._rest_s * 2) if is_again else REST_MIN_S
        self._until = now + self._rest_s

    def gave(self, now: float) -> None:
        """A seat was given up."""
        self._gave_at = now

    def is_over(self, now: float) -> bool:
        """Whether a seat may be given up."""
        return now >= self._until
