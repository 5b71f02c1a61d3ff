"""Who asked for intermediate notifications hears what happens on the way, in order, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gatewayd.config import schema
from gatewayd.message import Refused, State
from gatewayd.policy.receipt_wishes import NOTICES_MAX
from tests.gatewayd.flow.scene import Scene

Stage_ = Callable[..., Scene]


async def test_taken_by_rcs_then_fallback_then_the_carriers_own_words(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello", registered_delivery=0x11)
    scene.bot.accept("x")
    await scene.settle()
    assert scene.outbox.fates == [(message, "ENROUTE")]
    await scene.wait(301.0)
    scene.bot.say_revoked("x", True)
    await scene.settle()
    assert scene.outbox.fates == [(message, "ENROUTE")] * 2
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE, error="027", network_error=0x03_001B)
    scene.carrier.receipt("17", State.ENROUTE, error="027")
    scene.carrier.receipt("17", State.ACCEPTD)
    scene.carrier.receipt("17")
    await scene.settle()
    states = ["ENROUTE", "ENROUTE", "ENROUTE", "ACCEPTD", "DELIVRD"]
    assert scene.outbox.fates == [(message, state) for state in states], "what says nothing new is not repeated"
    first, second, third, fourth, last = scene.outbox.deliveries
    assert (third.error, third.network_error) == ("027", 0x03_001B)
    assert [each.follows for each in (first, second, third, fourth, last)] == [
        0, first.id, second.id, third.id, fourth.id
    ]  # fmt: skip


@pytest.mark.parametrize("registered", [0x00, 0x01, 0x02, 0x0D])
async def test_who_did_not_ask_hears_nothing(registered: int, stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("hello", registered_delivery=registered)
    scene.bot.answer(Refused("http_404"))
    await scene.settle()
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE, error="027")
    await scene.settle()
    assert scene.outbox.fates == []


async def test_notices_alone_may_be_asked_for(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello", registered_delivery=0x10)
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE, error="027")
    scene.carrier.receipt("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "ENROUTE")]


async def test_a_restart_forgets_neither_the_order_nor_the_number(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", registered_delivery=0x11)
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE, error="027")
    await scene.settle()
    await scene.crash()
    for number in range(NOTICES_MAX + 5):
        scene.carrier.receipt("17", State.ENROUTE, error=f"{number:03}")
    scene.carrier.receipt("17")
    await scene.settle()
    told = scene.outbox.deliveries
    assert len(told) == NOTICES_MAX + 1
    assert told[-1].follows == told[-2].id
    assert told[1].follows == told[0].id


@pytest.mark.parametrize("wishes", [(0x11, 0x01, 0x11), (0x01, 0x11, 0x00)])
async def test_each_part_that_travels_in_a_text_hears_of_it(wishes: tuple[int, ...], stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    ids = []
    for number, wish in enumerate(wishes, 1):
        udh = bytes((5, 0, 3, 7, 3, number))
        ids += await scene.submit("part", concat=(7, 3, number), udh=udh, registered_delivery=wish)
    scene.bot.accept("x")
    await scene.settle()
    asked = [message for message, wish in zip(ids, wishes, strict=True) if wish & 0x10]
    assert scene.outbox.fates == [(message, "ENROUTE") for message in asked]
    await scene.wait(301.0)
    scene.bot.say_revoked("x", True)
    await scene.settle()
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE, error="027")
    await scene.settle()
    assert scene.outbox.fates == [(message, "ENROUTE") for message in asked] * 3


async def test_other_sinks_than_smpp_have_no_word_for_it(stage: Stage_) -> None:
    scene = stage("bot")
    scene.desk.learn_accounts({"shop": schema.Account(sinks=("webhook",))})
    await scene.submit("hello", registered_delivery=0x11)
    scene.bot.accept("x")
    await scene.settle()
    assert scene.outbox.fates == []
