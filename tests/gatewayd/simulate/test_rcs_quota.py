"""Fixed windows: what passes, what waits, and how busy a stretch of time was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.simulate.rcs_quota import Quota, busiest


def test_no_limit_lets_everything_pass() -> None:
    quota = Quota()
    assert [quota.take(0.0) for _ in range(1000)] == [0.0] * 1000


def test_a_full_minute_waits_for_the_next() -> None:
    quota = Quota(per_minute=2)
    assert quota.take(70.0) == quota.take(71.0) == 0.0
    assert quota.take(80.0) == 40.0
    assert quota.take(120.0) == 0.0


def test_the_longer_wait_of_two_limits_counts_and_a_refusal_does_not() -> None:
    quota = Quota(per_minute=2, per_s=1)
    assert quota.take(0.0) == 0.0
    assert quota.take(0.25) == 0.75
    assert quota.take(1.0) == 0.0
    assert quota.take(1.5) == 58.5
    assert quota.take(2.0) == 58.0


def test_the_busiest_window_is_half_open() -> None:
    assert busiest([], 1.0) == 0
    assert busiest([0.0, 0.5, 1.0], 1.0) == 2
    assert busiest([0.0, 0.5, 0.9], 1.0) == 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 200.0), max_size=80), st.integers(1, 5), st.integers(1, 3))
def test_no_fixed_window_is_ever_exceeded(times: list[float], per_minute: int, per_s: int) -> None:
    quota = Quota(per_minute, per_s)
    passed = [at for at in sorted(times) if quota.take(at) == 0.0]
    for length_s, limit in ((60.0, per_minute), (1.0, per_s)):
        windows = [at // length_s for at in passed]
        assert all(windows.count(window) <= limit for window in windows)
