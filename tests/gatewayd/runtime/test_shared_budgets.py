"""What goes in a minute, an hour and a day: never more than the limit in any window, by anybody, over restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.runtime.shared_budgets import SPANS_S, BudgetSlot, SharedBudgets

NOW = 1_790_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedBudgets]:
    opened = SharedBudgets.open(tmp_path / "budgets", 4)
    yield opened
    opened.close()


def test_the_least_of_all_limits_decides(file: SharedBudgets) -> None:
    slot = file.slot("shop")
    assert slot.take((10, 15, 0), 8, NOW) == 8
    assert slot.take((10, 15, 0), 8, NOW) == 2
    assert slot.room((10, 15, 0), NOW)[0] == 0
    assert slot.take((10, 15, 0), 8, NOW + 62) == 5, "the hour has no more"
    assert slot.take((10, 15, 0), 8, NOW + 124) == 0
    assert slot.used(NOW + 124) == (0, 15, 15)
    assert slot.take((0, 0, 15), 1, NOW + 80_000) == 0
    assert slot.take((0, 0, 15), 99, NOW + 88_000) == 15


def test_a_span_without_a_limit_is_counted_for_the_day_that_it_gets_one(file: SharedBudgets) -> None:
    slot = file.slot("shop")
    assert slot.take((100, 0, 0), 60, NOW) == 60
    assert slot.take((100, 0, 70), 60, NOW + 1) == 10


def test_the_wait_is_until_one_may_go(file: SharedBudgets) -> None:
    slot = file.slot("shop")
    assert slot.room((0, 0, 0), NOW) == (-1, 0.0)
    slot.take((3, 0, 0), 1, NOW)
    slot.take((3, 0, 0), 9, NOW + 30)
    room, wait_s = slot.room((3, 0, 0), NOW + 30)
    assert room == 0
    assert 30.0 <= wait_s <= 31.0
    assert slot.take((3, 0, 0), 9, NOW + 30 + wait_s - 0.01) == 0
    assert slot.take((3, 0, 0), 9, NOW + 30 + wait_s) == 1


def test_what_did_not_go_is_given_back(file: SharedBudgets) -> None:
    slot = file.slot("shop")
    assert slot.take((5, 0, 0), 5, NOW) == 5
    slot.give_back(2, NOW)
    assert slot.take((5, 0, 0), 5, NOW) == 2
    slot.give_back(99, NOW)
    assert slot.used(NOW) == (0, 0, 0)


def test_names_are_apart_and_processes_and_starts_together(file: SharedBudgets, tmp_path: Path) -> None:
    other = SharedBudgets.open(tmp_path / "budgets", 4)
    assert file.slot("shop").take((5, 0, 0), 3, NOW) == 3
    assert other.slot("shop").take((5, 0, 0), 3, NOW) == 2
    assert other.slot("bank").take((5, 0, 0), 3, NOW) == 3
    other.close()
    again = SharedBudgets.open(tmp_path / "budgets", 4)
    assert again.slot("shop").used(NOW) == (5, 5, 5)
    again.close()


@pytest.mark.parametrize("back_s", [0.5, 30.0, 86_400.0 * 365])
def test_a_clock_that_goes_back_makes_nothing_be_forgotten(file: SharedBudgets, back_s: float) -> None:
    slot = file.slot("shop")
    assert slot.take((5, 0, 0), 5, NOW) == 5
    assert slot.take((5, 0, 0), 5, NOW - back_s) == 0
    assert slot.take((5, 0, 0), 5, NOW - back_s + 122) == 5, "and blocks nobody for longer than the span"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 12)), min_size=1, max_size=80),
    st.integers(1, 20),
    st.integers(1, 60),
)
def test_no_window_ever_holds_more_than_its_limit(steps: list[tuple[float, int]], minute: int, hour: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = SharedBudgets.open(Path(folder) / "budgets", 1)
        slot: BudgetSlot = file.slot("a")
        now, gone = NOW, []
        for pause_s, wanted in steps:
            now += pause_s
            gone += [now] * slot.take((minute, hour, 0), wanted, now)
        for end in gone:
            for span_s, limit in zip(SPANS_S, (minute, hour), strict=False):
                assert sum(end - span_s < at <= end for at in gone) <= limit
        file.close()
