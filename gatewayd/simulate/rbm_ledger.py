"""The RBM platform's ledger: messages, events and what users sent, bounded, in memory.

Knows nothing of HTTP or rules; whoever writes to it gives the time.
"""

from __future__ import annotations

import msgspec

from gatewayd.simulate.rbm_behaviour import RbmRule
from gatewayd.simulate.rbm_validation import AgentMessage
from gatewayd.simulate.rcs_book import Book, Entry
from gatewayd.simulate.rcs_ratio import Asked

OVER = frozenset(("delivered", "read", "revoked", "expired"))


class RbmRecord(msgspec.Struct):
    """One message that the platform took from an agent; its id is the client's.

    ``status``: accepted, delivered, read, revoked (taken back by the agent) or expired. ``repeats`` counts further
    requests under the same id, ``answered`` tells whether any was answered. ``pending_events`` and ``held_event``
    serve webhooks out of order, ``asked`` the error ratio.
    """

    id: str
    agent: str
    message: AgentMessage
    rule: RbmRule
    accepted_at: float
    status: str = "accepted"
    repeats: int = 0
    answered: bool = False
    history: list[Entry] = []
    pending_events: int = 0
    held_event: tuple[str, dict[str, object]] | None = None
    asked: Asked | None = None

    def how_revoked(self) -> str:
        """How the next revoke is answered, as the rule says."""
        tries = sum(entry.what == "revoke asked" for entry in self.history)
        return "ok" if 0 < self.rule.revoke_times <= tries else self.rule.revoke

    @property
    def phone(self) -> str:
        """Whom it is for."""
        return self.message.phone

    @property
    def is_over(self) -> bool:
        """Whether it reached the handset, or never will."""
        return self.status in OVER

    def what(self) -> list[str]:
        """The words of its history, in order."""
        return [entry.what for entry in self.history]


class UserRecord(msgspec.Struct):
    """One message of a user, and whether the agent has said that it was read."""

    id: str
    phone: str
    kind: str
    at: float
    read: bool = False


class AgentEvent(msgspec.Struct, frozen=True):
    """One event that an agent sent: IS_TYPING or READ."""

    id: str
    agent: str
    phone: str
    kind: str
    at: float


class RbmLedger(Book):
    """What the platform took and gave. Messages and events are known by agent and id."""

    def __init__(self, records_max: int = 200_000) -> None:
        super().__init__(records_max)
        self.messages: dict[tuple[str, str], RbmRecord] = {}
        self.users: dict[str, UserRecord] = {}
        self.events: dict[tuple[str, str], AgentEvent] = {}
        self.validations: list[str] = []

    def add_message(self, record: RbmRecord) -> None:
        """A message was taken."""
        self.messages[record.agent, record.id] = record
        if len(self.messages) > self.records_max:
            del self.messages[next(iter(self.messages))]
        self.note(record, record.accepted_at, "accepted")

    def add_user_message(self, record: UserRecord) -> None:
        """A user said something."""
        self.users[record.id] = record
        if len(self.users) > self.records_max:
            del self.users[next(iter(self.users))]
        self.changed()

    def add_event(self, event: AgentEvent) -> None:
        """An agent typed, or read."""
        self.events[event.agent, event.id] = event
        if len(self.events) > self.records_max:
            del self.events[next(iter(self.events))]
        self.changed()

    def note(self, record: RbmRecord, at: float, what: str, detail: str = "") -> None:
        """A line of history; a state also becomes the message's status."""
        record.history.append(Entry(at, what, detail))
        if what in OVER:
            record.status = what
        self.changed()

    def to(self, phone: str) -> list[RbmRecord]:
        """The messages for one handset, oldest first."""
        return [record for record in self.messages.values() if record.phone == phone]

    def message(self, msg_id: str) -> RbmRecord:
        """The message of that id, whichever agent's; raises ``KeyError``."""
        for (_, known_id), record in self.messages.items():
            if known_id == msg_id:
                return record
        raise KeyError(msg_id)

    def as_json(self, phone: str = "") -> bytes:
        """All messages (or those of one handset) with their histories, and every count, for people and scripts."""
        records = self.to(phone) if phone else list(self.messages.values())
        return msgspec.json.encode(
            {
                "messages": [_plain(record) for record in records],
                "users": [each for each in self.users.values() if phone in ("", each.phone)],
                "events": [each for each in self.events.values() if phone in ("", each.phone)],
                "validations": self.validations,
                **self.counts(phone),
            }
        )


def _plain(record: RbmRecord) -> dict[str, object]:
    return {
        "messageId": record.id,
        "agentId": record.agent,
        "phone": record.phone,
        "kind": record.message.kind,
        "message": record.message.body,
        "acceptedAt": record.accepted_at,
        "answered": record.answered,
        "repeats": record.repeats,
        "status": record.status,
        "history": record.history,
    }
