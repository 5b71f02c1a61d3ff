"""The compact line does what a deque does, in a fifth of its memory."""

from __future__ import annotations

import tracemalloc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.compact import CHUNK, CompactLine

IDS = st.integers(min_value=0, max_value=2**63 - 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(IDS, st.sampled_from(["pop", "back", "first"])), max_size=200))
def test_it_does_what_a_deque_does(steps: list[int | str]) -> None:
    line, model = CompactLine(), deque[int]()
    last = 0
    for step in steps:
        if step == "pop" and model:
            last = model.popleft()
            assert line.popleft() == last
        elif step == "back":
            line.appendleft(last)
            model.appendleft(last)
        elif step == "first" and model:
            assert line[0] == model[0]
        elif isinstance(step, int):
            line.append(step)
            model.append(step)
        assert len(line) == len(model)
    assert [line.popleft() for _ in range(len(line))] == list(model)


def test_it_keeps_the_order_over_many_chunks() -> None:
    line = CompactLine()
    for number in range(3 * CHUNK + 7):
        line.append(number)
    assert line[0] == 0
    assert [line.popleft() for _ in range(len(line))] == list(range(3 * CHUNK + 7))


def test_an_empty_one_has_no_first() -> None:
    with pytest.raises(IndexError):
        CompactLine().popleft()
    with pytest.raises(IndexError):
        CompactLine()[0]


def test_ten_octets_an_id_are_enough() -> None:
    line, count = CompactLine(), 100_000
    tracemalloc.start()
    try:
        for number in range(count):
            line.append(470_719_546_515_565_568 + number)
        assert tracemalloc.get_traced_memory()[0] < 10 * count
    finally:
        tracemalloc.stop()


def test_all_are_seen_first_to_last() -> None:
    line = CompactLine()
    for number in range(3 * CHUNK):
        line.append(number)
    assert [line.popleft() for _ in range(3)] == [0, 1, 2]
    line.appendleft(2)
    assert list(line) == list(range(2, 3 * CHUNK))


def test_some_are_taken_out_wherever_they_are() -> None:
    line = CompactLine()
    for number in range(3 * CHUNK + 7):
        line.append(number)
    line.popleft()
    gone = {1, CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 6, 9 * CHUNK}
    assert set(line.discard(gone)) == gone - {9 * CHUNK}
    assert line.discard(gone) == []
    assert len(line) == 3 * CHUNK + 2
    assert [line.popleft() for _ in range(len(line))] == [n for n in range(1, 3 * CHUNK + 7) if n not in gone]
