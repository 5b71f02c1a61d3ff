"""Handsets that must rest are remembered within bounds, and nobody waits longer than it can."""

from __future__ import annotations

import pytest

from gatewayd.policy.quota import Pauses, falls_inside, with_headroom


@pytest.mark.parametrize(
    ("deadlines", "is_inside"),
    [((), False), ((0.0, 0.0), False), ((59.0,), True), ((60.0,), True), ((60.1,), False), ((0.0, 100.0, 50.0), True)],
)
def test_deadlines_inside_a_pause(deadlines: tuple[float, ...], is_inside: bool) -> None:
    assert falls_inside(60.0, *deadlines) is is_inside


def test_headroom() -> None:
    assert with_headroom(1800, 0.0) == 1800
    assert with_headroom(1800, 0.05) == 1710
    assert with_headroom(30, 0.07) == 27
    assert with_headroom(1, 0.5) == 1
    assert with_headroom(0, 0.5) == 0


def test_a_pause_is_for_one_alone_and_ends() -> None:
    pauses = Pauses(10)
    pauses.pause("a", 60.0, now=0.0)
    assert pauses.until("a", 59.0) == 60.0
    assert pauses.until("b", 59.0) == 0.0
    assert list(pauses.keys()) == ["a"]
    assert pauses.until("a", 60.0) == 0.0
    assert len(pauses) == 0


def test_a_longer_pause_is_not_shortened() -> None:
    pauses = Pauses(10)
    pauses.pause("a", 60.0, now=0.0)
    pauses.pause("a", 30.0, now=1.0)
    assert pauses.until("a", 2.0) == 60.0
    pauses.pause("a", 90.0, now=1.0)
    assert pauses.until("a", 2.0) == 90.0
    pauses.pause("b", 1.0, now=1.0)
    assert pauses.until("b", 1.0) == 0.0


def test_the_table_is_bounded() -> None:
    pauses = Pauses(3)
    for key, until in (("a", 30.0), ("b", 20.0), ("c", 40.0)):
        pauses.pause(key, until, now=0.0)
    pauses.pause("d", 50.0, now=1.0)
    assert sorted(pauses.keys()) == ["a", "c", "d"]
    pauses.pause("e", 60.0, now=45.0)
    assert sorted(pauses.keys()) == ["d", "e"]
    for number in range(100):
        pauses.pause(str(number), 100.0 + number, now=46.0)
    assert len(pauses) == 3
