"""The error ratio: the worst window is found exactly, wherever it lies."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.simulate.rcs_ratio import EMPTY, Asked, ReachLog, windows_within, worst_window


def asked(pattern: str) -> list[Asked]:
    """``x`` is a handset that could not be reached; one request a second."""
    return [Asked(float(number), letter != "x") for number, letter in enumerate(pattern)]


def test_the_worst_of_all_windows() -> None:
    worst = worst_window(asked("......xx.x......"), 4)
    assert (worst.since, worst.until, worst.asked, worst.unreachable) == (6.0, 9.0, 4, 3)
    assert worst_window(asked("..."), 4) == EMPTY
    assert worst_window(asked("...."), 4).share == 0.0
    assert EMPTY.share == 0.0


@settings(max_examples=100, deadline=None)
@given(st.text("x..", max_size=40), st.integers(1, 8))
def test_it_is_what_trying_all_windows_gives(pattern: str, least: int) -> None:
    requests = asked(pattern)
    shares = [
        Fraction(pattern[first:last].count("x"), last - first)
        for first in range(len(pattern))
        for last in range(first + least, len(pattern) + 1)
    ]
    worst = worst_window(requests, least)
    if not shares:
        assert worst == EMPTY
    else:
        assert Fraction(worst.unreachable, worst.asked) == max(shares)


def test_windows_of_time_hold_what_fell_into_them() -> None:
    windows = list(windows_within(asked("x.xx..."), 3.0, 2))
    assert [(window.since, window.asked, window.unreachable) for window in windows] == [
        (0.0, 2, 1),
        (0.0, 3, 2),
        (1.0, 3, 2),
        (2.0, 3, 2),
        (3.0, 3, 1),
        (4.0, 3, 0),
    ]


def test_a_log_skips_the_first_and_forgets_the_oldest() -> None:
    log = ReachLog(10)
    for number, letter in enumerate("xxxx......x."):
        log.add(float(number), letter != "x")
    assert len(log) == 10
    assert log.total().unreachable == 3
    assert log.worst(2, 4).share == 0.5
    assert log.worst(2, 0).share == 1.0
    assert log.last(2).share == 0.5
    assert log.worst_within(2.0, 2, 4).share == 0.5
    assert log.worst_within(3.0, 20, 4) == EMPTY


def test_what_comes_out_later_counts_as_well() -> None:
    log = ReachLog()
    log.add(0.0, reachable=True).reachable = False
    assert log.total().share == 1.0
