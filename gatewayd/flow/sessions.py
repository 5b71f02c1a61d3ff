"""Sessions between senders and handsets: opened and kept open by what is sent, closed in time, and news of them for
accounts that want to hear: opened, closed, and what an operator will charge for.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from gatewayd.carriers.link import Link
from gatewayd.flow.desk import Desk, reference_of
from gatewayd.flow.known_as import seen_as, written_handset
from gatewayd.flow.owing import due_of, sinks_of
from gatewayd.message import Channel, Message
from gatewayd.policy.billing import Record
from gatewayd.policy.numbering import handset_of
from gatewayd.store.kinds import SESSION
from gatewayd.store.records import Delivery, Facts, Session

CLOSE_LIMIT: Final = 500


class Sessions:
    """Those of one worker's handsets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def touch(self, link: Link, message: Message, now: float, due: float) -> None:
        """The last MT from a sender to a handset opens its session, or keeps it open until it is ``due``."""
        sender = seen_as(self._desk.settings[link.name], message)
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        known = self._desk.spool.session(sender, handset)
        told = message.told
        same = known is not None and known.account == message.account and known.sender == told.source
        if known is not None and same:
            known.due, known.message_id = due, message.id
            known.user_message_reference = reference_of(message)
            session = known
        else:
            session = Session(
                id=f"{message.id:x}",
                account=message.account,
                sender_ton=told.source_ton,
                sender_npi=told.source_npi,
                sender=told.source,
                opened_at=now,
                due=due,
                message_id=message.id,
                user_message_reference=reference_of(message),
            )
            self._desk.metrics.sessions_opened.labels(message.account, link.channel.value).value += 1
            if self._desk.tells_sessions:
                self._opened(link, sender, handset, session)
        session.handset = written_handset(message)
        self._desk.spool.save_session(sender, handset, session)

    def _opened(self, link: Link, sender: str, handset: str, session: Session) -> None:
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
