"""The schedule: order, a fake clock, sleepers, and the one real timer."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.simulate.schedule import Schedule


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_events_come_in_order_when_due() -> None:
    clock, seen = Clock(), list[str]()
    schedule = Schedule(clock)
    schedule.after(20.0, lambda: seen.append("c"))
    schedule.after(10.0, lambda: seen.append("a"))
    schedule.after(10.0, lambda: seen.append("b"))
    schedule.tick()
    assert seen == []
    clock.now += 10.0
    schedule.tick()
    assert seen == ["a", "b"]
    assert len(schedule) == 1
    schedule.close()
    assert len(schedule) == 0


async def test_an_event_may_schedule_another_for_now() -> None:
    clock, seen = Clock(), list[str]()
    schedule = Schedule(clock)

    def first() -> None:
        seen.append("first")
        schedule.after(0.0, lambda: seen.append("second"))

    schedule.after(1.0, first)
    clock.now += 1.0
    schedule.tick()
    assert seen == ["first", "second"]
    schedule.close()


async def test_the_timer_of_the_loop_fires_by_itself_and_is_moved_forward() -> None:
    loop = asyncio.get_running_loop()
    schedule, done = Schedule(loop.time), asyncio.Event()
    schedule.after(3600.0, lambda: None)
    schedule.after(0.0, done.set)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 5.0)
    assert len(schedule) == 1
    schedule.close()


async def test_sleepers_wake_when_due_when_closed_and_may_give_up() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    await schedule.sleep(0.0)
    async with asyncio.TaskGroup() as group:
        short = group.create_task(schedule.sleep(5.0))
        group.create_task(schedule.sleep(1e6))
        gone = group.create_task(schedule.sleep(5.0))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        clock.now += 5.0
        schedule.tick()
        await short
        schedule.close()


async def test_an_event_that_fails_does_not_stop_the_others() -> None:
    clock, seen = Clock(), list[str]()
    schedule = Schedule(clock)

    def fail() -> None:
        raise RuntimeError

    schedule.after(1.0, fail)
    schedule.after(1.0, lambda: seen.append("next"))
    clock.now += 1.0
    with pytest.raises(RuntimeError):
        schedule.tick()
    schedule.tick()
    assert seen == ["next"]
    schedule.close()


async def test_a_pause_keeps_every_event_and_wakes_sleepers() -> None:
    clock, seen = Clock(), list[str]()
    schedule = Schedule(clock)
    schedule.after(10.0, lambda: seen.append("a"))
    async with asyncio.timeout(5.0), asyncio.TaskGroup() as group:
        group.create_task(schedule.sleep(3600.0))
        await asyncio.sleep(0)
        schedule.pause()
    schedule.after(5.0, lambda: seen.append("b"))
    clock.now += 10.0
    schedule.tick()
    assert seen == []
    schedule.resume()
    schedule.tick()
    assert seen == ["b", "a"]
    schedule.close()
