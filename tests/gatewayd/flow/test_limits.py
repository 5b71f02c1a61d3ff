"""A link's limits are those of its scopes, and a pause holds for the scope that the carrier named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gatewayd.config import schema
from gatewayd.flow.limits import Limits
from gatewayd.message import Scope, Unknown
from gatewayd.policy.journey import Stage
from gatewayd.policy.pacing import UNLIMITED, Rate
from gatewayd.policy.quota import ALL_CALLS, Call
from gatewayd.runtime.shared_limits import SharedLimits, Slot
from gatewayd.runtime.shared_windows import Window
from tests.gatewayd.flow.scene import LINKS, START, Scene
from tests.support.clock import Clock

COUNTED: tuple[Call, ...] = ("message",)
WITH_GOOGLE = {**LINKS, "google": schema.Link(kind="rbm", bot_id="google-bot", capability="assume")}
FAST = Rate(10.0, 3)


def limits(file: SharedLimits, agent: str, application: str, clock: Clock, worker: int = -1) -> Limits:
    own, shared, provider = file.slot(agent), file.slot(application), file.slot("provider")
    scopes: dict[Scope, Slot] = {"agent": own, "application": shared}
    return Limits(
        [(own, Rate(100.0, 100)), (shared, FAST), (provider, Rate(100.0, 100))],
        shared,
        clock,
        scopes=scopes,
        worker=worker,
        counted=COUNTED,
    )


@pytest.mark.parametrize(("scope", "resting"), [("", {"a1", "a2"}), ("application", {"a1", "a2"}), ("agent", {"a1"})])
def test_a_pause_holds_for_its_scope_alone(file: SharedLimits, scope: Scope, resting: set[str]) -> None:
    clock = Clock()
    all_of = {name: limits(file, name, name[0], clock) for name in ("a1", "a2", "b1")}
    all_of["a1"].pause(60.0, scope)
    assert {name for name, each in all_of.items() if each.take(1)[0] == 0} == resting
    assert {name for name, each in all_of.items() if each.paused_s() == 60.0} == resting
    clock.now += 60.0
    assert all(each.paused_s() == 0.0 and each.take(1) == (1, 0.0) for each in all_of.values())


def test_the_application_is_shared_by_its_agents(file: SharedLimits) -> None:
    clock = Clock()
    one, other = limits(file, "a1", "a", clock), limits(file, "a2", "a", clock)
    assert one.take(2) == (2, 0.0)
    assert other.take(2)[0] == 1
    one.give_back(1)
    assert other.take(2)[0] == 1


def test_calls_that_count(file: SharedLimits) -> None:
    one = limits(file, "a1", "a", Clock())
    assert (one.counts("message"), one.counts("capability"), one.counts("revoke")) == (True, False, False)


def test_lanes_hold_between_workers(file: SharedLimits) -> None:
    clock = Clock()
    campaign, otp = limits(file, "a1", "a", clock, worker=0), limits(file, "a2", "a", clock, worker=1)
    assert campaign.take(3, lane=0)[0] == 3
    assert otp.take(1, lane=3)[0] == 0
    clock.now += 0.101
    assert campaign.take(1, lane=0)[0] == 0
    otp.withdraw()
    assert campaign.take(1, lane=0)[0] == 1


async def test_revokes_and_questions_take_their_turn_as_messages_do(stage: Callable[..., Scene]) -> None:
    scene = stage("asked", "carrier", rates={"asked": Rate(1.0)})
    (message,) = await scene.submit()
    assert len(scene.asked.checked) == 1
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == []
    await scene.wait(1.0)
    assert len(scene.asked.sent) == 1
    scene.asked.accept("x")
    await scene.wait(301.0)
    assert scene.asked.revoked == ["x"]
    assert scene.stage(message) is Stage.REVOKING


async def test_a_question_that_a_full_second_does_not_let_go_keeps_its_place(stage: Callable[..., Scene]) -> None:
    scene = stage("asked", "carrier")
    slot = scene.limits_file.slot("asked")
    gate = Window(scene.limits_file, "gate")
    clock = lambda: scene.now - START + 1_000.0  # noqa: E731
    scene.dispatcher.set_limits("asked", Limits([(slot, UNLIMITED)], slot, clock, gates=[(gate, 1)]))
    one, other = await scene.submit("a"), await scene.submit("b", destination="33612345679")
    assert scene.asked.checked == ["33612345678"]
    assert [scene.stage(message) for message in (*one, *other)] == [Stage.CHECKING, Stage.QUEUED]
    await scene.wait(1.0)
    assert scene.asked.checked == ["33612345678", "33612345679"]


async def test_a_revoke_waits_for_the_end_of_a_pause(stage: Callable[..., Scene]) -> None:
    scene = stage("bot", "carrier")
    await scene.submit()
    scene.bot.accept("x")
    await scene.settle()
    scene.now += 301.0
    scene.limits_file.slot("bot").pause(1_000.0 + 311.0, 1)
    await scene.tick()
    assert scene.bot.revoked == []
    await scene.wait(10.0)
    assert scene.bot.revoked == ["x"]


@pytest.mark.parametrize("on_unknown", ["prefer_duplicate", "prefer_silence"])
async def test_a_revoke_that_waits_in_a_pause_is_not_taken_for_an_unknown_one(
    stage: Callable[..., Scene], on_unknown: str
) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    (message,) = await scene.submit()
    scene.bot.accept("x")
    await scene.settle()
    scene.limits_file.slot("bot").pause(1_000.0 + 301.0 + 60.0, 1)
    await scene.wait(301.0)
    for _ in range(5):
        await scene.wait(11.0)
        assert (scene.bot.revoked, scene.carrier.sent, scene.stage(message)) == ([], [], Stage.REVOKING)
    await scene.wait(10.0)
    assert scene.bot.revoked == ["x"]
    await scene.wait(29.0)
    assert (scene.carrier.sent, scene.stage(message)) == ([], Stage.REVOKING), "its time began when it was sent"
    scene.bot.say_revoked("x", True)
    await scene.settle()
    assert scene.carrier.sent == [(message, 0)]
    assert scene.bot.revoked == ["x"]


async def test_what_may_have_arrived_is_revoked_before_it_leaves_for_a_pause(stage: Callable[..., Scene]) -> None:
    scene = stage("google", "carrier", on_unknown="prefer_silence", links=WITH_GOOGLE)
    (message,) = await scene.submit()
    scene.google.answer(Unknown("timeout", "x"))
    await scene.settle()
    scene.limits_file.slot("google").pause(1_000.0 + 400.0, 1)
    await scene.wait(1.0)
    assert scene.carrier.sent == []
    assert scene.stage(message) is Stage.REVOKING
    await scene.wait(400.0)
    assert scene.google.revoked == ["x"]
    scene.google.say_revoked("x", True)
    await scene.settle()
    assert scene.carrier.sent == [(message, 0)]


async def test_a_turn_is_asked_for_in_the_name_of_the_highest_lane(stage: Callable[..., Scene]) -> None:
    scene = stage("bot", "carrier", rates={"bot": Rate(1.0)})
    slot = scene.limits_file.slot("bot")
    mine = Limits([(slot, Rate(1.0))], slot, lambda: scene.now - START + 1_000.0, worker=0)
    theirs = Limits([(slot, Rate(1.0))], slot, lambda: scene.now - START + 1_000.0, worker=1)
    scene.dispatcher.set_limits("bot", mine)
    assert theirs.take(2, lane=2)[0] == 1
    scene.now += 1.05
    await scene.submit("campaign")
    assert scene.bot.sent == []
    await scene.submit("code", priority=3)
    assert scene.bot.texts == [b"code"]
    scene.now += 1.05
    scene.bot.ready()
    await scene.settle()
    assert scene.bot.texts == [b"code", b"campaign"]


def test_what_a_slow_commit_bunched_leaves_within_the_quota_of_a_second(file: SharedLimits) -> None:
    clock = Clock()
    own = file.slot("own")
    bunched = Limits([(own, Rate(100.0, 100))], own, clock, counted=ALL_CALLS, gates=[(Window(file, "gate"), 29)])
    left: list[float] = []
    while len(left) < 100:
        wait_s = bunched.leave()
        if not wait_s:
            left.append(clock.now)
        clock.now += wait_s
    assert all(sum(1 for other in left if at <= other < at + 1.0) <= 29 for at in left)
    assert left[-1] - left[0] == pytest.approx(3.0), "29 at once, and again each second"
    assert limits(file, "a1", "a", clock).leave() == 0.0
