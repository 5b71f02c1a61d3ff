"""The guard in flow: what it lets go, what waits for it, what it sends another way, and what it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.flow.guarding import Guard
from gatewayd.message import Accepted, Deferred, Refused, State, Unknown
from gatewayd.policy.journey import Stage
from gatewayd.policy.ratio_guard import GuardState, Terms
from gatewayd.runtime.shared_ratio import Counts, SharedRatios
from gatewayd.store.kinds import CAPABILITY
from tests.gatewayd.flow.scene import HANDSET, Scene

SetScene = Callable[..., Scene]
GONE = Refused("41200", unreachable=True)
HOLD_S = 10.0


class Guarded:
    """A scene with a guard before its bots, and numbers that are all different."""

    def __init__(self, scene: Scene, *, link: str = "bot", hold_s: float = 0.0, **terms: Any) -> None:
        self.scene = scene
        self.file = SharedRatios.open(scene.folder / "ratios", 4)
        self.slot = self.file.slot("orange", 0, 86_400.0)
        scene.desk.guards.set(link, Guard(self.slot, Terms(**terms), hold_s, ("1234",)))
        self._last = 33_600_000_000

    @property
    def counts(self) -> Counts:
        return self.slot.read(self.scene.now)

    @property
    def numbers(self) -> tuple[int, int, int]:
        counts = self.counts
        return counts.total, counts.errors, counts.pending

    async def send(self, count: int, **facts: Any) -> list[int]:
        ids = []
        for _ in range(count):
            self._last += 1
            ids += await self.scene.submit(**{"destination": str(self._last), **facts})
        return ids

    async def again(self, number: int = 0) -> int:
        """One more to the handset that was sent to last, or so many before it."""
        (message,) = await self.scene.submit(destination=str(self._last - number))
        return message


@pytest.fixture
def guard(stage: SetScene) -> Callable[..., Guarded]:
    def make(*route: str, **options: Any) -> Guarded:
        return Guarded(stage(*(route or ("bot", "carrier"))), **options)

    return make


async def test_open_messages_are_bounded_and_the_others_wait_for_them(guard: Callable[..., Guarded]) -> None:
    it = guard()
    messages = await it.send(10)
    assert len(it.scene.bot.sent) == 6
    assert it.numbers == (6, 0, 6)
    assert it.scene.desk.guards.held("bot") == 4
    assert {it.scene.stage(message) for message in messages[6:]} == {Stage.QUEUED}
    it.scene.bot.answer(Accepted("1"), Accepted("2"))
    await it.scene.settle()
    assert [message for message, _ in it.scene.bot.sent] == messages[:8]
    it.scene.bot.answer(*(Accepted(str(n)) for n in range(6)))
    await it.scene.settle()
    assert it.numbers == (10, 0, 2)
    assert it.scene.carrier.sent == []


async def test_when_errors_have_used_up_the_room_the_rest_goes_by_sms(guard: Callable[..., Guarded]) -> None:
    it = guard()
    await it.send(10)
    it.scene.bot.answer(*[GONE] * 6)
    await it.scene.settle()
    assert it.numbers == (6, 6, 0)
    assert len(it.scene.carrier.sent) == 10
    assert it.scene.counted("fallbacks", "bot", "refused") == 6
    assert it.scene.counted("fallbacks", "bot", "guard_known_only") == 4


async def test_a_number_that_failed_is_not_tried_again(guard: Callable[..., Guarded]) -> None:
    it = guard()
    await it.send(1)
    it.scene.bot.answer(GONE)
    await it.scene.settle()
    message = await it.again()
    assert it.scene.progress(message).fallback == "not_rcs_41200"
    assert it.numbers == (1, 1, 0)
    await it.scene.wait(25 * 3600.0)
    await it.again()
    assert len(it.scene.bot.sent) == 2


async def test_a_number_that_was_reached_is_known(guard: Callable[..., Guarded]) -> None:
    it = guard(hold_s=HOLD_S)
    await it.send(1)
    it.scene.bot.accept("x")
    assert it.numbers == (1, 0, 1)
    it.scene.bot.receipt("x")
    await it.scene.settle()
    assert it.numbers == (1, 0, 0)
    await it.again()
    assert it.numbers == (2, 0, 0)
    known = it.scene.journal.get(CAPABILITY, f"bot|{it._last}")
    assert (known.capable, known.reason) == (True, "delivered")


@pytest.mark.parametrize(
    ("facts", "errors"), [({"unreachable": True}, 1), ({"error": "1234"}, 1), ({"error": "500"}, 0)]
)
@pytest.mark.parametrize("is_reserved", [True, False])
async def test_what_failed_after_it_was_taken_counts_as_well(
    guard: Callable[..., Guarded], facts: dict[str, Any], errors: int, is_reserved: bool
) -> None:
    it = guard(hold_s=HOLD_S if is_reserved else 0.0)
    await it.send(1)
    it.scene.bot.accept("x")
    assert it.numbers == (1, 0, int(is_reserved))
    it.scene.bot.receipt("x", State.UNDELIV, **facts)
    it.scene.bot.receipt("x", State.UNDELIV, **facts)
    await it.scene.settle()
    assert it.numbers == (1, errors, 0)
    assert len(it.scene.carrier.sent) == 1


async def test_what_was_taken_is_watched_for_a_while(guard: Callable[..., Guarded]) -> None:
    it = guard(hold_s=HOLD_S)
    await it.send(8)
    it.scene.bot.accept(*"abcdef")
    await it.scene.settle()
    assert (it.numbers, it.scene.desk.guards.held("bot")) == ((6, 0, 6), 2)
    it.scene.now += HOLD_S
    it.scene.desk.guards.tick()
    await it.scene.settle()
    assert (it.numbers, it.scene.desk.guards.held("bot")) == ((8, 0, 2), 0)


async def test_a_message_that_left_holds_no_room(guard: Callable[..., Guarded]) -> None:
    it = guard(hold_s=1e6)
    await it.send(1)
    it.scene.bot.accept("x")
    await it.scene.wait(301.0)
    it.scene.bot.say_revoked("x", True)
    await it.scene.settle()
    assert it.numbers == (1, 0, 0)


async def test_what_waits_for_the_guard_has_its_deadline_too(guard: Callable[..., Guarded]) -> None:
    it = guard(hold_s=1e6)
    messages = await it.send(7)
    assert it.scene.desk.guards.waiting != set()
    await it.scene.wait(301.0)
    assert it.scene.progress(messages[6]).link == "carrier"
    assert it.scene.desk.guards.waiting == set()


async def test_what_ends_while_it_waits_for_the_guard_is_forgotten(guard: Callable[..., Guarded]) -> None:
    it = guard(hold_s=1e6)
    await it.send(7, expires_at=it.scene.now + 5.0)
    assert it.scene.desk.guards.waiting != set()
    await it.scene.wait(6.0)
    assert it.scene.desk.guards.waiting == set()


async def test_what_was_not_sent_does_not_count(guard: Callable[..., Guarded]) -> None:
    it = guard()
    await it.send(2)
    it.scene.bot.answer(Deferred("http_503", 30.0), Unknown("timeout"))
    await it.scene.settle()
    assert it.numbers == (1, 0, 0)
    assert it.counts.level == pytest.approx(1.0, abs=0.1)


async def test_handsets_that_the_platform_vouched_for_need_no_room(guard: Callable[..., Guarded]) -> None:
    it = guard("asked", "carrier", link="asked")
    for _ in range(10):
        await it.send(1)
        it.scene.asked.say_capable(True, it.scene.asked.checked[-1])
        await it.scene.settle()
    assert len(it.scene.asked.sent) == 10
    assert it.numbers == (10, 0, 0)
    it.scene.asked.answer(GONE)
    assert it.numbers == (10, 1, 0)


async def test_a_stopped_route_sends_nothing_and_comes_back(guard: Callable[..., Guarded]) -> None:
    it = guard(stop_s=900.0)

    def stop(counts: Counts) -> None:
        counts.total, counts.errors = 1000, 120
        counts.state, counts.since = GuardState.STOPPED, it.scene.now

    it.slot.change(it.scene.now, stop)
    (message,) = await it.send(1)
    assert it.scene.progress(message).fallback == "guard_stopped"
    await it.scene.wait(900.0)
    (message,) = await it.send(1)
    assert it.scene.progress(message).fallback == "guard_known_only"


async def test_a_route_without_sms_says_why_it_ended(guard: Callable[..., Guarded]) -> None:
    it = guard("bot")
    await it.send(6)
    it.scene.bot.answer(*[GONE] * 6)
    (message,) = await it.send(1)
    assert it.scene.stage(message) is None
    assert it.scene.outbox.deliveries[-1].error == "guard_known_only"


async def test_no_guard_no_bound(guard: Callable[..., Guarded]) -> None:
    it = guard()
    it.scene.desk.guards.set("bot", None)
    await it.send(20)
    assert len(it.scene.bot.sent) == 20
    it.scene.bot.answer(*[GONE] * 20)
    await it.scene.settle()
    assert it.scene.desk.guards.all() == {}
    assert it.scene.journal.get(CAPABILITY, f"bot|{HANDSET}") is None
