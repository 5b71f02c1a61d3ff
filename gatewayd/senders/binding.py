"""Who may bind: asks the gatekeeper, seats the bind, and answers. One task a bind: passwords are hashed in a thread.

Knows nothing of what a bind says afterwards.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gatewayd.runtime.tls import names_of
from protocol.smpp.constants import Status, status_name
from protocol.smpp.events import BindAsked
from protocol.smpp.states import ConnState

if TYPE_CHECKING:
    from gatewayd.senders.esme_connection import EsmeConnection
    from gatewayd.senders.smpp_server import SmppServer

log = logging.getLogger(__name__)


class Binder:
    """Lets connections bind."""

    def __init__(self, server: SmppServer) -> None:
        self._server = server

    async def bind(self, connection: EsmeConnection, event: BindAsked) -> None:
        """Answer one bind: with ESME_ROK, or with why not (SMPP 3.4 section 5.1.3)."""
        asked, server = event.pdu, self._server
        if not self._is_shown(asked.system_id, connection):
            server.count_fault("tls_name")
            self._refuse(connection, event, Status.ESME_RBINDFAIL)
            return
        account, status = await server.gatekeeper.check(asked.system_id, asked.password, connection.pump.peername)
        if connection.engine.state is not ConnState.OPEN:
            return
        # Only now, for another bind of the account may have been let in while the password was hashed.
        if account is not None and not server.is_draining and not account.seat(connection):
            account, status = None, Status.ESME_RALYBND
        if account is None or server.is_draining:
            self._refuse(connection, event, status or Status.ESME_RBINDFAIL)
            return
        connection.bound(account, asked)

    def _is_shown(self, system_id: str, connection: EsmeConnection) -> bool:
        """Whether the connection has the certificate that the account must show, if it must show one."""
        account = self._server.accounts.get(system_id)
        if account is None or not account.tls_names:
            return True
        return not account.tls_names.isdisjoint(names_of(connection.pump.tls))

    def _refuse(self, connection: EsmeConnection, event: BindAsked, status: Status) -> None:
        self._server.metrics.binds_refused.labels(status_name(status)).value += 1
        log.warning("< bind refused peer=%s status=%s", connection.pump.peername, status_name(status))
        connection.engine.refuse_bind(event.pdu, status)
        connection.pump.flush()
