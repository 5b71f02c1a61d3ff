"""The SMPP server: accepts connections of ESMEs, lets those bind that may, and passes on what they say.

Moves no message itself: submit_sm goes to the submit desk, deliver_sm comes from the outbox.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Sequence

from gatewayd.config import schema
from gatewayd.config.addresses import parse_address
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.tls import server_context
from gatewayd.runtime.trail import say
from gatewayd.runtime.transport import Pump
from gatewayd.senders.accounts import Account, Gatekeeper
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.deliver_pdu import message_id_text
from gatewayd.senders.sharing import Guest
from gatewayd.senders.submit import SubmitDesk
from gatewayd.senders.submit_rules import Refusal
from gatewayd.store.records import Delivery
from protocol.smpp.connection import Connection, Limits
from protocol.smpp.constants import Command, Status, status_name
from protocol.smpp.errors import LocalFault
from protocol.smpp.events import Answered, BindAsked, Closed, Event, FaultSeen, Unanswered
from protocol.smpp.pdu import DeliverSm, Pdu, SubmitSm, SubmitSmResp
from protocol.smpp.states import BOUND, ConnState, Role

log = logging.getLogger(__name__)

BACKLOG = 4_096
_REQUESTS_MAX = 10_000
_RECEIVERS = (Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)


class EsmeConnection:
    """One TCP connection of an ESME: before its bind a stranger, then one of an account's binds."""

    def __init__(self, server: SmppServer) -> None:
        self._server = server
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
                spawn(self._bind(event), name=f"bind {asked.system_id!r}")
            case FaultSeen(kind=kind, status=status, detail=detail):
                self._server.count_fault(kind)
                self._say("< fault", account=self.account_name, kind=kind, answer=status_name(status), detail=detail)
            case Closed(reason=reason):
                self._on_closed(reason)
            case _ if isinstance(event, Pdu):
                self._not_supported(event)

    def _not_supported(self, pdu: Pdu) -> None:
        """A request that the state allows and this server does not offer (3.4 section 5.1.3, ESME_RINVCMDID)."""
        self._server.count_fault("unsupported_command")
        self.engine.refuse(pdu, Status.ESME_RINVCMDID)
        self.pump.flush()

    async def _bind(self, event: BindAsked) -> None:
        asked = event.pdu
        server = self._server
        account, status = await server.gatekeeper.check(asked.system_id, asked.password, self.pump.peername)
        if self.engine.state is not ConnState.OPEN:
            return
        # Only now, for another bind of the account may have been let in while the password was hashed.
        if account is not None and not server.is_draining and not account.seat(self):
            account, status = None, Status.ESME_RALYBND
        if account is None or server.is_draining:
            status = status or Status.ESME_RBINDFAIL
            server.metrics.binds_refused.labels(status_name(status)).value += 1
            self._say("< bind_refused", logging.WARNING, account=asked.system_id, status=status_name(status))
            self.engine.refuse_bind(asked, status)
            self.pump.flush()
            return
        self._bound(account, asked.command)
        self.engine.accept_bind(asked, server.settings.system_id, time.monotonic())
        self.pump.flush()
        if self._is_receiver:
            server.outbox.join(self)

    def _bound(self, account: Account, command: Command) -> None:
        self.account = account
        self.response_timing = self._server.metrics.submit_response.labels(account.name)
        self.taken = self._server.metrics.submits.labels(account.name, Status.ESME_ROK.name)
        self._is_receiver = command in _RECEIVERS
        self.number, self.mode = self._server.next_number(), Command(command).name.lower().removeprefix("bind_")
        self.bound_at = time.time()
        self._say("= bound", account=account.name, mode=self.mode)

    def _say(self, event: str, level: int = logging.INFO, **fields: str) -> None:
        say(log, level, event, peer=self.pump.peername, **fields)

    def _on_closed(self, reason: str) -> None:
        if self.account is not None:
            self.account.unseat(self)
            self._say("= closed", account=self.account.name, reason=reason)
            if self._is_receiver:
                self._server.outbox.leave(self)
        self._server.closed(self)


class SmppServer:
    """The listeners and their connections."""

    def __init__(
        self,
        settings: schema.SmppServer,
        accounts: dict[str, Account],
        submits: SubmitDesk,
        outbox: Outbox,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self.accounts = accounts
        self.submits = submits
        self.outbox = outbox
        self.metrics = metrics
        self.gatekeeper = Gatekeeper(accounts)
        self.is_draining = False
        self.limits = Limits(
            pdu_size_max=settings.pdu_size_max,
            session_init_timeout_s=settings.session_init_timeout_s,
            enquire_interval_s=settings.enquire_interval_s,
            inactivity_timeout_s=settings.inactivity_timeout_s,
            response_timeout_s=settings.response_timeout_s,
            window=_REQUESTS_MAX,
        )
        self._connections: set[EsmeConnection] = set()
        self._last_number = 0
        self._servers: list[asyncio.Server] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, plain listeners first."""
        return [s.getsockname()[:2] for server in self._servers for s in server.sockets]

    async def start(self, plain: Sequence[socket.socket] = (), encrypted: Sequence[socket.socket] = ()) -> None:
        """Listen: on sockets that are open already, else on the configured addresses.

        Raises OSError with the address in its text.
        """
        settings = self.settings
        context = server_context(settings.tls_certificate, settings.tls_key) if settings.tls_listen else None
        if not plain and not encrypted:
            plain = [_open(listen) for listen in settings.listen]
            encrypted = [_open(listen) for listen in settings.tls_listen]
        for listening in plain:
            await self._serve(listening, None)
        for listening in encrypted:
            await self._serve(listening, context)

    async def _serve(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        # A stranger who never ends the handshake must not stay longer than one who never binds.
        handshake_s = self.settings.session_init_timeout_s if context is not None else None
        server = await asyncio.get_running_loop().create_server(
            lambda: EsmeConnection(self).pump,
            sock=listening,
            ssl=context,
            ssl_handshake_timeout=handshake_s,
            backlog=BACKLOG,
        )
        self._servers.append(server)

    def opened(self, connection: EsmeConnection) -> None:
        """One more connection, unless there are too many already."""
        if len(self._connections) >= self.settings.connections_max or self.is_draining:
            self.count_fault("too_many_connections")
            connection.pump.abort()
            return
        self._connections.add(connection)

    def next_number(self) -> int:
        """A number for a new bind."""
        self._last_number += 1
        return self._last_number

    def end_bind(self, connection: EsmeConnection) -> None:
        """A person wants to be rid of this bind; its application may come again at once."""
        log.info("= kicked account=%s peer=%s", connection.account_name, connection.pump.peername)
        self._end(connection)

    def end_binds(self, account: Account) -> None:
        """The account is no longer configured."""
        for connection in tuple(account.binds):
            self._end(connection)

    def _end(self, connection: EsmeConnection) -> None:
        try:
            connection.engine.unbind(time.monotonic())
        except LocalFault:
            connection.engine.close("shutdown")
        connection.pump.flush()

    def closed(self, connection: EsmeConnection) -> None:
        """One connection less."""
        self._connections.discard(connection)

    def count_fault(self, kind: str) -> None:
        """A peer did something wrong."""
        self.metrics.faults.labels("esme", kind).value += 1

    def close_listeners(self) -> None:
        """Take no new connections, nor binds."""
        self.is_draining = True
        for server in self._servers:
            server.close()

    async def stop(self, drain_s: float) -> None:
        """Unbind politely, then close what is left when the time is over."""
        self.close_listeners()
        for connection in tuple(self._connections):
            self._end(connection)
        waits = [connection.pump.wait_closed() for connection in self._connections]
        if waits:
            try:
                await asyncio.wait_for(asyncio.gather(*waits), drain_s)
            except TimeoutError:
                for connection in tuple(self._connections):
                    connection.pump.abort()

    # -- for metrics ----------------------------------------------------------------------------------------------

    def binds(self) -> list[tuple[tuple[str, ...], float]]:
        """Standing binds, by account."""
        return [(("esme", name), len(account.binds)) for name, account in self.accounts.items()]

    def windows(self) -> list[tuple[tuple[str, ...], float]]:
        """deliver_sm that wait for their answer, by account."""
        return [
            (("esme", name), sum(bind.engine.window_used for bind in account.binds))
            for name, account in self.accounts.items()
        ]


def _open(listen: str) -> socket.socket:
    host, port = parse_address(listen)
    return socket.create_server((host, port), family=_family(host), backlog=BACKLOG)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
