"""The queue of a link, what is really sent, and what an application is told of the end."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from gatewayd.flow.desk import LinkQueue, reference_of
from gatewayd.message import Refused, State
from tests.gatewayd.flow.scene import HANDSET, Scene

Stage_ = Callable[..., Scene]


def drain(queue: LinkQueue) -> list[int]:
    return list(iter(queue.pop, None))


def test_handed_back_goes_first_and_in_order() -> None:
    queue = LinkQueue()
    for number in (7, 8, 9):
        queue.fair.push(0, "shop", 1, number)
    for number in (5, 3, 6, 4):
        queue.give_back(0, number)
    assert len(queue) == 7
    assert min(queue.heads()) == 3
    assert drain(queue) == [3, 4, 5, 6, 7, 8, 9]
    assert len(queue) == 0
    assert queue.heads() == []


def test_a_higher_lane_goes_before_what_was_handed_back_to_a_lower() -> None:
    queue = LinkQueue()
    queue.fair.push(0, "shop", 1, 4)
    queue.fair.push(3, "otp", 1, 9)
    queue.give_back(0, 1)
    queue.give_back(3, 2)
    queue.give_back(1, 3)
    assert drain(queue) == [2, 9, 3, 1, 4]


@pytest.mark.parametrize(
    ("tlvs", "reference"),
    [((), -1), (((0x0204, b"\x01\x02"),), 258), (((0x1400, b"x"), (0x0204, b"\x00\x00")), 0)],
)
async def test_reference(tlvs: tuple[tuple[int, bytes], ...], reference: int, stage: Stage_) -> None:
    assert reference_of(stage().message(tlvs=tlvs)) == reference


async def test_a_receipt_goes_the_way_back(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello", source="SHOP", source_ton=5, tlvs=((0x0204, b"\x00\x09"),))
    scene.now += 2.0
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.UNDELIV, error="042")
    await scene.settle()
    (owed,) = scene.outbox.deliveries
    assert (owed.source, owed.source_ton, owed.destination, owed.destination_ton) == (HANDSET, 1, "SHOP", 5)
    assert (owed.message_id, owed.state, owed.error) == (message, State.UNDELIV, "042")
    assert (owed.submitted_at, owed.done_at) == (scene.now - 2.0, scene.now)
    assert owed.due == scene.now + 72 * 3_600.0
    assert owed.user_message_reference == 9


async def test_nothing_ends_before_it_began(stage: Stage_) -> None:
    """Carriers tell the minute of the end."""
    scene = stage("carrier")
    await scene.submit("quick", "slow")
    scene.carrier.accept("17", "18")
    scene.carrier.receipt("17", at=scene.now - 54.0)
    scene.carrier.receipt("18", at=scene.now + 6.0)
    await scene.settle()
    assert [owed.done_at - owed.submitted_at for owed in scene.outbox.deliveries] == [0.0, 6.0]


async def test_what_a_carrier_refused_is_told_with_its_reason(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello")
    scene.carrier.answer(Refused("ESME_RINVDSTADR"))
    await scene.settle()
    assert scene.outbox.deliveries[0].error == "ESME_RINVDSTADR"


async def test_a_receipt_is_given_to_the_outbox_once_it_is_durable(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello")
    scene.carrier.accept("17")
    await scene.settle()
    scene.carrier.receipt("17")
    assert scene.outbox.deliveries == []
    await scene.settle()
    assert [number for number, _ in (await folded(scene))] == [scene.outbox.deliveries[0].id]


async def folded(scene: Scene) -> list[tuple[int, str]]:
    await scene.journal.fold()
    return list(scene.spool.owed())


async def test_names_are_forgotten_with_their_message(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("x" * 15)
    scene.bot.accept("x")
    scene.bot.receipt("x", State.UNDELIV)
    await scene.settle()
    scene.carrier.accept("a", "b")
    scene.carrier.receipt("a")
    scene.carrier.receipt("b")
    await scene.settle()
    assert scene.spool.named("carrier", "a") is None
    assert scene.spool.named("carrier", "b") is None
    kept = scene.spool.named("bot", "x")
    assert kept is not None
    assert kept.ended, "a platform goes on to say displayed"
    await scene.wait(86_401.0)
    assert scene.spool.named("bot", "x") is None


async def test_nothing_is_left_in_memory_of_what_has_ended(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit(*("x" * 25 for _ in range(5)))
    scene.carrier.accept(*(f"{number}" for number in range(15)))
    for number in range(15):
        scene.carrier.receipt(f"{number}")
    await scene.settle()
    assert len(scene.outbox.fates) == 5
    assert (scene.desk.flying, scene.desk.in_flight, scene.spool._hot, scene.spool._scheduled) == ({}, {}, {}, {})


async def test_the_trail_tells_every_step_and_no_text_and_no_number(
    stage: Stage_, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gatewayd.trail")
    scene = stage("bot", "carrier")
    (message,) = await scene.submit("a secret")
    scene.bot.answer(Refused("http_404"))
    await scene.settle()
    scene.carrier.accept("17")
    scene.carrier.receipt("17")
    await scene.settle()
    told = [record.message.split()[:2] for record in caplog.records if record.name == "gatewayd.trail"]
    assert told == [[word, f"message={message:x}"] for word in ("taken", "refused", "fallback", "accepted", "delivrd")]
    assert HANDSET not in caplog.text
    assert "secret" not in caplog.text
    assert "handset=3361*****78" in caplog.text


@pytest.mark.parametrize("code", ["77777", "0x00000437"])
async def test_codes_of_others_own_are_one_reason_among_the_figures(stage: Stage_, code: str) -> None:
    scene = stage("carrier", "backup")
    await scene.submit("Hello")
    scene.carrier.answer(Refused(code))
    await scene.settle()
    assert scene.counted("fallbacks", "carrier", "refused") == 1
    assert scene.counted("link_results", "carrier", "refused", code) == 1
