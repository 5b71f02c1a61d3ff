"""A small HTTP platform for the tests of the RCS link: answers as each test tells it, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gatewayd.carriers.link import Capability, Link, Report, Result, Revocation
from gatewayd.message import Encoding, Message

Reply = Callable[["Asked"], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    request: web.Request

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(status: int, body: object = None, **headers: str) -> Reply:
    """Always the same answer; underscores in header names become hyphens."""

    async def reply(asked: Asked) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return web.Response(status=status, body=raw, headers={name.replace("_", "-"): v for name, v in headers.items()})

    return reply


def taken(msg_id: str = "m-1") -> Reply:
    return answer(202, {"RCSMessage": {"msgId": msg_id, "status": "pending"}})


async def hang_up(asked: Asked) -> web.StreamResponse:
    """Read the request, then drop the connection without a word."""
    assert asked.request.transport is not None
    asked.request.transport.abort()
    return web.Response()


class Platform:
    """``replies`` are used up in order for calls below /bot, the last one for ever; ``tokens`` likewise for tokens."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.token_asked: list[Asked] = []
        self.replies: list[Reply] = [taken()]
        self.tokens: list[Reply] = []
        self.arrived = asyncio.Condition()
        self.release = asyncio.Event()
        self.root = ""

    async def silent(self, asked: Asked) -> web.StreamResponse:
        """Say nothing until released."""
        await self.release.wait()
        return await taken()(asked)

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.asked) >= times)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        asked = await self._noted(request, self.token_asked)
        if self.tokens:
            return await _next(self.tokens)(asked)
        granted = {"access_token": f"t-{len(self.token_asked)}", "token_type": "Bearer", "expires_in": "3600"}
        return await answer(200, granted)(asked)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        asked = await self._noted(request, self.asked)
        return await _next(self.replies)(asked)

    async def _noted(self, request: web.Request, where: list[Asked]) -> Asked:
        body = await request.read()
        asked = Asked(request.method, request.raw_path, dict(request.headers), body, request)
        where.append(asked)
        async with self.arrived:
            self.arrived.notify_all()
        return asked


def _next(replies: list[Reply]) -> Reply:
    return replies.pop(0) if len(replies) > 1 else replies[0]


@asynccontextmanager
async def platform_running() -> AsyncIterator[Platform]:
    platform = Platform()
    app = web.Application()
    app.router.add_post("/oauth2/v1/token", platform._token)
    app.router.add_route("*", "/rcs/{rest:.*}", platform._call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield platform
    finally:
        platform.release.set()
        await runner.cleanup()


class Listener:
    """Flow's side: keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.reports: list[Report] = []
        self.revocations: list[Revocation] = []
        self.capabilities: list[Capability] = []
        self.batches: list[int] = []
        self.ready = 0
        self.stores: bool | None = True
        self._told = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._told.clear()
                await self._told.wait()

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        self.results.extend(results)
        self.batches.append(len(results))
        self._told.set()

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        self.reports.extend(reports)
        if self.stores is not None:
            link.acknowledge([report.token for report in reports], self.stores)
        self._told.set()

    def on_ready(self, link: Link) -> None:
        self.ready += 1
        self._told.set()

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        self.revocations.append(revocation)
        self._told.set()

    def on_capability(self, link: Link, capability: Capability) -> None:
        self.capabilities.append(capability)
        self._told.set()


def a_message(message_id: int = 1, text: str = "Bonjour", encoding: Encoding = Encoding.LATIN1) -> Message:
    return Message(
        id=message_id,
        account="shop",
        source_ton=5,
        source_npi=0,
        source="SHOP",
        destination_ton=1,
        destination_npi=1,
        destination="33612345678",
        payload=text.encode("utf-16-be" if encoding is Encoding.UCS2 else "latin-1"),
        encoding=encoding,
        accepted_at=0.0,
    )
