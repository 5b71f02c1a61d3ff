"""Absolute and relative times, their faults and the way back."""

from __future__ import annotations

import calendar
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.constants import Status
from protocol.smpp.errors import RemoteFault
from protocol.smpp.times import format_absolute, parse_time

NOW = float(calendar.timegm((2026, 1, 31, 12, 0, 0)))
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("", 0.0),
        ("260131120000000+", NOW),
        ("260131140000008+", NOW),  # written two hours east of Greenwich
        ("260131100000008-", NOW),
        ("260131120000500+", NOW + 0.5),
        ("000000001000000R", NOW + 600),
        ("000001000000000R", NOW + DAY_S),
        ("000000000030500R", NOW + 30.5),
        ("000100000000000R", NOW + 28 * DAY_S),  # the 31st of February is its last day
        ("010000000000000R", NOW + 365 * DAY_S),
        ("001100000000000R", NOW + 334 * DAY_S),  # to the 31st of December
        ("000099000000000R", NOW + 99 * DAY_S),
        ("000000000000000R", NOW),
    ],
)
def test_parse_time(text: str, unix: float) -> None:
    assert parse_time(text, NOW, Status.ESME_RINVEXPIRY) == unix


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "26013112000000+",
        "260131120000000",
        "260131120000000Z",
        "261331120000000+",
        "260230120000000+",
        "260131250000000+",
        "260131120000049+",
        "26013112000000x+",
        "²60131120000000+",
        "000000001000000r",
        "000000001000000R ",
    ],
)
def test_parse_time_faults_with_the_callers_status(text: str) -> None:
    for status in (Status.ESME_RINVEXPIRY, Status.ESME_RINVSCHED):
        with pytest.raises(RemoteFault) as caught:
            parse_time(text, NOW, status)
        assert (caught.value.kind, caught.value.status) == ("bad_time", status)


def test_parse_time_beyond_the_calendar() -> None:
    year_9990 = float(calendar.timegm((9990, 1, 1, 0, 0, 0)))
    with pytest.raises(RemoteFault):
        parse_time("990000000000000R", year_9990, Status.ESME_RINVEXPIRY)


@given(st.integers(calendar.timegm((2000, 1, 1, 0, 0, 0)), calendar.timegm((2099, 12, 31, 23, 59, 59))))
@settings(max_examples=50, deadline=None)
def test_absolute_round_trip(unix: int) -> None:
    text = format_absolute(float(unix))
    assert len(text) == 16
    assert parse_time(text, 0.0, 0) == unix


@given(st.text(alphabet="0123456789R+-", min_size=16, max_size=16))
@settings(max_examples=200, deadline=None)
def test_any_sixteen_characters_are_a_time_or_a_fault(text: str) -> None:
    with contextlib.suppress(RemoteFault):
        assert isinstance(parse_time(text, NOW, 0x62), float)
