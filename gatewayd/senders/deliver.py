"""The outbox: brings receipts and replies to whichever bind of the account can take them, until one took them.

Each account has its own: one that is away or slow holds up nobody else. What waits is in the store; here are ids.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from gatewayd.policy.retry import is_worth_retrying, retry_delay_s
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.senders.deliver_pdu import deliver_sm
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Spool
from protocol.smpp.errors import LocalFault

if TYPE_CHECKING:
    from gatewayd.senders.smpp_server import EsmeConnection

HOT_MAX = 2_000
LOAD_MAX = 200
SWEEP_S = 30.0


class _Box:
    """What one account is owed: ids in order, and the binds that can take them.

    ``ids`` are new, ``returned`` came back and go first, ``postponed`` were refused for now and wait for their time.
    """

    __slots__ = ("account", "depth_max", "hot", "ids", "postponed", "receivers", "returned", "window")

    def __init__(self, account: str, depth_max: int, window: int) -> None:
        self.account = account
        self.depth_max = depth_max
        self.window = window
        self.ids: deque[int] = deque()
        self.returned: list[int] = []
        self.postponed: dict[int, None] = {}
        self.hot: dict[int, Delivery] = {}
        self.receivers: deque[EsmeConnection] = deque()

    def __len__(self) -> int:
        """How many may go now."""
        return len(self.ids) + len(self.returned)

    @property
    def depth(self) -> int:
        """How many are owed, those on the wire left out."""
        return len(self) + len(self.postponed)

    def pop(self) -> int:
        """The oldest id that may go now."""
        return heapq.heappop(self.returned) if self.returned else self.ids.popleft()

    def oldest(self) -> int:
        """The id that has waited longest, of all that are owed; there must be one."""
        first = (*self.returned[:1], *islice(self.ids, 1), *islice(self.postponed, 1))
        return min(first)

    def forget(self, delivery_id: int) -> None:
        """Take out the id that ``oldest`` gave."""
        if self.returned and self.returned[0] == delivery_id:
            heapq.heappop(self.returned)
        elif self.ids and self.ids[0] == delivery_id:
            self.ids.popleft()
        else:
            del self.postponed[delivery_id]


class Outbox:
    """All accounts' deliveries."""

    def __init__(
        self,
        spool: Spool,
        depths: Mapping[str, tuple[int, int]],
        metrics: Metrics,
        trail: Trail,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``depths`` gives each account's (outbox_depth_max, window)."""
        self._spool = spool
        self._metrics = metrics
        self._trail = trail
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._boxes = {name: _Box(name, depth, window) for name, (depth, window) in depths.items()}
        self._dirty: set[str] = set()
        self._later: list[tuple[float, int, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Take up what the last run owed. The store must have been folded."""
        for delivery_id, account in self._spool.owed():
            if account in self._boxes:
                self._boxes[account].ids.append(delivery_id)
        self._sweep()

    def stop(self) -> None:
        """Deliver nothing more; what is owed stays in the store."""
        self._is_stopping = True
        for timer in (self._timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()

    # -- from flow ------------------------------------------------------------------------------------------------

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now."""
        for delivery in deliveries:
            box = self._boxes.get(delivery.account)
            if box is None:
                continue
            box.ids.append(delivery.id)
            if len(box.hot) < HOT_MAX:
                box.hot[delivery.id] = delivery
            self._wake(box)

    def has_room(self, account: str) -> bool:
        """Whether the account's outbox may grow."""
        box = self._boxes.get(account)
        return box is not None and box.depth < box.depth_max

    def make_room(self, account: str) -> None:
        """Drop the account's oldest delivery: it has been away too long for what it is sent."""
        box = self._boxes.get(account)
        if box is not None and box.depth:
            delivery_id = box.oldest()
            box.forget(delivery_id)
            self._end(box, delivery_id, "any", "overflow")

    # -- from binds -----------------------------------------------------------------------------------------------

    def join(self, connection: EsmeConnection) -> None:
        """A receiver or transceiver is bound."""
        box = self._boxes[connection.account_name]
        box.receivers.append(connection)
        self._wake(box)

    def leave(self, connection: EsmeConnection) -> None:
        """It is gone; what it had not answered comes back through ``unanswered``."""
        box = self._boxes.get(connection.account_name)
        if box is not None and connection in box.receivers:
            box.receivers.remove(connection)

    def ready(self, connection: EsmeConnection) -> None:
        """Its window or its socket has room again."""
        self._wake(self._boxes[connection.account_name])

    def answered(self, connection: EsmeConnection, delivery: Delivery, status: int) -> None:
        """An ESME's deliver_sm_resp."""
        box = self._boxes[connection.account_name]
        if status == 0:
            self._metrics.receipt_to_esme.labels(box.account).observe(self._clock() - delivery.created_at)
            self._end(box, delivery.id, delivery.kind, "delivered")
        elif is_worth_retrying(status):
            self._metrics.deliveries.labels(box.account, delivery.kind, "retried").value += 1
            self._retry_later(box, delivery)
        else:
            self._trail.say(
                "delivery_rejected", account=box.account, kind=delivery.kind, handset=delivery.source, status=status
            )
            self._end(box, delivery.id, delivery.kind, "rejected")
        self._wake(box)

    def unanswered(self, connection: EsmeConnection, delivery: Delivery, reason: str) -> None:
        """No answer: it goes to the next bind that can take it, a second time perhaps."""
        box = self._boxes.get(connection.account_name)
        if box is None:
            return
        self._metrics.deliveries.labels(box.account, delivery.kind, f"unanswered_{reason}").value += 1
        if reason == "lost":
            self._give_back(box, delivery)
        else:
            self._retry_later(box, delivery)

    # -- the pump -------------------------------------------------------------------------------------------------

    def _wake(self, box: _Box) -> None:
        if not self._dirty:
            self._loop.call_soon(self._pump_all)
        self._dirty.add(box.account)

    def _pump_all(self) -> None:
        dirty, self._dirty = self._dirty, set()
        if not self._is_stopping:
            for account in dirty:
                self._pump(self._boxes[account])

    def _pump(self, box: _Box) -> None:
        """Fill the windows of the account's binds, each in turn."""
        for _ in range(len(box.receivers)):
            connection = box.receivers[0]
            box.receivers.rotate(-1)
            free = min(box.window - connection.engine.window_used, len(box), LOAD_MAX)
            if free > 0 and connection.can_deliver:
                for delivery in self._load(box, [box.pop() for _ in range(free)]):
                    self._send(box, connection, delivery)
        if len(box) and any(r.can_deliver and r.engine.window_used < box.window for r in box.receivers):
            self._wake(box)

    def _load(self, box: _Box, ids: list[int]) -> Iterable[Delivery]:
        if all(delivery_id in box.hot for delivery_id in ids):
            return [box.hot.pop(delivery_id) for delivery_id in ids]
        for delivery_id in ids:
            box.hot.pop(delivery_id, None)
        return self._spool.deliveries(ids)

    def _send(self, box: _Box, connection: EsmeConnection, delivery: Delivery) -> None:
        if delivery.due <= self._clock():
            self._end(box, delivery.id, delivery.kind, "expired")
            return
        try:
            connection.deliver(deliver_sm(delivery, connection.account_settings), delivery)
        except LocalFault as fault:
            if fault.kind in ("wrong_state", "window_full", "closed"):
                self._give_back(box, delivery)
            else:  # it cannot be said in a deliver_sm at all: nobody will ever take it
                self._trail.say("delivery_unbuildable", account=box.account, kind=delivery.kind, reason=fault.kind)
                self._end(box, delivery.id, delivery.kind, "unbuildable")

    # -- fates ----------------------------------------------------------------------------------------------------

    def _end(self, box: _Box, delivery_id: int, kind: str, outcome: str) -> None:
        box.hot.pop(delivery_id, None)
        self._spool.settle_delivery(delivery_id)
        self._metrics.deliveries.labels(box.account, kind, outcome).value += 1

    def _give_back(self, box: _Box, delivery: Delivery) -> None:
        heapq.heappush(box.returned, delivery.id)
        box.hot[delivery.id] = delivery
        self._wake(box)

    def _retry_later(self, box: _Box, delivery: Delivery) -> None:
        delivery.attempts += 1
        self._spool.save_delivery(delivery)
        at = self._loop.time() + retry_delay_s(delivery.attempts)
        heapq.heappush(self._later, (at, delivery.id, box.account))
        box.postponed[delivery.id] = None
        self._arm()

    def _arm(self) -> None:
        """See that the timer fires by the first retry; one that fires too early looks again."""
        if not self._later or self._is_stopping:
            return
        at = self._later[0][0]
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._retry_now)

    def _retry_now(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            _, delivery_id, account = heapq.heappop(self._later)
            box = self._boxes[account]
            if delivery_id in box.postponed:  # else it was dropped meanwhile
                del box.postponed[delivery_id]
                heapq.heappush(box.returned, delivery_id)
                self._wake(box)
        self._arm()

    def _sweep(self) -> None:
        """End what waits for an account that stays away: the oldest first, as all of an account live equally long."""
        now = self._clock()
        for box in self._boxes.values():
            while box.depth:
                delivery_id = box.oldest()
                found = self._spool.deliveries([delivery_id])
                if found and found[0].due > now:
                    break
                box.forget(delivery_id)
                if found:
                    self._end(box, delivery_id, found[0].kind, "expired")
        self._sweep_timer = self._loop.call_later(SWEEP_S, self._sweep)

    # -- for metrics ----------------------------------------------------------------------------------------------

    def depths(self) -> list[tuple[tuple[str, ...], float]]:
        """Deliveries that wait, by account."""
        return [((box.account,), box.depth) for box in self._boxes.values()]

    def ages(self) -> list[tuple[tuple[str, ...], float]]:
        """Seconds that the oldest delivery of each account has waited."""
        now = self._clock()
        return [((box.account,), max(0.0, now - self._oldest(box, now))) for box in self._boxes.values()]

    def _oldest(self, box: _Box, now: float) -> float:
        if not box.depth:
            return now
        found = self._spool.deliveries([box.oldest()])
        return found[0].created_at if found else now
