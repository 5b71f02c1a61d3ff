"""At which of a carrier's hosts one bind is to be: the next after so many failures in a row, the first again later.

Knows hosts by their place in the order of preference alone, and no time.
"""

from __future__ import annotations


class Failover:
    """One bind's place among ``count`` hosts; ``failures_max`` in a row move it to the next."""

    __slots__ = ("_came_from", "_count", "_failures", "_failures_max", "_moves", "place")

    def __init__(self, count: int, failures_max: int) -> None:
        self.place = 0
        self._count = count
        self._failures_max = failures_max
        self._failures = 0
        self._moves = 0
        self._came_from: int | None = None

    @property
    def is_away(self) -> bool:
        """Whether it is not at the first."""
        return self.place > 0

    def stood(self) -> None:
        """Its bind has stood long enough to be none of the failures in a row."""
        self._failures = self._moves = 0
        self._came_from = None

    def failed(self) -> bool:
        """One more attempt came to nothing. Whether it is to be somewhere else now, where nobody was asked yet.

        After a whole round without a bind nobody is new any more: then the usual wait lies between two attempts.
        """
        if self._came_from is not None:  # the first is not back after all, even if it took a bind for a moment
            self.place, self._came_from = self._came_from, None
            self._failures = 0
            return True
        self._failures += 1
        if self._count == 1 or self._failures < self._failures_max:
            return False
        self._failures = 0
        self._moves += 1
        self.place = (self.place + 1) % self._count
        return self._moves < self._count

    def go_back(self) -> None:
        """Try the first again; one failure there, and it is back where it was."""
        if self.place:
            self._came_from, self.place = self.place, 0
