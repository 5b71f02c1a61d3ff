"""What happens before a connection's first octet of SMPP: whose it is, a balancer's header, and the TLS handshake.

Reads the header octet by octet as it is announced, so that TLS begins behind it. Bounded in time and number; knows
neither binds nor accounts.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from gatewayd.runtime.dealing import Dealing
from gatewayd.runtime.networks import Networks
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.tls import LiveTls
from gatewayd.runtime.trail import say
from protocol.haproxy.header import HeaderFault, parse, wanted

log = logging.getLogger(__name__)

REST_S: Final = 1.0
"""How long nobody is accepted after the system had no more descriptors or memory for a connection."""
LOOK_AGAIN_S: Final = 0.001
"""After so long a connection that was left to another worker is looked at again."""
AT_ONCE: Final = 32
"""So many are accepted in one turn of the loop."""
_SCARCE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Doorstep:
    """One listening socket. Its length is how many are not through yet."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[str], asyncio.BaseProtocol],
        *,
        tls: LiveTls | None,
        proxies: Networks,
        patience_s: float,
        has_room: Callable[[], bool],
        on_fault: Callable[[str], None],
        on_change: Callable[[], None] = lambda: None,
        dealing: Dealing | None = None,
    ) -> None:
        """``make`` gets the address for which a balancer connects, empty where there is none between.

        ``on_change`` is called when there are more or fewer on the way in; ``dealing`` says whose the next one is,
        where other workers accept from the same socket.
        """
        self._listening = listening
        self._make = make
        self._tls = tls
        self._proxies = proxies
        self._patience_s = patience_s
        self._has_room = has_room
        self._on_fault = on_fault
        self._on_change = on_change
        self._dealing = dealing
        self._waiting: set[socket.socket] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Accept from now on."""
        self._listening.setblocking(False)
        self._loop.add_reader(self._listening, self._knocked)

    def close(self) -> None:
        """Accept no more; who is on the way in may come."""
        self._loop.remove_reader(self._listening)
        if self._timer is not None:
            self._timer.cancel()
        self._listening.close()

    def _knocked(self) -> None:
        for _ in range(AT_ONCE):
            if self._dealing is not None and not self._dealing.is_ours(time.monotonic()):
                self._rest(LOOK_AGAIN_S)
                return
            if not self._take():
                return

    def _rest(self, rest_s: float) -> None:
        self._loop.remove_reader(self._listening)
        self._timer = self._loop.call_later(rest_s, self._loop.add_reader, self._listening, self._knocked)

    def _take(self) -> bool:
        """Whether there was one."""
        try:
            stream, peer = self._listening.accept()
        except OSError as error:  # another worker was faster, he went away, or
            if error.errno in _SCARCE:
                log.error("no connection can be accepted: %s", error.strerror)
                self._rest(REST_S)
            return False
        if not self._has_room():
            self._on_fault("too_many_connections")
            stream.close()
            return True
        self._waiting.add(stream)
        self._on_change()
        spawn(self._receive(stream, str(peer[0]) if isinstance(peer, tuple) else ""), name="receiving")
        return True

    async def _receive(self, stream: socket.socket, peer: str) -> None:
        """Bring one in, or turn it away."""
        began, client = time.monotonic(), ""
        try:
            stream.setblocking(False)
            if self._proxies.holds(peer):
                client = await self._client_of(stream)
            await self._admit(stream, client, max(0.1, self._patience_s - (time.monotonic() - began)))
        except HeaderFault as fault:
            self._turn_away(stream, peer, f"proxy_{fault.kind}")
        except TimeoutError:
            self._turn_away(stream, peer, "proxy_timeout")
        except ssl.SSLError as error:
            self._turn_away(stream, client or peer, "tls_handshake", (error.reason or "").lower())
        except OSError as error:  # it went away, or the handshake took too long
            self._turn_away(stream, client or peer, "tls_handshake" if self._tls else "lost", str(error))
        finally:
            self._waiting.discard(stream)
            self._on_change()

    async def _client_of(self, stream: socket.socket) -> str:
        """For whom a balancer connects; empty where it does so for itself or will not say."""
        loop, head = asyncio.get_running_loop(), b""
        async with asyncio.timeout(self._patience_s):
            while size := wanted(head):
                octets = await loop.sock_recv(stream, size)
                if not octets:
                    raise HeaderFault("ended" if head else "nothing")
                head += octets
        return parse(head).address

    async def _admit(self, stream: socket.socket, client: str, patience_s: float) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._make(client),
            stream,
            ssl=self._tls.context if self._tls is not None else None,
            ssl_handshake_timeout=patience_s if self._tls is not None else None,
        )

    def _turn_away(self, stream: socket.socket, peer: str, kind: str, detail: str = "") -> None:
        stream.close()
        if kind == "proxy_nothing":  # how balancers without a better idea look whether we are there
            return
        self._on_fault(kind)
        say(log, logging.INFO, "< fault", peer=peer, kind=kind, detail=detail)
