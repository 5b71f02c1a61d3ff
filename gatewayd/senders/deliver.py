"""The outbox: brings receipts and replies to whichever bind of the account can take them, until one took them.

Each account has its own: one that is away or slow holds up nobody else. What waits is in the store; here are ids.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from gatewayd.policy.retry import is_worth_retrying, retry_delay_s
from gatewayd.runtime.alarms import Alarm
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.senders.box import Box
from gatewayd.senders.deliver_pdu import deliver_sm
from gatewayd.senders.sharing import Guest, Sharing
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Spool
from protocol.smpp.constants import status_name
from protocol.smpp.errors import LocalFault

if TYPE_CHECKING:
    from gatewayd.senders.esme_connection import EsmeConnection

# Beside any command_status: no answer came; or none could, for it cannot be written as a deliver_sm.
NO_STATUS = -1
UNBUILDABLE = 0x0000_FFFF

# For what is owed to an account that is not configured (any more).
ORPHAN_DEPTH_MAX, ORPHAN_WINDOW = 100_000, 1

SMPP = "smpp"
HOT_MAX = 2_000
# So many of one account go in a turn of the loop; where few accounts have any, so many of all together. What one turn
# took from many binds must go in about one turn, too, else receipts pile up behind it.
LOAD_MAX, LOAD_MAX_OF_ALL = 200, 1_024
SWEEP_S = 30.0
# Of one account, so that a million that expire at once do not hold up the loop; the next ones soon after.
SWEEP_MAX, SWEEP_AGAIN_S = 500, 0.1


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
        self._boxes = {name: Box(name, depth, window) for name, (depth, window) in depths.items()}
        self._dirty: set[str] = set()
        self._later: list[tuple[float, int, str]] = []
        self._retries = Alarm(self._loop, self._retry_now)
        self._sweeps = Alarm(self._loop, self._sweep)
        self._is_stopping = False
        self.sharing: Sharing | None = None

    def configure(self, bounds: Mapping[str, tuple[int, int]]) -> None:
        """Other depths and windows from now on. What is owed to an account that is gone waits until it expires."""
        for name, (depth, window) in bounds.items():
            box = self.box_of(name)
            box.depth_max, box.window = depth, window

    def start(self) -> None:
        """Take up what the last run owed. The store must have been folded."""
        for delivery_id, account in self._spool.owed():
            self.box_of(account).ids.append(delivery_id)
        self._sweep()

    def stop(self) -> None:
        """Deliver nothing more; what is owed stays in the store."""
        self._is_stopping = True
        for alarm in (self._retries, self._sweeps):
            alarm.cancel()

    # -- from flow ------------------------------------------------------------------------------------------------

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now."""
        for delivery in deliveries:
            box = self._boxes.get(delivery.account)
            if box is None:
                box = self.box_of(delivery.account)
            box.ids.append(delivery.id)
            if len(box.hot) < HOT_MAX:
                box.hot[delivery.id] = delivery
            if box.account not in self._dirty:
                self.wake(box)

    def has_room(self, account: str) -> bool:
        """Whether the account's outbox may grow."""
        box = self._boxes.get(account)
        return box is None or box.depth < box.depth_max

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
        self._offer(box)

    def leave(self, connection: EsmeConnection) -> None:
        """It is gone; what it had not answered comes back through ``unanswered``."""
        box = self._boxes.get(connection.account_name)
        if box is not None and connection in box.receivers:
            box.receivers.remove(connection)

    def ready(self, connection: EsmeConnection) -> None:
        """Its window or its socket has room again."""
        self._offer(self._boxes[connection.account_name])

    def unanswered(self, connection: EsmeConnection, context: Delivery | Guest, reason: str) -> None:
        """No answer: it goes to the next bind that can take it, a second time perhaps."""
        self.answered(connection, context, NO_STATUS, reason)

    def answered(self, connection: EsmeConnection, context: Delivery | Guest, status: int, reason: str = "") -> None:
        """An ESME's deliver_sm_resp; or, for ``reason``, none."""
        box = self.box_of(connection.account_name)
        if type(context) is Delivery:
            delivery = context
            self._settle(box, delivery, status, reason, connection.pump.peername if status else "")
        else:
            assert self.sharing is not None  # nobody else brings guests
            assert isinstance(context, Guest)
            delivery = context.delivery
            self.sharing.carried(context, status, reason)
        if self.sharing is not None and box.account not in self.sharing.serving:
            self.sharing.serve(box.account)
        if box.account not in self._dirty:
            self.wake(box)
        box.ways.end(delivery.source)
        if box.ways.waiting:
            self._go_on(box, delivery.source, is_lost=reason == "lost")

    def _go_on(self, box: Box, handset: str, *, is_lost: bool) -> None:
        """One of a handset is through: those that waited go, over the same bind if more are unanswered there."""
        while box.ways.first(handset) is not None:
            way = box.ways.of(handset)
            bind = box.freest() if way is None else way
            has_room = bind is not None and box.room(bind) > 0
            if way is not None and not has_room:
                return  # it will be told of the others that go that way
            delivery, waiting = box.ways.pop(handset)
            # One that was lost goes before those that were behind it.
            if is_lost or not (bind is not None and has_room and self._send(box, bind, delivery, waiting)):
                self._not_sent(box, delivery, waiting)

    def _not_sent(self, box: Box, delivery: Delivery, context: Delivery | Guest) -> None:
        """No bind has room any more: it waits where all others do."""
        if isinstance(context, Guest):
            assert self.sharing is not None  # nobody else brings guests
            self.sharing.carried(context, NO_STATUS, "lost")
        else:
            self.settle(box.account, delivery, NO_STATUS, "lost")

    def settle(self, account: str, delivery: Delivery, status: int, reason: str, bind: str = "") -> None:
        """What came of one delivery: a command_status, or NO_STATUS and why there was none. ``bind`` is the peer's."""
        self._settle(self.box_of(account), delivery, status, reason, bind)

    def _settle(self, box: Box, delivery: Delivery, status: int, reason: str, bind: str) -> None:
        if self.sharing is not None:
            self.sharing.settled(box, delivery)
        if status:
            self._note_failure(delivery, status, reason, bind)
        if status == 0:
            self._metrics.receipt_to_esme[(box.account,)].observe(self._clock() - delivery.created_at)
            self._end(box, delivery.id, delivery.kind, "delivered")
            if self._trail.wants:
                self._trail.tell("delivered", **delivery.told())
        elif status == NO_STATUS:
            self._metrics.deliveries.labels(box.account, SMPP, delivery.kind, f"unanswered_{reason}").value += 1
            if reason == "lost":
                self.give_back(box, delivery)
            else:
                self._retry_later(box, delivery)
        elif status == UNBUILDABLE:
            self._trail.say("delivery_unbuildable", **delivery.told(), reason=reason)
            self._end(box, delivery.id, delivery.kind, "unbuildable")
        elif is_worth_retrying(status):
            self._metrics.deliveries.labels(box.account, SMPP, delivery.kind, "retried").value += 1
            self._retry_later(box, delivery)
        else:
            self._trail.say("delivery_rejected", **delivery.told(), status=status_name(status))
            self._end(box, delivery.id, delivery.kind, "rejected")

    # -- the pump -------------------------------------------------------------------------------------------------

    def _offer(self, box: Box) -> None:
        """A bind of the account has room, perhaps."""
        if self.sharing is not None:
            self.sharing.serve(box.account)
        self.wake(box)

    def wake(self, box: Box) -> None:
        """Look at this box at the end of the loop turn."""
        if not self._dirty:
            self._loop.call_soon(self._pump_all)
        self._dirty.add(box.account)

    def wake_account(self, account: str) -> None:
        """The same, by name."""
        box = self._boxes.get(account)
        if box is not None:
            self.wake(box)

    def wake_all(self) -> None:
        """The same, for all that owe something."""
        for box in self._boxes.values():
            if len(box):
                self.wake(box)

    def box(self, account: str) -> Box | None:
        """An account's box."""
        return self._boxes.get(account)

    def box_of(self, account: str) -> Box:
        """The same, made if need be: an account may come back, and what is owed to one that does not must expire."""
        box = self._boxes.get(account)
        if box is None:
            box = self._boxes[account] = Box(account, ORPHAN_DEPTH_MAX, ORPHAN_WINDOW)
        return box

    def _pump_all(self) -> None:
        dirty, self._dirty = self._dirty, set()
        most = max(LOAD_MAX, LOAD_MAX_OF_ALL // len(dirty))
        for account in () if self._is_stopping else dirty:
            if self.sharing is not None:
                self.sharing.pump(self._boxes[account], most)
            else:
                self._pump(self._boxes[account], most)

    def _pump(self, box: Box, most: int) -> None:
        """Fill the windows of the account's binds, each in turn, with so many at most."""
        free = min(box.free_now(), len(box), most)
        if free > 0:
            for delivery in self.load(box, [box.pop() for _ in range(free)]):
                if not self.send_here(box, delivery, delivery):
                    self.give_back(box, delivery)
            if len(box):
                self.wake(box)

    def load(self, box: Box, ids: list[int]) -> Iterable[Delivery]:
        """The deliveries of these ids that may go now: not those that are settled, must wait for another one, or whose
        time is over, which end here."""
        if all(map(box.hot.__contains__, ids)):
            loaded = [box.hot.pop(delivery_id) for delivery_id in ids]
        else:
            for delivery_id in ids:
                box.hot.pop(delivery_id, None)
            loaded = self._spool.deliveries(ids)
        now = self._clock()
        return [one for one in loaded if (one.due > now and not one.follows) or self._may_go(box, one, now)]

    def _may_go(self, box: Box, delivery: Delivery, now: float) -> bool:
        """Whether its time is not over, and what it follows is settled. Else it waits for that, over however many binds
        the two may go."""
        if delivery.due <= now:
            self._end(box, delivery.id, delivery.kind, "expired")
            return False
        if not self._spool.deliveries([delivery.follows]):
            return True
        box.followers[delivery.follows] = delivery.id
        box.postponed[delivery.id] = None
        return False

    def send_here(self, box: Box, delivery: Delivery, context: Delivery | Guest) -> bool:
        """Send it over its handset's bind, or let it wait for that, else over the freest; False when none has room."""
        ways = box.ways
        bind = ways.of(delivery.source)
        if bind is None:
            bind = box.freest()
            return bind is not None and self._send(box, bind, delivery, context)
        is_first = not ways.waiting or ways.first(delivery.source) is None
        if not (is_first and box.room(bind) and self._send(box, bind, delivery, context)):
            ways.wait(delivery.source, (delivery, context))
        return True

    def _send(self, box: Box, bind: EsmeConnection, delivery: Delivery, context: Delivery | Guest) -> bool:
        """Send it over a bind; False when that cannot take it after all."""
        try:
            bind.deliver(deliver_sm(delivery, bind.account_settings, bind.receipt_form), context)
        except LocalFault as fault:
            if fault.kind in ("wrong_state", "window_full", "closed"):
                return False
            # It cannot be said in a deliver_sm at all: nobody will ever take it.
            box.ways.begin(delivery.source, bind)
            self.answered(bind, context, UNBUILDABLE, fault.kind)
            return True
        box.ways.begin(delivery.source, bind)
        return True

    # -- fates ----------------------------------------------------------------------------------------------------

    def _note_failure(self, delivery: Delivery, status: int, reason: str, bind: str) -> None:
        """For those who ask later: a delivery that is taken at once needs no word."""
        facts = {"reason": reason} if status in (NO_STATUS, UNBUILDABLE) else {"status": status_name(status)}
        if bind:
            facts["bind"] = bind
        self._spool.note(delivery.id, "delivery_failed", **facts)

    def _end(self, box: Box, delivery_id: int, kind: str, outcome: str) -> None:
        if outcome != "delivered":
            self._spool.note(delivery_id, "delivery_ended", outcome=outcome)
        box.hot.pop(delivery_id, None)
        self._spool.settle_delivery(delivery_id)
        self._metrics.deliveries[box.account, SMPP, kind, outcome].value += 1
        if box.followers:
            follower = box.followers.pop(delivery_id, None)
            if follower in box.postponed:  # else it was dropped meanwhile
                del box.postponed[follower]
                heapq.heappush(box.returned, follower)
                self.wake(box)

    def give_back(self, box: Box, delivery: Delivery) -> None:
        """It was not sent: it keeps its place."""
        heapq.heappush(box.returned, delivery.id)
        box.hot[delivery.id] = delivery
        self.wake(box)

    def give_back_to(self, delivery: Delivery) -> None:
        """The same, by the account's name."""
        self.give_back(self.box_of(delivery.account), delivery)

    def _retry_later(self, box: Box, delivery: Delivery) -> None:
        delivery.attempts += 1
        self._spool.save_delivery(delivery)
        at = self._loop.time() + retry_delay_s(delivery.attempts)
        heapq.heappush(self._later, (at, delivery.id, box.account))
        box.postponed[delivery.id] = None
        self._arm()

    def _arm(self) -> None:
        """See that the alarm rings by the first retry."""
        if self._later and not self._is_stopping:
            self._retries.set(self._later[0][0])

    def _retry_now(self) -> None:
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            _, delivery_id, account = heapq.heappop(self._later)
            box = self._boxes[account]
            if delivery_id in box.postponed:  # else it was dropped meanwhile
                del box.postponed[delivery_id]
                heapq.heappush(box.returned, delivery_id)
                self.wake(box)
        self._arm()

    def _sweep(self) -> None:
        """End what waits for an account that stays away: the oldest first, as all of an account live equally long."""
        is_done = True
        for box in self._boxes.values():
            for _ in range(SWEEP_MAX):
                if not self._ends_oldest(box):
                    break
            else:
                is_done = False
        self._sweeps.set(self._loop.time() + (SWEEP_S if is_done else SWEEP_AGAIN_S))

    def _ends_oldest(self, box: Box) -> bool:
        """Whether the oldest one was over, and is forgotten."""
        if not box.depth:
            return False
        delivery_id = box.oldest()
        found = self._spool.deliveries([delivery_id])
        if found and found[0].due > self._clock():
            return False
        box.forget(delivery_id)
        if found:
            self._end(box, delivery_id, found[0].kind, "expired")
        return True

    # -- for people -----------------------------------------------------------------------------------------------

    def replay(self, account: str) -> int:
        """Offer at once what waits for another try; how many those are."""
        box = self._boxes.get(account)
        if box is None:
            return 0
        count = len(box.postponed)
        for delivery_id in box.postponed:
            heapq.heappush(box.returned, delivery_id)
        box.postponed.clear()
        self._offer(box)
        return count

    def drop(self, account: str, chosen: Mapping[int, str]) -> int:
        """Forget these for good, ids with their kinds; how many that were. What is on the wire stays."""
        box = self._boxes.get(account)
        waiting = {*box.ids, *box.returned, *box.postponed} if box is not None else set()
        gone = waiting.intersection(chosen)
        if box is None or not gone:
            return 0
        box.ids.discard(gone)
        box.returned = [delivery_id for delivery_id in box.returned if delivery_id not in gone]
        heapq.heapify(box.returned)
        for delivery_id in gone:
            box.postponed.pop(delivery_id, None)
            self._end(box, delivery_id, chosen[delivery_id], "dropped")
        return len(gone)

    # -- for metrics ----------------------------------------------------------------------------------------------

    def depths(self) -> list[tuple[tuple[str, ...], float]]:
        """Deliveries that wait, by account."""
        return [((box.account, SMPP), box.depth + self._waiting_in(box)) for box in self._boxes.values()]

    def _waiting_in(self, box: Box) -> int:
        """Those that wait for the way of their handset; of what waits for our binds, some may be other workers'."""
        return box.homes.waiting + (box.ways.waiting if self.sharing is None else 0)

    def ages(self) -> list[tuple[tuple[str, ...], float]]:
        """Seconds that the oldest delivery of each account has waited."""
        now = self._clock()
        return [((box.account, SMPP), max(0.0, now - self._oldest(box, now))) for box in self._boxes.values()]

    def _oldest(self, box: Box, now: float) -> float:
        if not box.depth:
            return now
        found = self._spool.deliveries([box.oldest()])
        return found[0].created_at if found else now
