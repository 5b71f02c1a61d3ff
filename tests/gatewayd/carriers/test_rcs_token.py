"""Twin of gatewayd.carriers.rcs_token."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.rcs_token import NoTokenError, TokenKeeper
from gatewayd.runtime.tasks import spawn
from protocol.rcs.errors import RcsFault
from protocol.rcs.tokens import Token


class Bench:
    """A keeper with a clock that stands still and a token endpoint that answers when told."""

    def __init__(self, wait_s: float = 1000.0) -> None:
        self.now = 100.0
        self.fetches: asyncio.Queue[asyncio.Future[Token]] = asyncio.Queue()
        self.changes: list[bool] = []
        backoff = Backoff(wait_s, wait_s, random.Random(1))
        self.keeper = TokenKeeper(self._fetch, lambda: self.now, backoff, self.changes.append)

    async def _fetch(self) -> Token:
        answer: asyncio.Future[Token] = asyncio.get_running_loop().create_future()
        self.fetches.put_nowait(answer)
        return await answer

    async def grant(self, value: str, lifetime_s: float = 3600.0) -> None:
        (await self.next_fetch()).set_result(Token(value, lifetime_s))

    async def fail(self, kind: str) -> None:
        (await self.next_fetch()).set_exception(RcsFault(kind))

    async def next_fetch(self) -> asyncio.Future[Token]:
        async with asyncio.timeout(5):
            return await self.fetches.get()

    async def until_told(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.changes) < times:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0)


async def running(bench: Bench) -> AsyncIterator[Bench]:
    task = spawn(bench.keeper.run(), name="token")
    yield bench
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async for each in running(Bench()):
        yield each


@pytest.fixture
async def hasty() -> AsyncIterator[Bench]:
    """A bench whose back-off is too short to notice."""
    async for each in running(Bench(wait_s=0.001)):
        yield each


async def test_all_who_wait_share_one_fetch(bench: Bench) -> None:
    waiters = [spawn(bench.keeper.get(), name="waiter") for _ in range(5)]
    await bench.grant("t-1")
    assert await asyncio.gather(*waiters) == ["t-1"] * 5
    assert bench.fetches.empty()
    assert bench.keeper.is_held
    assert bench.changes == [True]


async def test_a_token_that_lives_is_not_fetched_again(bench: Bench) -> None:
    await bench.grant("t-1")
    await bench.until_told(1)
    bench.now += 3539
    assert await bench.keeper.get() == "t-1"
    assert bench.keeper.retry_s == 1.0, "the next fetch is due 60 s ahead of expiry"


async def test_a_token_past_its_life_is_not_held(bench: Bench) -> None:
    await bench.grant("t-1")
    await bench.until_told(1)
    bench.now += 3600
    assert not bench.keeper.is_held


async def test_it_is_renewed_ahead_and_the_old_one_serves_meanwhile() -> None:
    bench = Bench()
    loop = asyncio.get_running_loop()
    keeper = TokenKeeper(bench._fetch, loop.time, Backoff(1, 1, random.Random(1)), bench.changes.append)
    task = spawn(keeper.run(), name="token")
    await bench.grant("t-1", lifetime_s=0.05)
    await bench.until_told(1)
    # Half of its life over, the next fetch begins by itself.
    fetch = await bench.next_fetch()
    assert len(bench.changes) == 1
    fetch.set_result(Token("t-2", 3600.0))
    await bench.until_told(2)
    assert await keeper.get() == "t-2"
    task.cancel()
    await asyncio.wait([task])


async def test_a_failed_fetch_tells_those_who_wait_and_those_who_come(bench: Bench) -> None:
    waiter = spawn(bench.keeper.get(), name="waiter")
    await bench.fail("token_http_500")
    for get in (waiter, bench.keeper.get()):
        with pytest.raises(NoTokenError, match="token_http_500"):
            await get
    assert bench.changes == [False]
    assert 500 <= bench.keeper.retry_s <= 1000


async def test_it_is_tried_again_after_the_back_off(hasty: Bench) -> None:
    await hasty.fail("token_http_500")
    await hasty.until_told(1)
    hasty.now += 1
    await hasty.grant("t-1")
    assert await hasty.keeper.get() == "t-1"
    assert hasty.changes == [False, True]


async def test_a_refused_token_is_replaced_at_once_and_once(bench: Bench) -> None:
    await bench.grant("t-1")
    assert await bench.keeper.get() == "t-1"
    bench.keeper.refuse("t-1")
    bench.keeper.refuse("t-1")
    waiter = spawn(bench.keeper.get(), name="waiter")
    await bench.grant("t-2")
    assert await waiter == "t-2"
    assert bench.fetches.empty()


async def test_a_late_complaint_about_an_old_token_changes_nothing(bench: Bench) -> None:
    await bench.grant("t-1")
    await bench.keeper.get()
    bench.keeper.refuse("t-0")
    assert await bench.keeper.get() == "t-1"


async def test_a_fresh_token_that_is_refused_too_is_not_replaced_at_once(bench: Bench) -> None:
    await bench.grant("t-1")
    await bench.keeper.get()
    bench.keeper.refuse("t-1")
    await bench.grant("t-2")
    await bench.keeper.get()
    bench.keeper.refuse("t-2")
    with pytest.raises(NoTokenError, match="token_refused"):
        await bench.keeper.get()
    assert bench.fetches.empty()
    assert bench.changes == [True, True, False]
    assert bench.keeper.retry_s >= 500


async def test_a_token_that_worked_may_be_replaced_at_once_again(bench: Bench) -> None:
    await bench.grant("t-1")
    await bench.keeper.get()
    bench.keeper.refuse("t-1")
    await bench.grant("t-2")
    await bench.keeper.get()
    bench.keeper.prove()
    bench.keeper.refuse("t-2")
    await bench.grant("t-3")
    assert await bench.keeper.get() == "t-3"
