"""Where a carrier connects to us: from its networks alone, as often as agreed. Then we bind, or wait for its outbind.

Knows its own listening socket and what came over it; whether another worker listens in its place is for seats to say.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from gatewayd.carriers.carrier_tls import CarrierTls
from gatewayd.carriers.dialing import Admission
from gatewayd.carriers.dialled_seat import DialledSeat, reason_of
from gatewayd.carriers.smpp_seat import Credentials, Ears, Seat, modes_of
from gatewayd.carriers.statuses import WRONG_CREDENTIALS
from gatewayd.config.addresses import parse_address
from gatewayd.runtime.networks import Networks
from gatewayd.runtime.tasks import spawn
from protocol.smpp.connection import Connection
from protocol.smpp.pdu import Outbind

logger = logging.getLogger(__name__)

BACKLOG: Final = 128
LISTEN_AGAIN_S: Final = 1.0


class AcceptedSeat(Seat):
    """A bind over a connection that the carrier made. ``outbind_password`` None: it need not ask for one."""

    def __init__(
        self,
        label: str,
        credentials: Credentials,
        mode: str,
        ears: Ears,
        clock: Callable[[], float],
        outbind_password: str | None,
        admission: Admission,
    ) -> None:
        super().__init__(label, credentials, mode, ears, clock)
        self._outbind_password = outbind_password
        self._admission = admission

    def _connected(self, connection: Connection) -> None:
        if self._is_stopping:  # its handshake took longer than the link lived
            self.pump.abort()
        elif self._outbind_password is None:
            self._bind(connection)

    def asked(self, outbind: Outbind) -> None:
        """The carrier wants us to bind (SMPP 3.4 4.1.7): whoever knows its password is the carrier."""
        if self._outbind_password is None:  # our bind was under way already
            return
        if hmac.compare_digest(outbind.password.encode(), self._outbind_password.encode()):
            self._outbind_password = None
            self._bind(self.connection)
        else:
            self._note("outbind_refused", f"outbind with a wrong password from {self.where}")
            self.pump.abort()

    def _on_stubborn(self, status: int) -> None:
        if status in WRONG_CREDENTIALS:
            settings = self._credentials.settings
            self._admission.refused(settings.bind_refused_wait_s, settings.bind_refused_wait_max_s)


class Door:
    """One listening socket and the seats that stand over it; to the link it is one of its places."""

    away: Sequence[DialledSeat] = ()

    def __init__(
        self,
        name: str,
        credentials: Credentials,
        ears: Ears,
        clock: Callable[[], float],
        tls: CarrierTls,
        admission: Admission,
        *,
        outbind_password: str | None,
        on_change: Callable[[], None],
    ) -> None:
        """``on_change`` is called when ``seats`` are others."""
        settings = credentials.settings
        self.seats: list[Seat] = []
        self.port = 0
        self._name = name
        self._credentials = credentials
        self._ears = ears
        self._clock = clock
        self._tls = tls
        self._admission = admission
        self._outbind_password = outbind_password
        self._on_change = on_change
        self._modes = modes_of(settings)
        self._networks = Networks(settings.listen_networks)
        self._task: asyncio.Task[None] | None = None
        self._numbers = 0

    def start(self) -> None:
        """Listen, and go on until ``stop``."""
        self._task = spawn(self._listen(), name=f"link {self._name} listens")

    def drain(self) -> None:
        """Take nothing more over what stands, and nobody new."""
        if self._task is not None:
            self._task.cancel()
        for seat in self.seats:
            seat.drain()

    async def stop(self) -> None:
        """Unbind all, and listen no more."""
        self.drain()
        if self._task is not None:
            await asyncio.wait([self._task])
        await asyncio.gather(*(seat.stop() for seat in self.seats))
        self._forget_ended()

    # ---- listening ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Open the socket, as soon as it can be had: whoever listened before may not have let it go yet."""
        address = self._credentials.settings.listen
        trouble = ""
        while True:
            try:
                listening = await _listening(address)
                break
            except OSError as error:
                if trouble != str(error):
                    trouble = str(error)
                    logger.error("link %s: cannot listen on %s: %s", self._name, address, error.strerror)
                self._ears.on_fault("listen_failed")
                await asyncio.sleep(LISTEN_AGAIN_S)
        try:
            self.port = listening.getsockname()[1]
            logger.info("link %s: listens on port %d", self._name, self.port)
            while True:
                await self._accept(listening)
        finally:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        try:
            stream, peer = await asyncio.get_running_loop().sock_accept(listening)
        except OSError as error:
            self._ears.on_fault("accept_failed")
            logger.warning("link %s: cannot accept: %s", self._name, error.strerror)
            await asyncio.sleep(LISTEN_AGAIN_S)
            return
        self._forget_ended()
        fault = self._objection(peer[0])
        if fault:
            self._ears.on_fault(fault)
            logger.info("link %s: %s turned away, %s", self._name, peer[0], fault)
            stream.close()
            return
        stream.setblocking(False)
        seat = self._seat(peer[0])
        self.seats.append(seat)
        self._on_change()
        spawn(self._admit(seat, stream), name=f"link {self._name} admits")

    def _objection(self, peer: str) -> str:
        """Why somebody is not let in, or nothing."""
        if not self._networks.holds(peer):
            return "foreign_network"
        if len(self.seats) >= self._credentials.settings.binds_wanted:
            return "too_many_connections"
        return "too_fast" if self._admission.wait_s() else ""

    def _seat(self, peer: str) -> AcceptedSeat:
        """One in the mode that is missing most."""
        self._numbers += 1
        taken = [seat.mode for seat in self.seats]
        mode = min(self._modes, key=taken.count)
        label = f"link {self._name} connection {self._numbers}"
        seat = AcceptedSeat(
            label, self._credentials, mode, self._ears, self._clock, self._outbind_password, self._admission
        )
        seat.where = peer
        return seat

    async def _admit(self, seat: AcceptedSeat, stream: socket.socket) -> None:
        patience_s = self._credentials.settings.bind_timeout_s if self._tls.context is not None else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: seat.pump, stream, ssl=self._tls.context, ssl_handshake_timeout=patience_s
            )
        except (OSError, ssl.SSLError) as error:
            self._ears.on_fault("tls_handshake")
            logger.info("link %s: %s turned away, %s", self._name, seat.where, reason_of(error))
            stream.close()
            if not seat.pump.is_connected:
                self._forget(seat)
                return
        await seat.pump.wait_closed()
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        if seat in self.seats:
            self.seats.remove(seat)
            self._on_change()

    def _forget_ended(self) -> None:
        """Its end may have been told before its task had its turn."""
        for seat in tuple(self.seats):
            if seat.connection.wants_close and not seat.pump.is_connected:
                self._forget(seat)


async def _listening(address: str) -> socket.socket:
    host, port = parse_address(address)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, number, _, where = found[0]
    listening = socket.socket(family, kind, number)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
