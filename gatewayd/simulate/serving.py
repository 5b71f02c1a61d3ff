"""How a simulated platform is served: listening, stopping, and running as a command until a signal.

Knows no platform.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

import uvloop
from aiohttp import web

SHUTDOWN_S = 1.0


class Served(Protocol):
    """A platform that can be run as a command."""

    async def start(self, host: str, port: int) -> int: ...

    async def stop(self) -> None: ...


AnyServed = TypeVar("AnyServed", bound=Served)


class Site:
    """The one address on which an application listens, as often as it is opened."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None

    async def open(self, app: web.Application, host: str, port: int) -> int:
        """Listen, and return the port; raises ``OSError`` when the address cannot be had."""
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening, and leave waiting requests without answer."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def run(
    name: str,
    listen: str,
    make: Callable[[], AnyServed],
    on_start: Callable[[AnyServed, str], None] = lambda served, url: None,
) -> None:
    """Run what ``make`` makes until SIGINT or SIGTERM; exits with status 2 and a sentence when it cannot start.

    ``on_start`` is told the URL before it is said that it listens. ``make`` may raise ``OSError`` or ``ValueError``.
    """
    try:
        host, port = _address(listen)
        uvloop.run(_serve(name, host, port, make, on_start))
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


async def _serve(
    name: str, host: str, port: int, make: Callable[[], AnyServed], on_start: Callable[[AnyServed, str], None]
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    served = make()
    bound = await served.start(host, port)
    url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
    try:
        on_start(served, url)
        print(f"{name} listening on {url}", flush=True)
        await stopping.wait()
    finally:
        await served.stop()


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{listen!r} is not an address; give host:port, such as 127.0.0.1:8443")
    return host.removeprefix("[").removesuffix("]"), int(port)
