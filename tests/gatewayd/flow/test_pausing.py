"""During a pause nobody waits who cannot, and a handset that rests holds back nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.carriers.link import Revocation
from gatewayd.flow import pausing
from gatewayd.message import Deferred, Scope
from gatewayd.policy.journey import Stage
from tests.gatewayd.flow.scene import Scene

SetScene = Callable[..., Scene]
OTHER = "33698765432"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pausing, "SWEEP_S", 0.0)


async def send(scene: Scene, **facts: Any) -> int:
    (message_id,) = await scene.submit(**facts)
    return message_id


async def until_sent(scene: Scene, count: int) -> None:
    """Wait for so many messages at the SMS carrier."""
    for _ in range(100):
        if len(scene.carrier.sent) < count:
            await scene.settle()
    assert len(scene.carrier.sent) == count


@pytest.mark.parametrize("scope", ["", "agent", "application"])
async def test_who_has_its_deadline_inside_the_pause_goes_by_sms_at_once(stage: SetScene, scope: Scope) -> None:
    scene = stage("bot", "carrier")
    scene.bot.window = 1
    first = await send(scene)
    waiting = [await send(scene) for _ in range(3)]
    scene.now += 250.0  # of 300
    late = await send(scene)
    scene.bot.answer(Deferred("http_429", 60.0, pauses=True, scope=scope))
    await until_sent(scene, 4)
    assert sorted(message_id for message_id, _ in scene.carrier.sent) == sorted([first, *waiting])
    assert scene.stage(late) is Stage.QUEUED
    assert scene.counted("fallbacks", "bot", "paused") == 3
    assert scene.counted("limiter_pauses", "bot", scope) == 1


async def test_a_question_that_is_throttled_stops_all_others(stage: SetScene) -> None:
    scene = stage("asked", "carrier")
    waiting = [await send(scene), await send(scene)]
    urgent = await send(scene, destination=OTHER, expires_at=scene.now + 30.0)
    pause = Deferred("http_429", 60.0, pauses=True)
    scene.asked.say_capable(None, reason="http_429", throttled=pause)
    scene.asked.say_capable(None, OTHER, "http_429", pause)
    await until_sent(scene, 1)
    assert scene.carrier.sent == [(urgent, 0)]
    assert scene.counted("limiter_pauses", "asked", "") == 2
    asked = len(scene.asked.checked)
    await send(scene)
    assert len(scene.asked.checked) == asked
    await scene.wait(61.0)
    scene.asked.say_capable(True)
    await scene.settle()
    assert [message_id for message_id, _ in scene.asked.sent][:2] == waiting


async def test_a_revoke_that_is_throttled_stops_what_would_be_sent(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    await send(scene)
    scene.bot.accept("x")
    await scene.wait(300.0)
    assert scene.bot.revoked == ["x"]
    scene.bot.say_revoked("x", None, Deferred("http_429", 60.0, pauses=True))
    await send(scene)
    assert len(scene.bot.sent) == 1
    await scene.wait(61.0)
    assert len(scene.bot.sent) == 2


@pytest.mark.parametrize("throttled", [True, False], ids=["429", "503"])
async def test_a_revoke_that_was_not_looked_at_is_asked_for_again(stage: SetScene, throttled: bool) -> None:
    scene = stage("bot", "carrier")
    message = await send(scene)
    scene.bot.accept("x")
    await scene.wait(300.0)
    pause = Deferred("http_429", 60.0, pauses=True) if throttled else None
    revocation = Revocation(message, "x", None, "busy", pause, 60.0)
    scene.dispatcher.on_revoked(scene.bot, revocation)
    await scene.wait(59.0)
    assert (scene.bot.revoked, scene.carrier.sent) == (["x"], [])
    await scene.wait(2.0)
    assert (scene.bot.revoked, scene.carrier.sent) == (["x", "x"], [])
    scene.dispatcher.on_revoked(scene.bot, revocation)
    await until_sent(scene, 1)
    assert scene.bot.revoked == ["x", "x"], "after its 90 s it is not asked for again"


async def test_who_comes_during_the_pause_and_cannot_wait_goes_by_sms_too(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    await send(scene)
    scene.bot.answer(Deferred("http_429", 299.0, pauses=True))
    await scene.settle()
    soon = await send(scene, expires_at=scene.now + 60.0)
    await until_sent(scene, 1)
    assert [message_id for message_id, _ in scene.carrier.sent] == [soon]


async def test_a_handset_that_rests_holds_back_no_other(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    first = await send(scene)
    scene.bot.answer(Deferred("http_429", 60.0, pauses=True, scope="user"))
    await scene.settle()
    same, other = await send(scene), await send(scene, destination=OTHER)
    assert [message_id for message_id, _ in scene.bot.sent] == [first, other]
    assert scene.stage(first) is scene.stage(same) is Stage.POSTPONED
    await scene.wait(61.0)
    assert [message_id for message_id, _ in scene.bot.sent[2:]] == [first, same]


async def test_who_cannot_wait_for_its_handset_goes_by_sms(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    await send(scene)
    scene.bot.answer(Deferred("http_429", 200.0, scope="user"))
    await scene.settle()
    soon = await send(scene, expires_at=scene.now + 100.0)
    await until_sent(scene, 1)
    assert [message_id for message_id, _ in scene.carrier.sent] == [soon]
    assert scene.counted("fallbacks", "bot", "user_paused") == 1
