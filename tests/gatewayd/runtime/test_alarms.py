"""Alarms, on both loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from gatewayd.runtime.alarms import Alarm
from tests.support.watch import Watch

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Alarm, Watch], Awaitable[None]]], None]:
    """Run a scenario on one of the loops, with an alarm that rings a watch."""

    def runner(scenario: Callable[[Alarm, Watch], Awaitable[None]]) -> None:
        async def made() -> None:
            watch = Watch()
            await scenario(Alarm(asyncio.get_running_loop(), watch.ring), watch)

        with asyncio.Runner(loop_factory=request.param) as one:
            one.run(made())

    return runner


Run = Callable[[Callable[[Alarm, Watch], Awaitable[None]]], None]


def test_the_earliest_moment_counts_one_that_is_past_or_now_too(run: Run) -> None:
    async def scenario(alarm: Alarm, watch: Watch) -> None:
        now = asyncio.get_running_loop().time()
        for at in (now + 60.0, now, now - 1.0, now, now + 0.0001, now + 60.0):
            alarm.set(at)
        assert alarm.at == now - 1.0
        await watch.until(lambda: alarm.at is None)

    run(scenario)


def test_it_can_be_set_anew_and_be_cancelled(run: Run) -> None:
    async def scenario(alarm: Alarm, watch: Watch) -> None:
        for _ in range(2):
            alarm.set(asyncio.get_running_loop().time() + 0.001)
            await watch.until(lambda: alarm.at is None)
        alarm.set(0.0)
        alarm.cancel()
        alarm.cancel()
        assert alarm.at is None

    run(scenario)
