"""A worker's lives: how they begin, how they end, and how soon the next one begins."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gatewayd.runtime.keeper import Keeper, Restarts, worker_environment
from gatewayd.runtime.tasks import cancel_all, spawn
from tests.support.diary import Diary


@pytest_asyncio.fixture
async def diary(tmp_path: Path) -> AsyncIterator[Diary]:
    diary = Diary(tmp_path)
    yield diary
    await cancel_all()
    diary.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def keeper_of(diary: Diary, manner: str, delays_s: tuple[float, ...] = (0.0, 3_600.0), slot: int = 2) -> Keeper:
    keeper = Keeper(
        slot,
        diary.command(manner),
        [],
        lambda: {"slot": slot, "sockets": {}},
        on_change=diary.watch.ring,
        restarts=Restarts(delays_s),
        clock=Clock(),
    )
    spawn(keeper.keep(), name="keeper")
    return keeper


async def ended(keeper: Keeper, diary: Diary) -> None:
    await diary.watch.until(lambda: keeper.pid is None)


def test_who_dies_again_and_again_waits_longer_and_longer() -> None:
    restarts = Restarts()
    assert [restarts.delay_s(0.1) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert restarts.delay_s(10.0) == 0, "who lived long starts at once"
    assert restarts.delay_s(9.9) == 1, "and may not die again soon"


async def test_orders_ready_beat_and_parting(diary: Diary) -> None:
    keeper = keeper_of(diary, "good")
    await diary.watch.until(lambda: keeper.is_ready)
    (orders,) = await diary.noted("orders")
    assert orders["value"] == {"slot": 2, "sockets": {}}
    assert orders["pid"] == keeper.pid != os.getpid()
    assert os.getpgid(orders["pid"]) == orders["pid"], "a group of its own: Ctrl-C is not for it"
    keeper.end({"drain": 3})
    await ended(keeper, diary)
    assert [note["value"] for note in diary.of("told")] == [{"drain": 3}]
    assert (keeper.deaths, keeper.is_ready, keeper.was_ready, keeper.messages) == (0, False, True, 10)


async def test_one_that_dies_is_started_at_once(diary: Diary) -> None:
    keeper = keeper_of(diary, "good")
    first = (await diary.noted("orders"))[0]["pid"]
    await diary.watch.until(lambda: keeper.is_ready)
    os.kill(first, signal.SIGKILL)
    second = (await diary.noted("orders", 2))[1]["pid"]
    assert first != second
    assert keeper.trouble == "worker 2 died (SIGKILL)"
    await diary.watch.until(lambda: keeper.is_ready)
    assert keeper.trouble == ""
    assert keeper.deaths == 1
    keeper.end({"drain": 0})
    await ended(keeper, diary)


async def test_one_that_always_dies_is_no_hot_loop(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    keeper = keeper_of(diary, "crash", (0.0, 0.01, 3_600.0))
    await diary.watch.until(lambda: keeper.deaths == 3)
    assert keeper.trouble == "worker 2 died (SIGKILL)"
    assert "= worker 2 died (SIGKILL); starting again in 3600 s" in caplog.text
    keeper.end({"drain": 0})
    assert len(diary.of("orders")) == 3


async def test_the_messages_of_all_lives_are_counted(diary: Diary) -> None:
    keeper = keeper_of(diary, "crash")
    await diary.watch.until(lambda: keeper.deaths == 2)
    assert keeper.messages == 20
    keeper.end({})


async def test_it_says_why_it_could_not_start(diary: Diary) -> None:
    keeper = keeper_of(diary, "fatal")
    await diary.watch.until(lambda: keeper.deaths == 2)
    assert keeper.fatal == "the spool is on fire"
    assert keeper.trouble == "worker 2 died (exit code 1: the spool is on fire)"
    keeper.end({})


async def test_one_that_says_nothing_at_all(diary: Diary) -> None:
    keeper = keeper_of(diary, "mute")
    await diary.watch.until(lambda: keeper.deaths == 2)
    assert keeper.trouble == "worker 2 died (exit code 3)"
    keeper.end({})


async def test_a_command_that_is_not_there(diary: Diary) -> None:
    keeper = Keeper(0, ["/nowhere/python"], [], dict, on_change=diary.watch.ring, restarts=Restarts((0.0, 3_600.0)))
    spawn(keeper.keep(), name="keeper")
    await diary.watch.until(lambda: keeper.deaths == 2)
    assert keeper.trouble.startswith("worker 0 died (cannot be started: ")
    keeper.end({})


async def test_silence_is_counted_and_can_be_ended(diary: Diary) -> None:
    keeper = keeper_of(diary, "silent")
    assert keeper.silent_s() == 0.0, "who has not begun to beat is starting"
    await diary.watch.until(lambda: keeper.is_ready)
    clock = keeper._clock
    assert isinstance(clock, Clock)
    clock.now += 7.0
    assert keeper.silent_s() == 7.0
    keeper.forgive()
    assert keeper.silent_s() == 0.0
    keeper.kill("silent for 7 s")
    await diary.watch.until(lambda: keeper.deaths)
    assert keeper.trouble == "worker 2 died (SIGKILL: silent for 7 s)"
    keeper.end({})


async def test_a_reload_is_answered(diary: Diary) -> None:
    keeper = keeper_of(diary, "faulty")
    assert await keeper.reload({"reload": True}, 5) == [], "one that is not there yet will start with the new one"
    await diary.watch.until(lambda: keeper.is_ready)
    assert await keeper.reload({"reload": True}, 5) == ["the bind is stuck"]
    keeper.end({})


async def test_a_reload_is_not_answered(diary: Diary) -> None:
    keeper = keeper_of(diary, "slow")
    await diary.watch.until(lambda: keeper.is_ready)
    assert await keeper.reload({"reload": True}, 0.01) is None
    answer = spawn(keeper.reload({"reload": True}, 3_600), name="reload")
    await diary.noted("told", 2)
    keeper.kill("")
    async with asyncio.timeout(5):
        assert await answer is None
    keeper.end({})


async def test_a_parting_reaches_also_one_that_is_just_starting(diary: Diary) -> None:
    keeper = keeper_of(diary, "good")
    await diary.watch.until(lambda: keeper.pid)  # not a moment later
    keeper.end({"drain": 1})
    await ended(keeper, diary)
    assert len(diary.of("orders")) <= 1


async def test_what_nobody_understands_is_logged_without_its_values(
    diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = keeper_of(diary, "nonsense")
    await diary.watch.until(lambda: keeper.is_ready)
    assert "worker 2 says what nobody understands: weather\n" in caplog.text
    keeper.end({})


def test_a_fresh_interpreter_finds_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert worker_environment("/src", ["/lib"])["PYTHONPATH"] == "/src"
    assert "PYTHONPATH" not in worker_environment("/lib", ["/lib"])
    monkeypatch.setenv("PYTHONPATH", "/more")
    assert worker_environment("/src", ["/lib"])["PYTHONPATH"] == "/src:/more"


async def test_a_question_is_answered(diary: Diary) -> None:
    keeper = keeper_of(diary, "good")
    assert await keeper.ask("status", {}, 5.0) is None, "nobody is there yet"
    await diary.watch.until(lambda: keeper.is_ready)
    answers = await asyncio.gather(*(keeper.ask("queue", {"limit": number}, 5.0) for number in range(3)))
    assert [answer and answer["value"] for answer in answers] == [
        {"what": "queue", "args": {"limit": number}} for number in range(3)
    ]
    facts = keeper.facts()
    assert (facts["slot"], facts["pid"], facts["is_ready"], facts["restarts"]) == (2, keeper.pid, True, 0)
    keeper.end({"drain": 0})
    await ended(keeper, diary)


async def test_word_is_left_for_one_that_is_just_starting(diary: Diary) -> None:
    keeper = keeper_of(diary, "good")
    keeper.leave_word("pause", {"link": "a"})  # nobody is there: its orders will say how things stand
    await diary.watch.until(lambda: keeper.is_ready)
    keeper.leave_word("pause", {"link": "b"})  # one that is ready is asked instead
    keeper.is_ready = False
    keeper.leave_word("pause", {"link": "c"})
    await diary.noted("told", 1)
    assert [told["value"]["args"] for told in diary.of("told")] == [{"link": "c"}]
    keeper.end({"drain": 0})
    await ended(keeper, diary)


async def test_who_says_nothing_or_dies_gives_no_answer(diary: Diary) -> None:
    keeper = keeper_of(diary, "slow")
    await diary.watch.until(lambda: keeper.is_ready)
    assert await keeper.ask("status", {}, 0.01) is None
    asked = spawn(keeper.ask("status", {}, 20.0), name="asking")
    await diary.noted("told", 2)
    keeper.kill("the test wants it")
    assert await asked is None
    keeper.end({"drain": 0})
    await ended(keeper, diary)
