"""A scraper gets what it asked for, in a form that its parser takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from gatewayd.runtime.instruments import Figure
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.scrape import ScrapeServer

Collect = Callable[[], Awaitable[list[Figure]]]

# What Prometheus sends.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics("1")
    metrics.submits.labels('a "quoted" shop\\\n', "ESME_ROK").value += 7
    metrics.submit_response.labels("shop").observe(0.002)
    return metrics


@pytest.fixture
def collect(metrics: Metrics) -> Collect:
    async def collect() -> list[Figure]:
        return metrics.figures()

    return collect


@pytest.fixture
async def server(collect: Collect, complaints: list[str]) -> AsyncIterator[ScrapeServer]:
    server = ScrapeServer(collect, "127.0.0.1:0", lambda: complaints)
    await server.start()
    yield server
    await server.stop()


async def get(server: ScrapeServer, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    """Status, content type and body."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}", headers={"Accept": accept}) as response,
    ):
        return response.status, response.headers["Content-Type"], await response.text()


async def test_plain_text(server: ScrapeServer) -> None:
    status, content_type, page = await get(server, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    (family,) = [family for family in parse_plain(page) if family.name == "gatewayd_submits"]
    assert family.samples[0].value == 7
    assert family.samples[0].labels == {"account": 'a "quoted" shop\\\n', "status": "ESME_ROK"}


async def test_openmetrics_when_asked(server: ScrapeServer) -> None:
    status, content_type, page = await get(server, "/metrics", ACCEPT)
    assert status == 200
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]
    assert families["gatewayd_submit_response_seconds"].type == "histogram"


async def test_many_at_once(server: ScrapeServer) -> None:
    pages = await asyncio.wait_for(asyncio.gather(*(get(server, "/metrics") for _ in range(5))), 30)
    assert {status for status, _, _ in pages} == {200}


async def test_health(server: ScrapeServer, complaints: list[str]) -> None:
    assert (await get(server, "/healthz"))[::2] == (200, "ok\n")
    complaints += ["the store is full", "link orange is down"]
    assert (await get(server, "/healthz"))[::2] == (503, "the store is full\nlink orange is down\n")


async def test_nothing_else_is_served(server: ScrapeServer) -> None:
    assert (await get(server, "/"))[0] == 404


async def test_taken_address_is_refused(server: ScrapeServer, collect: Collect) -> None:
    second = ScrapeServer(collect, f"127.0.0.1:{server.port}")
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.stop()


async def test_stop_frees_the_address(collect: Collect) -> None:
    server = ScrapeServer(collect, "127.0.0.1:0")
    assert server.port == 0
    await server.start()
    port = server.port
    assert (await get(server, "/healthz"))[0] == 200
    await server.stop()
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
