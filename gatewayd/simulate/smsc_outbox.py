"""What a simulated carrier still has to deliver: sent as windows allow, sent again when refused or lost.

Knows binds only by what it asks of them, and makes no receipt itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from gatewayd.simulate.schedule import Schedule
from gatewayd.simulate.smsc_ledger import Delivery, Ledger

WAITING_MAX = 1_000_000


class Receiver(Protocol):
    """A bind, seen from here."""

    number: int

    def can_deliver(self) -> bool:
        """Whether one more deliver_sm may be sent now."""

    def deliver(self, delivery: Delivery) -> None:
        """Send it; the answer comes back through ``Outbox.settle``."""


class Outbox:
    """Deliveries in order; each goes out over its own bind where that still stands, else over any that can take it."""

    __slots__ = ("_binds", "_ledger", "_redeliver_s", "_schedule", "_tries_max", "_waiting")

    def __init__(
        self,
        binds: Callable[[], Iterable[Receiver]],
        ledger: Ledger,
        schedule: Schedule,
        redeliver_s: float,
        redeliveries_max: int,
    ) -> None:
        self._binds = binds
        self._ledger = ledger
        self._schedule = schedule
        self._redeliver_s = redeliver_s
        self._tries_max = redeliveries_max + 1
        self._waiting: deque[Delivery] = deque(maxlen=WAITING_MAX)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Deliver it as soon as a bind can take it."""
        self._ledger.deliveries.append(delivery)
        self._waiting.append(delivery)
        self.flush()
        self._ledger.changed()

    def flush(self) -> None:
        """Send what can be sent: a bind came up, or its window has room again."""
        while self._waiting:
            bind = self._bind_for(self._waiting[0])
            if bind is None:
                return
            delivery = self._waiting.popleft()
            delivery.tries += 1
            bind.deliver(delivery)

    def settle(self, delivery: Delivery, status: int | None) -> None:
        """Take the answer to a delivery, None when none came. What was not confirmed is tried again, not for ever."""
        delivery.status = status
        self._ledger.counts["delivered" if status == 0 else "undelivered"] += 1
        if status != 0 and delivery.tries < self._tries_max:
            self._schedule.after(self._redeliver_s, partial(self._again, delivery))
        self._ledger.changed()

    def _again(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self.flush()

    def _bind_for(self, delivery: Delivery) -> Receiver | None:
        able = [bind for bind in self._binds() if bind.can_deliver()]
        own = [bind for bind in able if bind.number == delivery.bind]
        return own[0] if own else able[0] if able else None
