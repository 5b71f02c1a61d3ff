"""Twin of protocol.rcs.timestamps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs import timestamps


@pytest.mark.parametrize(
    ("written", "unix"),
    [
        ("2026-11-22T10:11:26Z", 1795342286.0),
        ("2026-11-22T10:12:03.120Z", 1795342323.12),
        ("2026-11-22T10:11:26", 1795342286.0),
        ("2026-11-22t10:11:26z", 1795342286.0),
        ("2026-11-22T11:11:26+01:00", 1795342286.0),
        (" 2026-11-22 10:11:26Z ", 1795342286.0),
        ("2026-11-22T10:11:26.123456789Z", 1795342286.123456),
        ("yesterday", 0.0),
        ("2026-13-45T10:11:26Z", 0.0),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_moments_are_read_leniently(written: str | None, unix: float) -> None:
    assert timestamps.read(written) == pytest.approx(unix, abs=1e-6)


def test_moments_are_written_in_utc_and_whole_seconds() -> None:
    assert timestamps.write(1795359600.9) == "2026-11-22T15:00:01Z"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 4_000_000_000))
def test_what_is_written_is_read_back(unix: int) -> None:
    assert timestamps.read(timestamps.write(unix)) == unix


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_a_fault(text: str) -> None:
    assert timestamps.read(text) >= 0
