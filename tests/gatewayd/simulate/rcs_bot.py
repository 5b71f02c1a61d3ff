"""A plain bot for the platform's tests: raw HTTP both ways, no code of the gateway's, and a clock to move by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_behaviour import Behaviour
from gatewayd.simulate.rcs_webhooks import WebhookPolicy

FORM = {"grant_type": "client_credentials", "scope": "botmessage", "client_id": "gateway", "client_secret": "secret"}


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_800_000_000.0 + self.now


class Bot:
    """A bot with a token, a webhook that answers as told, and every event it was sent."""

    def __init__(self, platform: RcsPlatform, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.clock = clock
        self.session = session
        self.base = ""
        self.path = "/bot/v1/bot1"
        self.send_path = "/messages"
        self.headers: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.answers: list[int] = []
        self._told = asyncio.Event()

    async def webhook(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization"))
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.events.append(await request.json())
        self._told.set()
        return web.Response(status=status)

    async def wait_for(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(5.0):
            while not predicate():
                self._told.clear()
                await self._told.wait()

    async def wait_events(self, count: int) -> list[dict[str, Any]]:
        await self.wait_for(lambda: len(self.events) >= count)
        return self.events

    def statuses(self) -> list[str]:
        return [event["RCSMessage"]["status"] for event in self.events if "status" in event["RCSMessage"]]

    def move(self, seconds: float) -> None:
        self.clock.now += seconds
        self.platform.tick()

    async def fetch_token(self) -> None:
        async with self.session.post(self.base + "/oauth2/v1/token", data=FORM) as response:
            assert response.status == 200
            self.headers = {"Authorization": f"Bearer {(await response.json())['access_token']}"}

    async def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        kwargs.setdefault("headers", self.headers)
        async with self.session.request(method, self.base + path, **kwargs) as response:
            body = await response.read()
            return response.status, (await response.json()) if body and response.content_type.endswith("json") else body

    async def send(self, text: str = "hello", contact: str = "+33612345678", **members: Any) -> tuple[int, Any]:
        message = {"textMessage": text, **members}
        body = {"RCSMessage": message, "messageContact": {"userContact": contact}}
        return await self.call("POST", self.path + self.send_path, json=body)

    async def send_well(self, text: str = "hello", contact: str = "+33612345678", **members: Any) -> str:
        status, body = await self.send(text, contact, **members)
        assert status == 202, body
        assert body["RCSMessage"]["status"] == "pending"
        return str(body["RCSMessage"]["msgId"])

    async def revoke(self, msg_id: str) -> tuple[int, Any]:
        body = {"RCSMessage": {"status": "cancelled"}}
        return await self.call("PUT", f"{self.path}/messages/{msg_id}/status", json=body)


@asynccontextmanager
async def a_bot(behaviour: Behaviour | None = None, *, token: bool = True, **options: Any) -> AsyncIterator[Bot]:
    """A platform and a bot, with a token unless told otherwise, on loopback."""
    clock = Clock()
    options.setdefault("webhooks", WebhookPolicy(attempts=3, backoff_s=1.0))
    platform = RcsPlatform(Options(**options), behaviour, clock=clock, wall=clock.wall)
    async with aiohttp.ClientSession() as session:
        bot = Bot(platform, clock, session)
        app = web.Application()
        app.router.add_post("/hook/{bot}", bot.webhook)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        platform.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook/{{bot}}", "s3cret")
        bot.base = f"http://127.0.0.1:{await platform.start()}"
        try:
            if token:
                await bot.fetch_token()
            yield bot
        finally:
            await platform.stop()
            await runner.cleanup()
