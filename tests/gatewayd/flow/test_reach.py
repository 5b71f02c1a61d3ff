"""A platform is asked once about a handset, and only for as long as its answer holds."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from gatewayd.flow.reach import ASK_TIMEOUT_S
from gatewayd.policy.journey import Stage
from tests.gatewayd.flow.scene import HANDSET, LINKS, Scene

Stage_ = Callable[..., Scene]


async def test_one_question_for_many_messages(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    messages = await scene.submit(*"abc")
    other = await scene.submit("d", destination=HANDSET + "9")
    assert scene.asked.checked == [HANDSET, HANDSET + "9"]
    assert {scene.stage(message) for message in messages} == {Stage.CHECKING}
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == [(message, 0) for message in messages]
    assert scene.stage(other[0]) is Stage.CHECKING
    await scene.submit("e")
    assert scene.asked.checked == [HANDSET, HANDSET + "9"]
    assert len(scene.asked.sent) == 4


async def test_not_capable_is_sms_now_and_later(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    first = await scene.submit("a")
    scene.asked.say_capable(False, reason="404")
    await scene.settle()
    second = await scene.submit("b")
    assert scene.carrier.sent == [(message, 0) for message in (*first, *second)]
    assert scene.asked.sent == []
    assert scene.asked.checked == [HANDSET]
    assert scene.counted("fallbacks", "asked", "not_rcs_404") == 2


async def test_an_answer_that_could_not_be_learned_is_not_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(None, reason="timeout")
    await scene.settle()
    assert len(scene.carrier.sent) == 1
    await scene.submit("b")
    assert scene.asked.checked == [HANDSET] * 2


async def test_no_answer_is_sms_and_a_late_one_is_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    (message,) = await scene.submit("a")
    await scene.wait(ASK_TIMEOUT_S)
    assert scene.carrier.sent == [(message, 0)]
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == []
    await scene.submit("b")
    assert len(scene.asked.sent) == 1


async def test_answers_grow_old(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(False)
    await scene.settle()
    await scene.wait(LINKS["asked"].capability_no_h * 3_600.0)
    await scene.submit("b")
    assert scene.asked.checked == [HANDSET] * 2


async def test_an_answer_that_may_not_be_kept_is_good_for_those_who_asked(stage: Stage_) -> None:
    forgetful = msgspec.structs.replace(LINKS["asked"], capability_yes_h=0.0, capability_no_h=0.0)
    scene = stage("asked", "carrier", links={**LINKS, "asked": forgetful})
    messages = await scene.submit("a", "b")
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == [(message, 0) for message in messages]
    assert scene.asked.checked == [HANDSET]
    await scene.submit("c")
    assert scene.asked.checked == [HANDSET] * 2


async def test_nobody_is_asked_where_all_are_assumed_capable(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("a")
    assert scene.bot.checked == []
    assert len(scene.bot.sent) == 1


async def test_answers_outlive_a_restart(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(False)
    await scene.settle()
    await scene.crash()
    await scene.submit("b")
    assert scene.asked.checked == []


@pytest.mark.parametrize("spelling", ["33612345678", "+33612345678", "0033612345678"])
async def test_one_handset_however_it_is_written(spelling: str, stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a", destination=spelling)
    assert scene.asked.checked == [HANDSET]
