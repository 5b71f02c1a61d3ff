"""Waiting for conditions: at once, later, by several at a time, and in vain."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.simulate.watch import Watch


async def test_what_holds_already_is_not_waited_for() -> None:
    await Watch().wait_for(lambda: True, timeout_s=0)


async def test_who_waits_looks_again_after_each_change() -> None:
    watch, numbers = Watch(), list[int]()

    def add() -> None:
        numbers.append(1)
        watch.changed()
        if len(numbers) < 3:
            asyncio.get_running_loop().call_soon(add)

    asyncio.get_running_loop().call_soon(add)
    await watch.wait_for(lambda: len(numbers) == 3)


async def test_several_may_wait() -> None:
    watch, numbers = Watch(), list[int]()
    asyncio.get_running_loop().call_soon(numbers.append, 1)
    asyncio.get_running_loop().call_soon(watch.changed)
    await asyncio.gather(*(watch.wait_for(lambda: numbers == [1]) for _ in range(3)))


async def test_waiting_in_vain_ends() -> None:
    with pytest.raises(TimeoutError):
        await Watch().wait_for(lambda: False, timeout_s=0.01)
