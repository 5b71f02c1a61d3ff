"""The SMPP server: accepts connections of ESMEs, keeps them within their bounds, and ends them.

Moves no message itself: submit_sm goes to the submit desk, deliver_sm comes from the outbox.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Sequence

from gatewayd.config import schema
from gatewayd.config.addresses import parse_address
from gatewayd.message import Availability
from gatewayd.runtime.dealing import GATHER_S, Dealing
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.networks import Networks
from gatewayd.runtime.tls import LiveTls
from gatewayd.runtime.trail import say
from gatewayd.senders.accounts import Account, Gatekeeper
from gatewayd.senders.alerting import alert_notification
from gatewayd.senders.binding import Binder
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.doorstep import Doorstep
from gatewayd.senders.esme_connection import EsmeConnection
from gatewayd.senders.esme_requests import RequestDesk
from gatewayd.senders.lockout import Lockout
from gatewayd.senders.several import Rename
from gatewayd.senders.submit import SubmitDesk
from protocol.smpp.connection import Limits
from protocol.smpp.errors import LocalFault

log = logging.getLogger(__name__)

BACKLOG = 4_096
_REQUESTS_MAX = 10_000
_GATHER_LOOK_S = 0.01


class SmppServer:
    """The listeners and their connections."""

    def __init__(
        self,
        settings: schema.SmppServer,
        accounts: dict[str, Account],
        submits: SubmitDesk,
        outbox: Outbox,
        metrics: Metrics,
        tls: LiveTls | None = None,
        lockout: Lockout | None = None,
    ) -> None:
        """``tls`` is what encrypted listeners show; without ``lockout``, anybody may try as often as he likes."""
        self.settings = settings
        self.accounts = accounts
        self.submits = submits
        self.outbox = outbox
        self.metrics = metrics
        self.gatekeeper = Gatekeeper(accounts)
        self.lockout = lockout
        self.binder = Binder(self)
        self.requests: RequestDesk | None = None
        self.rename_shortly: Rename | None = None
        self.dealing: Dealing | None = None
        """With other workers at the same listeners: whose the next connection is; set before ``start``."""
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
        self._tls = tls
        self._proxies = Networks(settings.proxy_networks)
        self._doorsteps: list[Doorstep] = []
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, plain listeners first."""

    async def start(self, plain: Sequence[socket.socket] = (), encrypted: Sequence[socket.socket] = ()) -> None:
        """Listen: on sockets that are open already, else on the configured addresses.

        Raises OSError with the address in its text.
        """
        if not plain and not encrypted:
            plain = [_open(listen) for listen in self.settings.listen]
            encrypted = [_open(listen) for listen in self.settings.tls_listen]
        self.addresses = [one.getsockname()[:2] for one in (*plain, *encrypted)]
        self._tell_number()
        await self._gather()
        for listening in plain:
            self._doorsteps.append(self._open_doorstep(listening, None))
        for listening in encrypted:
            assert self._tls is not None  # the configuration has a certificate wherever it has such a listener
            self._doorsteps.append(self._open_doorstep(listening, self._tls))

    async def _gather(self) -> None:
        """Open when all workers do, or after a moment: else the first one has all that reconnects after a start."""
        for _ in range(round(GATHER_S / _GATHER_LOOK_S)):
            if self.dealing is None or self.dealing.is_complete:
                return
            await asyncio.sleep(_GATHER_LOOK_S)

    def _open_doorstep(self, listening: socket.socket, tls: LiveTls | None) -> Doorstep:
        """Whoever must say more than SMPP to be a connection has as long for it as for a bind."""
        doorstep = Doorstep(
            listening,
            lambda peer: EsmeConnection(self, peer).pump,
            tls=tls,
            proxies=self._proxies,
            patience_s=self.settings.session_init_timeout_s,
            has_room=self._has_room,
            on_fault=self.count_fault,
            on_change=self._tell_number,
            dealing=self.dealing,
        )
        doorstep.start()
        return doorstep

    def _has_room(self) -> bool:
        return self._number < self.settings.connections_max and not self.is_draining

    @property
    def _number(self) -> int:
        """How many are connected or on the way in."""
        return len(self._connections) + sum(map(len, self._doorsteps))

    def _tell_number(self) -> None:
        if self.dealing is not None and not self.is_draining:
            self.dealing.tell(self._number)

    def opened(self, connection: EsmeConnection) -> None:
        """One more connection, unless there are too many already."""
        if len(self._connections) >= self.settings.connections_max or self.is_draining:
            self.count_fault("too_many_connections")
            connection.pump.abort()
            return
        self._connections.add(connection)

    def alert(self, account: str, alert: Availability) -> bool:
        """Tell one of the account's receivers that a handset can be reached; False when there is none here."""
        known = self.accounts.get(account)
        return known is not None and any(bind.alert(alert_notification(alert)) for bind in known.binds)

    def next_number(self) -> int:
        """A number for a new bind."""
        self._last_number += 1
        return self._last_number

    def end_bind(self, connection: EsmeConnection) -> None:
        """A person wants to be rid of this bind; its application may come again at once."""
        say(log, logging.INFO, "= kicked", account=connection.account_name, peer=connection.pump.peername)
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
        self._tell_number()

    def count_fault(self, kind: str) -> None:
        """A peer did something wrong."""
        self.metrics.faults.labels("esme", kind).value += 1

    def close_listeners(self) -> None:
        """Take no new connections, nor binds."""
        self.is_draining = True
        if self.dealing is not None:
            self.dealing.leave()
        while self._doorsteps:
            self._doorsteps.pop().close()

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
