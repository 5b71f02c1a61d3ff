"""The poster, over a connection that a test answers for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gatewayd.senders.mqtt_news import BATCH_MAX, NewsPoster, verdict_of
from gatewayd.senders.mqtt_topics import Topics
from gatewayd.senders.mqtt_wire import Wire
from gatewayd.store.records import Delivery
from tests.support.fake_wire import FakeWire


def owed(number: int, kind: str = "receipt") -> Delivery:
    return Delivery(number, "shop", cast("Any", kind), 1, 1, f"3360000{number:04}", 5, 0, "SHOP", 1.0, 2.0, sink="mqtt")


def poster(window: int = 100) -> tuple[NewsPoster, list[str]]:
    back: list[str] = []
    return NewsPoster(Topics("gatewayd"), window, lambda: back.append("back")), back


async def test_nothing_goes_without_a_connection() -> None:
    made, back = poster()
    assert made.concurrency == 0
    (verdict,) = await made.post([owed(1)])
    assert (verdict.fate, verdict.reason) == ("later", "disconnected")
    assert verdict.pause_s > 0  # no failure of the delivery's
    await made.connected(cast("Wire", FakeWire()))
    assert (made.concurrency * made.batch_max, back) == (100, ["back"])
    made.disconnected()
    assert made.concurrency == 0


@pytest.mark.parametrize("window", [1, 7, BATCH_MAX, 99, 1_000])
async def test_no_more_is_unanswered_than_may_be(window: int) -> None:
    made, _ = poster(window)
    await made.connected(cast("Wire", FakeWire()))
    assert 1 <= made.concurrency * made.batch_max <= window


async def test_taken_means_acknowledged() -> None:
    made, _ = poster()
    wire = FakeWire(code=None)
    await made.connected(cast("Wire", wire))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.post([owed(1), owed(2, "mo")]))
        await wire.watch.until(lambda: len(wire.waiting) == 2)
        assert not task.done()
        wire.waiting[0].set_result(0x10)
        wire.waiting[1].set_result(0x97)
    assert [verdict.fate for verdict in task.result()] == ["taken", "later"]
    assert [topic for topic, _ in wire.published] == [
        f"gatewayd/accounts/shop/{last}" for last in ("receipts", "messages")
    ]


async def test_a_connection_that_ends_is_no_failure() -> None:
    made, _ = poster()
    wire = FakeWire(code=None)
    await made.connected(cast("Wire", wire))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.post([owed(1)]))
        await wire.watch.until(lambda: wire.waiting)
        wire.lose()
    assert [(verdict.reason, verdict.pause_s > 0) for verdict in task.result()] == [("disconnected", True)]


async def test_what_the_broker_would_cut_the_connection_for_is_not_sent() -> None:
    made, _ = poster()
    wire = FakeWire(size_max=600)
    await made.connected(cast("Wire", wire))
    assert [(verdict.fate, verdict.reason) for verdict in await made.post([owed(1)])] == [("refused", "too_large")]
    assert not wire.published


@pytest.mark.parametrize(
    ("code", "fate"),
    [(0, "taken"), (0x10, "taken"), (0x87, "later"), (0x97, "later"), (0x90, "refused"), (0x99, "refused")],
)
def test_reason_codes(code: int, fate: str) -> None:
    assert verdict_of(code).fate == fate
