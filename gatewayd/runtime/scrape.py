"""The endpoint that Prometheus scrapes, and the one that asks whether we are well.

Knows no metric: it shows whatever it is given.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from gatewayd.config.addresses import parse_address
from gatewayd.runtime.exposition import Pages, content_type_for
from gatewayd.runtime.instruments import Figure

_STOP_TIMEOUT_S = 1.0


class ScrapeServer:
    """Serves ``/metrics`` and ``/healthz`` on one address (``host:port``; port 0 takes a free one)."""

    def __init__(
        self,
        collect: Callable[[], Awaitable[list[Figure]]],
        listen: str,
        complaints: Callable[[], Sequence[str]] = tuple,
        *,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """``complaints`` says what is wrong right now, a short sentence each; none means healthy.

        ``collect`` gathers what is to be shown; ``sockets`` listen already, instead of ``listen``.
        """
        self._collect = collect
        self._sockets = sockets
        self._host, self._port = parse_address(listen)
        self._complaints = complaints
        self._runner: web.AppRunner | None = None
        # However many ask at once, one page is rendered at a time.
        self._rendering = asyncio.Lock()
        self._pages = Pages()

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/healthz", self._get_health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_TIMEOUT_S)
        await runner.setup()
        try:
            for site in self._sites(runner):
                await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    def _sites(self, runner: web.AppRunner) -> list[web.BaseSite]:
        if self._sockets:
            return [web.SockSite(runner, listening) for listening in self._sockets]
        return [web.TCPSite(runner, self._host, self._port)]

    async def stop(self) -> None:
        """Close the listener and what is connected to it; no harm before ``start`` or twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def port(self) -> int:
        """The port in use, once started."""
        if self._runner is None:
            return self._port
        return int(self._runner.addresses[0][1])

    async def _get_metrics(self, request: web.Request) -> web.Response:
        content_type = content_type_for(",".join(request.headers.getall("Accept", ())))
        async with self._rendering:
            figures = await self._collect()
            # Beside the loop: of all that a scrape costs, writing it out is the most.
            page = await asyncio.to_thread(self._pages.render, figures, content_type)
        return web.Response(body=page, headers={"Content-Type": content_type})

    async def _get_health(self, request: web.Request) -> web.Response:
        complaints = self._complaints()
        if complaints:
            return web.Response(status=503, text="".join(f"{complaint}\n" for complaint in complaints))
        return web.Response(text="ok\n")
