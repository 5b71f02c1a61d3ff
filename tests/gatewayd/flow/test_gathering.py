"""One receipt for all parts of a long message, whoever cut it, in any order of events, over restarts and silences."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.config import schema
from gatewayd.flow import gathering
from gatewayd.message import Refused, State
from tests.gatewayd.flow.scene import Scene

Stage_ = Callable[..., Scene]
HOUR = 3_600.0


def wanting(scene: Scene, parts: str, **keys: Any) -> Scene:
    scene.desk.learn_accounts({"shop": schema.Account(receipt_parts=parts, results_h=1.0, **keys)})  # type: ignore[arg-type]
    return scene


async def parts_of(scene: Scene, *numbers: int, total: int = 3, **facts: Any) -> list[int]:
    ids = []
    for number in numbers:
        ids += await scene.submit("a part", concat=(7, total, number), udh=bytes((5, 0, 3, 7, total, number)), **facts)
    return ids


async def end(scene: Scene, name: str, state: State = State.DELIVRD, **facts: Any) -> None:
    scene.carrier.receipt(name, state, **facts)
    await scene.settle()


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
async def test_the_worst_end_is_told_once_under_the_first_id(order: tuple[str, ...], stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    second, first, third = await parts_of(scene, 2, 1, 3)
    scene.carrier.accept("b", "a", "c")
    for name in order:
        assert scene.outbox.fates == []
        state, tlvs = (State.EXPIRED if name == "b" else State.DELIVRD), ((0x1403, name.encode()),)
        await end(scene, name, state, error="042", network_error=0x03_0045, tlvs=tlvs)
    assert scene.outbox.fates == [(first, "EXPIRED")]
    told = scene.outbox.deliveries[0]
    assert (told.error, told.network_error, told.tlvs) == ("042", 0x03_0045, ((0x1403, b"b"),))
    assert len(scene.desk.gathering) == 0
    assert [scene.spool.journey(part) for part in (first, second, third)] == [None] * 3


async def test_a_trace_tells_how_each_part_ended(stage: Stage_, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt for all is under the first one's id; of the others it would say that nobody knows."""
    scene, noted = wanting(stage("carrier"), "worst"), []
    monkeypatch.setattr(
        scene.spool, "note", lambda about, word, **facts: noted.append((about, word, facts.get("state")))
    )
    _, second, third = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("1", "2", "3")
    for name, state in (("1", State.DELIVRD), ("2", State.UNDELIV), ("3", State.DELIVRD)):
        await end(scene, name, state)
    assert [note for note in noted if note[1] == "ended"] == [(second, "ended", "UNDELIV"), (third, "ended", "DELIVRD")]


@pytest.mark.parametrize(("parts", "heard"), [("worst", [1]), ("first", [1]), ("last", [3]), ("each", [1, 2, 3])])
async def test_that_a_joined_message_was_read_is_told_of_those_whose_end_was(
    parts: str, heard: list[int], stage: Stage_
) -> None:
    scene = wanting(stage("bot", "carrier"), parts, displayed_receipts="READ")
    ids = dict(zip((2, 1, 3), await parts_of(scene, 2, 1, 3), strict=True))
    scene.bot.accept("b-1")
    scene.bot.receipt("b-1")
    scene.bot.receipt("b-1", displayed=True)
    scene.bot.receipt("b-1", displayed=True)
    await scene.settle()
    told = [(owed.message_id, owed.displayed or owed.state.value) for owed in scene.outbox.deliveries]
    assert told == [(ids[number], word) for word in ("DELIVRD", "READ") for number in heard]


@pytest.mark.parametrize(("parts", "number"), [("first", 1), ("last", 3)])
async def test_one_part_speaks_for_all(parts: str, number: int, stage: Stage_) -> None:
    scene = wanting(stage("carrier"), parts)
    ids = dict(zip((3, 1, 2), await parts_of(scene, 3, 1, 2), strict=True))
    scene.carrier.accept("3", "1", "2")
    for name in "213":
        await end(scene, name, State.DELIVRD if name == str(number) else State.UNDELIV)
    assert scene.outbox.fates == [(ids[number], "DELIVRD")]


async def test_each_is_what_it_always_was(stage: Stage_) -> None:
    scene = stage("carrier")
    ids = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("1", "2", "3")
    for name in "123":
        await end(scene, name)
    assert scene.outbox.fates == [(part, "DELIVRD") for part in ids]


@pytest.mark.parametrize("parts", ["worst", "first", "last"])
async def test_joined_for_rcs_it_is_one_receipt_too(parts: str, stage: Stage_) -> None:
    scene = wanting(stage("bot", "carrier"), parts)
    ids = await parts_of(scene, 1, 2, 3)
    scene.bot.accept("x")
    scene.bot.receipt("x")
    await scene.settle()
    assert scene.outbox.fates == [(ids[2 if parts == "last" else 0], "DELIVRD")]


async def test_a_restart_in_between_loses_nothing(stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    ids = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("1", "2", "3")
    await end(scene, "1")
    await end(scene, "2", State.UNDELIV)
    await scene.crash()
    wanting(scene, "worst")
    assert (scene.outbox.fates, len(scene.desk.gathering)) == ([], 2)
    await end(scene, "3")
    assert scene.outbox.fates == [(ids[0], "UNDELIV")]


async def test_a_part_of_which_nothing_is_heard_is_unknown(stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    ids = await parts_of(scene, 1, 2)
    ids += await parts_of(scene, 3)
    scene.carrier.accept("1", "2", "3")
    await end(scene, "1")
    await end(scene, "3")
    await scene.wait(72 * HOUR + 1)
    await scene.tick()
    assert scene.outbox.fates == [(ids[0], "UNKNOWN")]


async def test_a_part_that_was_never_handed_in_is_not_waited_for_for_ever(stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst", receipt_parts_wait_h=2.0)
    ids = await parts_of(scene, 2, 3)
    scene.carrier.accept("2", "3")
    await end(scene, "3")
    await end(scene, "2")
    await scene.wait(1.9 * HOUR)
    assert scene.outbox.fates == []
    await scene.wait(0.2 * HOUR)
    assert scene.outbox.fates == [(ids[0], "DELIVRD")]
    assert len(scene.desk.gathering) == 0


async def test_a_reference_that_is_used_again_ends_the_older_message(stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    old = await parts_of(scene, 1, 2)
    scene.carrier.accept("1", "2")
    await end(scene, "1")
    await end(scene, "2", State.REJECTD)
    new = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("4", "5", "6")
    for name in "456":
        await end(scene, name)
    assert scene.outbox.fates == [(old[0], "REJECTD"), (new[0], "DELIVRD")]


@pytest.mark.parametrize(("asked", "is_told"), [([1, 0, 0], True), ([0, 0, 1], True), ([0, 0, 0], False)])
async def test_it_is_enough_that_one_part_asked(asked: list[int], is_told: bool, stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    ids = [
        part for number, wish in enumerate(asked, 1) for part in await parts_of(scene, number, registered_delivery=wish)
    ]
    scene.carrier.answer(Refused("ESME_RINVDSTADR"), Refused("ESME_RINVDSTADR"), Refused("ESME_RINVDSTADR"))
    await scene.settle()
    assert scene.outbox.fates == ([(ids[0], "UNDELIV")] if is_told else [])


async def test_what_comes_after_the_end_of_a_part_changes_nothing(stage: Stage_) -> None:
    scene = wanting(stage("carrier"), "worst")
    ids = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("1", "2", "3")
    await end(scene, "1")
    await end(scene, "1", State.UNDELIV)
    assert scene.desk.journey(ids[0]) is None
    assert scene.spool.result(ids[0]).state is State.DELIVRD  # type: ignore[union-attr]
    await end(scene, "2")
    await end(scene, "3")
    assert scene.outbox.fates == [(ids[0], "DELIVRD")]


async def test_where_too_many_wait_each_is_told(stage: Stage_, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHERED_MAX", 1)
    scene = wanting(stage("carrier"), "worst")
    ids = await parts_of(scene, 1, 2, 3)
    scene.carrier.accept("1", "2", "3")
    for name in "123":
        await end(scene, name)
    assert scene.outbox.fates == [(ids[1], "DELIVRD"), (ids[2], "DELIVRD")]


# -- what we cut ourselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "states", "told"),
    [
        ("each", ["DELIVRD", "UNKNOWN", "UNDELIV"], "UNDELIV"),
        ("worst", ["DELIVRD", "EXPIRED", "DELIVRD"], "EXPIRED"),
        ("first", ["DELIVRD", "UNDELIV", "UNDELIV"], "DELIVRD"),
        ("last", ["DELIVRD", "DELIVRD", "UNDELIV"], "UNDELIV"),
    ],
)
async def test_of_segments_that_we_made(parts: str, states: list[str], told: str, stage: Stage_) -> None:
    scene = wanting(stage("carrier"), parts)
    (message,) = await scene.submit("x" * 25)
    scene.carrier.accept("1", "2", "3")
    for name, state in zip("123", states, strict=True):
        await end(scene, name, State(state), tlvs=((0x1403, state.encode()),))
    assert scene.outbox.fates == [(message, told)]
    assert scene.outbox.deliveries[0].tlvs == ((0x1403, told.encode()),)


@pytest.mark.parametrize(
    ("parts", "known", "told"),
    [("worst", "DELIVRD", "UNKNOWN"), ("worst", "UNDELIV", "UNDELIV"), ("last", "DELIVRD", "UNKNOWN")],
)
async def test_a_segment_whose_receipt_never_comes(parts: str, known: str, told: str, stage: Stage_) -> None:
    scene = wanting(stage("carrier"), parts)
    (message,) = await scene.submit("x" * 15)
    scene.carrier.accept("1", "2")
    await end(scene, "1", State(known))
    await scene.wait(72 * HOUR + 1)
    assert scene.outbox.fates == [(message, told)]
