"""Twin of gatewayd.carriers.webhook_connections, over real loopback connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from aiohttp import web

from gatewayd.carriers.webhook_connections import BoundedServer
from tests.support.watch import Watch

CONNECTIONS_MAX = 3
WAIT_S = 5.0
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Line:
    """One connection, as a peer has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, octets: bytes) -> None:
        """Send, and wait for nothing."""
        self._writer.write(octets)

    async def answer(self) -> bytes:
        """The first line of an answer; empty when the server hung up."""
        async with asyncio.timeout(WAIT_S):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return b""
        return head.partition(b"\r\n")[0]

    async def rest(self) -> bytes:
        """Whatever comes until the server hangs up."""
        async with asyncio.timeout(WAIT_S):
            return await self._reader.read()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Told(BoundedServer):
    """Rings for each connection that comes or ends."""

    def __init__(self, watch: Watch, *args: Any, **terms: Any) -> None:
        super().__init__(*args, **terms)
        self._watch = watch
        self.made = 0
        self.lost = 0

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.made += 1
        self._watch.ring()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.lost += 1
        self._watch.ring()


class Bench:
    """A server for three connections, whose requests wait for ``gate``."""

    def __init__(self, silence_max_s: float = 60.0) -> None:
        self.full = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.serving = asyncio.Event()
        self._watch = Watch()
        self._server = Told(
            self._watch, self._serve, self._on_full, connections_max=CONNECTIONS_MAX, silence_max_s=silence_max_s
        )
        self._runner = web.ServerRunner(self._server)
        self._lines: list[Line] = []

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        for line in self._lines:
            line.close()
        await self._runner.cleanup()

    async def connect(self) -> Line:
        """One more connection, which the server knows of when this returns."""
        known = self._server.made
        line = Line(*await asyncio.open_connection(*self._runner.addresses[0]))
        self._lines.append(line)
        await self._watch.until(lambda: self._server.made > known)
        return line

    async def until_lost(self, count: int) -> None:
        """Return when so many connections have ended."""
        await self._watch.until(lambda: self._server.lost == count)

    def _on_full(self) -> None:
        self.full += 1

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        with self._server.in_use(request):
            self.serving.set()
            await self.gate.wait()
            return web.Response()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as bench:
        yield bench


async def test_of_too_many_connections_the_longest_useless_one_goes(bench: Bench) -> None:
    first, second, third = [await bench.connect() for _ in range(CONNECTIONS_MAX)]
    first.say(HEAD)
    assert await first.answer() == b"HTTP/1.1 200 OK"
    fourth = await bench.connect()
    assert await second.answer() == b""
    for line in (first, third, fourth):
        line.say(HEAD)
        assert await line.answer() == b"HTTP/1.1 200 OK"
    assert bench.full == 1


async def test_a_request_that_is_served_is_never_cut_off(bench: Bench) -> None:
    bench.gate.clear()
    served = await bench.connect()
    served.say(HEAD)
    async with asyncio.timeout(WAIT_S):
        await bench.serving.wait()
    strangers = [await bench.connect() for _ in range(CONNECTIONS_MAX + 2)]
    assert [await line.answer() for line in strangers[:2]] == [b"", b""]
    bench.gate.set()
    assert await served.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("octets", [b"", HEAD[:20], HEAD + HEAD[:20]], ids=["nothing", "half a head", "half of two"])
async def test_who_says_nothing_more_is_hung_up_on(octets: bytes) -> None:
    async with Bench(silence_max_s=0.1) as bench:
        line = await bench.connect()
        line.say(octets)
        if octets.startswith(HEAD):
            assert await line.answer() == b"HTTP/1.1 200 OK"
        assert await line.rest() == b""


async def test_a_connection_that_ended_is_forgotten(bench: Bench) -> None:
    for count in range(2 * CONNECTIONS_MAX):
        line = await bench.connect()
        line.say(HEAD)
        assert await line.answer() == b"HTTP/1.1 200 OK"
        line.close()
        await bench.until_lost(count + 1)
    assert bench.full == 0
