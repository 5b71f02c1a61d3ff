"""Whose the next connection is, where several workers accept from the same sockets: of whoever has the fewest.

Left alone, the kernel often gives all that an application opens at once to one worker, and most of its messages then
cross to the others and back. Each worker says in a slot of its own how many it has; nobody waits for one that is away.
"""

from __future__ import annotations

from typing import Final

from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_shares import Share

GRACE_S: Final = 0.05
"""So long one who has fewer may take to come for a connection."""
GATHER_S: Final = 1.0
"""So long the first ones wait for the last one at a start."""
MISSES_MAX: Final = 4
"""Whoever did not come for so many, one after the other, is not waited for: one alone says little, since whoever checks
a password is busy for as long."""
UNSEEN_S: Final = 1.0
"""So long, or until he has another number."""
_SLACK: Final = 8
"""A worker may be ahead by an eighth: a thousand that connect anew need not go round one by one."""


class _Other:
    """Another worker, as this one sees it."""

    __slots__ = ("_misses", "_share", "_unseen_until", "count", "is_there")

    def __init__(self, share: Share) -> None:
        self._share = share
        self.count = 0.0
        self.is_there = False
        self._misses = 0  # it came for none of so many, one after the other
        self._unseen_until = 0.0

    def look(self) -> bool:
        """Read what it tells; whether that is news, so that it is no worker that hangs."""
        count, is_there = self._share.read()
        is_news = count != self.count
        self.count, self.is_there = count, bool(is_there)
        if is_news:
            self._misses, self._unseen_until = 0, 0.0
        return is_news

    def is_awaited(self, now: float) -> bool:
        """Whether anything is left to it."""
        return self.is_there and now >= self._unseen_until

    def miss(self, now: float) -> None:
        """It had its time for one, and did not come."""
        self._misses += 1
        if self._misses >= MISSES_MAX:
            self._misses, self._unseen_until = 0, now + UNSEEN_S


class Dealing:
    """One worker's part."""

    def __init__(self, table: SharedLimits, kind: str, slot: int, workers: int) -> None:
        """``kind`` names what is connected to. Raises SlotsExhausted."""
        shares = [Share(table, f"share:{kind}:{number}") for number in range(workers)]
        self._mine = shares.pop(slot)
        self._others = [_Other(share) for share in shares]
        self._left_since = -1.0  # since when one is left to others, below 0 where none is
        self._looked_at = 0.0

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
        for other in self._others:
            other.look()
        return all(other.is_there for other in self._others)

    def is_ours(self, now: float) -> bool:
        """Whether the connection that waits should be taken here; else it is looked at again soon.

        ``now`` is monotonic, in seconds.
        """
        mine, came = self._mine.read()[0], False
        for other in self._others:
            was_behind = other.count < mine
            came |= other.look() and was_behind
        awaited = [other for other in self._others if other.is_awaited(now)]
        least = min([other.count for other in awaited], default=mine)
        looked_at, self._looked_at = self._looked_at, now
        if mine <= least + least // _SLACK:
            self._left_since = -1.0
            return True
        if self._left_since < 0 or came or now - looked_at > GRACE_S:  # long ago it was another connection
            self._left_since = now
        elif now - self._left_since >= GRACE_S:
            self._left_since = -1.0
            for other in awaited:
                if other.count < mine:
                    other.miss(now)
            return True
        return False
