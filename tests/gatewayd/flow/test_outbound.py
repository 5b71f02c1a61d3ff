"""From the queue to the link and back: order, windows, limits, segments, deadlines and revokes."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.carriers.link import Revocation
from gatewayd.message import Accepted, Deferred, Outcome, Refused, State, Unknown
from gatewayd.policy.journey import REVOKE_WAIT_S, Stage
from gatewayd.policy.pacing import Rate, rate_of
from tests.gatewayd.flow.scene import Scene

Stage_ = Callable[..., Scene]

PAUSE = Deferred("ESME_RTHROTTLED", 1.0, pauses=True)
LATER = Deferred("ESME_RMSGQFUL", 2.0)


async def test_one_sms(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    assert scene.carrier.texts == [b"hello"]
    assert scene.outbox.fates == []
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.DELIVRD, at=scene.now + 3.0)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.outbox.deliveries[0].done_at == scene.now + 3.0
    assert scene.stage(message) is None
    assert scene.counted("messages", "shop", "carrier", "sms", "DELIVRD") == 1


# -- order and windows ------------------------------------------------------------------------------------------------


async def test_a_window_is_filled_and_not_more(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.window = 3
    messages = await scene.submit(*"abcdefgh")
    assert scene.carrier.sent == [(message, 0) for message in messages[:3]]
    scene.carrier.accept("1", "2")
    await scene.settle()
    assert scene.carrier.sent == [(message, 0) for message in messages[:5]]


async def test_nothing_goes_to_a_link_that_is_down(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    await scene.submit("hello")
    assert scene.carrier.sent == []
    scene.carrier.is_up = True
    scene.carrier.ready()
    await scene.settle()
    assert scene.carrier.texts == [b"hello"]


@pytest.mark.parametrize("seed", range(5))
async def test_a_throttled_window_keeps_its_order_over_any_number_of_reads(seed: int, stage: Stage_) -> None:
    scene, chance = stage("carrier"), random.Random(seed)
    scene.carrier.window = 8
    messages = await scene.submit(*(f"{number}" for number in range(20)))
    accepted: list[int] = []
    for _ in range(200):
        if not scene.carrier.in_flight:
            await scene.wait(1.0)
        if not scene.carrier.in_flight:
            break
        # Carriers answer in order; from the first that is throttled on, all that were in flight are.
        count = chance.randint(0, len(scene.carrier.in_flight))
        accepted += [message for message, _ in scene.carrier.in_flight[:count]]
        scene.carrier.answer(*(Accepted(f"{scene.carrier.in_flight[n][0]}") for n in range(count)))
        while scene.carrier.in_flight:
            size = chance.randint(1, len(scene.carrier.in_flight))
            scene.carrier.answer(*([PAUSE] * size))
            await scene.settle()
    assert accepted == messages


async def test_a_pause_holds_everything_back_for_as_long_as_it_says(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.window = 1
    first, second = await scene.submit("a", "b")
    scene.carrier.answer(PAUSE)
    await scene.settle()
    assert scene.carrier.sent == [(first, 0)]
    await scene.wait(0.9)
    assert scene.carrier.sent == [(first, 0)]
    await scene.wait(0.2)
    assert scene.carrier.sent == [(first, 0)] * 2
    scene.carrier.accept("1")
    await scene.settle()
    assert scene.carrier.sent[2:] == [(second, 0)]


async def test_an_otp_passes_what_was_handed_back(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.window = 4
    await scene.submit(*"abcdefgh")
    scene.carrier.answer(PAUSE, PAUSE, PAUSE, PAUSE)
    (otp,) = await scene.submit("123456", account="otp", traffic_class="otp")
    await scene.wait(2.0)
    assert scene.carrier.in_flight[0] == (otp, 0)


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "window_s", "most", "step_s", "at_least"),
    [
        (Rate(10.0, burst=1), 1.0, 11, 0.05, 49),
        (Rate(10.0, burst=5), 1.0, 15, 0.05, 54),
        (rate_of(per_minute=60, burst=6), 60.0, 60, 0.5, 110),
    ],
)
async def test_no_more_than_the_rate_goes_in_any_window(
    rate: Rate, window_s: float, most: int, step_s: float, at_least: int, stage: Stage_
) -> None:
    scene = stage("carrier", rates={"carrier": rate})
    scene.carrier.window = 1_000
    await scene.submit(*(f"{number}" for number in range(200)))
    sent_at: list[float] = []
    for _ in range(240 if window_s > 1 else 100):
        sent_at += [scene.now] * (len(scene.carrier.sent) - len(sent_at))
        scene.now += step_s
        await scene.tick()
    assert len(sent_at) >= at_least
    assert max(sum(start <= at < start + window_s for at in sent_at) for start in sent_at) <= most


async def test_what_was_reserved_and_not_used_is_given_back(stage: Stage_) -> None:
    """Messages that ended while they waited must not cost the quota of those that did not."""
    scene = stage("carrier", rates={"carrier": Rate(1.0, burst=3)})
    scene.carrier.is_up = False
    await scene.submit(*"abc", expires_at=scene.now + 5.0)
    await scene.wait(6.0)
    assert [state for _, state in scene.outbox.fates] == ["EXPIRED"] * 3
    messages = await scene.submit(*"defg")
    scene.carrier.is_up = True
    await scene.tick()
    assert scene.carrier.sent == [(message, 0) for message in messages[:3]]


async def test_segments_are_what_a_limit_counts(stage: Stage_) -> None:
    scene = stage("carrier", rates={"carrier": Rate(1.0, burst=2)})
    long, short = await scene.submit("x" * 45, "y")
    sent_by_second = [scene.carrier.sent[:]]
    for _ in range(6):
        before = len(scene.carrier.sent)
        await scene.wait(1.0)
        sent_by_second.append(scene.carrier.sent[before:])
    assert sent_by_second == [
        [(long, 0), (long, 1)], [(long, 2)], [(long, 3)], [(long, 4)], [(short, 0)], [], []
    ]  # fmt: skip
    scene.carrier.accept("0", "1", "2", "3", "4", "5")
    for number in range(6):
        scene.carrier.receipt(f"{number}")
    await scene.settle()
    assert scene.outbox.fates == [(long, "DELIVRD"), (short, "DELIVRD")]


# -- segments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_segments_may_be_settled_in_any_order(order: tuple[int, ...], stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("x" * 25)
    outcomes: dict[int, Outcome] = {0: PAUSE, 1: Unknown("timeout"), 2: Accepted("c")}
    for segment in order:
        scene.carrier.answer(outcomes[segment], first=scene.carrier.in_flight.index((message, segment)))
    await scene.wait(1.5)
    assert sorted(scene.carrier.sent) == [(message, n) for n in (0, 0, 1, 1, 2)]
    scene.carrier.accept(*("a" if segment == 0 else "b" for _, segment in scene.carrier.in_flight))
    for name in "cab":
        scene.carrier.receipt(name)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]


async def test_a_segment_in_flight_is_not_sent_with_one_that_was_postponed(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("x" * 25)
    scene.carrier.answer(LATER)
    await scene.wait(3.0)
    assert scene.carrier.in_flight == [(message, 1), (message, 2), (message, 0)]


async def test_a_message_queued_twice_goes_once(stage: Stage_) -> None:
    """One segment pauses the link, another postpones the message: both bring it back to the queue."""
    scene = stage("carrier")
    (message,) = await scene.submit("x" * 15)
    scene.carrier.answer(Deferred("ESME_RTHROTTLED", 10.0, pauses=True))
    scene.carrier.answer(LATER)
    await scene.wait(3.0)
    await scene.wait(10.0)
    assert scene.carrier.in_flight == [(message, 0), (message, 1)]


async def test_a_message_moves_on_when_all_its_segments_are_refused(stage: Stage_) -> None:
    scene = stage("carrier", "backup")
    (message,) = await scene.submit("x" * 15)
    scene.carrier.answer(Refused("ESME_RINVDSTADR"), Refused("ESME_RINVDSTADR"))
    await scene.settle()
    assert scene.backup.sent == [(message, 0), (message, 1)]
    assert scene.counted("fallbacks", "carrier", "ESME_RINVDSTADR") == 1


async def test_a_refusal_for_good_moves_nothing_on(stage: Stage_) -> None:
    scene = stage("carrier", "backup")
    await scene.submit("short")
    scene.carrier.answer(Refused("0x0000040B", is_final=True))
    await scene.settle()
    assert scene.backup.sent == []
    assert [(owed.state, owed.error) for owed in scene.outbox.deliveries] == [(State.UNDELIV, "0x0000040B")]


async def test_what_an_abandoned_link_says_of_its_segments_decides_nothing(stage: Stage_) -> None:
    scene = stage("carrier", "backup", links=None)
    (message,) = await scene.submit("x" * 15)
    scene.carrier.accept("old")
    for _ in range(11):
        scene.carrier.answer(Deferred("ESME_RMSGQFUL", 0.001))
        await scene.wait(20.0)
    assert scene.backup.sent == [(message, 0), (message, 1)]
    scene.carrier.receipt("old", State.UNDELIV)
    scene.backup.accept("a", "b")
    scene.backup.receipt("a")
    scene.backup.receipt("b")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.counted("receipt_events", "carrier", "duplicate") == 1


# -- validity ---------------------------------------------------------------------------------------------------------


async def test_validity_ends_in_the_queue(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    (message,) = await scene.submit("hello", expires_at=scene.now + 30.0)
    await scene.wait(29.0)
    assert scene.stage(message) is Stage.QUEUED
    await scene.wait(1.0)
    assert scene.outbox.fates == [(message, "EXPIRED")]
    scene.carrier.is_up = True
    await scene.tick()
    assert scene.carrier.sent == []


async def test_validity_does_not_end_what_is_in_flight(stage: Stage_, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when memory holds so many others that the stored state, which says queued, is read back."""
    monkeypatch.setattr("gatewayd.store.spool.HOT_MAX", 0)
    scene = stage("carrier")
    (message,) = await scene.submit("hello", expires_at=scene.now + 30.0)
    await scene.wait(31.0)
    assert scene.outbox.fates == []
    scene.carrier.accept("17")
    scene.carrier.receipt("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]


async def test_the_carrier_is_told_how_long_a_message_lives(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("hello", expires_at=scene.now + 9_000.0)
    assert scene.bot.expiries == [scene.now + 300.0]
    scene.bot.answer(Refused("http_404"))
    await scene.settle()
    assert scene.carrier.expiries == [scene.now + 9_000.0]


# -- RCS --------------------------------------------------------------------------------------------------------------


async def test_rcs_delivered(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    scene.bot.receipt("x")
    scene.bot.receipt("x", displayed=True)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.carrier.sent == []
    assert scene.counted("messages", "shop", "bot", "rcs", "DELIVRD") == 1
    assert scene.counted("receipt_events", "bot", "displayed") == 1


async def test_the_intent_is_durable_before_rcs_is_sent(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    message = scene.message()
    progress = scene.dispatcher.plan(message)
    assert progress is not None
    stages: list[Any] = []
    submit = scene.bot.submit

    def note(*args: Any) -> None:
        stages.append((scene.journal.pending, scene.progress(message.id).stage))
        submit(*args)

    scene.bot.submit = note  # type: ignore[assignment, method-assign]
    scene.journal.then(scene.dispatcher.accepted, scene.spool.accept(message, progress))
    await scene.settle()
    assert stages == [(0, Stage.SENDING)]


async def test_deadline_revoke_sms(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.wait(299.0)
    assert scene.bot.revoked == []
    await scene.wait(1.0)
    assert scene.bot.revoked == ["x"]
    assert scene.carrier.sent == []
    scene.bot.say_revoked("x", True)
    await scene.settle()
    assert scene.carrier.sent == [(message, 0)]
    scene.carrier.accept("17")
    scene.carrier.receipt("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.counted("fallbacks", "bot", "deadline") == 1
    assert scene.counted("messages", "shop", "carrier", "sms", "DELIVRD") == 1


async def test_a_late_delivered_is_counted_and_told_once(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.wait(300.0)
    scene.bot.say_revoked("x", None)
    await scene.settle()
    scene.bot.receipt("x")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.UNDELIV)
    scene.bot.receipt("x")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.counted("receipt_events", "bot", "late_delivered") == 2
    assert scene.counted("link_results", "carrier", "accepted", "") == 1
    assert scene.counted("receipt_events", "carrier", "late_result") == 1


async def test_revokes_wait_for_a_link_with_room(stage: Stage_) -> None:
    """A campaign's deadlines fall together: none is taken for unanswered only because the platform was busy."""
    scene = stage("bot", "carrier", on_unknown="prefer_silence")
    messages = await scene.submit(*"abc")
    scene.bot.accept("x", "y", "z")
    scene.bot.is_up = False
    await scene.wait(300.0)
    assert scene.bot.revoked == []
    scene.bot.is_up, scene.bot.window = True, 1
    await scene.submit("d")
    assert scene.bot.revoked == ["x", "y", "z"]
    assert {scene.stage(message) for message in messages} == {Stage.REVOKING}
    for name in "xyz":
        scene.bot.say_revoked(name, True)
    await scene.settle()
    assert [message for message, _ in scene.carrier.sent] == messages


async def test_a_revoke_that_was_overtaken_is_not_asked_for(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    scene.bot.is_up = False
    await scene.wait(300.0)
    scene.bot.receipt("x")
    scene.bot.is_up = True
    await scene.tick()
    assert scene.bot.revoked == []
    assert scene.outbox.fates == [(message, "DELIVRD")]


async def test_a_platform_that_stays_away_does_not_hold_a_message_for_ever(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    scene.bot.is_up = False
    await scene.wait(300.0)
    await scene.wait(REVOKE_WAIT_S["prefer_duplicate"])
    assert scene.carrier.sent == [(message, 0)]


async def test_what_a_platform_cannot_take_in_time_goes_by_sms(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    scene.bot.is_up = False
    (message,) = await scene.submit("hello")
    await scene.wait(299.0)
    assert scene.carrier.sent == []
    await scene.wait(1.0)
    assert scene.carrier.sent == [(message, 0)]
    assert scene.counted("fallbacks", "bot", "rcs_late") == 1
    scene.bot.is_up = True
    scene.bot.ready()
    await scene.settle()
    assert scene.bot.sent == []


async def test_a_flood_of_deadlines_is_met(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    scene.bot.window = 5_000
    messages = await scene.submit(*(f"{number}" for number in range(3_000)))
    scene.bot.accept(*(f"{number}" for number in range(3_000)))
    await scene.wait(300.0)
    for _ in range(3):
        await scene.tick()
    assert len(scene.bot.revoked) == len(messages)


async def test_one_message_that_fails_does_not_stop_the_clock(
    stage: Stage_, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    first, second = await scene.submit("a", "b", expires_at=scene.now + 30.0)
    finish = scene.desk.finish

    def fail(journey: Any, *args: Any) -> None:
        if journey.message.id == first:
            raise ValueError("a defect of ours")
        finish(journey, *args)

    monkeypatch.setattr(scene.desk, "finish", fail)
    await scene.wait(31.0)
    assert scene.outbox.fates == [(second, "EXPIRED")]
    assert "what was due failed" in caplog.text


async def test_answers_for_what_has_ended_are_only_counted(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.wait(300.0)
    revocation = scene.named["x"]
    scene.bot.receipt("x")
    await scene.settle()
    scene.dispatcher.on_revoked(scene.bot, Revocation(revocation, "x", True, ""))
    await scene.settle()
    assert scene.counted("receipt_events", "bot", "late_revocation") == 1
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.carrier.sent == []


async def test_messages_that_a_long_one_left_no_room_for_keep_their_turn(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.window = 3
    scene.carrier.is_up = False
    long, *short = await scene.submit("x" * 25, "a", "b", "c")
    scene.carrier.is_up = True
    await scene.tick()
    assert scene.carrier.sent == [(long, 0), (long, 1), (long, 2)]
    scene.carrier.accept("1", "2", "3")
    await scene.settle()
    assert scene.carrier.sent[3:] == [(message, 0) for message in short]


async def test_numbers_that_operators_hold_against_us_are_counted(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("a", "b")
    scene.bot.answer(Refused("http_404", unreachable=True), Refused("http_403"))
    await scene.settle()
    assert scene.counted("link_unreachable", "bot") == 1
    assert scene.counted("link_errors", "bot", "unreachable") == scene.counted("link_errors", "bot", "access") == 1


async def test_a_limit_wakes_the_queue_by_itself(stage: Stage_) -> None:
    scene = stage("carrier", rates={"carrier": Rate(1_000.0, burst=1)})
    submit, is_sent = scene.carrier.submit, asyncio.Event()

    def note(*args: Any) -> None:
        submit(*args)
        is_sent.set()

    await scene.submit("a", "b")
    assert len(scene.carrier.sent) == 1
    scene.carrier.submit = note  # type: ignore[assignment, method-assign]
    scene.now += 1.0
    async with asyncio.timeout(10.0):
        await is_sent.wait()
    assert len(scene.carrier.sent) == 2
    assert scene.counted("limiter_waits", "carrier") >= 1
