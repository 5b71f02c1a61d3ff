"""How several workers share what one of them holds: a carrier's window, or an application's binds.

The holder's ``Office`` hands out credits, each good for one request; a home's ``Purse`` spends them. A home that has
work and no credit says that it is hungry; the office serves the hungry in turn. What a purse does not need goes back.
A home asks its own office first, and the others when that has nothing for it: whatever it does itself crosses nothing.
The sum of credits handed out and of requests under way never exceeds what the holder has free.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Office:
    """The holder's side, for one resource. Peers are slots."""

    __slots__ = ("_granted", "_hungry", "_turn")

    def __init__(self) -> None:
        self._granted: dict[int, int] = {}
        self._hungry: dict[int, int] = {}
        self._turn: deque[int] = deque()

    @property
    def granted(self) -> int:
        """Credits that were handed out and neither spent nor given back."""
        return sum(self._granted.values())

    def left(self, free: int) -> int:
        """How many it may still hand out, given what the holder has free."""
        return free - self.granted

    def hungry(self, peer: int, wanted: int) -> None:
        """A home has work for this many; 0 takes it back."""
        if peer not in self._hungry and wanted > 0:
            self._turn.append(peer)
        if wanted > 0:
            self._hungry[peer] = wanted
        elif self._hungry.pop(peer, None) is not None:
            self._turn.remove(peer)

    def is_hungry(self, peer: int) -> bool:
        """Whether a home still waits for credits."""
        return peer in self._hungry

    def spent(self, peer: int, count: int) -> None:
        """A home used credits: what they were for is under way now."""
        self._granted[peer] = max(0, self._granted.get(peer, 0) - count)

    def forget(self, peer: int) -> None:
        """A home is gone, and its credits with it."""
        self._granted.pop(peer, None)
        self.hungry(peer, 0)

    def grants(self, free: int) -> list[tuple[int, int]]:
        """(peer, credits) to hand out now, given what the holder has free: in equal shares, odd ones in turn."""
        given: dict[int, int] = {}
        left = self.left(free)
        while left > 0 and self._turn:
            share = max(1, left // len(self._turn))
            for _ in range(min(left, len(self._turn))):
                peer = self._turn.popleft()
                count = min(share, self._hungry[peer])
                left -= count
                given[peer] = given.get(peer, 0) + count
                self._hungry[peer] -= count
                if self._hungry[peer] > 0:
                    self._turn.append(peer)
                else:
                    del self._hungry[peer]
        for peer, count in given.items():
            self._granted[peer] = self._granted.get(peer, 0) + count
        return list(given.items())


class Purse:
    """A home's side, for one resource, over all of its holders."""

    __slots__ = ("_asked", "_credits")

    def __init__(self) -> None:
        self._credits: dict[int, int] = {}
        self._asked: set[int] = set()

    def __len__(self) -> int:
        return sum(self._credits.values())

    def receive(self, holder: int, count: int) -> None:
        """Credits came."""
        self._credits[holder] = self._credits.get(holder, 0) + count
        self._asked.discard(holder)

    def spend(self, wanted: int, first: int) -> tuple[int, int]:
        """A holder, and how many of ``wanted`` it takes; (-1, 0) when there are no credits.

        It is the holder that is to come ``first``, or whoever has the most.
        """
        held = self._credits
        if not held:
            return -1, 0
        holder = first if first in held else max(held, key=held.__getitem__)
        left = held[holder] - wanted
        if left > 0:
            held[holder] = left
            return holder, wanted
        return holder, held.pop(holder)

    def spend_at(self, holder: int) -> bool:
        """One credit of this very holder, if there is one."""
        if holder not in self._credits:
            return False
        self._credits[holder] -= 1
        if not self._credits[holder]:
            del self._credits[holder]
        return True

    def give_back(self, keep: int) -> list[tuple[int, int]]:
        """(holder, credits) beyond those to keep."""
        back, surplus = [], len(self) - keep
        for holder in list(self._credits):
            share = min(surplus, self._credits[holder])
            if share > 0:
                surplus -= share
                self._credits[holder] -= share
                if not self._credits[holder]:
                    del self._credits[holder]
                back.append((holder, share))
        return back

    def ask(self, holders: Iterable[int]) -> list[int]:
        """Those that were not asked yet since they last gave."""
        asked = [holder for holder in holders if holder not in self._asked]
        self._asked.update(asked)
        return asked

    def forget(self, holder: int) -> None:
        """A holder is gone, or has nothing to offer any more; it may be asked anew."""
        self._credits.pop(holder, None)
        self._asked.discard(holder)
