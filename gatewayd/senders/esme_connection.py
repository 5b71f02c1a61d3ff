"""One connection of an ESME, from its first octet to its last: what it says goes to the desks, what they say to it.

Decides nothing of a message or a bind: who may bind is the binder's business, messages are the desks'.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gatewayd.config import schema
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.transport import Pump
from gatewayd.senders.accounts import Account
from gatewayd.senders.deliver_pdu import message_id_text
from gatewayd.senders.sharing import Guest
from gatewayd.senders.submit_rules import Refusal
from gatewayd.store.records import Delivery
from protocol.smpp.connection import Connection
from protocol.smpp.constants import Command, Status, status_name
from protocol.smpp.events import Answered, BindAsked, Closed, Event, FaultSeen, Unanswered
from protocol.smpp.pdu import Bind, DeliverSm, Pdu, SubmitSm, SubmitSmResp
from protocol.smpp.states import BOUND, ConnState, Role

if TYPE_CHECKING:
    from gatewayd.senders.smpp_server import SmppServer

log = logging.getLogger(__name__)

_RECEIVERS = (Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)


class EsmeConnection:
    """One TCP connection of an ESME: before its bind a stranger, then one of an account's binds."""

    def __init__(self, server: SmppServer, peer: str = "") -> None:
        """``peer`` is whom a load balancer connects for; without one, it is whoever connects."""
        self._server = server
        self._peer = peer
        self.account: Account | None = None
        self.engine = Connection(Role.SMSC, server.limits, time.monotonic())
        self.pump = Pump(
            self.engine,
            self._on_events,
            self._on_writable,
            on_connected=self._on_connected,
            on_error=lambda error: server.count_fault("internal"),
        )
        self.response_timing: Timing
        self.taken: Tally
        self._is_receiver = False
        self._resting: asyncio.TimerHandle | None = None
        # For people who look at binds: which one, in which mode, since when (Unix seconds).
        self.number = 0
        self.mode = ""
        self.bound_at = 0.0

    # -- what the desks use ---------------------------------------------------------------------------------------

    @property
    def account_name(self) -> str:
        """The account, empty before the bind."""
        return self.account.name if self.account is not None else ""

    @property
    def account_settings(self) -> schema.Account:
        """The account's configuration; only for bound connections."""
        assert self.account is not None  # only binds are given to the outbox
        return self.account.settings

    @property
    def can_deliver(self) -> bool:
        """Whether a deliver_sm may be written now."""
        return self.pump.is_writable and self.engine.state in BOUND

    def deliver(self, pdu: DeliverSm, context: Delivery | Guest) -> None:
        """Send a deliver_sm; its fate comes to the outbox. Raises LocalFault as the engine does."""
        self.engine.request(pdu, time.monotonic(), context)
        self.pump.flush()

    def answer(self, pdu: Pdu) -> None:
        """Send a response, unless the connection has ended."""
        if self.engine.state is not ConnState.CLOSED:
            self.engine.respond(pdu)
            self._answered_one()

    def answer_submit(self, sequence: int, message_id: int) -> None:
        """The message is durable: say so, unless the connection has ended."""
        engine = self.engine
        if engine.state is not ConnState.CLOSED:
            engine.respond_submit(sequence, message_id_text(message_id))
            self._answered_one()

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        """The message was not taken: say so."""
        self.answer(SubmitSmResp(sequence=sequence, status=refusal.status))

    def _answered_one(self) -> None:
        self.pump.flush()
        self._read_on()

    def rest(self, rest_s: float) -> None:
        """Take nothing from this one for a while."""
        if self._resting is None:
            self.pump.pause_reading()
            self._resting = asyncio.get_running_loop().call_later(rest_s, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self._read_on()

    def _read_on(self) -> None:
        if self._resting is None and self.engine.owed < self._server.settings.window and self.pump.is_writable:
            self.pump.resume_reading()

    # -- events ---------------------------------------------------------------------------------------------------

    def _on_connected(self) -> None:
        if self._peer:
            self.pump.peername = self._peer
        self._server.opened(self)

    def _on_writable(self) -> None:
        self._read_on()
        if self._is_receiver:
            self._server.outbox.ready(self)

    def _on_events(self, events: list[Event]) -> None:
        submits = [event for event in events if type(event) is SubmitSm]
        if submits:
            self._server.submits.take(self, submits)
            if self.engine.owed >= self._server.settings.window or not self.pump.is_writable:
                # The sender's window towards us is full, or it does not read its answers: what it sends on top waits
                # in its own socket.
                self.pump.pause_reading()
        if len(submits) == len(events):
            return
        for event in events:
            if type(event) is not SubmitSm:
                self._on_event(event)

    def _on_event(self, event: Event) -> None:
        match event:
            case Answered(context=Delivery() | Guest() as delivery, pdu=pdu):
                self._server.outbox.answered(self, delivery, pdu.status)  # type: ignore[attr-defined]
            case Unanswered(context=Delivery() | Guest() as delivery, reason=reason, status=status):
                if reason == "nacked":
                    self._server.outbox.answered(self, delivery, status)
                else:
                    self._server.outbox.unanswered(self, delivery, reason)
            case BindAsked(pdu=asked):
                spawn(self._server.binder.bind(self, event), name=f"bind {asked.system_id!r}")
            case FaultSeen(kind=kind, status=status, detail=detail):
                self._server.count_fault(kind)
                log.info(
                    "< fault peer=%s account=%s kind=%s answer=%s %s",
                    self.pump.peername, self.account_name, kind, status_name(status), detail,
                )  # fmt: skip
            case Closed(reason=reason):
                self._on_closed(reason)
            case _ if isinstance(event, Pdu):
                self._not_supported(event)

    def _not_supported(self, pdu: Pdu) -> None:
        """A request that the state allows and this server does not offer (3.4 section 5.1.3, ESME_RINVCMDID)."""
        self._server.count_fault("unsupported_command")
        self.engine.refuse(pdu, Status.ESME_RINVCMDID)
        self.pump.flush()

    def bound(self, account: Account, asked: Bind) -> None:
        """The account has let it in: say so, and be one of its binds from now on."""
        command = Command(asked.command)
        self.account = account
        self.response_timing = self._server.metrics.submit_response.labels(account.name)
        self.taken = self._server.metrics.submits.labels(account.name, Status.ESME_ROK.name)
        self._is_receiver = command in _RECEIVERS
        self.number, self.mode = self._server.next_number(), command.name.lower().removeprefix("bind_")
        self.bound_at = time.time()
        log.info("= bound account=%s peer=%s mode=%s", account.name, self.pump.peername, command.name.lower())
        self.engine.accept_bind(asked, self._server.settings.system_id, time.monotonic())
        self.pump.flush()
        if self._is_receiver:
            self._server.outbox.join(self)

    def _on_closed(self, reason: str) -> None:
        if self.account is not None:
            self.account.unseat(self)
            log.info("= closed account=%s peer=%s reason=%s", self.account.name, self.pump.peername, reason)
            if self._is_receiver:
                self._server.outbox.leave(self)
        self._server.closed(self)
