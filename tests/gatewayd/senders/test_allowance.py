"""What an account may hand in, by all of its limits together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.config import schema
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders.allowance import Allowance

NOW = 1_790_000_000.0


class Clock:
    now = NOW


Make = Callable[..., Allowance]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    limits, budgets = SharedLimits.open(tmp_path / "limits"), SharedBudgets.open(tmp_path / "budgets")
    Clock.now = NOW

    def made(**settings: Any) -> Allowance:
        return Allowance("shop", schema.Account(**settings), limits, budgets, lambda: Clock.now)

    yield made
    limits.close()
    budgets.close()


def test_without_any_limit_all_may_come(make: Make) -> None:
    it = make(rate_per_s=0)
    assert not it.is_limited
    assert it.take(1_000_000) == it.take_calls(1_000_000) == 1_000_000
    assert it.room() == (-1, 0.0)
    assert it.used() == {}
    it.give_back(5)


def test_what_a_minute_refuses_costs_the_second_nothing(make: Make) -> None:
    it = make(rate_per_s=100.0, per_minute=30)
    assert it.take(50) == 30
    assert it.take(50) == 0
    assert it.room()[0] == 0
    assert 59.0 <= it.room()[1] <= 61.1
    assert it.take_calls(60) == 60, "of a hundred a second, thirty went"


def test_a_second_refuses_before_the_day_is_asked(make: Make) -> None:
    it = make(rate_per_s=10.0, per_day=1_000)
    assert 10 <= it.take(50) <= 11
    assert list(it.used()) == ["day"]
    assert 0.010 <= it.used()["day"] <= 0.011


def test_what_is_no_message_costs_no_part_of_the_day(make: Make) -> None:
    it = make(rate_per_s=0, per_day=3)
    assert it.take_calls(100) == 100
    assert it.take(100) == 3


def test_what_was_refused_for_what_it_is_counts_for_no_day(make: Make) -> None:
    it = make(rate_per_s=0, per_hour=3)
    assert it.take(3) == 3
    it.give_back(2)
    assert it.take(9) == 2


def test_another_one_of_the_same_name_goes_on_where_it_was(make: Make) -> None:
    assert make(rate_per_s=0, per_day=10).take(7) == 7
    assert make(rate_per_s=0, per_day=10).take(7) == 3
    Clock.now += 86_400 * 61 / 60
    assert make(rate_per_s=0, per_day=10).take(70) == 10
