"""An application's HTTP receiver that can be slow, wrong and gone. It checks every signature with a library that is not
ours, and keeps what it took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from tests.support.watch import Watch

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0wMDAx"
OTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRl"


class Receiver:
    """One endpoint. ``status`` and ``headers`` are its answer; ``refuses`` judges single events by their content."""

    def __init__(self, secret: str = SECRET) -> None:
        self._hook = Webhook(secret)
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.refuses: Callable[[dict[str, Any]], int] = lambda event: 0
        self.taken: list[dict[str, Any]] = []
        self.tries: list[str] = []
        self.at_once = 0
        self.at_once_max = 0
        self.is_silent = False
        self.watch = Watch()
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        """Of the events that were taken, each once, in the order in which they first came."""
        return list(dict.fromkeys(event["id"] for event in self.taken))

    def data(self, kind: str) -> list[dict[str, Any]]:
        """What the events of a type said, repetitions left out."""
        found = {event["id"]: event["data"] for event in self.taken if event["type"] == kind}
        return list(found.values())

    async def start(self) -> None:
        """Listen, at the same port as before if there was one."""
        app = web.Application()
        app.router.add_post("/hooks", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be gone: connections are refused."""
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def hold(self) -> None:
        """Answer nothing until ``release``."""
        self.is_silent = True

    def release(self) -> None:
        """Answer again, also what waits."""
        self.is_silent = False
        self._released.set()

    async def _take(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.tries.append(request.headers["webhook-id"])
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.watch.ring()
        try:
            event = self._hook.verify(content, dict(request.headers))
            assert event["id"] == request.headers["webhook-id"]
            while self.is_silent:
                self._released.clear()
                await self._released.wait()
            status = self.refuses(event) or self.status
            if status < 300:
                self.taken.append(event)
            return web.Response(status=status, headers=self.headers if status >= 300 else None)
        finally:
            self.at_once -= 1
            self.watch.ring()
