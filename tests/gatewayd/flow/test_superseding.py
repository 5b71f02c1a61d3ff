"""One message takes the place of another that waits: of both exactly one goes, and each has its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.message import Addresses
from tests.gatewayd.flow.scene import START, Scene

Stage_ = Callable[..., Scene]
LATER = START + 3_600.0
REPLACES: dict[str, Any] = {"replaces": True, "is_replaceable": True}


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_the_last_one_goes_and_the_others_are_deleted(stage: Stage_, is_restarted: bool) -> None:
    scene = stage("carrier")
    first, second = await scene.submit("one", "two", deliver_at=LATER, **REPLACES)
    if is_restarted:
        await scene.crash()
    (third,) = await scene.submit("three", deliver_at=LATER, **REPLACES)
    assert scene.outbox.fates == [(first, "DELETED"), (second, "DELETED")]
    assert {delivery.error for delivery in scene.outbox.deliveries} == {"replaced"}
    await scene.wait(3_601)
    assert scene.carrier.in_flight == [(third, 0)]


@pytest.mark.parametrize(
    "other",
    [
        {"account": "bank"},
        {"destination": "33611112222"},
        {"source": "36180"},
        {"service_type": "USSD"},
        {"replaces": False},
    ],
)
async def test_only_its_equal_is_replaced(stage: Stage_, other: dict[str, Any]) -> None:
    scene = stage("carrier")
    await scene.submit("one", deliver_at=LATER, **REPLACES)
    await scene.submit("two", deliver_at=LATER, **(REPLACES | other))
    assert scene.outbox.fates == []


async def test_one_that_was_not_sent_so_stays(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("one", deliver_at=LATER)
    await scene.submit("two", deliver_at=LATER, **REPLACES)
    assert scene.outbox.fates == []


async def test_an_account_may_have_any_replaced(stage: Stage_) -> None:
    scene = stage("carrier")
    (first,) = await scene.submit("one", deliver_at=LATER, is_replaceable=True)
    await scene.submit("two", deliver_at=LATER, **REPLACES)
    assert scene.outbox.fates == [(first, "DELETED")]


async def test_the_source_is_the_one_that_was_written(stage: Stage_) -> None:
    scene = stage("carrier")
    (first,) = await scene.submit("one", deliver_at=LATER, written=Addresses(source="SHOP"), **REPLACES)
    await scene.submit("two", deliver_at=LATER, written=Addresses(source="NEWS"), **REPLACES)
    assert scene.outbox.fates == []
    await scene.submit("three", deliver_at=LATER, source="36199", written=Addresses(source="SHOP"), **REPLACES)
    assert scene.outbox.fates == [(first, "DELETED")]


async def test_what_has_left_stays(stage: Stage_) -> None:
    scene = stage("carrier")
    (first,) = await scene.submit("one", **REPLACES)
    assert scene.carrier.in_flight == [(first, 0)]
    (second,) = await scene.submit("two", **REPLACES)
    scene.carrier.accept("c1", "c2")
    await scene.settle()
    (third,) = await scene.submit("three", **REPLACES)
    assert scene.carrier.in_flight[-1] == (third, 0)
    assert scene.outbox.fates == []
    scene.carrier.receipt("c1")
    scene.carrier.receipt("c2")
    await scene.settle()
    assert sorted(scene.outbox.fates) == [(first, "DELIVRD"), (second, "DELIVRD")]
