"""Whose the next connection is, where several workers accept from the same sockets: of whoever has the fewest.

Left alone, the kernel often gives all that an application opens at once to one worker, and most of its messages then
cross to the others and back. Each worker says in a slot of its own how many it has; nobody waits for one that is away.
"""

from __future__ import annotations

from typing import Final

from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_shares import Share

GRACE_S: Final = 0.05
"""So long one who has fewer may take to come for a connection, if none of them takes any other meanwhile."""
GATHER_S: Final = 1.0
"""So long the first ones wait for the last one at a start."""
MISSES_MAX: Final = 4
"""So many connections in a row are waited with: whoever checks a password, or begins its work, is busy for a moment."""
ALONE_S: Final = 1.0
"""So long nothing is left to the others after nobody came for any of these."""
_SLACK: Final = 8
"""A worker may be ahead by an eighth: a thousand that connect anew need not go round one by one."""


class Dealing:
    """One worker's part."""

    def __init__(self, table: SharedLimits, kind: str, slot: int, workers: int) -> None:
        """``kind`` names what is connected to. Raises SlotsExhausted."""
        shares = [Share(table, f"share:{kind}:{number}") for number in range(workers)]
        self._mine = shares.pop(slot)
        self._others = shares
        self._left_since = 0.0
        self._left_at = -1.0  # what all others had together when one was first left to them
        self._misses = 0  # nobody came for so many, one after the other,
        self._missed_at = -1.0  # all others having so many together
        self._alone_until = 0.0

    def tell(self, count: int) -> None:
        """This worker has so many, and accepts."""
        now = (float(count), 1.0)
        if self._mine.read() != now:  # it is told at each step of a connection, of which few change it
            self._mine.change(lambda _count, _is_there: now)

    def leave(self) -> None:
        """This worker accepts no more."""
        self._mine.change(lambda _count, _is_there: (0.0, 0.0))

    @property
    def is_complete(self) -> bool:
        """Whether all others accept, too: at a start the first one would take all that waits."""
        return all(share.read()[1] for share in self._others)

    def is_ours(self, now: float) -> bool:
        """Whether the connection that waits should be taken here; else it is looked at again soon.

        ``now`` is monotonic, in seconds.
        """
        others = [count for count, is_there in (share.read() for share in self._others) if is_there]
        least = min(others, default=0.0)
        if not others or now < self._alone_until or self._mine.read()[0] <= least + least // _SLACK:
            return True
        together = sum(others)
        if together != self._left_at:
            self._left_since, self._left_at = now, together
            return False
        if now - self._left_since < GRACE_S:
            return False
        self._misses = self._misses + 1 if together == self._missed_at else 1
        self._missed_at, self._left_at = together, -1.0
        if self._misses >= MISSES_MAX:
            self._alone_until, self._misses = now + ALONE_S, 0
        return True
