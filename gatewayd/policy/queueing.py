"""The order in which a link's waiting messages go: strict lanes, and weighted fair sharing of a lane by accounts.

Knows neither what the items are nor when they may go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

LANES = 4
"""Lanes are 0 to 3, as the values of SMPP's priority_flag; a higher one goes first, always."""

# Tags only ever grow. An empty lane may forget them, and does so long before a float could no longer tell them apart.
_FORGET_ABOVE = 1e6


class Line(Protocol[T]):
    """Where one account's items wait: a deque, or something smaller that does the same."""

    def __len__(self) -> int:
        """How many wait."""

    def append(self, item: T, /) -> None:
        """Add at the end."""

    def extend(self, items: Collection[T], /) -> None:
        """Add several at the end, in order."""

    def appendleft(self, item: T, /) -> None:
        """Put back at the front."""

    def popleft(self) -> T:
        """Take the first."""

    def __getitem__(self, place: int, /) -> T:
        """Look at the first, at place 0."""

    def __iter__(self) -> Iterator[T]:
        """All of them, first to last."""


class _Flow(Generic[T]):
    """One account's items in one lane. ``start`` is the virtual time at which its next item is due."""

    __slots__ = ("account", "index", "items", "refunds", "start", "stride", "weight")

    def __init__(self, account: str, index: int, items: Line[T]) -> None:
        self.account = account
        self.index = index
        self.items = items
        self.weight = 0
        self.stride = 0.0
        self.start = 0.0
        self.refunds = 0


class _Lane(Generic[T]):
    """Start-time fair queueing: the flow whose next item is due first goes, and moves on by 1 / weight.

    The virtual time is the start tag of what went last. A flow that comes back from idleness starts there, not where it
    left: idleness earns no credit. Nor does it start before its own tag: one that keeps a single item waiting gets no
    more than its share.
    """

    __slots__ = ("_line", "flows", "heap", "virtual")

    def __init__(self, line: Callable[[], Line[T]]) -> None:
        self._line = line
        self.flows: dict[str, _Flow[T]] = {}
        self.heap: list[tuple[float, int, _Flow[T]]] = []
        self.virtual = 0.0

    def flow(self, account: str, weight: int) -> _Flow[T]:
        """The account's flow; called only to add an item at once, so it is made ready to go."""
        flow = self.flows.get(account)
        if flow is None:
            flow = self.flows[account] = _Flow(account, len(self.flows), self._line())
        if flow.weight != weight:
            flow.weight = weight
            flow.stride = 1.0 / weight
        if not len(flow.items):
            if flow.start < self.virtual:
                flow.start = self.virtual
                flow.refunds = 0
            heappush(self.heap, (flow.start, flow.index, flow))
        return flow

    def pop(self) -> T:
        """The next item; the lane must not be empty."""
        self.virtual, index, flow = self.heap[0]
        item = flow.items.popleft()
        if flow.refunds:
            flow.refunds -= 1
        else:
            flow.start += flow.stride
        if len(flow.items):
            heapreplace(self.heap, (flow.start, index, flow))
        else:
            self._empty()
        return item

    def pop_alone(self, count: int) -> list[T]:
        """What so many pops would give, or all there are, where items of one account alone wait here."""
        _, index, flow = self.heap[0]
        popleft = flow.items.popleft
        items = [popleft() for _ in range(min(count, len(flow.items)))]
        refunded = min(flow.refunds, len(items))
        flow.refunds -= refunded
        paid = len(items) - refunded
        self.virtual = flow.start + flow.stride * max(0, paid - 1)  # where the last of them began
        flow.start += flow.stride * paid
        if len(flow.items):
            self.heap[0] = (flow.start, index, flow)
        else:
            self._empty()
        return items

    def _empty(self) -> None:
        """The last item of the flow that was first is gone."""
        heappop(self.heap)
        if not self.heap and self.virtual > _FORGET_ABOVE:
            self.flows.clear()
            self.virtual = 0.0

    def discard(self, gone: Collection[T]) -> None:
        """Take these out, wherever they wait. Shares stay as they were used."""
        for _, _, flow in self.heap:
            kept = self._line()
            for item in flow.items:
                if item not in gone:
                    kept.append(item)
            flow.items = kept
        self.heap = [entry for entry in self.heap if len(entry[2].items)]
        heapify(self.heap)


class FairQueue(Generic[T]):
    """What waits for one link. Within one account and lane, first in is first out."""

    __slots__ = ("_lanes", "_order", "_size")

    def __init__(self, line: Callable[[], Line[T]] = deque) -> None:
        """``line`` makes what an account's items wait in."""
        self._lanes: tuple[_Lane[T], ...] = tuple(_Lane(line) for _ in range(LANES))
        self._order = self._lanes[::-1]
        self._size = 0

    def __len__(self) -> int:
        """How many items wait in all lanes."""
        return self._size

    def push(self, lane: int, account: str, weight: int, item: T) -> None:
        """Add at the end of the account's items. ``weight``, at least 1, is the account's share of its lane."""
        self._lanes[lane].flow(account, weight).items.append(item)
        self._size += 1

    def extend(self, lane: int, account: str, weight: int, items: Collection[T]) -> None:
        """Add several, at least one, at the end of the account's items, in order."""
        self._lanes[lane].flow(account, weight).items.extend(items)
        self._size += len(items)

    def push_front(self, lane: int, account: str, weight: int, item: T) -> None:
        """Hand back an item that was popped and could not go; several are handed back last one first.

        The account gets the turn back that the item had used up.
        """
        flow = self._lanes[lane].flow(account, weight)
        flow.items.appendleft(item)
        flow.refunds += 1
        self._size += 1

    def pop(self) -> T | None:
        """The next item of the highest lane that has any, or None."""
        for lane in self._order:
            if lane.heap:
                self._size -= 1
                return lane.pop()
        return None

    def pop_many(self, count: int) -> list[T]:
        """What so many calls of ``pop`` would give: at once where an account is alone in its lane."""
        found: list[T] = []
        for lane in self._order:
            while lane.heap and len(found) < count:
                if len(lane.heap) == 1:
                    found += lane.pop_alone(count - len(found))
                else:
                    found.append(lane.pop())
        self._size -= len(found)
        return found

    def discard(self, gone: Collection[T]) -> None:
        """Take these out, wherever they wait: people wanted it. Takes a while where very many wait."""
        for lane in self._lanes:
            lane.discard(gone)
        self._size = sum(len(flow.items) for lane in self._lanes for _, _, flow in lane.heap)

    def top_lane(self) -> int:
        """The highest lane that has any item, or -1."""
        for lane in range(LANES - 1, -1, -1):
            if self._lanes[lane].heap:
                return lane
        return -1

    def top_size(self) -> int:
        """How many items wait in the highest lane that has any."""
        for lane in self._order:
            if lane.heap:
                return sum(len(flow.items) for _, _, flow in lane.heap)
        return 0

    def depths(self) -> dict[tuple[int, str], int]:
        """How many items wait, by lane and account; those with none are left out."""
        return {
            (number, flow.account): len(flow.items)
            for number, lane in enumerate(self._lanes)
            for flow in lane.flows.values()
            if len(flow.items)
        }

    def items(self) -> Iterator[T]:
        """All items, in no order that means anything."""
        for lane in self._lanes:
            for _, _, flow in lane.heap:
                yield from flow.items

    def heads(self) -> Iterator[T]:
        """The first item of every account in every lane: whatever has waited longest is among them."""
        for lane in self._lanes:
            for _, _, flow in lane.heap:
                yield flow.items[0]
