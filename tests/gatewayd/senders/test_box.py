"""Over which bind a delivery goes: the freest, but for a handset whose last one is unanswered still."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.senders import box as module
from gatewayd.senders.box import Box, Ways
from tests.gatewayd.senders.test_deliver import Bind, Stage, owed, turn

HANDSETS = ("33600000001", "33600000002", "33600000003")


def test_ways_are_remembered_while_anything_goes_over_them() -> None:
    ways: Ways[str, int] = Ways()
    assert ways.of("a") is None
    ways.begin("a", "left")
    ways.begin("a", "left")
    ways.begin("b", "right")
    assert (ways.of("a"), ways.count("a"), ways.of("b")) == ("left", 2, "right")
    ways.end("a")
    assert ways.of("a") == "left"
    ways.end("a")
    ways.end("a")
    assert (ways.of("a"), ways.count("a")) == (None, 0)


def test_those_that_wait_keep_their_order() -> None:
    ways: Ways[str, int] = Ways()
    for handset, item in (("a", 1), ("b", 2), ("a", 3)):
        ways.wait(handset, item)
    assert ways.waiting == 3
    assert [ways.first("a"), ways.pop("a"), ways.pop("a"), ways.first("a")] == [1, 1, 3, None]
    assert ways.waiting == 1


def freest(box: Box) -> Any:
    return box.freest()


def binds(box: Box, *used: int) -> list[Bind]:
    made = []
    for count in used:
        bind = Bind()
        bind.open = [owed(number) for number in range(count)]
        made.append(bind)
    box.receivers = deque(cast(Any, made))
    return made


def test_the_freest_bind_is_taken_and_of_equals_each_in_turn() -> None:
    box = Box("shop", 100, 10)
    one, two, three = binds(box, 3, 1, 10)
    assert [freest(box) for _ in range(3)] == [two, two, two]
    two.open = two.open * 3
    assert {freest(box) for _ in range(3)} == {one, two}
    for bind in (one, two, three):
        bind.open = [owed(1)] * 10
    assert box.freest() is None
    assert box.free() == box.free_now() == 0


def test_of_many_binds_the_freest_of_some_is_taken_and_all_are_used_alike() -> None:
    box = Box("shop", 100, 100)
    made = binds(box, *[0] * 7, 100)
    for _ in range(350):
        freest(box).open.append(owed(1))
    assert [len(bind.open) for bind in made[:7]] == pytest.approx([50] * 7, abs=3)
    assert len(made[7].open) == 100


def test_of_many_binds_one_with_room_is_found() -> None:
    box = Box("shop", 100, 1)
    *_, last = binds(box, 1, 1, 1, 1, 0)
    assert [freest(box) for _ in range(6)] == [last] * 6


def test_what_waits_takes_room_from_others_and_much_of_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    box = Box("shop", 100, 10)
    binds(box, 0, 10)
    for number in (1, 2):
        assert box.free_now() == 10
        box.ways.wait("a", cast(Any, (owed(number), owed(number))))
    assert box.free() == 8
    assert box.free_now() == 0


async def test_a_stuck_bind_holds_up_its_handsets_alone() -> None:
    stage = Stage(window=2)
    stuck, other = stage.bind(), stage.bind()
    stage.add(*(owed(number, source=HANDSETS[0]) for number in (1, 2, 3, 4)))
    await turn()
    stuck, other = (stuck, other) if stuck.given else (other, stuck)
    assert (stuck.ids, other.ids) == ([1, 2], [])
    stage.add(*(owed(number, source=HANDSETS[number % 2 + 1]) for number in (5, 6, 7, 8)))
    await turn()
    for _ in range(4):
        stage.answer(other)
        await turn()
    assert other.ids == [5, 6, 7, 8]
    assert dict(stage.outbox.depths())["shop", "smpp"] == 2, "what waits for its bind is owed still"
    stage.answer(stuck)
    await turn()
    assert stuck.ids == [1, 2, 3]
    stage.lose(stuck)
    await turn()
    assert other.ids[4:] == [2, 3]
    stage.answer(other)
    stage.answer(other)
    await turn()
    assert other.ids[4:] == [2, 3, 4]
    stage.outbox.stop()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 4))
def test_however_binds_answer_and_go_each_handset_is_read_in_order_and_nothing_is_left(
    data: st.DataObject, count: int, window: int
) -> None:
    """Read in order: one is given to another bind only when all before it were answered."""

    async def play() -> None:
        stage = Stage(window=window)
        binds = [stage.bind() for _ in range(count)]
        number, pool = 0, [*binds]
        for act in data.draw(st.lists(st.sampled_from(("add", "add", "answer", "lose", "turn")), max_size=60)):
            busy = [bind for bind in pool if bind.open]
            if act == "add":
                number += 1
                stage.add(owed(number, source=data.draw(st.sampled_from(HANDSETS))))
            elif act == "answer" and busy:
                stage.answer(data.draw(st.sampled_from(busy)))
            elif act == "lose":
                bind = data.draw(st.sampled_from(pool))
                stage.lose(bind)
                bind.open = []
                pool[pool.index(bind)] = stage.bind()
            else:
                await turn()
            check(pool)
        for _ in range(200):
            await turn()
            for bind in pool:
                while bind.open:
                    stage.answer(bind)
                    check(pool)
        assert stage.store.kept == {}
        stage.outbox.stop()

    def check(pool: list[Bind]) -> None:
        for handset in HANDSETS:
            holders = [bind for bind in pool if any(one.source == handset for one in bind.open)]
            assert len(holders) <= 1
            for bind in holders:
                ids = [one.id for one in bind.open if one.source == handset]
                assert ids == sorted(ids)

    asyncio.run(play())
