"""The error ratio as an operator counts it: who could not be reached, of all that was asked, in the worst window.

Pure: whoever adds gives the time. Knows nothing of requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec


class Asked(msgspec.Struct):
    """One request for a message that the platform accepted or refused, and whether its handset could be reached."""

    at: float
    reachable: bool


class Window(msgspec.Struct, frozen=True):
    """A run of requests, from the time of its first to that of its last, and how many could not be reached."""

    since: float
    until: float
    asked: int
    unreachable: int

    @property
    def share(self) -> float:
        """Unreachable of all, 0 to 1."""
        return self.unreachable / self.asked if self.asked else 0.0


EMPTY = Window(0.0, 0.0, 0, 0)


class ReachLog:
    """Every request in the order of arrival; the oldest is forgotten beyond ``records_max``."""

    def __init__(self, records_max: int = 200_000) -> None:
        self.asked: deque[Asked] = deque(maxlen=records_max)
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self.asked)

    def add(self, at: float, reachable: bool) -> Asked:
        """A request was accepted or refused. What is returned may be set to unreachable when that comes out later."""
        if len(self.asked) == self.asked.maxlen:
            self._forgotten += 1
        one = Asked(at, reachable)
        self.asked.append(one)
        return one

    def last(self, count: int) -> Window:
        """The ``count`` latest requests, or all that there are."""
        first = max(0, len(self.asked) - count)
        return _window([self.asked[number] for number in range(first, len(self.asked))])

    def total(self) -> Window:
        """All of them."""
        return _window(list(self.asked))

    def worst(self, least: int = 200, skip: int = 200) -> Window:
        """The worst of all windows of at least ``least`` requests, wherever they begin after the first ``skip``."""
        return worst_window(self._after(skip), least)

    def worst_within(self, window_s: float, least: int = 200, skip: int = 200) -> Window:
        """The worst of the windows of ``window_s`` seconds that end with a request and hold at least ``least``."""
        return max(windows_within(self._after(skip), window_s, least), key=lambda one: one.share, default=EMPTY)

    def _after(self, skip: int) -> list[Asked]:
        return list(self.asked)[max(0, skip - self._forgotten) :]


def worst_window(asked: Sequence[Asked], least: int) -> Window:
    """The run of at least ``least`` with the greatest share of unreachable; the empty window when there are fewer."""
    best = _window(asked[:least]) if len(asked) >= least > 0 else EMPTY
    while best.asked:
        # A better run is one whose unreachable outweigh the share that is known so far; each round finds the best
        # by that weight, and the shares rise until none is better.
        first, last, gain = _heaviest(asked, least, best.unreachable, best.asked)
        if gain <= 0:
            return best
        best = _window(asked[first:last])
    return EMPTY


def windows_within(asked: Sequence[Asked], window_s: float, least: int) -> Iterable[Window]:
    """Each half-open window of ``window_s`` that ends with a request and holds at least ``least`` of them."""
    first = unreachable = 0
    for last, one in enumerate(asked):
        unreachable += not one.reachable
        while one.at - asked[first].at >= window_s:
            unreachable -= not asked[first].reachable
            first += 1
        if last - first + 1 >= least:
            yield Window(asked[first].at, one.at, last - first + 1, unreachable)


def _heaviest(asked: Sequence[Asked], least: int, part: int, whole: int) -> tuple[int, int, int]:
    """The run whose unreachable, less ``part``/``whole`` of its length, are the most (in 1/``whole``): exact."""
    sums = [0]
    for one in asked:
        sums.append(sums[-1] + (0 if one.reachable else whole) - part)
    lowest, best = 0, (0, 0, 0)
    for last in range(least, len(sums)):
        if sums[last - least] < sums[lowest]:
            lowest = last - least
        gain = sums[last] - sums[lowest]
        if gain > best[2]:
            best = (lowest, last, gain)
    return best


def _window(asked: Sequence[Asked]) -> Window:
    if not asked:
        return EMPTY
    return Window(asked[0].at, asked[-1].at, len(asked), sum(not one.reachable for one in asked))
