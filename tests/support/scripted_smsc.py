"""A carrier that does what a test tells it, over real sockets: each PDU of the peer goes to one function."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from gatewayd.runtime.transport import Pump
from protocol.smpp.connection import Answered, BindAsked, Closed, Connection, Limits, Role
from protocol.smpp.constants import Status
from protocol.smpp.pdu import Bind, DataSm, DeliverSm, Pdu, SubmitSm, SubmitSmResp
from tests.support.watch import Watch


class SmscBind:
    """One connection that a peer made."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self.asked: Bind | None = None
        self.submits: list[SubmitSm] = []
        self.answers: list[Any] = []
        self.end = ""
        self.connection = Connection(Role.SMSC, Limits(), asyncio.get_running_loop().time(), smsc.version)
        self.pump = Pump(self.connection, self._take)
        self._smsc = smsc

    def accept(self, submit: SubmitSm, message_id: str) -> None:
        """Answer with a message id."""
        self.connection.respond_submit(submit.sequence, message_id)
        self.pump.flush()

    def refuse(self, submit: SubmitSm, status: int) -> None:
        """Answer with an error."""
        self.respond(SubmitSmResp(sequence=submit.sequence, status=status))

    def respond(self, pdu: Pdu) -> None:
        """Answer with any response."""
        self.connection.respond(pdu)
        self.pump.flush()

    def send(self, pdu: DeliverSm | DataSm) -> None:
        """Send a receipt or a message; its answer arrives in ``answers``."""
        self.connection.request(pdu, asyncio.get_running_loop().time(), pdu)
        self.pump.flush()

    def unbind(self) -> None:
        """Leave, as a carrier does before its maintenance."""
        self.connection.unbind(asyncio.get_running_loop().time())
        self.pump.flush()

    def _take(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, BindAsked):
                self.asked = event.pdu
                if self._smsc.bind_status is None:
                    continue
                if self._smsc.bind_status:
                    self.connection.refuse_bind(event.pdu, self._smsc.bind_status)
                else:
                    self.connection.accept_bind(event.pdu, "carrier", asyncio.get_running_loop().time())
            elif isinstance(event, SubmitSm):
                self.submits.append(event)
                self._smsc.on_submit(self, event)
            elif isinstance(event, Answered):
                self.answers.append(event.pdu)
            elif isinstance(event, Closed):
                self.end = event.reason
        self._smsc.watch.ring()


def accept_all(bind: SmscBind, submit: SubmitSm) -> None:
    """Name every message after its place on the connection."""
    bind.accept(submit, f"id-{len(bind.submits)}")


def say_nothing(bind: SmscBind, submit: SubmitSm) -> None:
    """Leave every message unanswered."""


class ScriptedSmsc:
    """The listener and all connections made to it; ``bind_status`` None leaves binds unanswered."""

    def __init__(self, watch: Watch, on_submit: Callable[[SmscBind, SubmitSm], None] = accept_all) -> None:
        self.watch = watch
        self.on_submit = on_submit
        self.bind_status: int | None = Status.ESME_ROK
        self.binds: list[SmscBind] = []
        self.port = 0
        self.version = 0x34
        self._server: asyncio.Server | None = None

    @property
    def submits(self) -> list[SubmitSm]:
        """What all connections brought."""
        return [submit for bind in self.binds for submit in bind.submits]

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.get_running_loop().create_server(self._connected, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        for bind in self.binds:
            if bind.pump.is_connected:
                bind.pump.abort()
                await bind.pump.wait_closed()

    def _connected(self) -> Pump:
        bind = SmscBind(self)
        self.binds.append(bind)
        return bind.pump
