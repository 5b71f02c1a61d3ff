"""One connection of a gateway to the simulated carrier: answers what comes as the rule of the message says.

Knows nothing of other connections; what concerns the carrier as a whole it asks of its owner.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gatewayd.runtime.transport import Pump
from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.smsc_ledger import Delivery, Submit
from protocol.smpp.connection import (
    Answered,
    BindAsked,
    Closed,
    Connection,
    ConnState,
    Event,
    FaultSeen,
    Role,
    Unanswered,
)
from protocol.smpp.constants import SEQUENCE_MAX, Status
from protocol.smpp.pdu import build
from protocol.smpp.records import AlertNotification, DataSm, DataSmResp, DeliverSmResp, SubmitSm, SubmitSmResp
from protocol.smpp.versions import NAMES, NEWEST, congestion_tlv

if TYPE_CHECKING:
    from gatewayd.simulate.smsc import Smsc

_THROTTLING = Rule(answer="throttle")
_RECEIVING = (ConnState.BOUND_RX, ConnState.BOUND_TRX)


class RudeEngine:
    """The engine of a connection that can also be told to break off in the middle of a PDU."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last_words = b""
        self.receive, self.eof, self.tick = connection.receive, connection.eof, connection.tick
        self.next_deadline, self.deadline_min_s = connection.next_deadline, connection.deadline_min_s

    @property
    def wants_close(self) -> bool:
        """As the connection says."""
        return self._connection.wants_close

    def break_off(self, data: bytes) -> None:
        """Write octets that are no whole PDU, and close."""
        self._last_words = data
        self._connection.close("told to")

    def data_to_send(self) -> bytes:
        """What the connection has to write, and after it the last words."""
        words, self._last_words = self._last_words, b""
        return self._connection.data_to_send() + words


class Bind:
    """One connection, bound or not yet."""

    def __init__(self, smsc: Smsc, number: int) -> None:
        self.number = number
        self.connection = Connection(Role.SMSC, smsc.limits, smsc.clock(), NAMES[smsc.behaviour.interface_version])
        self._engine = RudeEngine(self.connection)
        self.pump = Pump(self._engine, self._on_events, smsc.flush, smsc.clock, on_connected=self._on_connected)
        self._smsc = smsc

    @property
    def is_bound(self) -> bool:
        """Whether the gateway has bound and not yet unbound."""
        return self.connection.state in (ConnState.BOUND_TX, *_RECEIVING)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended, not only its bind."""
        return self.connection.wants_close and not self.pump.is_connected

    def can_deliver(self) -> bool:
        """Whether one more deliver_sm may be sent now."""
        connection = self.connection
        return connection.state in _RECEIVING and connection.window_free > 0 and self.pump.is_writable

    def deliver(self, delivery: Delivery) -> None:
        """Send a deliver_sm; its answer goes to the outbox."""
        delivery.bind = self.number
        delivery.sent_at = self._smsc.clock()
        self.connection.request(delivery.pdu, delivery.sent_at, delivery)
        self.pump.flush()

    def alert(self, pdu: AlertNotification) -> None:
        """Say that a handset can be reached; there is no answer."""
        self.connection.request(pdu, self._smsc.clock())
        self.pump.flush()

    def _on_events(self, events: list[Event]) -> None:
        smsc = self._smsc
        for event in events:
            match event:
                case SubmitSm():
                    self._on_submit(event)
                case Answered(context=Delivery() as delivery, pdu=DeliverSmResp() as response):
                    smsc.outbox.settle(delivery, response.status)
                case Unanswered(context=Delivery() as delivery):
                    smsc.outbox.settle(delivery, None)
                case BindAsked():
                    self._on_bind(event)
                case DataSm():
                    self.connection.respond(DataSmResp(sequence=event.sequence, status=Status.ESME_RINVCMDID))
                case FaultSeen():
                    smsc.ledger.faults.append((event.kind, event.status))
                case Closed():
                    smsc.ledger.counts["connections closed"] += 1
        self.pump.flush()
        smsc.flush()
        smsc.ledger.changed()

    def _on_connected(self) -> None:
        if self._smsc.behaviour.bind_answer == "close":
            self.connection.close("told to")

    def _on_bind(self, asked: BindAsked) -> None:
        if self._smsc.behaviour.bind_answer == "silent":
            return
        status = self._smsc.check_bind(asked.pdu)
        if status:
            self._smsc.ledger.binds_refused += 1
            self.connection.refuse_bind(asked.pdu, status)
        else:
            self._smsc.ledger.binds_accepted += 1
            self.connection.accept_bind(asked.pdu, self._smsc.system_id, self._smsc.clock())

    def _on_submit(self, pdu: SubmitSm) -> None:
        smsc = self._smsc
        rule = smsc.script.rule_for(pdu.source_addr, pdu.destination_addr) if smsc.has_room() else _THROTTLING
        submit = Submit(smsc.clock(), self.number, pdu)
        smsc.take(submit, rule)
        if rule.delay_s:
            smsc.schedule.after(rule.delay_s, partial(self._answer_late, submit, rule))
        else:
            self._answer(submit, rule)

    def _answer_late(self, submit: Submit, rule: Rule) -> None:
        if self.is_bound:
            self._answer(submit, rule)
            self.pump.flush()
        self._smsc.ledger.changed()

    def _answer(self, submit: Submit, rule: Rule) -> None:
        response = SubmitSmResp(sequence=submit.pdu.sequence, status=rule.status_code, message_id=submit.message_id)
        if self._smsc.congestion >= 0 and self.connection.version == NEWEST:
            response.tlvs = (congestion_tlv(self._smsc.congestion),)
        if rule.answer == "silent" or self.connection.state is ConnState.CLOSED:
            return  # it broke off over an earlier submit of the same read
        if rule.answer == "close":
            self.connection.close("told to")
        elif rule.answer == "half":
            octets = build(response)
            self._engine.break_off(octets[: len(octets) // 2])
        elif rule.answer == "wrong_sequence":
            response.sequence = SEQUENCE_MAX - submit.pdu.sequence
            self.connection.respond(response)
        else:
            self.connection.respond(response)
            submit.status = response.status
