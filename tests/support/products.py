"""Applications that came from Kannel and from Jasmin: what they send is as their manuals show it, and they wait for the
calls that those products make."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.api import Answer
from tests.support.watch import Watch

_TIMEOUT = aiohttp.ClientTimeout(total=20)


class Application:
    """An old application: a client, and a page for reports. ``status`` and ``said`` are the page's answer."""

    def __init__(self, said: str = "") -> None:
        self.status = 200
        self.said = said
        self.calls: list[dict[str, str]] = []
        self.queries: list[str] = []
        self.watch = Watch()
        self.base = ""
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Its page."""
        return f"http://127.0.0.1:{self.port}/dlr"

    async def start(self) -> None:
        """Listen, at the same port as before if there was one."""
        app = web.Application()
        app.router.add_route("*", "/{page:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        self._session = self._session or aiohttp.ClientSession()

    async def leave(self) -> None:
        """Its page is gone."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def stop(self) -> None:
        """End it."""
        await self.leave()
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **arguments: Any) -> Answer:
        """GET, as a browser writes it; a path that has a query already is sent as it stands."""
        query = f"?{urlencode(arguments, quote_via=quote)}" if arguments else ""
        return await self.call("GET", f"{path}{query}")

    async def call(self, method: str, path: str, **content: Any) -> Answer:
        """One call; the address is sent as it is written."""
        assert self._session is not None
        url = URL(f"{self.base}{path}", encoded=True)
        async with self._session.request(method, url, timeout=_TIMEOUT, **content) as response:
            return Answer(response.status, await response.text(), response.headers.copy())

    async def _take(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.queries.append(request.raw_path)
        self.calls.append({"method": request.method, **request.query, **{key: str(form[key]) for key in form}})
        self.watch.ring()
        return web.Response(status=self.status, text=self.said)


def jasmin_id(answer: Answer) -> str:
    """The id in Jasmin's answer, found as clients of it do."""
    match = re.fullmatch(r'Success "(.*)"', answer.body)
    assert match, answer
    return match[1]
