"""The HTTP server that RCS platforms call: checks who calls, reads events, and answers when they are stored.

Knows neither what a report means nor where it is kept; a link takes it, and acknowledges it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol

from aiohttp import web

from gatewayd.carriers.link import Report
from gatewayd.carriers.rcs_reports import Acknowledgement, contents_of, reports_of
from gatewayd.carriers.webhook_bodies import BODY_TIMEOUT_S, BodyDisplacedError, SlowBodies
from gatewayd.carriers.webhook_connections import BoundedServer
from gatewayd.config import schema
from gatewayd.config.addresses import parse_address
from gatewayd.runtime.tls import LiveTls
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import FileEvent
from protocol.rcs.platform import Platform

PREFIX = "/rcs/"
STORE_TIMEOUT_S = 10.0
REQUESTS_MAX = 1_000


class WebhookSink(Protocol):
    """Who takes the reports of one link; an RcsLink is one."""

    name: str
    bot_id: str
    webhook_token: str
    new_user_text: str
    platform: Platform

    def report(self, reports: Sequence[Report]) -> None:
        """Take them; each is acknowledged through its token later."""

    def on_file(self, event: FileEvent) -> None:
        """Take note of what became of an uploaded file."""


class WebhookServer:
    """One listener for all RCS links: POST /rcs/LINK.

    ``on_fault`` is given a short word for each request refused, ``on_ignored`` the link and the name of each event that
    was read and is of no use. 200 says that every event of the request is stored; 503 asks the platform to send it
    again.

    A platform may bring the events of all of a partner's bots to one address: they go to the link whose bot they name,
    if the same secret proves them. Those of bots that are not ours are taken and counted, as a partner has one queue,
    and the others wait behind what is refused; ``bots`` are the bots that are ours, whether their link is there or not.
    """

    def __init__(
        self,
        settings: schema.Webhooks,
        links: Mapping[str, WebhookSink],
        *,
        on_fault: Callable[[str], None] = lambda kind: None,
        on_ignored: Callable[[str, str], None] = lambda link, name: None,
        bots: Callable[[], Collection[str]] = tuple,
        store_timeout_s: float = STORE_TIMEOUT_S,
        sockets: Sequence[socket.socket] = (),
        tls: LiveTls | None = None,
    ) -> None:
        self._settings = settings
        self._links = links
        self._on_fault = on_fault
        self._on_ignored = on_ignored
        self._bots = bots
        self._store_timeout_s = store_timeout_s
        self._sockets = sockets
        self._tls = tls
        self._open = 0
        self._bodies = SlowBodies()
        self._in_use: Callable[[web.BaseRequest], AbstractContextManager[None]] = lambda request: nullcontext()
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen; ``port`` holds the port from then on. Raises OSError when the address is taken."""
        loop, size_max = asyncio.get_running_loop(), self._settings.body_size_max
        request_of = partial(web.BaseRequest, loop=loop, client_max_size=size_max)
        # Without an application and its router: all that is told of a message took 40 µs more with them.
        server = BoundedServer(
            self.answer, lambda: self._on_fault("too_many_connections"), request_factory=request_of, access_log=None
        )
        self._in_use = server.in_use
        # Requests whose events are not stored when the server stops get their 503 before the connection goes.
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=self._store_timeout_s + 1.0)
        await self._runner.setup()
        try:
            for site in self._sites(self._runner):
                await site.start()
        except OSError:
            await self.stop()
            raise
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Take no more requests, let those in hand be answered, close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _sites(self, runner: web.ServerRunner) -> list[web.BaseSite]:
        """On sockets that listen already, or on the configured address."""
        tls = self._tls.context if self._tls is not None else None
        if self._sockets:
            return [web.SockSite(runner, listening, ssl_context=tls) for listening in self._sockets]
        host, port = parse_address(self._settings.listen)
        return [web.TCPSite(runner, host, port, ssl_context=tls)]

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """One call, of whatever kind."""
        path = request.path
        if not path.startswith(PREFIX):
            return web.Response(status=404)
        link = self._links.get(path[len(PREFIX) :])
        if request.method == "POST":
            return await self._receive(request, link)
        if request.method in ("GET", "HEAD"):
            # Some platforms first GET the URL that they are given, and expect to find it.
            return web.Response(status=404 if link is None else 200)
        return web.Response(status=405, headers={"Allow": "GET, HEAD, POST"})

    async def _receive(self, request: web.BaseRequest, link: WebhookSink | None) -> web.Response:
        if link is None:
            return self._refused("unknown_link", 404)
        if not link.platform.admits(request.headers, link.webhook_token):
            return self._refused("unauthorized", 401)
        with self._in_use(request):
            try:
                if not link.platform.is_proved_by_body:
                    return await self._serve(request, link)
                # A place among the requests is for a body that came: it is proved at once, or refused. So only what
                # waits to be stored stays in one, and no stranger gets so far.
                return await self._serve(request, link, await self._bodies.read(request))
            except web.HTTPRequestEntityTooLarge:
                return self._refused("body_too_large", 413)
            except BodyDisplacedError:
                return self._refused("too_many_bodies", 503)
            except TimeoutError:
                return self._refused("body_timeout", 408)
            except (ConnectionError, web.RequestPayloadError):
                return self._refused("body_broken", 400)

    async def _serve(self, request: web.BaseRequest, link: WebhookSink, body: bytes | None = None) -> web.Response:
        if self._open >= REQUESTS_MAX:
            return self._refused("too_many_requests", 503)
        self._open += 1
        try:
            return await self._take(request, link, await _body_of(request) if body is None else body)
        finally:
            self._open -= 1

    async def _take(self, request: web.BaseRequest, link: WebhookSink, body: bytes) -> web.Response:
        try:
            reading = link.platform.read_call(request.headers, body, link.webhook_token, link.bot_id)
            if reading.bot:
                addressee = self._addressee(link, reading.bot)
                if addressee is None:
                    return self._not_ours(link, reading.bot)
                link = addressee
            contents, ignored = contents_of(
                reading.events, link.bot_id, link.new_user_text, link.platform.unreachable_codes
            )
        except RcsFault as fault:
            return self._refused(fault.kind, fault.http_status)
        for name in ignored:
            self._on_ignored(link.name, name)
        for event in reading.events:
            if type(event) is FileEvent:
                link.on_file(event)
        if contents:
            acknowledgement = Acknowledgement(len(contents))
            link.report(reports_of(contents, acknowledgement))
            if not await acknowledgement.wait(self._store_timeout_s):
                return self._refused("not_stored", 503)
        return web.Response(status=200, text=reading.reply or None)

    def _addressee(self, called: WebhookSink, bot: str) -> WebhookSink | None:
        """The link of the bot that a call names, if whoever knows the secret of the one may speak to the other."""
        for link in self._links.values():
            is_same_platform = link.platform.name == called.platform.name
            if (
                is_same_platform
                and link.webhook_token == called.webhook_token
                and link.platform.is_bot(bot, link.bot_id)
            ):
                return link
        return None

    def _not_ours(self, called: WebhookSink, bot: str) -> web.Response:
        """One of ours whose link is just being changed, or has another secret, is to be told again."""
        if any(called.platform.is_bot(bot, ours) for ours in self._bots()):
            return self._refused("other_agent", 503)
        self._on_ignored(called.name, "other_agent")
        return web.Response(status=200)

    def _refused(self, kind: str, status: int) -> web.Response:
        # The platform learns the code; the word is for our own counters.
        self._on_fault(kind)
        return web.Response(status=status)


async def _body_of(request: web.BaseRequest) -> bytes:
    if request.content.is_eof():  # as nearly always: it came with its head
        return await request.read()
    async with asyncio.timeout(BODY_TIMEOUT_S):
        return await request.read()
