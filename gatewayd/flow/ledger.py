"""What operators will charge for, kept from what flow sees: sent, delivered, answered.

Only links with a rule set are accounted for. All that is known of an agent and a user is one value in the store,
changed together with the event itself and with the records that it makes. Decides nothing: policy.billing does.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gatewayd.billing.outbox import CdrOutbox
from gatewayd.carriers.link import Link
from gatewayd.config import schema
from gatewayd.flow.desk import whole
from gatewayd.flow.known_as import is_answerable, seen_as
from gatewayd.message import Channel, Inbound, Message
from gatewayd.policy import billing
from gatewayd.policy.billing import BASIC_OCTETS_MAX, Event, Pair, Record
from gatewayd.policy.billing_rules import RuleBook
from gatewayd.policy.message_class import is_stop, utf8_length
from gatewayd.policy.numbering import handset_of
from gatewayd.runtime.metrics import Metrics
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import BILLING
from gatewayd.store.spool import Journey

log = logging.getLogger(__name__)

# As in the spool: what comes due sooner is remembered when it is saved, the rest is in the tables by then.
HORIZON_S: Final = 180.0
LOOK_AHEAD_S: Final = 60.0
DUE_LIMIT: Final = 1_000
LOOK_LIMIT: Final = 20_000
_UNKNOWN_RULES_S: Final = 3_600.0


class Ledger:
    """The accounts of all agents with their users."""

    def __init__(
        self,
        journal: Journal,
        settings: Mapping[str, schema.Link],
        books: Mapping[str, RuleBook],
        outbox: CdrOutbox,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``settings`` are those of the links, as they change; the store must have been folded."""
        self._journal = journal
        self._settings = settings
        self._books = dict(books)
        self._outbox = outbox
        self._metrics = metrics
        self._now = clock
        self._heap: list[tuple[float, str]] = []
        self._scheduled: dict[str, float] = {}
        self.open: dict[str, tuple[int, int, str]] = {}
        """The conversations that are open, or were a moment ago: begin, end and link, by agent and user."""
        self.unknown_rules: set[str] = set()
        self.on_record: Callable[[str, str, Record], None] = lambda agent, user, record: None

    def start(self) -> None:
        """Learn which conversations are open. Right after a fold."""
        for key, open_as in self._journal.column(BILLING, "open"):
            self.open[str(key)] = billing.opened(open_as)

    def learn_rules(self, books: Mapping[str, RuleBook]) -> None:
        """Count by these from now on; what began under others goes on as it was."""
        self._books.update(books)
        self.unknown_rules -= set(books)

    @property
    def unwritten(self) -> int:
        """Records that are not in their file yet."""
        return self._outbox.unwritten

    async def close(self) -> None:
        """Bring the records that are durable to their files."""
        await self._outbox.close()

    def watches(self, link: str) -> bool:
        """Whether what goes over a link is accounted for; else nothing need be told of it."""
        settings = self._settings.get(link)
        return settings is not None and settings.billing != ""

    # -- what flow asks -----------------------------------------------------------------------------------------------

    def is_active(self, agent: str, user: str) -> bool:
        """Whether a conversation between this agent (bot or long number) and this user is open now."""
        known = self.open.get(f"{agent}|{user}")
        return known is not None and known[0] <= self._now_ms() < known[1]

    def open_conversations(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """How many are open, by link."""
        now_ms = self._now_ms()
        counts = Counter(link for start_ms, end_ms, link in self.open.values() if start_ms <= now_ms < end_ms)
        yield from (((link,), float(count)) for link, count in counts.items())

    # -- what flow tells ----------------------------------------------------------------------------------------------

    def on_mt_sent(self, link: Link, journey: Journey, message: Message, is_plain: bool = True) -> None:
        """A carrier took all of a message. ``message`` is what was sent; ``is_plain``: a text without suggestions."""
        book = self._book(link.name)
        if book is None or not self._is_accounted(link, message):
            return
        event = self._event(link, journey, message, is_plain, self._now_ms())
        key = f"{self._agent(link, message)}|{_user(message)}"
        pair, book = self._pair(key, book)
        if book.at(event.at_ms).bill_on == "sent":
            billing.note(pair, event)
        else:
            billing.expect(pair, event)
        self._changed(key, pair, book)

    def on_mt_unclear(self, link: Link, journey: Journey, message: Message, is_plain: bool) -> None:
        """Perhaps it was taken. Where delivery counts, it may yet be told, even after the message had its end."""
        book = self._book(link.name)
        if book is None:
            return
        event = self._event(link, journey, message, is_plain, self._now_ms())
        if book.at(event.at_ms).bill_on == "delivered":
            key = f"{self._agent(link, message)}|{_user(message)}"
            pair, book = self._pair(key, book)
            billing.expect(pair, event)
            self._changed(key, pair, book)

    def on_mt_delivered(self, link: Link, journey: Journey | None, message_id: int, handset: str, at: float) -> None:
        """A message arrived, at the carrier's time ``at`` (0 for now). Without a journey it had its end before."""
        book = self._book(link.name)
        if book is None:
            return
        now_ms = self._now_ms()
        at_ms = min(round(at * 1000), now_ms) if at else now_ms
        key = self._key_of(link, journey, handset)
        pair, book = self._pair(key, book)
        if book.at(at_ms).bill_on == "sent":
            return
        if not billing.delivered(pair, f"{message_id:x}", at_ms):
            if journey is None or not self._is_accounted(link, journey.message):
                return
            # Nobody awaited it: its answer was lost, or the platform had called it failed.
            event = self._event(link, journey, whole(journey), journey.progress.is_plain, at_ms)
            billing.note(pair, event)
        self._changed(key, pair, book)

    def on_mt_failed(self, link: Link, journey: Journey) -> None:
        """A message will not arrive: the carrier said so. That it was taken back is no proof: it may have crossed."""
        book = self._book(link.name)
        if book is None:
            return
        key = self._key_of(link, journey, "")
        pair, book = self._pair(key, book)
        if pair.awaited.pop(f"{journey.message.id:x}", None) is not None:
            self._changed(key, pair, book)

    def on_mo(self, link: Link, inbound: Inbound, mo_id: str, account: str) -> None:
        """A handset wrote. ``mo_id`` names it, ``account`` is whose it is."""
        book = self._book(link.name)
        if book is None or inbound.is_silent:
            return
        now_ms = self._now_ms()
        at_ms = min(round(inbound.at * 1000), now_ms) if inbound.at else now_ms
        if not book.at(at_ms).counts(inbound.is_action, is_stop(inbound.payload, inbound.encoding)):
            return
        agent = handset_of(inbound.destination, inbound.destination_ton, inbound.destination_npi)
        key = f"{agent}|{handset_of(inbound.source, inbound.source_ton, inbound.source_npi)}"
        pair, book = self._pair(key, book)
        billing.note(pair, Event(at_ms, "mo", mo_id, account, link.name))
        self._changed(key, pair, book)

    # -- the clock ----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at what has come due; called several times a second."""
        now = self._now()
        for _ in range(DUE_LIMIT):
            if not self._heap or self._heap[0][0] > now:
                break
            due, key = heapq.heappop(self._heap)
            if self._scheduled.get(key) == due:
                del self._scheduled[key]
                self._on_due(key)
        self._outbox.tick()

    def look_ahead(self) -> None:
        """Remember what comes due soon and is only in the tables; to be called well more often than that."""
        due_soon = self._journal.due(BILLING, self._now() + LOOK_AHEAD_S)
        unknown = ((due, key) for key, due in due_soon if self._scheduled.get(key) != due)
        for due, key in itertools.islice(unknown, LOOK_LIMIT):
            self._scheduled[key] = due
            heapq.heappush(self._heap, (due, key))

    def _on_due(self, key: str) -> None:
        pair: Pair | None = self._journal.get(BILLING, key)
        if pair is None or not 0 < pair.due <= self._now():
            return
        book = self._books.get(pair.rules)
        if book is None:
            if pair.rules not in self.unknown_rules:
                log.error("= billing: there is no rule set %s any more; what began under it waits for it", pair.rules)
                self.unknown_rules.add(pair.rules)
            pair.due = self._now() + _UNKNOWN_RULES_S
            self._journal.put(BILLING, key, pair)
            return
        self._changed(key, pair, book)

    # -- the store ----------------------------------------------------------------------------------------------------

    def _pair(self, key: str, book: RuleBook) -> tuple[Pair, RuleBook]:
        """What is known, and the rules that hold: a conversation ends under those that it began with."""
        pair: Pair | None = self._journal.get(BILLING, key)
        if pair is None:
            return Pair(book.name), book
        if pair.rules != book.name and pair.open_as and pair.rules in self._books:
            return pair, self._books[pair.rules]
        pair.rules = book.name
        return pair, book

    def _changed(self, key: str, pair: Pair, book: RuleBook) -> None:
        """Settle what is old enough, write down what is left, and hand out the records: all in one group."""
        agent, _, user = key.rpartition("|")
        for record in billing.settle(pair, book, self._now_ms()):
            self._outbox.add(agent, user, record)
            self.on_record(agent, user, record)
            self._metrics.billing_records.labels(record.name, record.link).value += 1
        if pair.is_empty:
            self._journal.delete(BILLING, key)
        else:
            self._journal.put(BILLING, key, pair)
            self._schedule(key, pair.due)
        if pair.open_as:
            self.open[key] = billing.opened(pair.open_as)
        else:
            self.open.pop(key, None)

    def _schedule(self, key: str, due: float) -> None:
        if due and due < self._now() + HORIZON_S and self._scheduled.get(key) != due:
            self._scheduled[key] = due
            heapq.heappush(self._heap, (due, key))

    # -- facts --------------------------------------------------------------------------------------------------------

    def _book(self, link: str) -> RuleBook | None:
        return self._books.get(self._settings[link].billing) if self.watches(link) else None

    def _now_ms(self) -> int:
        return round(self._now() * 1000)

    def _is_accounted(self, link: Link, message: Message) -> bool:
        """A name cannot be answered: SMS under one are no part of any conversation."""
        return link.channel is Channel.RCS or is_answerable(self._settings[link.name], message)

    def _agent(self, link: Link, message: Message) -> str:
        """Whom the handset sees."""
        return seen_as(self._settings[link.name], message)

    def _key_of(self, link: Link, journey: Journey | None, handset: str) -> str:
        if journey is not None:
            return f"{self._agent(link, journey.message)}|{_user(journey.message)}"
        return f"{self._settings[link.name].bot_id}|{handset.removeprefix('tel:').removeprefix('+')}"

    def _event(self, link: Link, journey: Journey, message: Message, is_plain: bool, at_ms: int) -> Event:
        return Event(
            at_ms,
            "mt",
            f"{message.id:x}",
            message.account,
            link.name,
            is_basic=is_plain and utf8_length(message.payload, message.encoding) <= BASIC_OCTETS_MAX,
            segments=sum(bool(segment.carrier_id) for segment in journey.progress.segments) or 1,
        )


def _user(message: Message) -> str:
    return handset_of(message.destination, message.destination_ton, message.destination_npi)
