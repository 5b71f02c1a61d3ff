"""Messages with an address of their own for their news: who is told, what, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatewayd.message import TAG_CALLBACK, Refused, State
from gatewayd.policy.callbacks import ACCEPTED, DELIVERED, FAILED, REFUSED, Callback, encode
from tests.gatewayd.flow.scene import Scene

Stage_ = Callable[..., Scene]


def tlvs(mask: int = 31) -> Any:
    return ((TAG_CALLBACK, encode(Callback("kannel", "http://app.example/", mask))),)


def told(scene: Scene) -> list[tuple[int, str, str]]:
    """Event, state and the carrier's id of each call; nothing else is owed."""
    assert {delivery.sink for delivery in scene.outbox.deliveries} <= {"callback"}
    calls = [(delivery.facts, delivery.state.value) for delivery in scene.outbox.deliveries]
    return [
        (facts.call.event, state, facts.call.carrier_id)
        for facts, state in calls
        if facts is not None and facts.call is not None
    ]


async def test_taken_and_delivered(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", tlvs=tlvs(), registered_delivery=0)
    scene.carrier.accept("17")
    await scene.settle()
    assert told(scene) == [(ACCEPTED, "ACCEPTD", "17")]
    scene.carrier.receipt("17")
    await scene.settle()
    assert told(scene)[1:] == [(DELIVERED, "DELIVRD", "17")]


async def test_only_what_was_asked_and_nothing_to_the_sinks(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", tlvs=tlvs(2), registered_delivery=1)
    scene.carrier.accept("17")
    scene.carrier.receipt("17")
    await scene.settle()
    assert told(scene) == []
    await scene.submit("hello", tlvs=tlvs(2), registered_delivery=0)
    scene.carrier.accept("18")
    scene.carrier.receipt("18", State.UNDELIV, error="042")
    await scene.settle()
    assert told(scene) == [(FAILED, "UNDELIV", "18")]


async def test_what_nobody_took_was_refused(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", tlvs=tlvs())
    scene.carrier.answer(Refused("ESME_RINVDSTADR"))
    await scene.settle()
    assert told(scene) == [(REFUSED, "UNDELIV", "")]


async def test_several_segments_are_taken_once(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("x" * 400, tlvs=tlvs())
    scene.carrier.accept(*(str(number) for number in range(len(scene.carrier.in_flight))))
    await scene.settle()
    assert told(scene) == [(ACCEPTED, "ACCEPTD", "0")]


async def test_a_fallback_is_not_taken_twice(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("hello", tlvs=tlvs())
    scene.bot.accept("r1")
    await scene.settle()
    scene.bot.receipt("r1", State.UNDELIV, error="failed")
    await scene.settle()
    scene.carrier.accept("17")
    await scene.settle()
    scene.carrier.receipt("17")
    await scene.settle()
    assert told(scene) == [(ACCEPTED, "ACCEPTD", "r1"), (DELIVERED, "DELIVRD", "17")]
