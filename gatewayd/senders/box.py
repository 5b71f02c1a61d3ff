"""What one account is owed over its binds, in its order: which may go now, and over which bind.

A handset's deliveries go over the bind where its last one is still unanswered, so that an application which reads
several binds reads them in order; each other one goes where there is most room. Knows neither store nor clock.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from gatewayd.policy.compact import CompactLine
from gatewayd.store.records import Delivery

if TYPE_CHECKING:
    from gatewayd.senders.esme_connection import EsmeConnection
    from gatewayd.senders.sharing import Guest

W = TypeVar("W")
T = TypeVar("T")

LOOKED_AT: Final = 3
"""Among so many binds the freest is looked for: of more, the next ones are nearly as good, and a look at each bind for
each delivery is dear where there are many."""
WAITING_MAX: Final = 500
"""So many may wait for a way that is full, before all others wait as well."""


class Ways(Generic[W, T]):
    """Over which way each handset's deliveries are going, and what waits for a way that has no room."""

    __slots__ = ("_going", "_line", "waiting")

    def __init__(self) -> None:
        self._going: dict[str, tuple[W, int]] = {}
        self._line: dict[str, deque[T]] = {}
        self.waiting = 0

    def of(self, handset: str) -> W | None:
        """Where the last ones went, while any of them is unanswered."""
        going = self._going.get(handset)
        return going[0] if going is not None else None

    def count(self, handset: str) -> int:
        """How many are unanswered."""
        going = self._going.get(handset)
        return going[1] if going is not None else 0

    def begin(self, handset: str, way: W) -> None:
        """One goes."""
        going = self._going.get(handset)
        self._going[handset] = (way, 1) if going is None else (way, going[1] + 1)

    def end(self, handset: str) -> None:
        """One was answered, or never will be."""
        going = self._going.pop(handset, None)
        if going is not None and going[1] > 1:
            self._going[handset] = going[0], going[1] - 1

    def wait(self, handset: str, item: T) -> None:
        """This one waits, behind those that do."""
        self._line.setdefault(handset, deque()).append(item)
        self.waiting += 1

    def first(self, handset: str) -> T | None:
        """The one that has waited longest."""
        line = self._line.get(handset)
        return line[0] if line else None

    def pop(self, handset: str) -> T:
        """The same, which waits no more."""
        line = self._line[handset]
        if len(line) == 1:
            del self._line[handset]
        self.waiting -= 1
        return line.popleft()


class Box:
    """What one account is owed: ids in order, and the binds that can take them.

    ``ids`` are new, ``returned`` came back and go first, ``postponed`` were refused for now and wait for their time, or
    for the delivery that they follow: ``followers`` are those, by what they follow. ``ways`` are the binds over which
    handsets' deliveries are going, ``homes`` the workers to which those of other workers' binds were given.
    """

    __slots__ = (
        "account",
        "depth_max",
        "followers",
        "homes",
        "hot",
        "ids",
        "postponed",
        "receivers",
        "returned",
        "ways",
        "window",
    )

    def __init__(self, account: str, depth_max: int, window: int) -> None:
        self.account = account
        self.depth_max = depth_max
        self.window = window
        self.ids = CompactLine()
        self.returned: list[int] = []
        self.postponed: dict[int, None] = {}
        self.followers: dict[int, int] = {}
        self.hot: dict[int, Delivery] = {}
        self.receivers: deque[EsmeConnection] = deque()
        self.ways: Ways[EsmeConnection, tuple[Delivery, Delivery | Guest]] = Ways()
        self.homes: Ways[int, Delivery] = Ways()

    def __len__(self) -> int:
        """How many may go now."""
        return self.ids.size + len(self.returned)

    @property
    def depth(self) -> int:
        """How many are owed, those on the wire left out."""
        return self.ids.size + len(self.returned) + len(self.postponed)

    def pop(self) -> int:
        """The oldest id that may go now."""
        return heapq.heappop(self.returned) if self.returned else self.ids.popleft()

    def room(self, connection: EsmeConnection) -> int:
        """How many deliver_sm a bind may be given now."""
        return max(0, self.window - connection.engine.window_used) if connection.can_deliver else 0

    def free(self) -> int:
        """The same over all binds of this account, but for those that wait for one of them already."""
        return max(0, sum(map(self.room, self.receivers)) - self.ways.waiting)

    def free_now(self) -> int:
        """How many of this worker's own may be tried: what waits for one bind keeps few from another."""
        return sum(map(self.room, self.receivers)) if self.ways.waiting < WAITING_MAX else 0

    def freest(self) -> EsmeConnection | None:
        """The bind with the most room, None when there is none; of equals each in turn."""
        receivers = self.receivers
        if len(receivers) == 1:
            return receivers[0] if self.room(receivers[0]) else None
        best, most = None, 0
        for index in range(min(len(receivers), LOOKED_AT)):
            room = self.room(receivers[index])
            if room > most:
                best, most = receivers[index], room
        if best is None and len(receivers) > LOOKED_AT:
            best = next(filter(self.room, receivers), None)
        receivers.rotate(-1)
        return best

    def oldest(self) -> int:
        """The id that has waited longest, of all that are owed; there must be one."""
        first = (*self.returned[:1], *islice(self.ids, 1), *islice(self.postponed, 1))
        return min(first)

    def forget(self, delivery_id: int) -> None:
        """Take out the id that ``oldest`` gave."""
        if self.returned and self.returned[0] == delivery_id:
            heapq.heappop(self.returned)
        elif len(self.ids) and self.ids[0] == delivery_id:
            self.ids.popleft()
        else:
            del self.postponed[delivery_id]
