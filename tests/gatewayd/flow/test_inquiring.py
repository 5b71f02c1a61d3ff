"""What a number can be asked about when nobody sends: once, within the quotas, and only where it is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gatewayd.flow.inquiring import UNDER_WAY_MAX
from gatewayd.message import Deferred
from gatewayd.policy.answers import NOT_YET
from gatewayd.policy.pacing import Rate
from gatewayd.runtime.tasks import spawn
from gatewayd.store.kinds import CAPABILITY, WANTED
from gatewayd.store.records import Capability
from tests.gatewayd.flow.scene import HANDSET, LINKS, START, Scene

Stage_ = Callable[..., Scene]
SLOW = Rate(0.01, burst=1)


def ask(scene: Scene, wait_s: float = 20.0) -> asyncio.Task[dict[str, str]]:
    return spawn(scene.dispatcher.inquiries.ask(("asked", "bot"), HANDSET, wait_s), name="somebody asks")


async def test_one_question_for_all_who_want_to_know(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    askers = [ask(scene) for _ in range(3)]
    await scene.settle()
    (message,) = await scene.submit("one that waits for the same")
    assert scene.asked.checked == [HANDSET]
    scene.asked.say_capable(True)
    assert await asyncio.gather(*askers) == [{}] * 3
    await scene.settle()
    assert scene.asked.sent == [(message, 0)]
    known = scene.dispatcher.known("asked", HANDSET)
    assert known is not None
    assert known.capable
    assert await ask(scene) == {}
    assert scene.asked.checked == [HANDSET]


async def test_who_wants_to_know_joins_the_question_of_a_message(stage: Stage_) -> None:
    scene = stage("asked", "carrier", rates={"asked": SLOW})
    await scene.submit("asks first, and uses up the quota")
    asker = ask(scene)
    await scene.settle()
    scene.asked.say_capable(False)
    assert await asker == {}
    assert scene.asked.checked == [HANDSET]


async def test_a_platform_that_is_slow_is_not_waited_for_and_its_answer_is_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    assert await ask(scene, 0.0) == {"asked": "asked"}
    assert await ask(scene, 0.0) == {"asked": "asked"}
    assert scene.asked.checked == [HANDSET]
    scene.asked.say_capable(True)
    assert await ask(scene, 0.0) == {}


async def test_what_is_no_answer_is_told_and_may_be_asked_again(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    for reason, word in (("timeout", "timeout"), ("", "no_answer")):
        asker = ask(scene)
        await scene.settle()
        scene.asked.say_capable(None, reason=reason)
        assert await asker == {"asked": word}
        assert word not in NOT_YET
    assert scene.asked.checked == [HANDSET] * 2


async def test_it_costs_the_quota_as_every_question_does(stage: Stage_) -> None:
    scene = stage("asked", "carrier", rates={"asked": SLOW})
    asker = ask(scene)
    await scene.settle()
    scene.asked.say_capable(None)
    await asker
    assert await ask(scene) == {"asked": "quota"}
    assert scene.asked.checked == [HANDSET]
    scene.now += 1 / SLOW.rate_per_s
    assert await ask(scene, 0.0) == {"asked": "asked"}


async def test_a_pause_that_the_answer_brings_is_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    asker = ask(scene)
    await scene.settle()
    scene.asked.say_capable(None, reason="429", throttled=Deferred("429", 60.0, pauses=True))
    assert await asker == {"asked": "429"}
    assert await ask(scene) == {"asked": "quota"}


async def test_nothing_leaves_over_a_link_that_is_paused_or_full(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    scene.dispatcher.pause("asked", paused=True)
    assert await ask(scene) == {"asked": "paused"}
    scene.dispatcher.pause("asked", paused=False)
    scene.asked.window = 0
    assert await ask(scene, 0.0) == {"asked": "quota"}
    assert scene.asked.checked == []


async def test_a_platform_that_is_asked_in_bulk_is_asked_in_its_hours(stage: Stage_) -> None:
    bulk = msgspec.structs.replace(LINKS["asked"], capability="bulk")
    scene = stage("asked", "carrier", links={**LINKS, "asked": bulk})
    assert await ask(scene) == {"asked": "asked_in_bulk"}
    assert scene.asked.checked == []
    wanted = scene.journal.get(WANTED, f"asked|{HANDSET}")
    assert wanted is not None
    assert wanted.due == START


@pytest.mark.parametrize("fact", ["known", "assumed", "elsewhere", "gone"])
async def test_nobody_is_asked_where_it_would_be_no_news(stage: Stage_, fact: str) -> None:
    links = dict(LINKS)
    if fact == "assumed":
        links["asked"] = msgspec.structs.replace(LINKS["asked"], capability="assume")
    if fact == "elsewhere":
        links["asked"] = msgspec.structs.replace(LINKS["asked"], operators={"orange": "launched"})
    scene = stage("asked", "carrier", links=links)
    if fact == "known":
        scene.journal.put(CAPABILITY, f"asked|{HANDSET}", Capability(False, "404", START, START + 60))
    if fact == "gone":
        del scene.desk.links["asked"]
    assert await ask(scene) == {}
    assert scene.asked.checked == []


async def test_there_is_an_end_to_how_many_ask(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    askers = [ask(scene) for _ in range(UNDER_WAY_MAX)]
    await scene.settle()
    assert await ask(scene) == {"asked": "too_many_questions"}
    scene.asked.say_capable(True)
    await asyncio.gather(*askers)
    assert await ask(scene) == {}
