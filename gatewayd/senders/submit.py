"""Turns a submit_sm into a durable message, and only then answers. Whoever speaks for an account may hand one in.

Each refusal is counted; nothing that was answered with ESME_ROK is lost. What must be true of a submit_sm is
``submit_rules``' business.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from gatewayd.message import Encoding, Message
from gatewayd.policy.journey import Progress
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import say
from gatewayd.senders import tlv_rules
from gatewayd.senders.accounts import Account
from gatewayd.senders.address_rules import readdressed
from gatewayd.senders.default_messages import with_text
from gatewayd.senders.replacing import replacing
from gatewayd.senders.submit_rules import (
    Refusal,
    check_addresses,
    check_own_tlvs,
    check_text,
    delivery_moment,
    lifetime,
)
from gatewayd.store.repeats import key_of
from gatewayd.store.spool import Journey, Spool
from protocol.rcs.limits import Limits
from protocol.smpp import text
from protocol.smpp.constants import ESM_UDHI, Status, status_name
from protocol.smpp.errors import SmppFault
from protocol.smpp.parts import body_of, concat_of
from protocol.smpp.pdu import SubmitSm
from protocol.smpp.times import parse_time

log = logging.getLogger(__name__)

# Whoever sends so many above its rate in one read does not listen to ESME_RTHROTTLED: saying so again and again would
# take the time of everybody else.
FLOOD = 20
FLOOD_REST_S = 0.05
PAYLOAD_OCTETS_MAX = 255 * 153
_READ = itemgetter(0, 3)  # of what waits for an answer: who handed it in, and in which read
# Whole crowds get these, for one reason that its owner logs once. A disk that is full must not be filled with lines.
_NOT_NOW = (Status.ESME_RMSGQFUL, Status.ESME_RSYSERR)


class Intake(Protocol):
    """Flow, as the senders see it."""

    def plan(self, message: Message) -> Progress | None:
        """How a message will travel, or None when no route takes it."""

    def supersede(self, message: Message) -> None:
        """This one, which is about to be taken, may take the place of another, and be replaced itself."""

    def accepted(self, journeys: list[Journey]) -> None:
        """These are durable and acknowledged: bring them on their way."""


class Elsewhere(Protocol):
    """The other workers, as the senders see them."""

    slot: int

    def home_of(self, handset: str, /) -> int:
        """The slot of the worker that is a handset's home."""

    def submit(self, home: int, message: Message, waiting: Waiting) -> None:
        """Hand a message to its home; once it has spoken, ``waiting`` comes back to ``stored_elsewhere`` or
        ``answered_elsewhere``."""


class Speaker(Protocol):
    """Who speaks for an account: a bind, or a call of the HTTP API."""

    @property
    def account(self) -> Account | None:
        """Whose it is."""

    @property
    def response_timing(self) -> Timing:
        """Where the time until an answer is noted."""

    @property
    def taken(self) -> Tally:
        """Where submits that were taken are counted."""

    def rest(self, rest_s: float) -> None:
        """Hand nothing in for a while, if that can be helped."""


class Applicant(Speaker, Protocol):
    """Who hands submits in and is told of each how it fared."""

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        """(sequence number, message id) of each that is durable, at least one."""

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        """It was not taken."""


Waiting = tuple[Applicant, SubmitSm, int, float]
"""Who handed in which submit_sm, the message's id, and when it came (``time.perf_counter``)."""


class SubmitDesk:
    """Takes what is submitted. ``content_limits`` bound the rich content that messages may bring."""

    def __init__(
        self,
        spool: Spool,
        intake: Intake,
        metrics: Metrics,
        pending_max: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._intake = intake
        self._metrics = metrics
        self._pending_max = pending_max
        self._clock = clock
        self.elsewhere: Elsewhere | None = None
        self.default_messages: Mapping[str, str] = {}
        self.content_limits = Limits(needs_media_facts=False, needs_postback=False)
        self.accepted = 0
        self._encodings = {str(encoding): encoding for encoding in Encoding}

    def fullness(self) -> int:
        """How full the store's queue is here, 0 to 100; at 100 nothing is taken."""
        journal = self._spool.journal
        return 100 if journal.is_failing else min(100, journal.pending * 100 // max(1, self._pending_max))

    def take(
        self,
        applicant: Applicant,
        pdus: Sequence[SubmitSm],
        rename: Callable[[Message], Message] | None = None,
        granted: int = -1,
    ) -> None:
        """All that an applicant hands in at once, such as the submit_sm of one read of a bind, in order.

        ``rename`` gives each that is taken another id or name, where its application needs one. ``granted`` says how
        many of them, the first ones, its limits let through; -1: nobody has asked yet.
        """
        account = applicant.account
        assert account is not None  # the engine lets no submit_sm through before a bind
        if granted < 0:
            granted = account.take(len(pdus))
        if len(pdus) - granted > FLOOD:
            applicant.rest(FLOOD_REST_S)
        began, now = time.perf_counter(), self._clock()
        for number, pdu in enumerate(pdus):
            try:
                if number >= granted:
                    raise Refusal(Status.ESME_RTHROTTLED, "rate")
                self._accept(applicant, account, pdu, began, now, rename)
            except Refusal as refusal:
                self._refuse(applicant, account, pdu, refusal)

    def _accept(
        self,
        applicant: Applicant,
        account: Account,
        pdu: SubmitSm,
        began: float,
        now: float,
        rename: Callable[[Message], Message] | None,
    ) -> None:
        message = self._read(account, pdu, now)
        if rename is not None:
            message = rename(message)
        elsewhere = self.elsewhere
        if elsewhere is not None and (home := elsewhere.home_of(message.destination)) != elsewhere.slot:
            elsewhere.submit(home, message, (applicant, pdu, message.id, began))
            return
        journal = self._spool.journal
        if journal.is_failing or journal.pending > self._pending_max:
            raise Refusal(Status.ESME_RMSGQFUL, "store_full")
        key = key_of(message) if message.tlvs else ""
        if key and (known := self._spool.repeats.find(key, message)) is not None:
            if not known.is_same:
                raise Refusal(Status.ESME_RINVOPTPARAMVAL, "idempotency_key_reused")
            journal.then(self._known, (applicant, pdu.sequence, known.message_id, began))
            return
        progress = self._intake.plan(message)
        if progress is None:
            raise Refusal(Status.ESME_RINVDSTADR, "no_route")
        if key:
            self._spool.repeats.remember(key, message)
        if message.is_replaceable:
            self._intake.supersede(message)
        journey = self._spool.accept(message, progress)
        journal.then(self._stored, (applicant, pdu.sequence, journey, began))

    def stored_elsewhere(self, waiting: Sequence[Waiting]) -> None:
        """Their homes have these, and they are durable: all that a home said at once."""
        now = time.perf_counter()
        for (applicant, began), of_read in groupby(waiting, key=_READ):
            _answer(applicant, [(pdu.sequence, message_id) for _, pdu, message_id, _ in of_read], now - began)
        self.accepted += len(waiting)

    def answered_elsewhere(self, waiting: Waiting, status: int, kind: str, known: int = 0) -> None:
        """What else a home says: a command_status and the word for the counter; or 0, and the id under which the
        message was ``known``, as it was taken before."""
        applicant, pdu, _, began = waiting
        if status == 0:
            _answer(applicant, ((pdu.sequence, known),), time.perf_counter() - began)
        elif applicant.account is not None:
            self._refuse(applicant, applicant.account, pdu, Refusal(Status(status), kind))

    def _read(self, account: Account, pdu: SubmitSm, now: float) -> Message:
        """The message that a submit_sm stands for; raises Refusal."""
        addresses = check_addresses(account, pdu)
        settings = account.settings
        if pdu.sm_default_msg_id:
            pdu = with_text(pdu, settings, self.default_messages)
        try:
            expires_at = parse_time(pdu.validity_period, now, Status.ESME_RINVEXPIRY) if pdu.validity_period else 0.0
            body, tlvs = body_of(pdu.short_message, pdu.tlvs) if pdu.tlvs else (pdu.short_message, ())
            if tlvs or pdu.esm_class & ESM_UDHI:
                concat, udh, payload = concat_of(pdu.esm_class, body, tlvs)
            else:
                concat, udh, payload = None, b"", body
        except SmppFault as fault:
            raise Refusal.of(fault) from None
        if len(payload) > PAYLOAD_OCTETS_MAX or body != pdu.short_message != b"":
            raise Refusal(Status.ESME_RINVMSGLEN, "two_texts" if pdu.short_message not in (b"", body) else "too_long")
        if expires_at and expires_at <= now:
            raise Refusal(Status.ESME_RINVEXPIRY, "expired")
        deliver_at = delivery_moment(pdu.schedule_delivery_time, account, now) if pdu.schedule_delivery_time else 0.0
        if 0 < expires_at <= deliver_at:
            raise Refusal(Status.ESME_RINVEXPIRY, "expires_before_schedule")
        if settings.validity_default_h or settings.validity_max_h:
            expires_at = lifetime(account, expires_at, deliver_at or now)
        encoding = self._encodings[text.encoding_of(pdu.data_coding, settings.data_coding_0)]
        encoding = check_text(payload, encoding, concat is not None, udh)
        traffic_class = check_own_tlvs(tlvs, account, self.content_limits) if tlvs else ""
        tlvs = tlv_rules.taken(tlvs, settings) if tlvs else tlvs
        message = Message(  # by position: by name, so many fields take six times as long
            self._spool.new_id(),
            account.name,
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            pdu.source_addr,
            pdu.dest_addr_ton,
            pdu.dest_addr_npi,
            pdu.destination_addr,
            payload,
            encoding,
            now,
            expires_at,
            pdu.data_coding,
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority_flag,
            pdu.registered_delivery,
            pdu.service_type,
            traffic_class or settings.traffic_class,
            udh,
            concat,
            tlvs,
            deliver_at,
            "",
            "" if (level := settings.transliterate) == "off" else level,
        )
        if addresses is not None:
            message = readdressed(message, addresses)
        if pdu.replace_if_present_flag or settings.replace_any or settings.replace_service_types:
            message = replacing(message, pdu.replace_if_present_flag != 0, settings)
        return message

    def _refuse(self, applicant: Applicant, account: Account, pdu: SubmitSm, refusal: Refusal) -> None:
        self._metrics.submits.labels(account.name, status_name(refusal.status)).value += 1
        if refusal.status is not Status.ESME_RTHROTTLED:
            account.give_back(1)
            self._metrics.faults.labels("esme", refusal.kind).value += 1
            if refusal.status not in _NOT_NOW:
                say(
                    log,
                    logging.INFO,
                    "< submit_refused",
                    account=account.name,
                    handset=pdu.destination_addr,
                    status=status_name(refusal.status),
                    reason=refusal.kind,
                    at=refusal.element or None,
                )
        applicant.refuse_submit(pdu.sequence, refusal)

    def _known(self, items: list[Any]) -> None:
        """These were taken before, and that is durable by now."""
        now = time.perf_counter()
        for applicant, sequence, message_id, began in items:
            _answer(applicant, ((sequence, message_id),), now - began)

    def _stored(self, items: list[Any]) -> None:
        """One group is durable: answer all of it, then let it go on."""
        now = time.perf_counter()
        # What one read of a bind brought stands together.
        for (applicant, began), of_read in groupby(items, key=_READ):
            _answer(applicant, [(sequence, journey.message.id) for _, sequence, journey, _ in of_read], now - began)
        self.accepted += len(items)
        self._intake.accepted([journey for _, _, journey, _ in items])


def _answer(applicant: Applicant, taken: Sequence[tuple[int, int]], waited_s: float) -> None:
    """Tell it that these are durable, and count them: they waited for that all alike."""
    applicant.answer_submits(taken)
    applicant.response_timing.observe(waited_s, len(taken))
    applicant.taken.value += len(taken)
