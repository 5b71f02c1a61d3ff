"""No second holds more than was allowed, whatever order, process or size it comes in."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_table import NAME_SIZE
from gatewayd.runtime.shared_windows import MARKS_MAX, WINDOW_S, Window, take_one


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SharedLimits]:
    opened = SharedLimits.open(tmp_path / "limits")
    yield opened
    opened.close()


def greedily(windows: list[Window], quota: int, seconds: float, seed: int = 1) -> list[float]:
    chance, now, times = random.Random(seed), 1000.0, list[float]()
    while now < 1000.0 + seconds:
        wait_s = windows[chance.randrange(len(windows))].take(quota, now)
        if not wait_s:
            times.append(now)
        now += wait_s or chance.uniform(0.0, 2.0 / quota)
    return times


def most_in_a_second(times: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("quota", [1, 2, 29, MARKS_MAX - 1, MARKS_MAX, 975])
def test_every_second_holds_its_quota_and_no_more(table: SharedLimits, quota: int) -> None:
    windows = [Window(table, "w"), Window(table, "w")]
    times = greedily(windows, quota, 10.0 if quota < 100 else 4.0)
    stride = -(-quota // (MARKS_MAX - 1))
    assert quota - stride < most_in_a_second(times) <= quota


def test_it_says_how_long_to_wait_and_counts_nothing_meanwhile(table: SharedLimits) -> None:
    window = Window(table, "w")
    assert [window.take(2, at) for at in (100.0, 100.25)] == [0.0, 0.0]
    assert window.take(2, 100.5) == window.take(2, 100.5) == 0.5
    assert window.take(2, 101.0) == 0.0
    assert window.take(3, 101.0) == 0.0


def test_a_smaller_quota_holds_at_once(table: SharedLimits) -> None:
    window = Window(table, "w")
    for _ in range(10):
        assert window.take(10, 100.0) == 0.0
    assert window.take(5, 100.5) == 0.5
    assert window.take(1000, 100.5) == 1.0, "of a large quota the moments are not known: as if all had gone now"


def test_what_did_not_go_is_given_back_unless_another_went_since(table: SharedLimits) -> None:
    mine, theirs = Window(table, "w"), Window(table, "w")
    assert mine.take(1, 100.0) == 0.0
    mine.give_back()
    assert theirs.take(1, 100.1) == 0.0
    mine.give_back()
    theirs.give_back()
    assert mine.take(2, 100.2) == 0.0
    assert theirs.take(2, 100.3) == 0.0
    mine.give_back()
    assert theirs.take(2, 100.4) > 0.0


def test_all_of_several_windows_or_none(table: SharedLimits) -> None:
    wide, narrow = Window(table, "wide"), Window(table, "narrow")
    assert take_one([(wide, 2), (narrow, 1)], 100.0) == 0.0
    assert take_one([(wide, 2), (narrow, 1)], 100.5) == 0.5
    assert wide.take(2, 100.5) == 0.0, "it was not counted there"


@pytest.mark.parametrize("damage", [1e300, float("nan")])
def test_a_moment_that_cannot_be_true_costs_a_second(table: SharedLimits, damage: float) -> None:
    window = Window(table, "w")
    window.take(1, 100.0)
    struct.pack_into("<d", table.memory, table.find("w") + NAME_SIZE + 24, damage)
    assert window.take(1, 200.0) == 1.0
    assert window.take(1, 201.0) == 0.0


def test_a_reader_of_the_clock_that_was_overtaken(table: SharedLimits) -> None:
    window = Window(table, "w")
    assert window.take(2, 100.5) == window.take(2, 100.4999) == 0.0
    assert window.take(2, 101.4999) == pytest.approx(0.0001)
