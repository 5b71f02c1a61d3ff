"""Twin of gatewayd.carriers.webhook_bodies, over real loopback connections from several addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Self

import pytest
from aiohttp import web

from gatewayd.carriers.webhook_bodies import BodyDisplacedError, SlowBodies
from tests.support.watch import Watch

STRANGER, OTHER, NEIGHBOUR = "127.0.0.2", "127.0.0.3", "127.0.0.4"
WAIT_S = 5.0


class Bench:
    """A server that waits for three bodies at once, and says what became of each."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.bodies = SlowBodies(3, timeout_s)
        self.fates: dict[str, str] = {}
        self._watch = Watch()
        self._begun = 0
        request_of = partial(web.BaseRequest, loop=asyncio.get_running_loop(), client_max_size=100)
        server = web.Server(self._serve, request_factory=request_of, lingering_time=0.0)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        self._writers: dict[str, asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        for writer in self._writers.values():
            writer.close()
        await self._runner.cleanup()

    async def begin(self, name: str, address: str, body: bytes = b"ab", size: int = 4) -> None:
        """Post the beginning of a body; returns when the server has it in hand."""
        begun = self._begun
        host, port = self._runner.addresses[0]
        _, writer = await asyncio.open_connection(host, port, local_addr=(address, 0))
        self._writers[name] = writer
        writer.write(f"POST /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + body)
        await self._watch.until(lambda: self._begun > begun)

    def end(self, name: str) -> None:
        """The rest of the body."""
        self._writers[name].write(b"cd")

    async def until(self, **fates: str) -> None:
        """Wait for these to have come to their end, and no others."""
        async with asyncio.timeout(WAIT_S):
            await self._watch.until(lambda: self.fates.keys() >= fates.keys())
        assert self.fates == fates

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self._begun += 1
        self._watch.ring()
        try:
            fate = (await self.bodies.read(request)).decode()
        except (BodyDisplacedError, TimeoutError, ConnectionError, web.HTTPRequestEntityTooLarge) as error:
            fate = type(error).__name__
        self.fates[request.path[1:]] = fate
        self._watch.ring()
        return web.Response()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as bench:
        yield bench


async def test_a_body_that_comes_whole_takes_no_place(bench: Bench) -> None:
    for number in range(3):
        await bench.begin(f"slow{number}", STRANGER)
    await bench.begin("whole", OTHER, b"abcd")
    await bench.until(whole="abcd")
    assert len(bench.bodies) == 3


async def test_the_address_with_the_most_loses_its_oldest(bench: Bench) -> None:
    await bench.begin("first", OTHER)
    await bench.begin("second", STRANGER)
    await bench.begin("third", STRANGER)
    await bench.begin("fourth", NEIGHBOUR)
    await bench.until(second="BodyDisplacedError")
    for name in ("first", "third", "fourth"):
        bench.end(name)
    await bench.until(second="BodyDisplacedError", first="abcd", third="abcd", fourth="abcd")
    assert len(bench.bodies) == 0


async def test_behind_a_proxy_the_slowest_goes(bench: Bench) -> None:
    for number in range(4):
        await bench.begin(f"n{number}", STRANGER)
    await bench.until(n0="BodyDisplacedError")
    bench.end("n3")
    await bench.until(n0="BodyDisplacedError", n3="abcd")


async def test_a_body_that_never_ends_and_one_that_is_too_large() -> None:
    async with Bench(timeout_s=0.01) as bench:
        await bench.begin("slow", STRANGER)
        await bench.until(slow="TimeoutError")
        await bench.begin("large", STRANGER, b"x" * 200, 300)
        await bench.until(slow="TimeoutError", large="HTTPRequestEntityTooLarge")
        assert len(bench.bodies) == 0


async def test_a_caller_that_hangs_up_leaves_its_place(bench: Bench) -> None:
    for number in range(3):
        await bench.begin(f"n{number}", STRANGER)
    bench._writers["n0"].close()
    await bench.until(n0="ConnectionResetError")
    assert len(bench.bodies) == 2
