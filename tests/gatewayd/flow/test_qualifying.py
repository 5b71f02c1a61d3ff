"""Questions in bulk: the night, the order and its result, what the platform refuses, and what a restart finds."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.link import Batch
from gatewayd.config import schema
from gatewayd.flow.parcels import Due, Learned, Seek
from gatewayd.flow.qualifying import (
    CLOSED_RETRY_S,
    FETCH_FIRST_S,
    LOOK_S,
    ORDER_MAX_S,
    PART,
    PAUSE_S,
    REFUSED_RETRY_S,
    RETRY_FIRST_S,
    SEEK_TIMEOUT_S,
    Bureau,
)
from gatewayd.flow.reach import RESERVE_S
from gatewayd.policy.homes import home_of
from gatewayd.policy.pacing import Rate
from gatewayd.store.kinds import ORDER
from gatewayd.store.qualify_lists import QualifyLists, deliver
from tests.gatewayd.flow.scene import LINKS, Scene

Stage_ = Callable[..., Scene]
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
HANDSETS = [f"3361234567{last}" for last in range(5)]


def at(day: int, hour: int, minute: int = 0) -> float:
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=PARIS).timestamp()


class Asker:
    """A platform: answers what the test says, in order, and keeps what it was asked."""

    def __init__(self, *answers: Batch, size_min: int = 1, size_max: int = 10_000) -> None:
        self.answers = list(answers)
        self.size_min = size_min
        self.size_max = size_max
        self.asked: list[list[str]] = []
        self.fetched: list[str] = []

    async def ask_many(self, handsets: Sequence[str]) -> Batch:
        self.asked.append(list(handsets))
        return self.answers.pop(0)

    async def fetch_many(self, request_id: str) -> Batch:
        self.fetched.append(request_id)
        return self.answers.pop(0)


class Night:
    """A scene whose bot is asked about in bulk."""

    def __init__(self, scene: Scene, asker: Asker) -> None:
        self.scene = scene
        self.asker = asker
        self.bureau.offer("asked", asker)

    @property
    def bureau(self) -> Bureau:
        return self.scene.dispatcher.bureau

    async def go(self, seconds: float = 0.0, ticks: int = 12) -> None:
        """Let time go by, then let the clock look often enough for a whole question."""
        await self.scene.wait(seconds)
        for _ in range(ticks):
            self.bureau.tick()
            await self.scene.settle()

    def known(self, handset: str) -> bool | None:
        """What is known, but for guesses."""
        known = self.scene.dispatcher._reach.of("asked", handset)
        assert known is not None
        return known.capable if known.reason == "bulk" else None


ORDERED, ANSWERED = Batch("ordered", request_id="r-1"), Batch("answered", reachable=frozenset(HANDSETS[:2]))


async def night(
    stage: Stage_, *answers: Batch, now: float | None = None, rate: Rate | None = None, **facts: Any
) -> Night:
    sizes = {key: facts.pop(key) for key in ("size_min", "size_max") if key in facts}
    link = msgspec.structs.replace(LINKS["asked"], capability="bulk", capability_new_h=0.0, **facts)
    scene = stage("asked", "carrier", links={**LINKS, "asked": link}, rates={"asked": rate} if rate else None)
    scene.now = at(26, 23) if now is None else now
    it = Night(scene, Asker(*answers, **sizes))
    for handset in HANDSETS:
        await scene.submit("a", destination=handset)
    return it


async def test_an_order_its_result_and_who_is_reached(stage: Stage_) -> None:
    it = await night(stage, ORDERED, Batch("running"), ANSWERED)
    await it.go(1.0)
    assert it.asker.asked == [HANDSETS]
    assert it.asker.fetched == []
    await it.go(FETCH_FIRST_S)
    assert it.asker.fetched == ["r-1"]
    await it.go(10 * FETCH_FIRST_S)
    assert it.asker.fetched == ["r-1"] * 2
    assert [it.known(handset) for handset in HANDSETS] == [True, True, False, False, False]
    assert it.scene.journal.get(ORDER, "asked") is None
    (message,) = await it.scene.submit("b", destination=HANDSETS[0])
    assert it.scene.asked.sent == [(message, 0)]
    await it.go(LOOK_S + 1.0)
    assert len(it.asker.asked) == 1, "whoever is known is not asked about again"


async def test_by_day_nobody_is_asked(stage: Stage_) -> None:
    it = await night(stage, ANSWERED, now=at(26, 15))
    await it.go(60.0)
    await it.go(at(26, 21, 59) - it.scene.now)
    assert it.asker.asked == []
    await it.go(61.0)
    assert it.asker.asked == [HANDSETS]


async def test_a_platform_without_hours_is_asked_at_once(stage: Stage_) -> None:
    it = await night(stage, ANSWERED, now=at(26, 15), bulk_hours="")
    await it.go(1.0)
    assert it.asker.asked == [HANDSETS]
    assert it.known(HANDSETS[0]) is True


async def test_closed_is_waited_for(stage: Stage_) -> None:
    """The platform's clock decides: the question is put again now and then, and in the next night."""
    it = await night(stage, Batch("closed"), Batch("closed"), ANSWERED, now=at(27, 6, 50))
    await it.go(1.0)
    assert len(it.asker.asked) == 1
    await it.go(CLOSED_RETRY_S)  # 07:05
    assert len(it.asker.asked) == 1
    await it.go(at(27, 22, 1) - it.scene.now)
    assert len(it.asker.asked) == 2
    await it.go(CLOSED_RETRY_S)
    assert it.asker.asked == [HANDSETS] * 3
    assert it.known(HANDSETS[0]) is True


async def test_a_result_that_is_not_ready_by_the_morning_is_fetched_in_the_next_night(stage: Stage_) -> None:
    it = await night(stage, ORDERED, Batch("closed"), ANSWERED, now=at(27, 6, 59))
    await it.go(1.0)
    await it.go(FETCH_FIRST_S)
    await it.go(at(27, 12) - it.scene.now)
    assert it.asker.fetched == ["r-1"]
    await it.go(at(27, 22, 1) - it.scene.now)
    assert it.asker.fetched == ["r-1"] * 2
    assert len(it.asker.asked) == 1
    assert it.known(HANDSETS[0]) is True


async def test_an_order_outlives_a_restart(stage: Stage_) -> None:
    it = await night(stage, ORDERED)
    await it.go(1.0)
    await it.scene.crash()
    it = Night(it.scene, Asker(ANSWERED))
    await it.go(FETCH_FIRST_S)
    assert (it.asker.asked, it.asker.fetched) == ([], ["r-1"])
    assert it.known(HANDSETS[0]) is True
    assert it.known(HANDSETS[4]) is False


async def test_an_order_that_the_platform_lost_is_given_again(stage: Stage_) -> None:
    it = await night(stage, ORDERED, Batch("lost"), ANSWERED)
    await it.go(1.0)
    await it.go(FETCH_FIRST_S)
    assert it.asker.asked == [HANDSETS] * 2
    assert it.known(HANDSETS[0]) is True


async def test_an_order_that_runs_for_ever_is_given_again(stage: Stage_) -> None:
    it = await night(stage, ORDERED, Batch("running"), ANSWERED, bulk_hours="")
    await it.go(1.0)
    await it.go(ORDER_MAX_S + 1.0)
    assert it.asker.asked == [HANDSETS] * 2


async def test_throttling_pauses_all_of_the_link(stage: Stage_) -> None:
    it = await night(stage, Batch("later", error="http_429", pauses=True), ANSWERED)
    await it.go(1.0)
    slot = it.scene.limits_file.slot("asked")
    assert slot.paused_until - (it.scene.now - 1_790_000_000.0 + 1_000.0) == pytest.approx(PAUSE_S)
    await it.go(PAUSE_S - 5.0)
    assert len(it.asker.asked) == 1
    await it.go(10.0)
    assert it.asker.asked == [HANDSETS] * 2


async def test_trouble_is_waited_out_longer_each_time(stage: Stage_) -> None:
    it = await night(stage, *[Batch("later", error="timeout")] * 3, ANSWERED)
    for wait_s in (1.0, RETRY_FIRST_S, 2 * RETRY_FIRST_S):
        before = len(it.asker.asked)
        await it.go(wait_s)
        assert len(it.asker.asked) == before + 1
    assert it.scene.counted("bulk_questions", "asked", "later") == 3


async def test_a_question_takes_a_turn_of_the_quota(stage: Stage_) -> None:
    it = await night(stage, ANSWERED, rate=Rate(0.01))
    assert it.scene.limits_of("asked").take(1)[0] == 1
    await it.go(1.0)
    assert it.asker.asked == []
    await it.go(100.0)
    assert it.asker.asked == [HANDSETS]


async def test_a_refusal_is_for_a_long_while(stage: Stage_) -> None:
    it = await night(stage, Batch("refused", error="http_403"), ANSWERED, bulk_hours="")
    await it.go(1.0)
    await it.go(REFUSED_RETRY_S - 60.0)
    assert len(it.asker.asked) == 1
    await it.go(RESERVE_S)
    assert len(it.asker.asked) == 2


async def test_too_few_waits_for_more(stage: Stage_) -> None:
    it = await night(stage, Batch("too_few"), ANSWERED, size_min=6, bulk_hours="")
    await it.go(1.0)
    assert it.asker.asked == [HANDSETS]
    await it.go(RESERVE_S + 120.0)
    assert len(it.asker.asked) == 1
    await it.scene.submit("a", destination="33612345679")
    await it.go(RESERVE_S + 120.0)
    assert sorted(it.asker.asked[1]) == [*HANDSETS, "33612345679"]


async def test_no_more_than_the_platform_takes_at_once(stage: Stage_) -> None:
    it = await night(stage, ANSWERED, ANSWERED, ANSWERED, size_max=2)
    await it.go(1.0, ticks=30)
    assert [len(asked) for asked in it.asker.asked] == [2, 2, 1]
    assert sorted(handset for asked in it.asker.asked for handset in asked) == HANDSETS


async def test_large_batches_go_in_parts(stage: Stage_) -> None:
    it = await night(stage, ANSWERED)
    many = [f"337{number:08}" for number in range(3 * PART)]
    it.scene.dispatcher._reach.want("asked", many)
    said: list[Any] = []

    def hear(peer: int, word: Any) -> None:
        said.append(word)
        it.bureau.hear(peer, word)

    it.bureau.send = hear
    await it.go(1.0, ticks=30)
    assert sorted(it.asker.asked[0]) == sorted([*HANDSETS, *many])
    assert max(len(word.handsets) for word in said if isinstance(word, Due)) == PART
    learned = [len(word.reachable) + len(word.others) for word in said if isinstance(word, Learned)]
    assert (max(learned), sum(learned)) == (PART, len(many) + len(HANDSETS))


# -- several workers ------------------------------------------------------------------------------------------------


async def test_without_the_seat_nobody_is_asked(stage: Stage_) -> None:
    it = await night(stage, ANSWERED)
    seats: list[str] = []
    it.bureau.has_seat = lambda link: bool(seats)
    await it.go(1.0)
    assert it.asker.asked == []
    seats.append("asked")
    await it.go(5.0)
    assert it.asker.asked == [HANDSETS]


async def test_homes_give_theirs_and_learn_theirs(stage: Stage_) -> None:
    """This worker is 0 of 3 and holds the seat; 1 answers, 2 is away."""
    it = await night(stage, ANSWERED)
    said: list[tuple[int, Any]] = []
    theirs = [handset for handset in (f"336987654{n:02}" for n in range(40)) if home_of(handset, 3) == 1][:2]

    def send(peer: int, word: Any) -> None:
        if peer == 0:
            it.bureau.hear(0, word)
            return
        said.append((peer, word))
        if isinstance(word, Seek) and peer == 1:
            it.bureau.hear(1, Due("asked", theirs))

    it.bureau.send = send
    it.bureau.everybody = lambda: (0, 1, 2)
    it.bureau.home_of = lambda handset: 1 if handset in theirs else 0
    await it.go(1.0)
    assert it.asker.asked == [], "2 is waited for"
    it.bureau.hear(1, Due("asked", ["33600000000"]))  # too late, or from nobody
    await it.go(SEEK_TIMEOUT_S + 1.0)
    assert it.asker.asked == [[*HANDSETS, *theirs]]
    assert [peer for peer, word in said if isinstance(word, Seek)][:2] == [1, 2]
    assert [(peer, word) for peer, word in said if isinstance(word, Learned)] == [(1, Learned("asked", [], theirs))]
    assert it.known(HANDSETS[0]) is True


async def test_a_home_answers_for_a_job_elsewhere(stage: Stage_) -> None:
    it = await night(stage)
    it.bureau.withdraw("asked")
    said: list[tuple[int, Any]] = []
    it.bureau.send = lambda peer, word: said.append((peer, word))
    await it.scene.wait(1.0)
    it.bureau.hear(2, Seek("asked", 3))
    it.bureau.hear(2, Learned("asked", HANDSETS[:1], HANDSETS[1:2]))
    assert said == [(2, Due("asked", HANDSETS[:3]))]
    assert [it.known(handset) for handset in HANDSETS[:3]] == [True, False, None]


# -- lists ----------------------------------------------------------------------------------------------------------


async def test_a_list_is_asked_about_in_the_next_night(stage: Stage_) -> None:
    it = await night(stage, ANSWERED)
    deliver(it.scene.folder, "asked", [f"0699{number:06}" for number in range(3)])
    it.bureau.lists = QualifyLists(it.scene.folder)
    it.bureau.tick()
    await it.scene.settle()
    await it.go(LOOK_S + 1.0)
    assert it.asker.asked == [[*HANDSETS, *(f"33699{number:06}" for number in range(3))]]
    assert list((it.scene.folder / "qualify").iterdir()) == []


async def test_a_link_that_is_no_longer_asked_in_bulk_rests(stage: Stage_) -> None:
    it = await night(stage)
    it.scene.desk.settings["asked"] = schema.Link(kind="gsma", bot_id="asked-bot")
    await it.go(1.0)
    it.bureau.stop()
    await it.go(1.0)
    assert it.asker.asked == []
