"""The hours of an operator's night, over the changes of its clock, and the turns of handsets."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gatewayd.policy.qualification import Hours, first_turn, hours_of, next_turn

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
NIGHT = hours_of("22:00-07:00", PARIS)


def at(*moment: int, zone: dt.tzinfo = PARIS) -> float:
    return dt.datetime(*moment, tzinfo=zone).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ((2026, 11, 26, 21, 59, 59), False),
        ((2026, 11, 26, 22, 0), True),
        ((2026, 11, 26, 23, 59), True),
        ((2026, 11, 27, 0, 0), True),
        ((2026, 11, 27, 6, 59, 59), True),
        ((2026, 11, 27, 7, 0), False),
        ((2026, 11, 27, 12, 0), False),
    ],
)
def test_the_night(moment: tuple[int, ...], is_open: bool) -> None:
    assert NIGHT.is_open(at(*moment)) is is_open


def test_summer_time_is_the_zone_s_business() -> None:
    winter, summer = at(2026, 1, 15, 21, 30, zone=dt.UTC), at(2026, 7, 15, 20, 30, zone=dt.UTC)
    assert NIGHT.is_open(winter)
    assert NIGHT.is_open(summer)
    cet = hours_of("22:00-07:00", zoneinfo.ZoneInfo("Etc/GMT-1"))
    assert cet.is_open(winter)
    assert not cet.is_open(summer)


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ((2026, 11, 26, 7, 0), (2026, 11, 26, 22, 0)),
        ((2026, 11, 26, 22, 0), (2026, 11, 27, 22, 0)),
        ((2026, 11, 26, 23, 0), (2026, 11, 27, 22, 0)),
        ((2026, 11, 27, 1, 0), (2026, 11, 27, 22, 0)),
        ((2026, 10, 24, 23, 0), (2026, 10, 25, 22, 0)),  # 25 hours long
        ((2027, 3, 27, 23, 0), (2027, 3, 28, 22, 0)),  # 23
    ],
)
def test_the_next_opening(now: tuple[int, ...], opening: tuple[int, ...]) -> None:
    assert NIGHT.next_opening(at(*now)) == at(*opening)


def test_hours_by_day_and_the_whole_day() -> None:
    day = hours_of("08:00-20:30", PARIS)
    assert [day.is_open(at(2026, 11, 26, hour, 30)) for hour in (7, 8, 19, 20)] == [False, True, True, False]
    always = hours_of("", PARIS)
    assert always == Hours(zone=PARIS)
    assert always.is_open(12.0)
    assert always.next_opening(12.0) == 12.0


@settings(max_examples=60, deadline=None)
@given(some.integers(int(at(2026, 1, 1)), int(at(2028, 1, 1))))
def test_it_is_open_when_it_opens_and_was_not_before(now: int) -> None:
    opening = NIGHT.next_opening(now)
    assert now < opening <= now + 25 * 3_600
    assert NIGHT.is_open(opening)
    assert not NIGHT.is_open(opening - 1)


@settings(max_examples=60, deadline=None)
@given(some.floats(1e9, 2e9), some.sampled_from([1.0, 24.0, 720.0]))
def test_new_handsets_are_gathered(now: float, new_h: float) -> None:
    turn = first_turn(now, new_h)
    assert now <= turn <= now + new_h * 3_600
    assert first_turn(turn, new_h) == turn
    assert turn % (new_h * 3_600) == 0


def test_turns() -> None:
    assert first_turn(17.0, 0.0) == 17.0
    assert next_turn(100.0, True, 2.0, 1.0) == 7_300.0
    assert next_turn(100.0, False, 2.0, 1.0) == 3_700.0
