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


class _Refusal(Exception):
    """The status of an answer, and a word for the log where that status has several reasons."""

    def __init__(self, status: Status, why: str = "", *, is_fault: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.is_fault = is_fault


def mode_of(asked: Bind) -> str:
    """The kind of a bind, as the configuration calls it."""
    return Command(asked.command).name.lower().removeprefix("bind_")


class Binder:
    """Lets connections bind."""

    def __init__(self, server: SmppServer) -> None:
        self._server = server

    async def bind(self, connection: EsmeConnection, event: BindAsked) -> None:
        """Answer one bind: with ESME_ROK, or with why not (SMPP 3.4 section 5.1.3)."""
        server, asked = self._server, event.pdu
        try:
            account = await (self._called if connection.called else self._judged)(connection, asked)
            if mode_of(asked) not in account.settings.bind_modes:
                raise _Refusal(Status.ESME_RBINDFAIL, "bind_mode", is_fault=True)
            if server.is_draining:
                raise _Refusal(Status.ESME_RBINDFAIL, "stopping")
            # Only now, for another bind of the account may have been let in while the password was hashed.
            if connection.engine.state is ConnState.OPEN and not account.seat(connection):
                raise _Refusal(Status.ESME_RALYBND)
        except _Refusal as refusal:
            if refusal.is_fault:
                server.count_fault(refusal.why)
            if connection.engine.state is ConnState.OPEN:
                self._refuse(connection, event, refusal)
            return
        if connection.engine.state is ConnState.OPEN:
            if server.lockout is not None and not connection.called:
                server.lockout.succeeded(account.name, connection.pump.peername)
            connection.bound(account, asked)

    async def _judged(self, connection: EsmeConnection, asked: Bind) -> Account:
        """The account, if it may bind. Raises _Refusal."""
        server, peer = self._server, connection.pump.peername
        account = server.accounts.get(asked.system_id)
        if account is not None and account.tls_names:
            # Who shows the certificate is the account's owner: nothing that others did is held against him.
            if not account.tls_names.isdisjoint(names_of(connection.pump.tls)):
                return await self._checked(asked, peer)
            self._note_failure(account, peer)
            raise _Refusal(Status.ESME_RBINDFAIL, "tls_name", is_fault=True)
        if server.lockout is None:
            return await self._checked(asked, peer)
        name = account.name if account is not None else ""
        is_known = server.gatekeeper.remembered(asked.system_id, asked.password) is not None
        async with contextlib.nullcontext() if is_known else server.lockout.turn(peer):
            if connection.engine.state is not ConnState.OPEN:  # it has waited for its turn in vain
                raise _Refusal(Status.ESME_RBINDFAIL)
            if server.lockout.refuses(name, peer):
                raise _Refusal(Status.ESME_RBINDFAIL, "locked_out", is_fault=True)
            try:
                return await self._checked(asked, peer)
            except _Refusal as refusal:
                if refusal.status in _WRONG:
                    self._note_failure(account, peer)
                raise

    async def _called(self, connection: EsmeConnection, asked: Bind) -> Account:
        """Whom we have dialled is where it said to be; it must be who was meant, and come to receive."""
        if asked.system_id != connection.called:
            raise _Refusal(Status.ESME_RINVSYSID)
        if asked.command == Command.BIND_TRANSMITTER:
            raise _Refusal(Status.ESME_RBINDFAIL, "bind_mode")
        return await self._checked(asked, connection.pump.peername, is_called=True)

    async def _checked(self, asked: Bind, peer: str, *, is_called: bool = False) -> Account:
        found, status = await self._server.gatekeeper.check(asked.system_id, asked.password, peer, is_called=is_called)
        if found is None:
            raise _Refusal(status, "network" if status == Status.ESME_RBINDFAIL else "")
        return found

    def _note_failure(self, account: Account | None, peer: str) -> None:
        if self._server.lockout is not None:
            name, is_admitted = (account.name, account.admits(peer)) if account is not None else ("", False)
            self._server.lockout.failed(name, peer, is_admitted=is_admitted)

    def _refuse(self, connection: EsmeConnection, event: BindAsked, refusal: _Refusal) -> None:
        word = status_name(refusal.status)
        self._server.metrics.binds_refused.labels(word).value += 1
        # Who mistakes one field for the other says a password here: of names that are nobody's the log has the start.
        name = event.pdu.system_id
        account = name if name in self._server.accounts else f"{name[:_SHOWN]}…"
        peer = connection.pump.peername
        say(log, logging.WARNING, "< bind_refused", peer=peer, account=account, status=word, why=refusal.why or None)
        connection.engine.refuse_bind(event.pdu, refusal.status)
        connection.pump.flush()
