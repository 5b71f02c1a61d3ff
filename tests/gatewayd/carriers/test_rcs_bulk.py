"""Questions about many handsets against the simulated platforms, whose clock the test holds."""

from __future__ import annotations

import base64
import datetime as dt
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gatewayd.carriers.link import Batch, BatchAsker
from gatewayd.carriers.rcs_bulk import BulkCaller
from gatewayd.carriers.rcs_http import Answer, Flight, HttpCaller, NoAnswerError
from gatewayd.carriers.rcs_token import NoTokenError
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_behaviour import Behaviour, Rule, behaviour
from protocol.rcs.exchange import Request
from tests.gatewayd.simulate.rcs_bot import FORM

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
CAPABLE, PLAIN = "33612345678", "33712345678"


class Night:
    """A wall clock, and a monotonic one that goes with it."""

    def __init__(self, hour: int) -> None:
        self.start = dt.datetime(2026, 11, 26, hour, tzinfo=PARIS).timestamp()
        self.passed = 1_000.0

    def monotonic(self) -> float:
        return self.passed

    def wall(self) -> float:
        return self.start + self.passed - 1_000.0


@asynccontextmanager
async def asking(
    dialect: str, api: str, hour: int, rules: Behaviour, **options: Any
) -> AsyncIterator[tuple[BulkCaller, RcsPlatform, Night]]:
    night = Night(hour)
    options.setdefault("token_lifetime_s", 1e6)
    platform = RcsPlatform(Options(dialect=dialect, **options), rules, clock=night.monotonic, wall=night.wall)
    platform._door.layer = None  # who speaks is not the question here
    server = f"http://127.0.0.1:{await platform.start()}"
    credentials = {"Authorization": "Basic " + base64.b64encode(b"gateway:secret").decode()}
    form = {"grant_type": "client_credentials", "scope": FORM["scope"]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            server + platform.dialect.token_path,
            data=form,
            headers=credentials,
            params={"grant_type": form["grant_type"]},
        ) as response,
    ):
        token = (await response.json())["access_token"]
    http = HttpCaller(server + platform.dialect.root, 5.0)
    await http.open()

    async def exchange(request: Request) -> Answer:
        return await http.call(request, f"Bearer {token}", Flight())

    try:
        yield BulkCaller(exchange, api, "bot@rcs.example", 10_000), platform, night
    finally:
        await http.close()
        await platform.stop()


def one_is_plain() -> Behaviour:
    return behaviour(Rule(handset=rf"\+{PLAIN}", capable=False), Rule())


async def test_an_order_by_night() -> None:
    async with asking("orange", "orange", 23, one_is_plain(), bulk_job_s=60.0) as (caller, platform, night):
        order = await caller.ask_many([CAPABLE, PLAIN])
        assert order.kind == "ordered"
        assert await caller.fetch_many(order.request_id) == Batch("running")
        night.passed += 61.0
        platform.tick()
        answer = await caller.fetch_many(order.request_id)
        assert answer == Batch("answered", reachable=frozenset({CAPABLE}))
        assert (await caller.fetch_many("another")).kind == "lost"


async def test_closed_by_day_for_both_calls() -> None:
    async with asking("orange", "orange", 21, one_is_plain()) as (caller, platform, night):
        assert (await caller.ask_many([CAPABLE])).kind == "closed"
        night.passed += 3_600.0
        order = await caller.ask_many([CAPABLE])
        assert order.kind == "ordered"
        night.passed += 9 * 3_600.0
        platform.tick()
        assert (await caller.fetch_many(order.request_id)).kind == "closed"


async def test_the_most_that_an_operator_takes() -> None:
    handsets = [str(33_600_000_000 + n) for n in range(10_000)]
    async with asking("orange", "orange", 2, one_is_plain(), bulk_job_s=0.0) as (caller, platform, _):
        order = await caller.ask_many(handsets)
        platform.tick()
        answer = await caller.fetch_many(order.request_id)
        assert len(answer.reachable) == 10_000
        assert (await caller.ask_many([*handsets, CAPABLE])).kind == "refused"


async def test_an_answer_at_once() -> None:
    async with asking("dotgo", "dotgo", 12, one_is_plain()) as (caller, _, _night):
        assert await caller.ask_many([CAPABLE, PLAIN]) == Batch("answered", reachable=frozenset({CAPABLE}))


@pytest.mark.parametrize("fault", [NoTokenError("no_token"), NoAnswerError("timeout")])
async def test_no_answer_is_for_later(fault: Exception) -> None:
    async def exchange(request: Request) -> Answer:
        raise fault

    assert await BulkCaller(exchange, "orange", "b", 10_000).ask_many([CAPABLE]) == Batch("later", error=str(fault))


@pytest.mark.parametrize(
    ("status", "retry_after", "batch"),
    [
        (429, "60", Batch("later", error="http_429", retry_s=60.0, pauses=True)),
        (400, None, Batch("too_few", error="http_400")),
        (403, None, Batch("refused", error="http_403")),
    ],
)
async def test_refusals(status: int, retry_after: str | None, batch: Batch) -> None:
    async def exchange(request: Request) -> Answer:
        return Answer(status, b"", retry_after)

    assert await BulkCaller(exchange, "rbm", "b", 10_000).ask_many([CAPABLE]) == batch


def test_sizes() -> None:
    async def exchange(request: Request) -> Answer:
        raise AssertionError

    asker: BatchAsker = BulkCaller(exchange, "rbm", "b", 1_000)
    assert (asker.size_min, asker.size_max) == (500, 1_000)
