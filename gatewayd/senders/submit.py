"""Turns a submit_sm into a durable message, and only then answers.

Each refusal has its SMPP status (3.4 section 5.1.3) and is counted; nothing that was answered with ESME_ROK is lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gatewayd.message import Encoding, Message
from gatewayd.policy.journey import Progress
from gatewayd.policy.numbering import is_valid_destination
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import masked
from gatewayd.senders.accounts import Account
from gatewayd.store.spool import Journey, Spool
from protocol.smpp import text
from protocol.smpp.constants import Status, status_name
from protocol.smpp.errors import SmppFault
from protocol.smpp.parts import body_of, concat_of
from protocol.smpp.pdu import SubmitSm, SubmitSmResp
from protocol.smpp.times import parse_time

if TYPE_CHECKING:
    from gatewayd.senders.smpp_server import EsmeConnection

log = logging.getLogger(__name__)

# Whoever sends so many above its rate in one read does not listen to ESME_RTHROTTLED: saying so again and again would
# take the time of everybody else.
FLOOD = 20
FLOOD_REST_S = 0.05
PAYLOAD_OCTETS_MAX = 255 * 153
_ALPHANUMERIC_MAX = 11
# Whole crowds get these, for one reason that its owner logs once. A disk that is full must not be filled with lines.
_NOT_NOW = (Status.ESME_RMSGQFUL, Status.ESME_RSYSERR)
_TON_ALPHANUMERIC = 5
_UDHI = 0x40


class Intake(Protocol):
    """Flow, as the senders see it."""

    def plan(self, message: Message) -> Progress | None:
        """How a message will travel, or None when no route takes it."""

    def accepted(self, journeys: list[Journey]) -> None:
        """These are durable and acknowledged: bring them on their way."""


class Elsewhere(Protocol):
    """The other workers, as the senders see them."""

    slot: int

    def home_of(self, message: Message) -> int:
        """The slot of the worker that is the handset's home."""

    def submit(self, home: int, message: Message, answer: Callable[[int, str], None]) -> None:
        """Hand a message to its home; ``answer`` gets a command_status (0: durable) and a word for the counter."""


class Refusal(Exception):
    """A submit_sm that is not taken: the status that says so, and the word for the counter."""

    def __init__(self, status: Status, kind: str) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind


class SubmitDesk:
    """Takes what ESMEs submit."""

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
        self.accepted = 0
        self._encodings = {str(encoding): encoding for encoding in Encoding}

    def take(self, connection: EsmeConnection, pdus: Sequence[SubmitSm]) -> None:
        """All submit_sm of one read of one bind, in order."""
        account = connection.account
        assert account is not None  # the engine lets no submit_sm through before a bind
        granted = account.take(len(pdus))
        if len(pdus) - granted > FLOOD:
            connection.rest(FLOOD_REST_S)
        began = time.perf_counter()
        for number, pdu in enumerate(pdus):
            try:
                if number >= granted:
                    raise Refusal(Status.ESME_RTHROTTLED, "rate")
                self._accept(connection, account, pdu, began)
            except Refusal as refusal:
                self._refuse(connection, account, pdu, refusal)

    def _accept(self, connection: EsmeConnection, account: Account, pdu: SubmitSm, began: float) -> None:
        message = self._read(account, pdu)
        elsewhere = self.elsewhere
        if elsewhere is not None and (home := elsewhere.home_of(message)) != elsewhere.slot:
            elsewhere.submit(home, message, partial(self._answered, connection, pdu, message.id, began))
            return
        journal = self._spool.journal
        if journal.is_failing or journal.pending > self._pending_max:
            raise Refusal(Status.ESME_RMSGQFUL, "store_full")
        progress = self._intake.plan(message)
        if progress is None:
            raise Refusal(Status.ESME_RINVDSTADR, "no_route")
        journey = self._spool.accept(message, progress)
        journal.then(self._stored, (connection, pdu.sequence, journey, began))

    def _answered(
        self, connection: EsmeConnection, pdu: SubmitSm, message_id: int, began: float, status: int, kind: str
    ) -> None:
        """The message's home has spoken."""
        if status == 0:
            self.accepted += 1
            connection.answer_submit(pdu.sequence, message_id)
            connection.response_timing.observe(time.perf_counter() - began)
            connection.taken.value += 1
        elif connection.account is not None:
            self._refuse(connection, connection.account, pdu, Refusal(Status(status), kind))

    def _read(self, account: Account, pdu: SubmitSm) -> Message:
        """The message that a submit_sm stands for; raises Refusal."""
        _check_addresses(account, pdu)
        if pdu.schedule_delivery_time:
            raise Refusal(Status.ESME_RINVSCHED, "schedule_not_supported")
        if pdu.sm_default_msg_id:
            raise Refusal(Status.ESME_RINVDFTMSGID, "default_message")
        now = self._clock()
        try:
            expires_at = parse_time(pdu.validity_period, now, Status.ESME_RINVEXPIRY) if pdu.validity_period else 0.0
            body, tlvs = body_of(pdu.short_message, pdu.tlvs) if pdu.tlvs else (pdu.short_message, ())
            if tlvs or pdu.esm_class & _UDHI:
                concat, udh, payload = concat_of(pdu.esm_class, body, tlvs)
            else:
                concat, udh, payload = None, b"", body
        except SmppFault as fault:
            raise Refusal(Status(fault.status), fault.kind) from None
        if len(payload) > PAYLOAD_OCTETS_MAX:
            raise Refusal(Status.ESME_RINVMSGLEN, "too_long")
        if expires_at and expires_at <= now:
            raise Refusal(Status.ESME_RINVEXPIRY, "expired")
        encoding = self._encodings[text.encoding_of(pdu.data_coding, account.settings.data_coding_0)]
        _check_text(payload, encoding, concat is not None)
        return Message(
            id=self._spool.new_id(),
            account=account.name,
            source_ton=pdu.source_addr_ton,
            source_npi=pdu.source_addr_npi,
            source=pdu.source_addr,
            destination_ton=pdu.dest_addr_ton,
            destination_npi=pdu.dest_addr_npi,
            destination=pdu.destination_addr,
            payload=payload,
            encoding=encoding,
            accepted_at=now,
            expires_at=expires_at,
            data_coding=pdu.data_coding,
            esm_class=pdu.esm_class,
            protocol_id=pdu.protocol_id,
            priority=pdu.priority_flag,
            registered_delivery=pdu.registered_delivery,
            service_type=pdu.service_type,
            traffic_class=account.settings.traffic_class,
            udh=udh,
            concat=concat,
            tlvs=tlvs,
        )

    def _refuse(self, connection: EsmeConnection, account: Account, pdu: SubmitSm, refusal: Refusal) -> None:
        self._metrics.submits.labels(account.name, status_name(refusal.status)).value += 1
        if refusal.status is not Status.ESME_RTHROTTLED:
            self._metrics.faults.labels("esme", refusal.kind).value += 1
            if refusal.status not in _NOT_NOW and log.isEnabledFor(logging.INFO):
                log.info(
                    "< submit_sm refused account=%s handset=%s status=%s reason=%s",
                    account.name,
                    masked(pdu.destination_addr),
                    status_name(refusal.status),
                    refusal.kind,
                )
        connection.answer(SubmitSmResp(sequence=pdu.sequence, status=refusal.status))

    def _stored(self, items: list[Any]) -> None:
        """One group is durable: answer all of it, then let it go on."""
        now = time.perf_counter()
        journeys = []
        for connection, sequence, journey, began in items:
            connection.answer_submit(sequence, journey.message.id)
            connection.response_timing.observe(now - began)
            connection.taken.value += 1
            journeys.append(journey)
        self.accepted += len(journeys)
        self._intake.accepted(journeys)


def _check_addresses(account: Account, pdu: SubmitSm) -> None:
    source = pdu.source_addr
    if not account.may_send_as(source) or not source.isprintable():
        raise Refusal(Status.ESME_RINVSRCADR, "sender_not_allowed")
    if pdu.source_addr_ton == _TON_ALPHANUMERIC and not 0 < len(source) <= _ALPHANUMERIC_MAX:
        raise Refusal(Status.ESME_RINVSRCADR, "sender_name_length")
    if not is_valid_destination(pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi):
        raise Refusal(Status.ESME_RINVDSTADR, "invalid_destination")


def _check_text(payload: bytes, encoding: Encoding, is_part: bool) -> None:
    """Octets that are no text in their data_coding would reach a handset as garbage: say so now.

    A part may begin or end within a surrogate pair, so of its UCS2 only the length is looked at.
    """
    if encoding is Encoding.BINARY:
        return
    if encoding is Encoding.UCS2 and len(payload) % 2:
        raise Refusal(Status.ESME_RINVMSGLEN, "odd_ucs2")
    if encoding is Encoding.UCS2 and is_part:
        return
    try:
        text.decode(payload, encoding)
    except text.TextFault:
        raise Refusal(Status.ESME_RSUBMITFAIL, "text_not_in_coding") from None
