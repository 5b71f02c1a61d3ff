"""The ledger: every request, message, state change and webhook attempt that the platform saw, bounded, in memory.

Knows nothing of HTTP or rules; whoever writes to it gives the time.
"""

from __future__ import annotations

import msgspec

from gatewayd.simulate.rcs_behaviour import Rule
from gatewayd.simulate.rcs_book import Book, Entry
from gatewayd.simulate.rcs_ratio import Asked
from gatewayd.simulate.rcs_validation import Submission

OVER = frozenset(("delivered", "displayed", "failed", "cancelled"))


class MessageRecord(msgspec.Struct):
    """One message that the platform took from a bot.

    ``status`` is as FNW.11 spells it, with ``cancelled`` for a revoked message whatever the platform writes.
    ``answered`` tells whether the bot was given the message's id. ``pending_states`` and ``held_event`` serve
    webhooks out of order, ``asked`` the error ratio.
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
    asked: Asked | None = None

    def how_revoked(self) -> str:
        """How the next revoke is answered, as the rule says."""
        tries = sum(entry.what == "revoke asked" for entry in self.history)
        return "ok" if 0 < self.rule.revoke_times <= tries else self.rule.revoke

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


class InboundRecord(msgspec.Struct):
    """One message or reply of a handset, and how far the bot has said it got."""

    id: str
    contact: str
    event: str
    at: float
    displayed: bool = False


class Ledger(Book):
    """A GSMA platform's ledger: its messages and what handsets sent."""

    def __init__(self, records_max: int = 200_000) -> None:
        super().__init__(records_max)
        self.messages: dict[str, MessageRecord] = {}
        self.inbound: dict[str, InboundRecord] = {}

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
        self.changed()

    def note(self, record: MessageRecord, at: float, what: str, detail: str = "") -> None:
        """A line of history; a state also becomes the message's status."""
        record.history.append(Entry(at, what, detail))
        if what in OVER or what in ("pending", "sent"):
            record.status = what
            record.status_at = at
        self.changed()

    def to(self, contact: str) -> list[MessageRecord]:
        """The messages for one contact, oldest first."""
        return [record for record in self.messages.values() if record.contact == contact]

    def as_json(self, contact: str = "") -> bytes:
        """All messages (or those of one contact) with their histories, and every count, for people and scripts."""
        records = self.to(contact) if contact else list(self.messages.values())
        return msgspec.json.encode(
            {
                "messages": [_plain(record) for record in records],
                "inbound": [each for each in self.inbound.values() if contact in ("", each.contact)],
                **self.counts(contact),
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
