"""Twin of gatewayd.flow.displaying: what is told of messages that were read, to whom, how often and for how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gatewayd.message import Message, State
from gatewayd.store.kinds import SENT
from tests.gatewayd.flow.scene import ACCOUNTS, Scene

Stage_ = Callable[..., Scene]
HOUR_S = 3_600.0


def words(scene: Scene) -> list[tuple[int, str]]:
    """Message and word of each receipt, in order."""
    return [(owed.message_id, owed.displayed or owed.state.value) for owed in scene.outbox.deliveries]


async def sent(stage: Stage_, account: str = "reader", **facts: int) -> tuple[Scene, int]:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit(account=account, **facts)
    scene.bot.accept("b-1")
    await scene.settle()
    return scene, message


async def say(scene: Scene, *displayed: bool, at: float = 0.0) -> None:
    for each in displayed:
        scene.bot.receipt("b-1", displayed=each, at=at)
        await scene.settle()


@pytest.mark.parametrize("events", [(False, True), (True,), (True, False), (True, True), (False, True, True, False)])
async def test_it_follows_the_other_one_and_comes_once(stage: Stage_, events: tuple[bool, ...]) -> None:
    scene, message = await sent(stage)
    await say(scene, *events)
    assert words(scene) == [(message, "DELIVRD"), (message, "READ")]
    first, second = scene.outbox.deliveries
    assert (second.follows, second.state, second.account) == (first.id, State.DELIVRD, "reader")
    assert (second.source, second.destination) == (first.source, first.destination)


async def test_events_of_one_webhook_keep_that_order(stage: Stage_) -> None:
    scene, message = await sent(stage)
    scene.bot.receipt("b-1", displayed=True)
    scene.bot.receipt("b-1")
    await scene.settle()
    assert words(scene) == [(message, "DELIVRD"), (message, "READ")]


async def test_it_comes_before_the_response_as_well(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit(account="reader")
    scene.bot.receipt("b-1", displayed=True)
    scene.bot.accept("b-1")
    await scene.settle()
    assert words(scene) == [(message, "DELIVRD"), (message, "READ")]


@pytest.mark.parametrize(("account", "asked"), [("shop", 1), ("reader", 0), ("reader", 2)])
async def test_who_did_not_ask_is_not_told(stage: Stage_, account: str, asked: int) -> None:
    scene, message = await sent(stage, account, registered_delivery=asked)
    await say(scene, False, True)
    assert words(scene) == ([(message, "DELIVRD")] if account == "shop" else [])
    assert scene.counted("receipt_events", "bot", "displayed") == 1
    assert scene.spool.named("bot", "b-1").told == ()  # type: ignore[union-attr]  # counted until its time is over


@pytest.mark.parametrize(("hours", "is_told"), [(71.0, True), (73.0, False)])
async def test_it_comes_days_later_and_after_a_restart(stage: Stage_, hours: float, is_told: bool) -> None:
    scene, message = await sent(stage)
    await say(scene, False)
    await scene.wait(hours * HOUR_S)
    await scene.crash()
    at = scene.now - 5.0
    await say(scene, True, True, at=at)
    assert words(scene)[1:] == ([(message, "READ")] if is_told else [])
    if is_told:
        second = scene.outbox.deliveries[1]
        assert (second.done_at, second.created_at) == (at, scene.now)
        assert second.due > scene.now + HOUR_S


async def test_a_crash_does_not_tell_it_twice(stage: Stage_) -> None:
    scene, message = await sent(stage)
    await say(scene, False, True)
    await scene.crash()
    await say(scene, True)
    assert words(scene) == [(message, "DELIVRD"), (message, "READ")]


async def test_the_name_is_forgotten_in_the_end(stage: Stage_) -> None:
    scene, _ = await sent(stage)
    await say(scene, False)
    await scene.wait(73.0 * HOUR_S)
    await scene.tick()
    assert scene.journal.get(SENT, "bot|b-1") is None


async def test_each_part_that_asked_is_told(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    messages: list[Message] = [
        scene.message(
            f"part{number}", account="reader", concat=(7, 3, number), registered_delivery=0 if number == 2 else 1
        )
        for number in (1, 2, 3)
    ]
    for message in messages:
        progress = scene.dispatcher.plan(message)
        assert progress is not None
        scene.journal.then(scene.dispatcher.accepted, scene.spool.accept(message, progress))
    await scene.settle()
    assert scene.bot.texts == [b"part1part2part3"]
    scene.bot.accept("b-1")
    await scene.settle()
    await say(scene, True, True)
    first, third = messages[0].id, messages[2].id
    assert sorted(words(scene)[:2]) == [(first, "DELIVRD"), (third, "DELIVRD")]
    assert sorted(words(scene)[2:]) == [(first, "READ"), (third, "READ")]


async def test_what_was_not_delivered_by_its_receipt_is_not_called_read(stage: Stage_) -> None:
    scene, message = await sent(stage)
    scene.bot.receipt("b-1", State.UNDELIV, error="500")
    await scene.settle()
    scene.carrier.accept("c-1")
    scene.carrier.receipt("c-1", State.UNDELIV, error="001")
    await scene.settle()
    await say(scene, True)
    assert words(scene) == [(message, "UNDELIV")]


async def test_what_was_delivered_by_sms_and_read_over_rcs_is_told(stage: Stage_) -> None:
    scene, message = await sent(stage)
    scene.bot.receipt("b-1", State.UNDELIV, error="500")
    await scene.settle()
    scene.carrier.accept("c-1")
    scene.carrier.receipt("c-1")
    await scene.settle()
    await say(scene, True)
    assert words(scene) == [(message, "DELIVRD"), (message, "READ")]


async def test_an_account_that_lost_its_word_or_is_gone_is_not_told(stage: Stage_) -> None:
    scene, message = await sent(stage)
    await say(scene, False)
    scene.desk.accounts = {name: account for name, account in ACCOUNTS.items() if name != "reader"}
    await say(scene, True)
    assert words(scene) == [(message, "DELIVRD")]
