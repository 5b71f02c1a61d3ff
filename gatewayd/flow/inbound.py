"""What carriers tell us: receipts joined to their messages, MOs to their sessions, both acknowledged once durable.

Knows no wire format; which application an MO belongs to is asked of policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gatewayd.carriers.link import Link, Report
from gatewayd.flow import displaying, notes, notices
from gatewayd.flow.aliases import Aliases
from gatewayd.flow.desk import Desk
from gatewayd.flow.known_as import is_to_sender
from gatewayd.flow.linking import Linking
from gatewayd.flow.owing import due_of
from gatewayd.flow.reach import Reach
from gatewayd.message import Channel, Inbound, Linked, Receipt, State
from gatewayd.policy import journey as steps
from gatewayd.policy.correlation import Owner, owner_of
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.receipt_wishes import INTERMEDIATE
from gatewayd.store.kinds import PARKED, SEEN
from gatewayd.store.records import Delivery, Facts, Parked, Seen, Session
from gatewayd.store.spool import Journey

_RCS = Channel.RCS  # of each receipt, and looking a member up in its class is dear
PARKED_MAX = 100_000
PARKED_EACH_MAX = 20
SEEN_TTL_S = 86_400.0


class InboundDesk:
    """Takes reports from links."""

    def __init__(self, desk: Desk, reach: Reach) -> None:
        self._desk = desk
        self._reach = reach
        self._then = desk.spool.journal.then
        self.ask_around: Callable[[Link, Receipt], None] = lambda link, receipt: None
        self._parked: dict[str, Parked] = {str(key): parked for key, parked in desk.spool.journal.scan(PARKED)}
        self._aliases = Aliases(desk.spool.journal, desk.now)
        self.linking = Linking(desk, self._aliases)

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        """All that one read or one webhook brought. Each is acknowledged after the commit, or refused for now."""
        taken: list[object] = []
        try:
            for report in reports:
                content = report.content
                if type(content) is Receipt:
                    self._on_receipt(link, content)
                elif type(content) is Linked:
                    self.linking.on_linked(link, content)
                elif not self._on_inbound(link, content):  # type: ignore[arg-type]  # the rest of the union
                    link.acknowledge([report.token], False)
                    continue
                taken.append(report.token)
        finally:  # one that fails keeps no answer from those before it
            if taken:
                self._then(self._durable, (link, taken))

    def _durable(self, items: list[Any]) -> None:
        tokens: dict[str, tuple[Link, list[object]]] = {}
        for link, taken in items:
            tokens.setdefault(link.name, (link, []))[1].extend(taken)
        for link, of_link in tokens.values():
            link.acknowledge(of_link, True)

    # -- receipts -----------------------------------------------------------------------------------------------

    def _on_receipt(self, link: Link, receipt: Receipt) -> None:
        self._desk.metrics.receipts[link.name, receipt.state].value += 1
        if self.claim(link, receipt):
            return
        if receipt.written:
            receipt = link.spelt_out(receipt)
            if self.claim(link, receipt):
                return
        self._park(link, receipt)
        self.ask_around(link, receipt)

    def claim(self, link: Link, receipt: Receipt) -> bool:
        """Join a receipt to its message; False when no message of this worker has that name."""
        desk = self._desk
        sent = desk.spool.named(link.name, receipt.carrier_id)
        for alias in receipt.aliases if sent is None else ():
            sent = desk.spool.named(link.name, alias)
            if sent is not None:
                break
        if sent is None:
            return False
        journey = None if sent.ended else desk.journey(sent.message_id)
        if desk.ledger is not None and desk.ledger.watches(link.name):
            self._account(link, journey, sent.message_id, receipt)
        if receipt.words:
            notes.of_words(desk.spool, link.name, sent.message_id, receipt.words)
        if journey is None:
            self._count_ended(link, receipt)
            notes.of_late_receipt(desk.spool, link.name, sent.message_id, receipt)
        else:
            self._join(link, journey, sent.segment, receipt)
        if receipt.displayed:
            displaying.on_displayed(desk, link.name, receipt.carrier_id, receipt.at)
        return True

    def _account(self, link: Link, journey: Journey | None, message_id: int, receipt: Receipt) -> None:
        """For billing, what arrived over RCS counts even after the message has had its end by SMS."""
        ledger = self._desk.ledger
        assert ledger is not None
        if receipt.state is State.DELIVRD:
            if journey is not None or link.channel is Channel.RCS:
                ledger.on_mt_delivered(link, journey, message_id, receipt.handset, receipt.at)
        elif receipt.state.is_final and journey is not None:
            ledger.on_mt_failed(link, journey)

    def claimed(self, link: Link, receipt: Receipt) -> None:
        """Another worker knew the message: the receipt need not wait here."""
        self._unpark(link, receipt)

    def _join(self, link: Link, journey: Journey, segment: int, receipt: Receipt) -> None:
        desk, progress = self._desk, journey.progress
        was_queued = progress.queue
        is_rcs = link.channel is _RCS
        if link.name != progress.links[progress.position] and not (is_rcs and receipt.state is State.DELIVRD):
            # The message has left this link: what becomes of its copy there no longer decides, unless it arrived.
            desk.metrics.receipt_events.labels(link.name, "duplicate").value += 1
            notes.of_late_receipt(desk.spool, link.name, progress.id, receipt)
            return
        late = is_rcs and bool(progress.rcs_id) and progress.link != link.name and receipt.state is State.DELIVRD
        step = steps.on_receipt(progress, is_rcs, segment, receipt, journey.message.expires_at)
        if late:
            desk.metrics.receipt_events.labels(link.name, "late_delivered").value += 1
        if type(step) is not steps.Ignore:
            if is_rcs:
                self._learn(link.name, journey, receipt)
        else:
            desk.metrics.receipt_events.labels(link.name, step.event).value += 1
            is_asked = journey.message.registered_delivery & INTERMEDIATE or progress.parts
            if is_asked and step.event == "intermediate" and not step.is_old:
                notices.tell(desk, journey, receipt.state, receipt.error, receipt.at, receipt.network_error)
        desk.apply(journey, step, was_queued)

    def _learn(self, link: str, journey: Journey, receipt: Receipt) -> None:
        """Whether a handset is reached is best known when a message came there, or did not."""
        is_reached = self._desk.guards.on_receipt(link, journey.progress.id, receipt)
        if is_reached:
            self._reach.on_reached(link, journey.message)
        elif is_reached is False:
            self._reach.on_unreachable(link, journey.message, receipt.error)

    def _count_ended(self, link: Link, receipt: Receipt) -> None:
        if receipt.displayed:
            event = "displayed"
        elif link.channel is Channel.RCS and receipt.state is State.DELIVRD:
            event = "late_delivered"
        else:
            event = "duplicate"
        self._desk.metrics.receipt_events.labels(link.name, event).value += 1

    # -- receipts that match nothing yet ------------------------------------------------------------------------

    def _park(self, link: Link, receipt: Receipt) -> None:
        """Keep it: the answer to the submit may still be on its way. It is never taken for an MO."""
        events = self._desk.metrics.receipt_events
        known = self._parked.get(f"{link.name}|{receipt.carrier_id}")
        if known is not None and len(known.receipts) >= PARKED_EACH_MAX:
            events.labels(link.name, "parked_full").value += 1
            return
        if known is None and len(self._parked) >= PARKED_MAX:
            self._drop_oldest()
        events.labels(link.name, "parked").value += 1
        due = self._desk.now() + self._desk.settings[link.name].parked_receipt_ttl_s
        for carrier_id in (receipt.carrier_id, *receipt.aliases):
            key = f"{link.name}|{carrier_id}"
            parked = self._parked.setdefault(key, Parked(link.name, [], due))
            parked.receipts.append(receipt)
            parked.due = due
            self._desk.spool.journal.put(PARKED, key, parked)

    def _drop_oldest(self) -> None:
        """The oldest gives way: an answer to a submit comes in seconds, and what waits for days is a stranger, or one
        of those that a carrier sends twice."""
        key = next(iter(self._parked))
        parked = self._parked.pop(key)
        self._desk.spool.journal.delete(PARKED, key)
        self._desk.metrics.receipt_events.labels(parked.link, "parked_full").value += 1

    def on_named(self, link: Link, carrier_id: str) -> None:
        """A carrier just told its id for a segment: did receipts come before that?"""
        parked = self._parked.get(f"{link.name}|{carrier_id}") if self._parked else None
        if parked is None:
            return
        for receipt in parked.receipts:
            self._desk.metrics.receipt_events.labels(link.name, "early").value += 1
            self._unpark(link, receipt)
            self.claim(link, receipt)

    def _unpark(self, link: Link, receipt: Receipt) -> None:
        for spelling in (receipt.carrier_id, *receipt.aliases):
            key = f"{link.name}|{spelling}"
            if self._parked.pop(key, None) is not None:
                self._desk.spool.journal.delete(PARKED, key)

    def parked_of(self, link: str) -> int:
        """How many receipts of a link match no message yet."""
        prefix = f"{link}|"
        return sum(
            sum(1 for receipt in parked.receipts if key == prefix + receipt.carrier_id)
            for key, parked in self._parked.items()
            if key.startswith(prefix)
        )

    def purge(self) -> None:
        """Give up on parked receipts whose time is over."""
        now = self._desk.now()
        for key in [key for key, parked in self._parked.items() if parked.due <= now]:
            parked = self._parked.pop(key)
            self._desk.spool.journal.delete(PARKED, key)
            self._desk.metrics.receipt_events.labels(parked.link, "parked_expired").value += 1

    # -- MO -----------------------------------------------------------------------------------------------------

    def _on_inbound(self, link: Link, inbound: Inbound) -> bool:
        """Whether it is taken; what is not taken stays with the carrier, which will offer it again."""
        desk = self._desk
        if inbound.dedup_id and self._was_seen(link, inbound):
            desk.metrics.mo.labels(link.name, "", "duplicate").value += 1
            return True
        if inbound.alias:
            inbound = self._aliases.addressed(link.name, inbound)
        handset = handset_of(inbound.source, inbound.source_ton, inbound.source_npi)
        number = handset_of(inbound.destination, inbound.destination_ton, inbound.destination_npi)
        session = desk.spool.session(number, handset)
        owner = owner_of(
            session.account if session and session.account in desk.accounts else None,
            session.due if session else 0.0,
            desk.owners.get(number),
            desk.now(),
        )
        fate = self._fate(owner)
        desk.metrics.mo.labels(link.name, owner.account if owner else "", fate).value += 1
        if owner is None or fate != owner.reason:
            desk.trail.say("mo_refused", link=link.name, handset=handset, reason=fate)
            return False
        if inbound.dedup_id:
            desk.spool.journal.put(SEEN, f"{link.name}|{inbound.dedup_id}", Seen(desk.now() + SEEN_TTL_S))
        if inbound.alias:
            self._aliases.keep(link.name, handset, inbound.alias)
        joined = session if owner.reason == "session" else None
        if joined is not None:
            joined.replies += 1
            desk.spool.save_session(number, handset, joined)
        delivery = self._delivery(link, inbound, owner.account, joined)
        if desk.ledger is not None:
            desk.ledger.on_mo(link, inbound, inbound.dedup_id or f"{delivery.id:x}", owner.account)
        desk.owe(delivery, Facts(link.channel, inbound.concat))
        if desk.trail.wants:
            desk.trail.tell(
                "inbound", delivery=f"{delivery.id:x}", account=owner.account, handset=handset, link=link.name, by=fate
            )
        return True

    def _fate(self, owner: Owner | None) -> str:
        if owner is None or owner.account not in self._desk.accounts:
            return "unrouted"
        return owner.reason if self._desk.has_room(owner.account, "mo") else "outbox_full"

    def _was_seen(self, link: Link, inbound: Inbound) -> bool:
        return self._desk.spool.journal.get(SEEN, f"{link.name}|{inbound.dedup_id}") is not None

    def _delivery(self, link: Link, inbound: Inbound, account: str, session: Session | None) -> Delivery:
        """As the application knows both: a reply to a bot comes back to the address that it had sent from."""
        now = self._desk.now()
        to_sender = session if session is not None and is_to_sender(link, inbound, session) else None
        known = session.handset if session is not None else None
        source_ton, source_npi, source = known or (inbound.source_ton, inbound.source_npi, inbound.source)
        return Delivery(
            id=self._desk.spool.new_id(),
            account=account,
            kind="mo",
            source_ton=source_ton,
            source_npi=source_npi,
            source=source,
            destination_ton=to_sender.sender_ton if to_sender else inbound.destination_ton,
            destination_npi=to_sender.sender_npi if to_sender else inbound.destination_npi,
            destination=to_sender.sender if to_sender else inbound.destination,
            created_at=now,
            due=due_of(self._desk.accounts[account], now),
            payload=inbound.payload,
            encoding=inbound.encoding,
            data_coding=inbound.data_coding,
            esm_class=inbound.esm_class,
            protocol_id=inbound.protocol_id,
            udh=inbound.udh,
            tlvs=inbound.tlvs,
            postback=inbound.postback,
            attachment=inbound.attachment,
            place=inbound.place,
            session_id=session.id if session else "",
            session_number=session.message_id & 0xFF if session else 0,
            session_sequence=session.replies if session else 0,
            user_message_reference=session.user_message_reference if session else -1,
        )
