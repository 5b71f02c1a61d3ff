"""Plans, and what a restart makes of a message, whatever it was doing when the process ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gatewayd.config import schema
from gatewayd.message import Deferred, Refused, State, Unknown
from gatewayd.policy.journey import OnUnknown, Stage
from gatewayd.policy.pacing import Rate
from tests.gatewayd.flow.scene import LINKS, Scene

Stage_ = Callable[..., Scene]

BOTH: tuple[OnUnknown, ...] = ("prefer_duplicate", "prefer_silence")


async def deliver(scene: Scene, message: int) -> None:
    """The carrier takes all that is in flight, and delivers it: exactly one receipt must come of it."""
    assert scene.carrier.in_flight
    names = [f"new {number}" for number in range(len(scene.carrier.in_flight))]
    scene.carrier.accept(*names)
    for name in names:
        scene.carrier.receipt(name)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.stage(message) is None


# -- plans ------------------------------------------------------------------------------------------------------------


async def test_no_route_is_no_plan(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.dispatcher._routes = type(scene.dispatcher._routes)([])
    assert scene.dispatcher.plan(scene.message()) is None


@pytest.mark.parametrize(
    ("priority", "traffic_class", "lane"), [(0, "", 0), (2, "", 2), (9, "", 3), (0, "otp", 3), (1, "campaign", 1)]
)
async def test_lanes(priority: int, traffic_class: str, lane: int, stage: Stage_) -> None:
    scene = stage("carrier")
    progress = scene.dispatcher.plan(scene.message(priority=priority, traffic_class=traffic_class))
    assert progress is not None
    assert progress.lane == lane


async def test_the_account_of_a_campaign_does_not_delay_another(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.window = 1
    await scene.submit(*(f"{number}" for number in range(50)))
    (other,) = await scene.submit("order shipped", account="bank")
    scene.carrier.accept("1")
    await scene.settle()
    scene.carrier.accept("2")
    await scene.settle()
    assert other in [message for message, _ in scene.carrier.sent]


# -- restarts ---------------------------------------------------------------------------------------------------------


async def test_queued(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    messages = await scene.submit(*"abc")
    await scene.crash()
    assert scene.carrier.sent == [(message, 0) for message in messages]


async def test_sending_an_sms_is_sent_again(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    await scene.crash()
    await deliver(scene, message)


async def test_sending_an_sms_in_silence_is_not_sent_again(stage: Stage_) -> None:
    scene = stage("carrier", on_unknown="prefer_silence")
    (message,) = await scene.submit("hello")
    await scene.crash()
    assert scene.carrier.sent == []
    assert scene.counted("link_results", "carrier", "unknown", "restart") == 1
    await scene.wait(73 * 3_600.0)
    assert scene.outbox.fates == [(message, "UNKNOWN")]


async def test_sending_segments_of_which_one_was_taken(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("x" * 25)
    scene.carrier.accept("first")
    await scene.settle()
    await scene.crash()
    assert scene.carrier.sent == [(message, 1), (message, 2)]
    scene.carrier.receipt("first")
    await deliver(scene, message)


@pytest.mark.parametrize("on_unknown", BOTH)
async def test_segments_that_waited_for_a_limit(on_unknown: OnUnknown, stage: Stage_) -> None:
    """Those that had left are sent again, or are not, as the route prefers; those that had not are sent."""
    scene = stage("carrier", on_unknown=on_unknown, rates={"carrier": Rate(1.0, burst=2)})
    (message,) = await scene.submit("x" * 35)
    assert scene.carrier.sent == [(message, 0), (message, 1)]
    scene.carrier.accept("first")
    await scene.settle()
    await scene.crash()
    for _ in range(4):
        await scene.wait(1.0)
    expected = [1, 2, 3] if on_unknown == "prefer_duplicate" else [2, 3]
    assert scene.carrier.sent == [(message, segment) for segment in expected]


async def test_segments_of_which_one_was_postponed(stage: Stage_) -> None:
    scene = stage("carrier", on_unknown="prefer_silence")
    (message,) = await scene.submit("x" * 25)
    scene.carrier.answer(Deferred("ESME_RMSGQFUL", 2.0))
    await scene.settle()
    await scene.crash()
    await scene.wait(3.0)
    assert scene.carrier.sent == [(message, 0)], "the others may have arrived"


@pytest.mark.parametrize(("on_unknown", "is_sent"), [("prefer_duplicate", True), ("prefer_silence", False)])
async def test_sending_over_rcs(on_unknown: OnUnknown, is_sent: bool, stage: Stage_) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    (message,) = await scene.submit("hello")
    await scene.crash()
    assert scene.bot.sent == [], "a platform cannot be asked twice for the same message"
    if is_sent:
        await deliver(scene, message)
        return
    assert scene.stage(message) is Stage.SETTLING
    await scene.wait(301.0)
    assert scene.carrier.sent == []
    assert scene.outbox.fates == [(message, "UNKNOWN")]


GOOGLE = {**LINKS, "google": schema.Link(kind="rbm", bot_id="shop-agent", capability="assume", deadline_s=60.0)}


async def test_sending_under_a_name_of_ours_when_its_receipt_was_there_first(stage: Stage_) -> None:
    scene = stage("google", "carrier", links=GOOGLE)
    (message,) = await scene.submit("hello")
    scene.google.receipt(f"name-{message:x}", at=scene.now)
    await scene.settle()
    scene.now += 1_000.0
    await scene.crash()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.carrier.sent == []


async def test_sending_under_a_name_of_ours_for_too_long_is_revoked(stage: Stage_) -> None:
    scene = stage("google", "carrier", links=GOOGLE, on_unknown="prefer_silence")
    (message,) = await scene.submit("hello")
    scene.now += 59.5  # no time to send it again
    await scene.crash()
    assert scene.google.sent == []
    await scene.wait(61.0)
    assert scene.google.revoked == [f"name-{message:x}"]
    scene.google.receipt(f"name-{message:x}")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.carrier.sent == []


async def test_sent_over_rcs_and_the_deadline_passed_meanwhile(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.settle()
    scene.now += 1_000.0
    await scene.crash()
    assert scene.bot.revoked == ["x"]
    assert scene.carrier.sent == []
    scene.bot.say_revoked("x", True)
    await scene.settle()
    await deliver(scene, message)


async def test_revoking_asks_again_once_the_link_is_up(stage: Stage_) -> None:
    scene = stage("bot", "carrier", on_unknown="prefer_silence")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.wait(300.0)
    assert scene.stage(message) is Stage.REVOKING
    await scene.crash()
    assert scene.bot.revoked == ["x"]
    scene.bot.say_revoked("x", True)
    await scene.settle()
    await deliver(scene, message)


async def test_checking_asks_again(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    (message,) = await scene.submit("hello")
    assert scene.stage(message) is Stage.CHECKING
    await scene.crash()
    assert len(scene.asked.checked) == 1
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == [(message, 0)]


async def test_joining_goes_on(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("once ", concat=(7, 2, 1))
    await scene.crash()
    await scene.submit("upon", concat=(7, 2, 2))
    assert scene.bot.texts == [b"once upon"]


async def test_joining_ends_in_time_over_a_restart(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("once ", concat=(7, 2, 1))
    await scene.crash()
    await scene.wait(61.0)
    assert scene.carrier.sent == [(message, 0)]


async def test_postponed_waits_on(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.answer(Deferred("ESME_RMSGQFUL", 10.0))
    await scene.settle()
    await scene.crash()
    assert scene.carrier.sent == []
    await scene.wait(11.0)
    await deliver(scene, message)


async def test_sent_awaits_its_receipt(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.accept("17")
    await scene.settle()
    await scene.crash()
    assert scene.carrier.sent == []
    scene.carrier.receipt("17", State.EXPIRED)
    await scene.settle()
    assert scene.outbox.fates == [(message, "EXPIRED")]


async def test_settling_goes_on(stage: Stage_) -> None:
    scene = stage("bot", "carrier", on_unknown="prefer_silence")
    (message,) = await scene.submit("hello")
    scene.bot.answer(Unknown("timeout"))
    await scene.settle()
    await scene.crash()
    await scene.wait(301.0)
    assert scene.outbox.fates == [(message, "UNKNOWN")]


# -- a link that is gone from the configuration -----------------------------------------------------------------------


def without(name: str) -> dict[str, object]:
    return {other: link for other, link in LINKS.items() if other != name}


async def test_what_waited_for_a_link_that_is_gone_goes_by_the_next(stage: Stage_) -> None:
    scene = stage("carrier", "backup")
    scene.carrier.is_up = False
    messages = await scene.submit(*"ab")
    await scene.crash(links=without("carrier"))  # type: ignore[arg-type]
    assert scene.backup.sent == [(message, 0) for message in messages]


async def test_what_waited_for_the_only_link_is_told_of_its_end(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    (message,) = await scene.submit("hello")
    await scene.crash(links=without("carrier"))  # type: ignore[arg-type]
    assert scene.outbox.fates == [(message, "UNDELIV")]


@pytest.mark.parametrize(("on_unknown", "fate"), [("prefer_duplicate", "UNDELIV"), ("prefer_silence", "UNKNOWN")])
async def test_what_was_being_sent_over_a_link_that_is_gone(on_unknown: OnUnknown, fate: str, stage: Stage_) -> None:
    scene = stage("bot", on_unknown=on_unknown)
    (message,) = await scene.submit("hello")
    await scene.crash(links=without("bot"))  # type: ignore[arg-type]
    assert scene.outbox.fates == [(message, fate)]


async def test_what_was_sent_over_a_link_that_is_gone_ends_in_time(stage: Stage_) -> None:
    scene = stage("bot", "carrier", on_unknown="prefer_silence")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.settle()
    await scene.crash(links=without("bot"))  # type: ignore[arg-type]
    for _ in range(3):
        await scene.wait(301.0)
    assert scene.outbox.fates == [(message, "UNKNOWN")]


async def test_the_next_link_of_a_route_is_gone(stage: Stage_) -> None:
    scene = stage("bot", "carrier", "backup")
    (message,) = await scene.submit("hello")
    scene.bot.accept("x")
    await scene.settle()
    await scene.crash(links=without("carrier"))  # type: ignore[arg-type]
    scene.bot.receipt("x", State.UNDELIV, error="404")
    await scene.settle()
    assert scene.backup.sent == [(message, 0)]


# -- for metrics ------------------------------------------------------------------------------------------------------


async def test_depths_and_ages(stage: Stage_) -> None:
    scene = stage("carrier", "backup")
    scene.carrier.window = 2
    first, *_ = await scene.submit(*"abcd")
    scene.now += 5.0
    depths, ages = dict(scene.dispatcher.queue_depths()), dict(scene.dispatcher.queue_ages())
    assert (depths[("carrier",)], depths[("backup",)]) == (2, 0)
    assert (ages[("carrier",)], ages[("backup",)]) == (5.0, 0.0)
    scene.carrier.is_up = False
    scene.now += 5.0
    await scene.submit("e", expires_at=scene.now + 1.0)
    scene.carrier.answer(Deferred("ESME_RTHROTTLED", 1.0, pauses=True))
    await scene.settle()
    assert dict(scene.dispatcher.queue_ages())[("carrier",)] == 10.0
    assert scene.stage(first) is Stage.QUEUED


async def test_the_age_is_that_of_the_oldest_that_still_waits(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.is_up = False
    await scene.submit("a", account="bank", expires_at=scene.now + 2.0)
    await scene.wait(3.0)
    await scene.submit("b")
    scene.now += 4.0
    assert dict(scene.dispatcher.queue_ages())[("carrier",)] == 4.0


async def test_stopped_is_stopped(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.dispatcher.start()
    scene.dispatcher.stop()
    await scene.submit("hello")
    assert scene.carrier.sent == []


async def test_a_refusal_without_a_next_link_is_told(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.answer(Refused("ESME_RINVDSTADR"))
    await scene.settle()
    assert scene.outbox.fates == [(message, "UNDELIV")]
