"""One connection of an ESME, from its first octet to its last: what it says goes to the desks, what they say to it.

Decides nothing of a message or a bind: who may bind is the binder's business, messages are the desks'.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from gatewayd.config import schema
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.trail import say
from gatewayd.runtime.transport import Pump
from gatewayd.senders.accounts import Account
from gatewayd.senders.binding import mode_of
from gatewayd.senders.joint import Joint
from gatewayd.senders.names import decimal_text, message_id_text, short_name
from gatewayd.senders.patience import Patience
from gatewayd.senders.receipt_form import ReceiptForm, form_of
from gatewayd.senders.reshaping import bare_parts, data_sm_of
from gatewayd.senders.several import Rename, rename_decimally
from gatewayd.senders.sharing import Guest
from gatewayd.senders.submit import Applicant
from gatewayd.senders.submit_rules import Refusal
from gatewayd.store.records import Delivery
from protocol.smpp import text
from protocol.smpp.connection import Connection
from protocol.smpp.constants import Command, Status, status_name
from protocol.smpp.events import Answered, BindAsked, Closed, Event, FaultSeen, Unanswered
from protocol.smpp.pdu import AlertNotification, Bind, DeliverSm, Pdu, SubmitSm, SubmitSmResp
from protocol.smpp.states import ConnState, Role
from protocol.smpp.versions import NAMES, NEWEST, OLDEST, congestion_tlv

if TYPE_CHECKING:
    from gatewayd.senders.smpp_server import SmppServer

log = logging.getLogger(__name__)

_CLOSED = ConnState.CLOSED  # asked for each answer, and looking a member up in its class is dear
_RECEIVERS = (Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)


class EsmeConnection:
    """One TCP connection of an ESME: before its bind a stranger, then one of an account's binds."""

    def __init__(self, server: SmppServer, peer: str = "", *, called: str = "") -> None:
        """``peer`` is whom a load balancer connects for; without one, it is whoever connects.

        ``called`` is the account that was dialled: it alone may bind here, to receive.
        """
        self._server = server
        self._peer = peer
        self.called = called
        self.settled = asyncio.Event()  # bound, or closed
        self.end = ""
        self.account: Account | None = None
        self.engine = Connection(Role.SMSC, server.limits, time.monotonic(), NEWEST)
        self.account_name = ""
        """The account, empty before the bind."""
        self.account_settings: schema.Account
        """Its configuration; only of bound connections."""
        self.pump = Pump(
            self.engine,
            self._on_events,
            self._on_writable,
            on_connected=self._on_connected,
            on_error=lambda error: server.count_fault("internal"),
        )
        self.name_of = message_id_text
        self.rename: Rename | None = None
        self.receipt_form: ReceiptForm | None = None
        self._is_bare = self._tells_congestion = self._wants_data_sm = False
        self.response_timing: Timing
        self.taken: Tally
        self._is_receiver = False
        self._resting: asyncio.TimerHandle | None = None
        self._window = server.settings.window
        self._patience: Patience | None = None
        # For people who look at binds: which one, in which mode, since when (Unix seconds).
        self.number = 0
        self.mode = ""
        self.bound_at = 0.0

    # -- what the desks use ---------------------------------------------------------------------------------------

    @property
    def can_deliver(self) -> bool:
        """Whether a deliver_sm may be written now."""
        return self.pump.is_writable and self.engine.is_bound

    @property
    def version(self) -> int:
        """The version of SMPP that both sides speak."""
        return self.engine.version

    def deliver(self, pdu: DeliverSm, context: Delivery | Guest) -> None:
        """Send a deliver_sm, in the shape that the application reads; its fate comes to the outbox.

        Raises LocalFault as the engine does.
        """
        if self._is_bare:
            self._deliver_bare(pdu, context)
        elif self._wants_data_sm:
            self.engine.request(data_sm_of(pdu), time.monotonic(), context)
        else:
            self.engine.request(pdu, time.monotonic(), context)
        if not self.pump.is_flush_asked:
            self.pump.flush()

    def _deliver_bare(self, pdu: DeliverSm, context: Delivery | Guest) -> None:
        delivery = context if isinstance(context, Delivery) else context.delivery
        encoding = text.encoding_of(pdu.data_coding, self.account_settings.data_coding_0)
        parts = bare_parts(pdu, encoding, delivery.id)
        joint = Joint(context, len(parts)) if len(parts) > 1 else context
        for part in parts:
            self.engine.request(part, time.monotonic(), joint)

    def alert(self, pdu: AlertNotification) -> bool:
        """Tell it that a handset can be reached, if it can be told now; there is no answer."""
        if not self._is_receiver or self._is_bare or not self.can_deliver:
            return False
        self.engine.request(pdu, time.monotonic())
        self.pump.flush()
        return True

    def answer(self, pdu: Pdu) -> None:
        """Send a response, unless the connection has ended."""
        if self.engine.state is not ConnState.CLOSED:
            self.engine.respond(pdu)
            self._answered_one()

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        """These messages are durable: say so, unless the connection has ended."""
        engine, name_of, tells_congestion = self.engine, self.name_of, self._tells_congestion
        for sequence, message_id in taken:
            if engine.state is _CLOSED:
                break  # perhaps by the last answer that it was owed
            if tells_congestion:
                engine.respond(SubmitSmResp(sequence, 0, name_of(message_id), self.tlvs()))
            else:
                engine.respond_submit(sequence, name_of(message_id))
        self._answered_one()

    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        """What an application of SMPP 5.0 is told with every answer to a submit: how full we are (5.0 section
        4.8.4.18), by its own window and by what waits for the disk."""
        if not self._tells_congestion:
            return ()
        server = self._server
        used = self.engine.owed * 100 // self._window
        return (congestion_tlv(max(used, server.submits.fullness())),)

    def refuse(self, pdu: Pdu, status: int) -> None:
        """Say no to any request, unless the connection has ended."""
        if self.engine.state is not ConnState.CLOSED:
            self.engine.refuse(pdu, status)
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
        if self._resting is None and not self._is_full:
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
            if self._patience is None:
                self._server.submits.take(self, submits, self.rename)
            else:
                self._patience.take(submits, self._hand_in)
            self._rest_when_full()
        if len(submits) == len(events):
            return
        for event in events:
            if type(event) is Answered and type(event.context) is Delivery:  # nearly all of them
                self._server.outbox.answered(self, event.context, event.pdu.status)  # type: ignore[attr-defined]
            elif type(event) is not SubmitSm:
                self._on_event(event)

    def _rest_when_full(self) -> None:
        """The sender's window towards us is full, or it does not read its answers: then what it sends on top waits in
        its own socket."""
        if self._is_full:
            self.pump.pause_reading()

    @property
    def _is_full(self) -> bool:
        return self.engine.owed >= self._window or not self.pump.is_writable or bool(self._patience)

    def _hand_in(self, submits: Sequence[SubmitSm], granted: int) -> None:
        self._server.submits.take(self, submits, self.rename, granted)

    def hand_in(self, applicant: Applicant, submits: Sequence[SubmitSm], rename: Rename | None) -> None:
        """Messages that came in another request than submit_sm, which wait for their turn as those do."""
        take = partial(self._server.submits.take, applicant)
        if self._patience is None:
            take(submits, rename)
        else:
            self._patience.take(submits, lambda some, granted: take(some, rename, granted))

    def _on_event(self, event: Event) -> None:
        match event:
            case Answered(context=Delivery() | Guest() as delivery, pdu=pdu):
                self._server.outbox.answered(self, delivery, pdu.status)  # type: ignore[attr-defined]
            case Unanswered(context=Delivery() | Guest() as delivery, reason=reason, status=status):
                if reason == "nacked":
                    self._server.outbox.answered(self, delivery, status)
                else:
                    self._server.outbox.unanswered(self, delivery, reason)
            case Answered(context=Joint() as joint, pdu=pdu):
                self._on_part(joint, pdu.status, "")  # type: ignore[attr-defined]
            case Unanswered(context=Joint() as joint, reason=reason, status=status):
                self._on_part(joint, status, "" if reason == "nacked" else reason)
            case BindAsked(pdu=asked):
                spawn(self._server.binder.bind(self, event), name=f"bind {asked.system_id!r}")
            case FaultSeen(kind=kind, status=status, detail=detail):
                self._server.count_fault(kind)
                self._say("< fault", account=self.account_name, kind=kind, answer=status_name(status), detail=detail)
            case Closed(reason=reason):
                self._on_closed(reason)
            case _ if isinstance(event, Pdu):
                requests = self._server.requests
                if requests is None or not requests.take(self, event):
                    self._not_supported(event)
                self._rest_when_full()

    def _on_part(self, joint: Joint, status: int, reason: str) -> None:
        """One of several deliver_sm that are one delivery."""
        if joint.take(status, reason):
            if joint.reason:
                self._server.outbox.unanswered(self, joint.context, joint.reason)
            else:
                self._server.outbox.answered(self, joint.context, joint.status)

    def _not_supported(self, pdu: Pdu) -> None:
        """A request that the state allows and this server does not offer (3.4 section 5.1.3, ESME_RINVCMDID)."""
        self._server.count_fault("unsupported_command")
        self.engine.refuse(pdu, Status.ESME_RINVCMDID)
        self.pump.flush()

    def bound(self, account: Account, asked: Bind) -> None:
        """The account has let it in: say so, and be one of its binds from now on."""
        command = Command(asked.command)
        self.account, self.account_name = account, account.name
        self.response_timing = self._server.metrics.submit_response.labels(account.name)
        self.taken = self._server.metrics.submits.labels(account.name, Status.ESME_ROK.name)
        self._is_receiver = command in _RECEIVERS
        self.number, self.mode = self._server.next_number(), mode_of(asked)
        self.bound_at = time.time()
        self._say("= bound", account=account.name, mode=self.mode)
        wanted = NAMES.get(account.settings.interface_version, 0)
        self.engine.accept_bind(asked, self._server.settings.system_id, time.monotonic(), wanted)
        self._is_bare = self.version == OLDEST
        self._tells_congestion = self.version == NEWEST
        self.learn()
        self.settled.set()
        self.pump.flush()
        if self._is_receiver:
            self._server.outbox.join(self)

    def learn(self) -> None:
        """The account's settings are these from now on."""
        account, metrics = self.account, self._server.metrics
        assert account is not None  # it is one of the account's binds
        self.account_settings = account.settings
        self._window = account.settings.submit_window or self._server.settings.window
        self._learn_words(account.settings)
        if self._patience:
            return  # those that wait go first; then this is asked again
        self._patience = None
        if account.settings.throttle_delay_s and account.allowance.is_limited:
            delayed = metrics.submits_delayed.labels(account.name)
            self._patience = Patience(account, self._on_patience_ended, delayed)

    def _learn_words(self, settings: schema.Account) -> None:
        """What messages are called, and how receipts are written. SMPP 3.3 has no room for long ids."""
        self.receipt_form = form_of(settings)
        self._wants_data_sm = settings.deliver_as == "data_sm"
        if self._is_bare:
            self.name_of, self.rename = short_name, self._server.rename_shortly
        elif settings.message_id_base == "decimal":
            self.name_of, self.rename = decimal_text, rename_decimally
        else:
            self.name_of, self.rename = message_id_text, None

    def _on_patience_ended(self) -> None:
        self.learn()
        self._read_on()

    def _say(self, event: str, **fields: str) -> None:
        say(log, logging.INFO, event, peer=self.pump.peername, **fields)

    def _on_closed(self, reason: str) -> None:
        self.end = reason
        self.settled.set()
        if self._patience is not None:
            self._patience.close()
        if self.account is not None:
            self.account.unseat(self)
            self._say("= closed", account=self.account.name, reason=reason)
            if self._is_receiver:
                self._server.outbox.leave(self)
        self._server.closed(self)
