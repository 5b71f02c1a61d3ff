"""The counts of what waits outside of all queues: true whatever happens to the messages, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from gatewayd.flow.aside import Aside
from gatewayd.flow.questions import Questions
from gatewayd.policy.journey import Stage
from gatewayd.store.spool import Journey
from tests.gatewayd.flow.scene import START, Scene

HOUR_S = 3_600.0


def test_only_what_waits_outside_of_queues_counts() -> None:
    aside = Aside()
    aside.learn({"held": 2, "queued": 9})
    aside.moved(None, Stage.SCHEDULED)
    aside.moved(Stage.HELD, Stage.QUEUED)
    aside.moved(Stage.QUEUED, Stage.HELD)
    aside.moved(Stage.HELD, None)
    assert aside.read() == {"scheduled": 1, "held": 1}


async def test_whatever_becomes_of_messages_they_are_counted(stage: Callable[..., Scene]) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    later = await scene.submit(*"abcdefgh", deliver_at=START + HOUR_S, expires_at=START + 3 * HOUR_S)
    queued = await scene.submit(*"ijklmn")

    def journey(number: int) -> Journey:
        found = scene.desk.journey(number)
        assert found is not None
        return found

    def check() -> None:
        stages = Counter(str(scene.stage(number)) for number in (*later, *queued))
        assert scene.desk.aside.read() == {stage: stages[stage] for stage in ("scheduled", "held")}

    questions = Questions(scene.desk, scene.dispatcher)
    check()
    for number in (*later[:5], *queued[:4]):
        assert scene.dispatcher.hold(journey(number))
    check()
    for number in (later[0], queued[0]):
        assert scene.dispatcher.release(journey(number))
    check()
    for number in (later[1], later[6], queued[1], queued[5]):
        await questions.cancel("shop", number)
    scene.dispatcher.replan(journey(queued[2]))
    await scene.settle()
    check()
    await scene.crash()
    scene.carrier.is_up = False
    check()
    await scene.wait(HOUR_S + 1)  # their moment comes
    check()
    await scene.wait(3 * HOUR_S)  # and their end, held or not
    check()
    assert scene.desk.aside.read() == {"scheduled": 0, "held": 1}  # one that has no end of its own


async def test_one_that_its_sender_schedules_anew_is_counted_until_it_goes(stage: Callable[..., Scene]) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    queued, later = await scene.submit("a"), await scene.submit("b", deliver_at=START + HOUR_S)
    for number in (*queued, *later):
        asked = {"account": "shop", "name": f"{number:x}", "ids": [number], "encoding": "gsm", "payload": b"c".hex()}
        when = {"deliver_at": START + 2 * HOUR_S, "expires_at": 0.0, "registered_delivery": 1, "without_tags": []}
        assert await Questions(scene.desk, scene.dispatcher).change("replace", asked | when) == ["replaced"]
    assert scene.desk.aside.read() == {"scheduled": 2, "held": 0}
    await scene.wait(2 * HOUR_S + 1)
    more = await scene.submit("d", deliver_at=START + 9 * HOUR_S)
    assert {scene.stage(number) for number in more} == {Stage.SCHEDULED}
    assert scene.desk.aside.read() == {"scheduled": 1, "held": 0}
