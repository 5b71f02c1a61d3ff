"""The ledger: every request, message, state change and webhook attempt that the platform saw, bounded, in memory.

Knows nothing of HTTP or rules; whoever writes to it gives the time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from gatewayd.simulate.rcs_behaviour import Rule
from gatewayd.simulate.rcs_quota import busiest
from gatewayd.simulate.rcs_validation import Submission

OVER = frozenset(("delivered", "displayed", "failed", "cancelled"))


class Entry(msgspec.Struct, frozen=True):
    """One line of a message's history: Unix time, what happened, and the code or the words that go with it."""

    at: float
    what: str
    detail: str = ""


class MessageRecord(msgspec.Struct):
    """One message that the platform took from a bot.

    ``status`` is as FNW.11 spells it, with ``cancelled`` for a revoked message whatever the platform writes.
    ``answered`` tells whether the bot was given the message's id. ``pending_states`` and ``held_event`` serve
    webhooks out of order.
    """

    id: str
    bot: str
    submission: Submission
    rule: Rule
    accepted_at: float
    status: str = "pending"
    status_at: float = 0.0
    answered: bool = False
    history: list[Entry] = []
    pending_states: int = 0
    held_event: tuple[dict[str, object], str] | None = None

    @property
    def contact(self) -> str:
        """Whom it is for."""
        return self.submission.contact

    @property
    def is_over(self) -> bool:
        """Whether it reached the handset, or never will."""
        return self.status in OVER

    def statuses(self) -> list[str]:
        """The states it went through, in order."""
        return [entry.what for entry in self.history if entry.what in OVER or entry.what in ("pending", "sent")]


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


class InboundRecord(msgspec.Struct):
    """One message or reply of a handset, and how far the bot has said it got."""

    id: str
    contact: str
    event: str
    at: float
    displayed: bool = False


class Ledger:
    """Everything that happened; the oldest is forgotten beyond ``records_max`` of a kind.

    ``accepted_at`` holds the (monotonic) times of the requests that the quota let through, ascending.
    """

    def __init__(self, records_max: int = 200_000) -> None:
        self.records_max = records_max
        self.messages: dict[str, MessageRecord] = {}
        self.inbound: dict[str, InboundRecord] = {}
        self.requests: deque[RequestRecord] = deque(maxlen=records_max)
        self.webhooks: deque[WebhookRecord] = deque(maxlen=records_max)
        self.accepted_at: deque[float] = deque(maxlen=records_max)
        self.lost_webhooks = 0
        self.given_up_webhooks = 0
        self._changed = asyncio.Event()

    def add_message(self, record: MessageRecord) -> None:
        """A message was taken."""
        self.messages[record.id] = record
        if len(self.messages) > self.records_max:
            del self.messages[next(iter(self.messages))]
        self.note(record, record.accepted_at, "pending")

    def add_inbound(self, record: InboundRecord) -> None:
        """A handset said something."""
        self.inbound[record.id] = record
        if len(self.inbound) > self.records_max:
            del self.inbound[next(iter(self.inbound))]
        self._changed.set()

    def note(self, record: MessageRecord, at: float, what: str, detail: str = "") -> None:
        """A line of history; a state also becomes the message's status."""
        record.history.append(Entry(at, what, detail))
        if what in OVER or what in ("pending", "sent"):
            record.status = what
            record.status_at = at
        self._changed.set()

    def add_request(self, record: RequestRecord) -> None:
        """A request was answered, or left without answer."""
        self.requests.append(record)
        self._changed.set()

    def add_webhook(self, record: WebhookRecord) -> None:
        """A webhook was tried."""
        self.webhooks.append(record)
        self._changed.set()

    def count_accepted(self, now: float) -> None:
        """The quota let a request through."""
        self.accepted_at.append(now)
        self._changed.set()

    def count_lost(self) -> None:
        """A webhook was lost as told."""
        self.lost_webhooks += 1
        self._changed.set()

    def count_given_up(self) -> None:
        """A webhook was tried for the last time in vain, or found the queue full."""
        self.given_up_webhooks += 1
        self._changed.set()

    def to(self, contact: str) -> list[MessageRecord]:
        """The messages for one contact, oldest first."""
        return [record for record in self.messages.values() if record.contact == contact]

    def attempts(self, msg_id: str, status: str = "") -> Iterator[WebhookRecord]:
        """The webhook attempts that named a message, of one status or of all."""
        return (hook for hook in self.webhooks if hook.msg_id == msg_id and status in ("", hook.status))

    def busiest(self, window_s: float) -> int:
        """The most requests that the quota let through in any ``window_s`` seconds, wherever they begin."""
        return busiest(list(self.accepted_at), window_s)

    async def wait_for(self, predicate: Callable[[Ledger], bool], timeout_s: float = 5.0) -> None:
        """Return once ``predicate(ledger)`` holds; raises ``TimeoutError``."""
        async with asyncio.timeout(timeout_s):
            while not predicate(self):
                self._changed.clear()
                await self._changed.wait()

    def as_json(self, contact: str = "") -> bytes:
        """All messages (or those of one contact) with their histories, and every count, for people and scripts."""
        records = self.to(contact) if contact else list(self.messages.values())
        return msgspec.json.encode(
            {
                "messages": [_plain(record) for record in records],
                "inbound": [each for each in self.inbound.values() if contact in ("", each.contact)],
                "requests": list(self.requests),
                "webhooks": [each for each in self.webhooks if contact in ("", each.contact)],
                "lost_webhooks": self.lost_webhooks,
                "given_up_webhooks": self.given_up_webhooks,
                "accepted_requests": len(self.accepted_at),
                "busiest_second": self.busiest(1.0),
                "busiest_minute": self.busiest(60.0),
            }
        )


def _plain(record: MessageRecord) -> dict[str, object]:
    return {
        "msgId": record.id,
        "bot": record.bot,
        "contact": record.contact,
        "kind": record.submission.kind,
        "message": record.submission.message,
        "acceptedAt": record.accepted_at,
        "answered": record.answered,
        "status": record.status,
        "history": record.history,
    }
