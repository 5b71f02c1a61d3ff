"""A steady clock: it goes with the wall clock, and does not jump with it."""

from __future__ import annotations

import pytest

from gatewayd.runtime.steady import FOLLOWING, SteadyClock


class Clocks:
    """A wall clock and a monotonic one, both moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.monotonic = 5_000.0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.monotonic)

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_it_goes_with_the_wall_clock() -> None:
    clocks = Clocks()
    assert clocks.steady() == clocks.wall
    clocks.advance(1_000.0)
    assert clocks.steady() == pytest.approx(clocks.wall)


@pytest.mark.parametrize("step", [3_600.0, -3_600.0])
def test_a_step_is_followed_slowly(step: float) -> None:
    clocks = Clocks()
    before = clocks.steady()
    clocks.wall += step
    assert clocks.steady() == pytest.approx(before)
    clocks.advance(100.0)
    assert abs(clocks.steady() - before - 100.0) == pytest.approx(100.0 * FOLLOWING)
    clocks.advance(3_600.0 / FOLLOWING)
    assert clocks.steady() == pytest.approx(clocks.wall)


def test_it_never_goes_backwards() -> None:
    clocks = Clocks()
    last = clocks.steady()
    for number in range(100):
        clocks.wall += -3_600.0 if number % 2 else 1_800.0
        clocks.advance(0.01 * number)
        now = clocks.steady()
        assert now >= last
        last = now


def test_small_corrections_are_followed_at_once() -> None:
    clocks = Clocks()
    clocks.advance(10.0)
    clocks.wall += 0.1
    assert clocks.steady() == pytest.approx(clocks.wall)
