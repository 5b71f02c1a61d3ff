"""Messages for later: they wait for their moment over restarts, are routed then, and can be taken back before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.flow.questions import Questions
from gatewayd.policy.journey import Stage
from tests.gatewayd.flow.scene import START, Scene

Stage_ = Callable[..., Scene]
HOUR_S = 3_600.0


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_it_goes_at_its_moment_and_not_before(stage: Stage_, is_restarted: bool) -> None:
    scene = stage("carrier")
    (one,) = await scene.submit("later", deliver_at=START + HOUR_S)
    assert scene.stage(one) is Stage.SCHEDULED
    await scene.wait(HOUR_S - 1)
    if is_restarted:
        await scene.crash()
    await scene.tick()
    assert scene.carrier.in_flight == []
    await scene.wait(1.5)
    assert scene.carrier.in_flight == [(one, 0)]
    scene.carrier.accept("c1")
    await scene.settle()
    scene.carrier.receipt("c1")
    await scene.settle()
    assert scene.stage(one) is None
    assert scene.outbox.fates == [(one, "DELIVRD")]


async def test_one_whose_moment_came_while_the_daemon_was_away_goes_at_once(stage: Stage_) -> None:
    scene = stage("carrier")
    (one,) = await scene.submit("later", deliver_at=START + 60)
    scene.now += 2 * HOUR_S
    await scene.crash()
    await scene.tick()
    assert scene.carrier.in_flight == [(one, 0)]


async def test_on_rcs_its_time_begins_when_it_goes(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (one,) = await scene.submit("later", deliver_at=START + 2 * HOUR_S)
    await scene.wait(2 * HOUR_S)
    assert scene.progress(one).rcs_until > scene.now
    assert scene.progress(one).link == "bot"


async def test_a_moment_that_has_passed_is_none(stage: Stage_) -> None:
    scene = stage("carrier")
    (one,) = await scene.submit("now", deliver_at=START - 1)
    assert scene.carrier.in_flight == [(one, 0)]


async def test_it_can_be_taken_back(stage: Stage_) -> None:
    scene = stage("carrier")
    (one,) = await scene.submit("later", deliver_at=START + HOUR_S)
    questions = Questions(scene.desk, scene.dispatcher)
    cancelling: Any = await questions.cancel("shop", one)
    assert cancelling.outcome == "cancelled"
    await scene.settle()
    assert scene.outbox.fates == [(one, "DELETED")]
    await scene.wait(HOUR_S + 1)
    assert scene.carrier.in_flight == []


@pytest.mark.parametrize("held_s", [60.0, 2 * HOUR_S])
async def test_it_is_held_and_keeps_its_time(stage: Stage_, held_s: float) -> None:
    scene = stage("bot", "carrier")
    (one,) = await scene.submit("later", deliver_at=START + HOUR_S)
    await scene.settle()
    journey = scene.desk.journey(one)
    assert journey is not None
    assert scene.dispatcher.hold(journey)
    await scene.wait(held_s)
    await scene.crash()
    assert scene.desk.aside.read() == {"scheduled": 0, "held": 1}
    journey = scene.desk.journey(one)
    assert journey is not None
    assert scene.dispatcher.release(journey)
    if held_s < HOUR_S:
        await scene.tick()
        assert scene.bot.in_flight == []
        assert scene.desk.aside.read() == {"scheduled": 1, "held": 0}
        await scene.wait(HOUR_S - held_s)
    await scene.tick()
    # Its time over RCS began when it began itself.
    assert scene.bot.in_flight == [(one, 0)]
    assert scene.desk.aside.read() == {"scheduled": 0, "held": 0}


async def test_parts_for_later_are_joined_then(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    ids = [
        (await scene.submit(text, deliver_at=START + HOUR_S, concat=(7, 2, number)))[0]
        for number, text in ((1, "one "), (2, "two"))
    ]
    await scene.wait(HOUR_S)
    assert scene.progress(ids[0]).parts == tuple(ids)
    assert scene.stage(ids[1]) is Stage.MEMBER
