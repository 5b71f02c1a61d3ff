"""Who may bind: asks the lock-out and the gatekeeper, seats the bind, and answers.

One task a bind, for passwords are hashed in a thread. Knows nothing of what a bind says afterwards.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final

from gatewayd.runtime.tls import names_of
from gatewayd.runtime.trail import say
from gatewayd.senders.accounts import Account
from protocol.smpp.constants import Command, Status, status_name
from protocol.smpp.events import BindAsked
from protocol.smpp.pdu import Bind
from protocol.smpp.states import ConnState

if TYPE_CHECKING:
    from gatewayd.senders.esme_connection import EsmeConnection
    from gatewayd.senders.smpp_server import SmppServer

log = logging.getLogger(__name__)

_SHOWN: Final = 2
_WRONG: Final = (Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RBINDFAIL)


def mode_of(asked: Bind) -> str:
    """The kind of a bind, as the configuration calls it."""
    return Command(asked.command).name.lower().removeprefix("bind_")


class Binder:
    """Lets connections bind."""

    def __init__(self, server: SmppServer) -> None:
        self._server = server

    async def bind(self, connection: EsmeConnection, event: BindAsked) -> None:
        """Answer one bind: with ESME_ROK, or with why not (SMPP 3.4 section 5.1.3)."""
        server = self._server
        account, status = await self._judge(connection, event)
        if connection.engine.state is not ConnState.OPEN:
            return
        if account is not None and mode_of(event.pdu) not in account.settings.bind_modes:
            server.count_fault("bind_mode")
            account, status = None, Status.ESME_RBINDFAIL
        # Only now, for another bind of the account may have been let in while the password was hashed.
        if account is not None and not server.is_draining and not account.seat(connection):
            account, status = None, Status.ESME_RALYBND
        if account is None or server.is_draining:
            self._refuse(connection, event, status or Status.ESME_RBINDFAIL)
            return
        if server.lockout is not None and not connection.called:
            server.lockout.succeeded(account.name, connection.pump.peername)
        connection.bound(account, event.pdu)

    async def _judge(self, connection: EsmeConnection, event: BindAsked) -> tuple[Account | None, Status]:
        """The account, if it may bind; or the status that refuses it."""
        asked, server, peer = event.pdu, self._server, connection.pump.peername
        if connection.called:
            return await self._judge_called(connection, asked)
        account = server.accounts.get(asked.system_id)
        if account is not None and account.tls_names:
            # Who shows the certificate is the account's owner: nothing that others did is held against him.
            if not account.tls_names.isdisjoint(names_of(connection.pump.tls)):
                return await server.gatekeeper.check(asked.system_id, asked.password, peer)
            server.count_fault("tls_name")
            self._note_failure(account, peer)
            return None, Status.ESME_RBINDFAIL
        if server.lockout is None:
            return await server.gatekeeper.check(asked.system_id, asked.password, peer)
        name = account.name if account is not None else ""
        is_known = server.gatekeeper.remembered(asked.system_id, asked.password) is not None
        async with contextlib.nullcontext() if is_known else server.lockout.turn(peer):
            if connection.engine.state is not ConnState.OPEN:  # it has waited for its turn in vain
                return None, Status.ESME_RBINDFAIL
            if server.lockout.refuses(name, peer):
                server.count_fault("locked_out")
                return None, Status.ESME_RBINDFAIL
            found, status = await server.gatekeeper.check(asked.system_id, asked.password, peer)
            if status in _WRONG:
                self._note_failure(account, peer)
            return found, status

    async def _judge_called(self, connection: EsmeConnection, asked: Bind) -> tuple[Account | None, Status]:
        """Whom we have dialled is where it said to be; it must be who was meant, and come to receive."""
        if asked.system_id != connection.called:
            return None, Status.ESME_RINVSYSID
        if asked.command == Command.BIND_TRANSMITTER:
            return None, Status.ESME_RBINDFAIL
        gatekeeper = self._server.gatekeeper
        return await gatekeeper.check(asked.system_id, asked.password, connection.pump.peername, is_called=True)

    def _note_failure(self, account: Account | None, peer: str) -> None:
        if self._server.lockout is not None:
            name, is_admitted = (account.name, account.admits(peer)) if account is not None else ("", False)
            self._server.lockout.failed(name, peer, is_admitted=is_admitted)

    def _refuse(self, connection: EsmeConnection, event: BindAsked, status: Status) -> None:
        self._server.metrics.binds_refused.labels(status_name(status)).value += 1
        # Who mistakes one field for the other says a password here: of names that are nobody's the log has the start.
        name = event.pdu.system_id
        account = name if name in self._server.accounts else f"{name[:_SHOWN]}…"
        peer = connection.pump.peername
        say(log, logging.WARNING, "< bind_refused", peer=peer, account=account, status=status_name(status))
        connection.engine.refuse_bind(event.pdu, status)
        connection.pump.flush()
