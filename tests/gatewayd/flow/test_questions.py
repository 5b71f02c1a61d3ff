"""What an application asks: answered wherever the message is at home, and of its own messages alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.flow.guarding import Guard
from gatewayd.flow.questions import Questions
from gatewayd.message import Accepted, Addresses, Channel, Receipt, Refused, State
from gatewayd.policy.answers import Cancelling, Fate, HomeAway, Known
from gatewayd.policy.homes import home_of
from gatewayd.policy.ratio_guard import Terms
from gatewayd.runtime.shared_ratio import SharedRatios
from gatewayd.store.kinds import CAPABILITY, RESULT
from gatewayd.store.records import Capability
from tests.gatewayd.flow.scene import HANDSET, START, Scene
from tests.gatewayd.flow.several import City, Worker, city_of

Stage_ = Callable[..., Scene]


def asking(scene: Scene) -> Questions:
    keyed = {
        name: msgspec.structs.replace(account, api_keys={"main": schema.ApiKey()})
        for name, account in scene.desk.accounts.items()
    }
    scene.desk.learn_accounts(keyed)
    scene.desk.results_s = 3_600.0
    return Questions(scene.desk, scene.dispatcher)


async def test_a_message_is_told_on_its_way_and_after_its_end(stage: Stage_) -> None:
    scene = stage("carrier")
    questions = asking(scene)
    (one,) = await scene.submit("hello", tlvs=((0x0204, b"\0\7"),))
    fate = await questions.query("shop", one)
    assert fate == Fate(
        one, "36179", HANDSET, State.ENROUTE, START, stage="sending", link="carrier", reference=7, segments=0
    )
    scene.carrier.accept("c1")
    await scene.settle()
    fate = await questions.query("shop", one)
    assert fate is not None
    assert (fate.stage, fate.channel, fate.segments, fate.sent_at) == ("sent", Channel.SMS, 1, START)
    scene.now += 5
    scene.carrier.receipt("c1", State.UNDELIV, error="042")
    await scene.settle()
    fate = await questions.query("shop", one)
    assert fate is not None
    assert (fate.state, fate.error, fate.stage, fate.done_at) == (State.UNDELIV, "042", "", START + 5)
    assert (fate.reference, fate.channel) == (7, Channel.SMS)


async def test_how_it_ended_is_kept_for_its_time_and_over_a_restart(stage: Stage_) -> None:
    scene = stage("carrier")
    asking(scene)
    (one,) = await scene.submit("hello", registered_delivery=0)
    scene.carrier.answer(Refused("no"))
    await scene.settle()
    await scene.crash()
    questions = asking(scene)
    assert await questions.query("shop", one) is not None
    await scene.wait(3_601.0)
    assert await questions.query("shop", one) is None
    await scene.journal.fold()
    scene.dispatcher._purged_at = -math.inf
    await scene.wait(0.0)
    await scene.journal.fold()
    assert scene.journal.rows_after(RESULT, -1, 10) == []


async def test_nobody_is_told_of_anothers(stage: Stage_) -> None:
    scene = stage("carrier")
    questions = asking(scene)
    (one,) = await scene.submit("hello")
    assert await questions.query("bank", one) is None
    assert await questions.cancel("bank", one) is None
    assert await questions.query("shop", one + 1) is None
    scene.carrier.answer(Refused("no"))
    await scene.settle()
    assert await questions.query("bank", one) is None


async def test_nothing_is_kept_for_those_who_cannot_ask(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.desk.results_s = 3_600.0
    questions = Questions(scene.desk, scene.dispatcher)
    (one,) = await scene.submit("hello")
    scene.carrier.answer(Refused("no"))
    await scene.settle()
    assert await questions.query("shop", one) is None


async def test_what_waits_is_taken_back_and_what_left_is_not(stage: Stage_) -> None:
    scene = stage("carrier")
    questions = asking(scene)
    scene.carrier.window = 0
    (one,) = await scene.submit("waits")
    assert await questions.cancel("shop", one) == Cancelling("cancelled")
    assert await questions.cancel("shop", one) == Cancelling("too_late")
    scene.carrier.window = 100
    (two,) = await scene.submit("goes")
    scene.carrier.accept("c2")
    await scene.settle()
    assert await questions.cancel("shop", two) == Cancelling("too_late")


async def test_what_an_rcs_platform_has_is_revoked(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    questions = asking(scene)
    (one,) = await scene.submit("hello")
    scene.bot.say_capable(True)
    await scene.settle()
    scene.bot.accept("r1")
    await scene.settle()
    assert await questions.cancel("shop", one) == Cancelling("under_way")
    assert await questions.cancel("shop", one) == Cancelling("under_way")
    await scene.settle()
    scene.bot.say_revoked("r1", True)
    await scene.settle()
    fate = await questions.query("shop", one)
    assert fate is not None
    assert fate.state is State.DELETED
    assert scene.carrier.in_flight == []


async def test_conversations(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    questions = asking(scene)
    (one,) = await scene.submit("hello")
    scene.bot.say_capable(True)
    await scene.settle()
    scene.bot.accept("r1")
    await scene.settle()
    (talk,) = await questions.talks("shop", f"+{HANDSET}")
    assert (talk.sender, talk.message_id, talk.opened_at) == ("36179", one, START)
    assert talk.bot != ""
    assert await questions.talks("shop", HANDSET, "36179") == [talk]
    assert await questions.talks("shop", HANDSET, "OTHER") == []
    assert await questions.talks("bank", HANDSET) == []
    scene.now += 25 * 3_600.0
    assert await questions.talks("shop", HANDSET) == []


async def test_reach(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    questions = asking(scene)
    assert await questions.reach("shop", HANDSET) == [Known("asked", None, "not_asked")]
    scene.journal.put(CAPABILITY, f"asked|{HANDSET}", Capability(True, "told", START, START + 60))
    assert await questions.reach("shop", f"+{HANDSET}") == [Known("asked", True, "told", START, START + 60)]
    scene.now += 61
    assert await questions.reach("shop", HANDSET) == [Known("asked", None, "not_asked")]


async def test_what_a_guard_learned_is_told_where_all_are_assumed_capable(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    questions = asking(scene)
    scene.journal.put(CAPABILITY, f"bot|{HANDSET}", Capability(False, "404", START, START + 60))
    assert await questions.reach("shop", HANDSET) == [Known("bot", True, "assumed")]
    ratios = SharedRatios.open(scene.folder / "ratios", 1)
    scene.desk.guards.set("bot", Guard(ratios.slot("orange", 0, 86_400.0), Terms(), 0.0, ()))
    assert await questions.reach("shop", HANDSET) == [Known("bot", False, "404", START, START + 60)]
    scene.now += 61
    assert await questions.reach("shop", HANDSET) == [Known("bot", True, "assumed")]
    ratios.close()


def ask_all(city: City) -> dict[int, Questions]:
    def of(worker: Worker) -> Questions:
        worker.crossing.questions = questions = Questions(worker.desk, worker.dispatcher, worker.crossing)
        return questions

    return {worker.slot: of(worker) for worker in city}


@pytest.mark.parametrize(("asked_at", "home"), [(0, 0), (0, 2), (1, 0)])
async def test_any_worker_may_be_asked(tmp_path: Path, asked_at: int, home: int) -> None:
    async with city_of(tmp_path, 3) as city:
        questions = ask_all(city)
        handset = city.handset(home)
        submitted = city[1].submit(destination=handset)
        await city.settle()
        city[home].carrier.answer(Accepted("c1"))
        await city.settle()
        fate = await questions[asked_at].query("shop", submitted.id)
        assert fate is not None
        assert (fate.destination, fate.stage) == (handset, "sent")
        assert await questions[asked_at].query("shop", 1) is None
        assert await questions[asked_at].cancel("shop", submitted.id) == Cancelling("too_late")
        (talk,) = await questions[asked_at].talks("shop", handset)
        assert talk.message_id == submitted.id
        assert await questions[asked_at].reach("shop", handset) == []
        city[home].carrier.report(Receipt("c1", State.DELIVRD, handset=handset))
        await city.settle()


@pytest.mark.parametrize("asked_at", [0, 1])
async def test_a_number_with_spaces_is_taken_back_where_it_is_at_home(tmp_path: Path, asked_at: int) -> None:
    async with city_of(tmp_path, 3) as city:
        questions = ask_all(city)
        others = (city.handset(1, number) for number in range(100))
        handset, spelled = next((one, way) for one in others if home_of(way := f"0{one[2:9]} {one[9:]}", 3) != 1)
        written = Addresses(1, 1, "36179", 0, 0, spelled)
        submitted = city[0].submit(destination=handset, written=written, deliver_at=city.now + 3_600)
        await city.settle()
        between = {"account": "shop", "source": "36179", "destination": spelled, "ton": 0, "npi": 0, "service_type": ""}
        assert await questions[asked_at].cancel_between(between) == ["cancelled"]
        assert submitted.status == 0


async def test_what_a_worker_that_is_away_may_know_is_not_denied(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        questions = ask_all(city)
        submitted = city[0].submit(destination=city.handset(2))
        await city.settle()
        await city.die(2)
        with pytest.raises(HomeAway):
            await questions[0].query("shop", submitted.id)
        with pytest.raises(HomeAway):
            await questions[0].talks("shop", city.handset(2))
        assert await questions[0].talks("shop", city.handset(1)) == []
