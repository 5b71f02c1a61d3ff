"""Tasks are kept, named, reported once when they fail, and can all be cancelled."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gatewayd.runtime import tasks


async def test_result_and_name() -> None:
    async def answer() -> int:
        return 42

    task = tasks.spawn(answer(), name="answer")
    assert task.get_name() == "answer"
    assert tasks.running() == ["answer"]
    assert await task == 42
    assert tasks.running() == []


async def test_unreferenced_task_survives_collection() -> None:
    gate = asyncio.Event()
    done = asyncio.Event()

    async def wait() -> None:
        await gate.wait()
        done.set()

    tasks.spawn(wait(), name="unreferenced")
    await asyncio.sleep(0)
    gc.collect()
    gate.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("no such thing")

    task = tasks.spawn(fail(), name="doomed")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    del task
    gc.collect()
    records = [record for record in caplog.records if "doomed" in record.getMessage()]
    assert len(records) == 1
    assert records[0].exc_info is not None
    assert "never retrieved" not in caplog.text


async def test_cancelled_task_is_not_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = tasks.spawn(asyncio.Event().wait(), name="waiting")
    task.cancel()
    await asyncio.wait([task])
    assert caplog.records == []


async def test_cancel_all_reaches_tasks_started_meanwhile() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tasks.spawn(asyncio.Event().wait(), name="second")

    first = tasks.spawn(stubborn(), name="first")
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.cancel_all(), 5)
    assert first.cancelled()
    assert tasks.running() == []


async def test_cancel_all_spares_its_caller() -> None:
    async def stop_others() -> str:
        await tasks.cancel_all()
        return "alive"

    other = tasks.spawn(asyncio.Event().wait(), name="other")
    await asyncio.sleep(0)
    caller = tasks.spawn(stop_others(), name="caller")
    assert await asyncio.wait_for(caller, 5) == "alive"
    assert other.cancelled()
