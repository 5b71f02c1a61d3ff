"""The HTTP listener for applications: its sockets, who may connect, and what becomes of every call that fails.

Knows paths and scopes; what a call does is ``http_calls``' business. Strangers get little: no call may take long to
arrive, none may be big, and there are only so many connections.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from aiohttp import web

from gatewayd.config import schema
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tls import LiveTls
from gatewayd.senders import http_page
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_calls import Call, Calls, answer, retry_s_of
from gatewayd.senders.http_keys import Keyring
from gatewayd.senders.http_openapi import described
from gatewayd.senders.http_problems import CONTENT_TYPE, Problem
from gatewayd.senders.http_shapes import ID_PATTERN

log = logging.getLogger(__name__)

BACKLOG: Final = 4_096
FIRST_CALL_S: Final = 10.0
IDLE_S: Final = 75.0
_LINGER_S: Final = 1.0
_MESSAGE: Final = f"/v1/messages/{{id:{ID_PATTERN.strip('^$')}}}"
_HEADER_MAX: Final = 8_190
_QUIET = logging.getLogger("gatewayd.http.strangers")
# aiohttp tells of every stranger's broken octets, with them: that is for nobody to read.
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

Complaints = Callable[[], Sequence[str]]


class _Connection(web.RequestHandler):
    """One connection, which must say something soon."""

    __slots__ = ("_deadline", "has_spoken")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.has_spoken = False
        self._deadline = asyncio.get_running_loop().call_later(FIRST_CALL_S, self._too_late)

    def _too_late(self) -> None:
        if not self.has_spoken and self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)


class _Refused(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.abort()  # type: ignore[attr-defined]  # every transport of a socket has it


class HttpDoor:
    """The listener. ``complaints`` says why this process is not ready, a sentence each."""

    def __init__(
        self,
        settings: schema.Http,
        calls: Calls,
        keys: Keyring,
        metrics: Metrics,
        complaints: Complaints,
        *,
        plain: Sequence[socket.socket] = (),
        encrypted: Sequence[socket.socket] = (),
        tls: LiveTls | None = None,
    ) -> None:
        self._settings = settings
        self._calls = calls
        self._keys = keys
        self._metrics = metrics
        self._complaints = complaints
        self._plain, self._encrypted = plain, encrypted
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._more: list[web.AbstractRouteDef] = []
        self.is_draining = False

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [one.getsockname()[:2] for server in self._servers for one in server.sockets]

    def add_routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Further interfaces on the same listener; before ``start``. They bring authentication of their own."""
        self._more += routes

    async def start(self) -> None:
        """Listen. Raises OSError."""
        app = web.Application(client_max_size=self._settings.body_size_max, middlewares=[self._watched])
        app.add_routes(self._routes())
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        for listening in self._plain:
            await self._serve(listening, None)
        for listening in self._encrypted:
            assert self._tls is not None  # the configuration has a certificate wherever it has such a listener
            await self._serve(listening, self._tls.context)

    def close_listeners(self) -> None:
        """Take no new connections, nor calls on those that stand."""
        self.is_draining = True
        for server in self._servers:
            server.close()

    async def stop(self, drain_s: float) -> None:
        """Let the calls in hand be answered for a while, and close."""
        self.close_listeners()
        runner, self._runner = self._runner, None
        if runner is not None and runner.server is not None:
            runner.server.pre_shutdown()
            await runner.server.shutdown(max(0.1, drain_s))
            await runner.cleanup()

    async def _serve(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        server = await asyncio.get_running_loop().create_server(
            self._accept,
            sock=listening,
            ssl=context,
            ssl_handshake_timeout=FIRST_CALL_S if context is not None else None,
            backlog=BACKLOG,
        )
        self._servers.append(server)

    def _accept(self) -> asyncio.Protocol:
        assert self._runner is not None
        manager = self._runner.server
        assert manager is not None
        if self.is_draining or len(manager.connections) >= self._settings.connections_max:
            self._count_fault("too_many_connections")
            return _Refused()
        return _Connection(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_S,
            access_log=None,  # type: ignore[arg-type]
            logger=_QUIET,
            lingering_time=_LINGER_S,
            auto_decompress=False,
            max_line_size=_HEADER_MAX,
            max_field_size=_HEADER_MAX,
        )

    # -- paths ----------------------------------------------------------------------------------------------------

    def _routes(self) -> list[web.AbstractRouteDef]:
        calls = self._calls
        return [
            web.post("/v1/messages", self._for("send", calls.send)),
            web.post("/v1/messages/batch", self._for("send", calls.send_batch)),
            web.get(_MESSAGE, self._for("query", calls.query), allow_head=False),
            web.delete(_MESSAGE, self._for("cancel", calls.cancel)),
            web.get("/v1/sessions", self._for("sessions", calls.sessions), allow_head=False),
            web.get("/v1/capabilities/{number}", self._for("capability", calls.capability), allow_head=False),
            web.get("/openapi.json", self._describe),
            web.get("/docs", self._page),
            web.get("/healthz", self._health),
            web.get("/readyz", self._ready),
            *self._more,
        ]

    def _for(self, scope: str, call: Call) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The call, for those whose key has the scope. What is not a message costs the account as much as one."""

        async def called(request: web.Request) -> web.StreamResponse:
            if self.is_draining:
                raise Problem("busy", reason="stopping", retry_s=1.0, headers={"Connection": "close"})
            account = self._keys.admit(request.headers.get("Authorization", ""), request.remote or "", scope)
            try:
                if scope != "send" and not account.allowance.take_calls(1):
                    raise Problem("rate-limited", reason="rate", retry_s=retry_s_of(account))
                response = await call(request, account)
            except Problem as problem:
                problem.headers.update(_rate_headers(account))
                raise
            response.headers.update(_rate_headers(account))
            return response

        return called

    async def _describe(self, request: web.Request) -> web.Response:
        return answer(described())

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=http_page.page(), content_type="text/html", headers=http_page.HEADERS)

    async def _health(self, request: web.Request) -> web.Response:
        """The process answers: that is all that this asks."""
        return web.Response(text="ok\n")

    async def _ready(self, request: web.Request) -> web.Response:
        complaints = ["it is stopping"] if self.is_draining else list(self._complaints())
        if complaints:
            return web.Response(status=503, text="".join(f"{complaint}\n" for complaint in complaints))
        return web.Response(text="ready\n")

    # -- every call -----------------------------------------------------------------------------------------------

    @web.middleware
    async def _watched(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Count and time a call, and answer what went wrong in it."""
        connection = request.protocol
        if isinstance(connection, _Connection):
            connection.has_spoken = True
        began = time.perf_counter()
        path = _path_of(request)
        try:
            response: web.StreamResponse = await handler(request)
        except Problem as problem:
            response = self._answered(problem)
        except web.HTTPException as error:
            response = self._answered(_problem_of(error))
        except Exception:  # one call must not end the others' connections, and its caller is told
            log.exception("a call of the HTTP API failed inside the gateway: %s %s", request.method, path)
            response = self._answered(Problem("internal"))
        response.headers["Server"] = "gatewayd"
        self._metrics.http_calls.labels(path, str(response.status)).value += 1
        self._metrics.http_answer.labels(path).observe(time.perf_counter() - began)
        return response

    def _answered(self, problem: Problem) -> web.Response:
        if problem.status != 429:
            self._count_fault(problem.kind.replace("-", "_"))
        response = answer(problem.document, problem.status, problem.headers)
        response.content_type = CONTENT_TYPE
        if problem.headers.get("Connection") == "close":
            response.force_close()
        return response

    def _count_fault(self, kind: str) -> None:
        self._metrics.faults.labels("http", kind).value += 1


def _path_of(request: web.Request) -> str:
    """The path as it was declared, for a metric."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


def _problem_of(error: web.HTTPException) -> Problem:
    match error.status:
        case 404:
            return Problem("not-found")
        case 405:
            return Problem("method-not-allowed", headers={"Allow": error.headers.get("Allow", "")})
        case 413:
            return Problem("body-too-large", headers={"Connection": "close"})
        case 431:
            return Problem("headers-too-large")
        case _:
            return Problem("bad-request")


def _rate_headers(account: Account) -> dict[str, str]:
    """RateLimit and RateLimit-Policy as the IETF's draft says: what may be sent now, and the pace."""
    settings = account.settings
    room, wait_s = account.room()
    if room < 0:
        return {}
    rate = settings.rate_per_s
    limits = [(round(rate), 1) if rate >= 1 else (1, round(1 / rate))] if rate else []
    limits += [(settings.per_minute, 60), (settings.per_hour, 3_600), (settings.per_day, 86_400)]
    policy = ", ".join(f'"account";q={quota};w={window_s}' for quota, window_s in limits if quota)
    left = f'"account";r={room};t={max(1, round(wait_s))}'
    return {"RateLimit-Policy": policy, "RateLimit": left}
