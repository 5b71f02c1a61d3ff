"""What lies between the gateway and the platform in place of sockets: the same requests, handed over as objects.

The platform's own handlers answer, and the gateway's own webhook server reads; only HTTP's octets are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web
from multidict import CIMultiDict

from gatewayd.carriers.rcs_http import Answer, Flight, HttpCaller, NoAnswerError, NotSentError, Streamed
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.rcs import RcsPlatform
from protocol.rcs.exchange import Request
from tests.day.virtual import pass_time

ROOT = "http://platform.test/rcs"
REQUEST_TIMEOUT_S = 5.0
WAY_S = (0.010, 0.025)
"""The shortest and the longest way of a request to the platform."""


class Transport:
    """Where a connection would be broken."""

    def __init__(self) -> None:
        self.is_broken = False

    def is_closing(self) -> bool:
        return self.is_broken

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.is_broken = True


class Call:
    """A request, as far as the handlers of both sides look at one."""

    def __init__(self, method: str, url: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        self.method = method
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query))
        self.headers = CIMultiDict(headers)
        self.content_type = self.headers.get("Content-Type", "").partition(";")[0]
        self.transport = Transport()
        self.content = self
        self.match_info: dict[str, str] = {}
        self._body = body

    def is_eof(self) -> bool:
        return True

    async def read(self) -> bytes:
        return self._body

    async def post(self) -> dict[str, str]:
        return dict(parse_qsl(self._body.decode()))


class PlatformWire:
    """The way of every request to the platform. ``down_until``: nobody listens; ``failing_until``: it says 503."""

    def __init__(self, platform: RcsPlatform, rng: random.Random) -> None:
        self._door = platform._door
        self._rng = rng
        self.down_until = 0.0
        self.failing_until = 0.0
        self.refused = self.failed = 0
        self.sent_at: list[float] = []

    async def call(self, request: Request, authorization: str, flight: Flight) -> Answer:
        """One exchange."""
        loop = asyncio.get_running_loop()
        if loop.time() < self.down_until:
            self.refused += 1
            raise NotSentError("connect_failed")
        headers = dict(request.headers) | ({"Authorization": authorization} if authorization else {})
        call = Call(request.method, request.target(ROOT), headers, request.body)
        flight.is_sent = True
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await pass_time(self._rng.uniform(*WAY_S))
                response = await self._answer(call, loop.time())
        except TimeoutError:
            raise NoAnswerError("timeout") from None
        if call.transport.is_broken:
            raise NoAnswerError("reset")
        assert isinstance(response, web.Response)
        body = response.body
        assert body is None or isinstance(body, bytes)
        return Answer(response.status, body or b"", response.headers.get("Retry-After"))

    async def _answer(self, call: Call, now: float) -> web.StreamResponse:
        handler = self._handler(call)
        if handler == self._door._send:
            self.sent_at.append(now)
            if now < self.failing_until:
                self.failed += 1
                return web.Response(status=503)
        request: Any = call
        middleware: Any = self._door._record
        response: web.StreamResponse = await middleware(request, handler)
        return response

    def _handler(self, call: Call) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        door, words = self._door, call.path.removeprefix("/rcs/bot/v1/").split("/")
        if call.path == door.dialect.token_path:
            return door._token
        call.match_info["bot"] = words[0]
        if words[1:] == ["messages"]:
            return door._send
        if words[1:] == ["contactCapabilities"]:
            return door._capabilities
        assert (words[1], words[3], call.method) == ("messages", "status", "PUT")
        call.match_info["msg_id"] = words[2]
        return door._set_status


class Caller(HttpCaller):
    """In the place of a link's HTTP session."""

    def __init__(self, wire: PlatformWire) -> None:
        super().__init__("http://platform.test", 1.0)
        self._wire = wire

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def call(
        self, request: Request, authorization: str = "", flight: Flight | None = None, body: Streamed | None = None
    ) -> Answer:
        """As HttpCaller does; nobody uploads anything here."""
        assert body is None
        return await self._wire.call(request, authorization, flight or Flight())


class Hooks:
    """In the place of the platform's HTTP session: brings each webhook to the worker that ``server_for`` names."""

    def __init__(self, server_for: Callable[[bytes], WebhookServer | None]) -> None:
        self._server_for = server_for
        self.refused = 0

    @contextlib.asynccontextmanager
    async def post(
        self, url: str, *, data: bytes, headers: dict[str, str], allow_redirects: bool
    ) -> AsyncIterator[web.Response]:
        """As aiohttp's client does."""
        server = self._server_for(data)
        if server is None:
            self.refused += 1
            raise ConnectionRefusedError
        call: Any = Call("POST", url, headers, data)
        call.path = f"/rcs/{url.rpartition('/')[2].partition('@')[0]}"
        yield await server.answer(call)


def start_webhooks(platform: RcsPlatform, hooks: Hooks) -> None:
    """What the platform's own start does, without a socket."""
    session: Any = hooks
    webhooks = platform._webhooks
    for number, queue in enumerate(webhooks._queues):
        webhooks._workers.append(spawn(webhooks._work(session, queue), name=f"webhook {number}"))
