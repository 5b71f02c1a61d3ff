"""One HTTP session towards applications: follows no redirect, and reaches no private address unless it may.

Makes requests and says what stood in their way; what an answer means is its user's business.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from socket import socket
from typing import Any, Final

import aiohttp
from yarl import URL

from gatewayd.config.addresses import is_public
from gatewayd.senders.gates import Verdict

CONNECT_TIMEOUT_MAX_S: Final = 10.0

Judge = Callable[[aiohttp.ClientResponse], Awaitable[Verdict]]


class WebClient:
    """A session whose requests end in verdicts."""

    def __init__(
        self, *, timeout_s: float, allow_private: bool, headers: Mapping[str, str], tls_ca: str = "", limit: int = 0
    ) -> None:
        """``limit`` bounds its connections, 0 does not. Raises OSError when ``tls_ca`` cannot be read."""
        self._allow_private = allow_private
        self._refused = 0
        self._flying = 0
        self._landed = asyncio.Event()
        self._timeout_s = timeout_s
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limit,
                ssl=ssl.create_default_context(cafile=tls_ca) if tls_ca else True,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, CONNECT_TIMEOUT_MAX_S)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "gatewayd", **headers},
            auto_decompress=False,
        )

    async def request(self, method: str, url: URL | str, judge: Judge, **content: Any) -> Verdict:
        """Ask, and let the answer be judged. Raises nothing."""
        refused = self._refused
        self._flying += 1
        try:
            async with self.session.request(method, url, allow_redirects=False, **content) as answer:
                return await judge(answer)
        except TimeoutError:
            return Verdict("later", "timeout")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self._refused > refused:
                return Verdict("later", "private_address")
            is_tls = isinstance(error, aiohttp.ClientSSLError)
            return Verdict("later", "tls" if is_tls else "unreachable" if _never_left(error) else "reset")
        finally:
            self._flying -= 1
            self._landed.set()

    async def close(self) -> None:
        """Let what is on its way come to its end, and hang up."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._flying:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            pass
        finally:
            await self.session.close()

    def _socket(self, info: tuple[Any, ...]) -> socket:
        """For the address that is connected to, whatever name it was found by: no later answer of a name server can
        lead elsewhere."""
        family, kind, number, _, address = info
        if not self._allow_private and not is_public(address[0]):
            self._refused += 1
            raise OSError("not on the public internet")
        return socket(family, kind, number)


async def read_short(answer: aiohttp.ClientResponse, size_max: int) -> bytes:
    """A short answer to its end, so that the connection can serve again; what is longer ends it and is cut."""
    found = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            found += chunk
            if len(found) > size_max:
                answer.close()
                break
    except (aiohttp.ClientError, OSError, TimeoutError):
        answer.close()  # what it thinks of the event was said already
    return bytes(found[:size_max])


def _never_left(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
