"""News of sessions, for accounts that want to hear of them: opened, closed, and what an operator will charge for.

Where nobody wants them, nothing here is called for a message.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from gatewayd.carriers.link import Link
from gatewayd.flow.owing import due_of, sinks_of
from gatewayd.message import Channel
from gatewayd.policy.billing import Record
from gatewayd.store.kinds import SESSION
from gatewayd.store.records import Delivery, Facts, Session

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

CLOSE_LIMIT: Final = 500


class SessionNews:
    """Tells accounts of their sessions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def opened(self, link: Link, sender: str, handset: str, session: Session) -> None:
        """A session begins, perhaps in the place of one that ended, or that was another account's."""
        old: Session | None = self._desk.spool.journal.get(SESSION, f"{sender}|{handset}")
        if old is not None:
            self._close(sender, handset, old)
        self._tell(handset, session, Facts(link.channel, event="opened"))

    def close_due(self) -> None:
        """Forget the sessions whose time is over, and tell."""
        journal, now = self._desk.spool.journal, self._desk.now()
        for key in [key for key, _ in islice(journal.due(SESSION, now), CLOSE_LIMIT)]:
            session: Session | None = journal.get(SESSION, key)
            if session is not None:
                sender, _, handset = str(key).rpartition("|")
                self._close(sender, handset, session)
            journal.delete(SESSION, key)

    def billed(self, agent: str, handset: str, record: Record) -> None:
        """A conversation is over for its operator, too, and has its class."""
        if not (record.is_conversation and self._desk.tells_sessions):
            return
        session: Session | None = self._desk.spool.journal.get(SESSION, f"{agent}|{handset}")
        self._tell(
            handset,
            Session(
                id=session.id if session is not None and session.account == record.account else "",
                account=record.account,
                sender_ton=session.sender_ton if session is not None else 0,
                sender_npi=session.sender_npi if session is not None else 0,
                sender=session.sender if session is not None else agent,
                opened_at=record.start_ms / 1000,
                due=record.end_ms / 1000,
                message_id=0,
                replies=record.mo_count,
            ),
            Facts(self._channel(agent), event="billed", record=record),
        )

    def _close(self, sender: str, handset: str, session: Session) -> None:
        self._tell(handset, session, Facts(self._channel(sender), event="closed"))

    def _channel(self, sender: str) -> Channel:
        """Over RCS the handset sees a bot, over SMS a number."""
        is_bot = any(link.bot_id == sender for link in self._desk.settings.values())
        return Channel.RCS if is_bot else Channel.SMS

    def _tell(self, handset: str, session: Session, facts: Facts) -> None:
        desk = self._desk
        account = desk.accounts.get(session.account)
        if not sinks_of(account, "session"):
            return
        now = desk.now()
        delivery = Delivery(
            id=desk.spool.new_id(),
            account=session.account,
            kind="session",
            source_ton=1,
            source_npi=1,
            source=handset,
            destination_ton=session.sender_ton,
            destination_npi=session.sender_npi,
            destination=session.sender,
            created_at=now,
            due=due_of(account, now),
            message_id=session.message_id,
            submitted_at=session.opened_at,
            done_at=0.0 if facts.event == "opened" else min(session.due, now),
            session_id=session.id,
            session_sequence=session.replies,
            user_message_reference=session.user_message_reference,
        )
        desk.owe(delivery, facts)
