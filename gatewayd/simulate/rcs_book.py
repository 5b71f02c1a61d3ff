"""What every platform's ledger has: requests, webhook attempts, the pace and the reach of messages, and waiting.

Knows nothing of HTTP or of what messages hold; whoever writes to it gives the time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

import msgspec

from gatewayd.simulate.rcs_quota import busiest
from gatewayd.simulate.rcs_ratio import ReachLog

WORST_OF = 200
"""The error ratio is judged over windows of at least so many requests, after the first so many."""


class Entry(msgspec.Struct, frozen=True):
    """One line of a message's history: Unix time, what happened, and the code or the words that go with it."""

    at: float
    what: str
    detail: str = ""


class RequestRecord(msgspec.Struct, frozen=True):
    """One request of the bot. ``status`` 0 means that it was left without an answer; ``code`` is of the catalogue."""

    at: float
    method: str
    path: str
    status: int
    code: int = 0


class WebhookRecord(msgspec.Struct, frozen=True):
    """One attempt at a webhook. ``http_status`` 0 means that no answer came, and ``error`` says why."""

    at: float
    event_id: int
    attempt: int
    event: str
    status: str
    msg_id: str
    contact: str
    http_status: int
    error: str = ""


class Book:
    """Everything that happened; the oldest is forgotten beyond ``records_max`` of a kind.

    ``accepted_at`` holds the (monotonic) times of the requests that the quota let through, ascending; ``reach`` those
    of them that were accepted or refused for what they asked.
    """

    def __init__(self, records_max: int = 200_000) -> None:
        self.records_max = records_max
        self.requests: deque[RequestRecord] = deque(maxlen=records_max)
        self.webhooks: deque[WebhookRecord] = deque(maxlen=records_max)
        self.accepted_at: deque[float] = deque(maxlen=records_max)
        self.reach = ReachLog(records_max)
        self.lost_webhooks = 0
        self.given_up_webhooks = 0
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Let everyone who waits look again."""
        self._changed.set()

    def add_request(self, record: RequestRecord) -> None:
        """A request was answered, or left without answer."""
        self.requests.append(record)
        self.changed()

    def add_webhook(self, record: WebhookRecord) -> None:
        """A webhook was tried."""
        self.webhooks.append(record)
        self.changed()

    def count_accepted(self, now: float) -> None:
        """The quota let a request through."""
        self.accepted_at.append(now)
        self.changed()

    def count_lost(self) -> None:
        """A webhook was lost as told."""
        self.lost_webhooks += 1
        self.changed()

    def count_given_up(self) -> None:
        """A webhook was tried for the last time in vain, or found the queue full."""
        self.given_up_webhooks += 1
        self.changed()

    def attempts(self, msg_id: str, status: str = "") -> Iterator[WebhookRecord]:
        """The webhook attempts that named a message, of one status or of all."""
        return (hook for hook in self.webhooks if hook.msg_id == msg_id and status in ("", hook.status))

    def busiest(self, window_s: float) -> int:
        """The most requests that the quota let through in any ``window_s`` seconds, wherever they begin."""
        return busiest(list(self.accepted_at), window_s)

    async def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float = 5.0) -> None:
        """Return once ``predicate(ledger)`` holds; raises ``TimeoutError``."""
        async with asyncio.timeout(timeout_s):
            while not predicate(self):
                self._changed.clear()
                await self._changed.wait()

    def counts(self, contact: str = "") -> dict[str, object]:
        """Requests, webhooks and every count, as people and scripts read them."""
        total, worst = self.reach.total(), self.reach.worst(WORST_OF, WORST_OF)
        return {
            "requests": list(self.requests),
            "webhooks": [each for each in self.webhooks if contact in ("", each.contact)],
            "lost_webhooks": self.lost_webhooks,
            "given_up_webhooks": self.given_up_webhooks,
            "accepted_requests": len(self.accepted_at),
            "busiest_second": self.busiest(1.0),
            "busiest_minute": self.busiest(60.0),
            "unreachable_share": total.share,
            "unreachable_worst_share": worst.share,
            "unreachable_worst_window": worst if worst.asked else None,
        }
