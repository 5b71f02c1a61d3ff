"""No window ever holds more than its quota, and the quota can be used up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.pacing import LATE_S, UNLIMITED, Ramp, Rate, rate_of, window_of


def most_in_window(times: list[float], window_s: float) -> int:
    """The largest number of times that lie in any closed window."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def run_greedily(rate: Rate, duration_s: float, batch: int = 7, start: float = 1000.0) -> list[float]:
    """The moments at which messages go when somebody always wants to send."""
    times: list[float] = []
    tat, now = 0.0, start
    while now < start + duration_s:
        granted, tat, wait_s = rate.step(tat, now, batch)
        times += [now] * granted
        now += wait_s
    return times


def test_first_burst_then_pace() -> None:
    rate = Rate(10.0, 3)
    granted, tat, wait_s = rate.step(0.0, 100.0, 5)
    assert granted == 3
    assert wait_s == pytest.approx(0.1)
    assert rate.step(tat, 100.05, 1)[0] == 0
    assert rate.step(tat, 100.0 + wait_s, 5)[0] == 1


def test_all_granted_means_no_wait() -> None:
    assert Rate(10.0, 3).step(0.0, 100.0, 3)[::2] == (3, 0.0)


def test_nothing_wanted_changes_nothing() -> None:
    assert Rate(10.0, 3).step(100.1, 100.0, 0) == (0, 100.1, 0.0)


def test_idleness_earns_one_burst_only() -> None:
    rate = Rate(10.0, 3)
    _, tat, _ = rate.step(0.0, 100.0, 3)
    assert rate.step(tat, 5000.0, 100)[0] == 3


@pytest.mark.parametrize("tat", [1e12, math.inf, math.nan])
def test_impossible_state_heals_at_once(tat: float) -> None:
    rate = Rate(10.0, 3)
    granted, healed, wait_s = rate.step(tat, 100.0, 1)
    assert granted == 0
    assert healed == pytest.approx(100.3)
    assert wait_s == pytest.approx(0.1)


def test_clock_set_back_costs_at_most_a_burst() -> None:
    rate = Rate(10.0, 3)
    _, tat, _ = rate.step(0.0, 9999.0, 3)
    _, tat, wait_s = rate.step(tat, 5.0, 1)
    assert wait_s == pytest.approx(0.1)
    assert rate.step(tat, 5.0 + wait_s, 1)[0] == 1


def test_unlimited() -> None:
    assert UNLIMITED.step(0.0, 7.0, 1_000_000) == (1_000_000, 7.0, 0.0)
    assert UNLIMITED.give_back(7.0, 7.0, 7.0, 5) == 7.0
    assert rate_of() == UNLIMITED


@pytest.mark.parametrize("burst", [1, 2, 5, 18, 30])
def test_orange_quota_is_kept_and_used(burst: int) -> None:
    rate = rate_of(1800, 0.0, burst)
    times = run_greedily(rate, 180.0)
    assert rate.burst == burst
    assert most_in_window(times, 60.1) <= 1800, "a tenth of a second of difference on the way does no harm"
    assert most_in_window(times, 1.0) <= 30 + burst
    assert len(times) / 180.0 >= 30 * (0.99 if burst <= 18 else 0.98)


@pytest.mark.parametrize("per_minute", [1, 2, 3, 10, 60])
@pytest.mark.parametrize("burst", [0.0, 1, 30, 1000])
def test_tiny_quotas_and_bursts_beyond_them(per_minute: int, burst: float) -> None:
    rate = rate_of(per_minute, 0.0, burst)
    times = run_greedily(rate, 1200.0)
    assert most_in_window(times, 60.0) <= per_minute
    assert len(times) >= 1200.0 / 60 * per_minute / 2


def test_the_stricter_limit_rules() -> None:
    assert rate_of(1800, 10.0, 1) == Rate(10.0, 1)
    assert rate_of(600, 100.0, 1).rate_per_s == pytest.approx(598 / 60)
    assert rate_of(600, headroom=0.05).rate_per_s == pytest.approx(9.5)
    assert rate_of(1800, 0.0, 1, 30, 0.05).rate_per_s == pytest.approx(27.44)
    assert rate_of(0, 0.25, 0.0) == Rate(0.25, 1)


def test_give_back_is_as_if_never_taken() -> None:
    rate = Rate(10.0, 5)
    _, before, _ = rate.step(0.0, 100.0, 1)
    _, tat, _ = rate.step(before, 100.0, 4)
    assert rate.give_back(tat, 100.0, 100.0, 4) == pytest.approx(before)


def test_late_give_back_refunds_no_refilled_time() -> None:
    rate = Rate(1.0, 10)
    _, tat, _ = rate.step(0.0, 0.0, 10)
    granted, tat, _ = rate.step(tat, 9.0, 10)
    assert granted == 9
    tat = rate.give_back(tat, 9.0, 0.0, 10)
    assert rate.step(tat, 9.0, 10)[0] == 10 - 9


actions = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.integers(0, 12), st.integers(0, 12), st.floats(0.0, 2.0)), max_size=60
)


@given(st.floats(0.2, 50.0), st.integers(1, 20), actions)
@settings(max_examples=60, deadline=None)
def test_no_window_exceeds_the_rate_whatever_is_given_back(
    rate_per_s: float, burst: int, steps: list[tuple[float, int, int, float]]
) -> None:
    """Some of what is granted is never sent and given back later; what is sent keeps every window."""
    rate = Rate(rate_per_s, burst)
    tat, now = 0.0, 1000.0
    sent: list[float] = []
    for gap_s, wanted, unsent, held_s in steps:
        now += gap_s
        granted, tat, _ = rate.step(tat, now, wanted)
        unsent = min(unsent, granted)
        sent += [now] * (granted - unsent)
        taken_at, now = now, now + held_s
        tat = rate.give_back(tat, now, taken_at, unsent)
    for window_s in (0.0, 0.5, 1.0, 7.0, 60.0):
        assert most_in_window(sent, window_s) <= rate_per_s * window_s + burst + 1e-3


def test_lost_time_is_made_up_for_and_idleness_is_not() -> None:
    rate = Rate(20.0, late_s=0.1)
    _, tat, _ = rate.step(0.0, 100.0, 1)
    granted, tat, wait_s = rate.step(tat, 100.14, 9)
    assert granted == 2, "those that were due at 100.05 and 100.10"
    assert wait_s == pytest.approx(0.01)
    assert rate.step(tat, 100.3, 9)[0] == 1, "nobody came for longer than a turn is late: that was idleness"
    assert Rate(20.0).step(100.05, 100.14, 9)[0] == 1


@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.integers(0, 9)), max_size=80))
@settings(max_examples=60, deadline=None)
def test_what_is_made_up_for_is_bounded(steps: list[tuple[float, int]]) -> None:
    rate = Rate(28.0, late_s=LATE_S)
    tat, now = 0.0, 1000.0
    sent: list[float] = []
    for gap_s, wanted in steps:
        now += gap_s
        granted, tat, _ = rate.step(tat, now, wanted)
        sent += [now] * granted
    for window_s in (0.0, 0.5, 1.0, 7.0):
        assert most_in_window(sent, window_s) <= 28.0 * (window_s + LATE_S) + 1 + 1e-3


def test_a_pace_that_an_operator_gave_is_never_exceeded_to_make_up_for_anything() -> None:
    assert rate_of(1800, 10.0).late_s == rate_of(0, 10.0).late_s == 0.0
    assert rate_of(1800).late_s == rate_of(per_second=30).late_s == LATE_S


@pytest.mark.parametrize(
    ("per_second", "headroom", "size"),
    [(30, 0.05, 28), (30, 0.0, 30), (1, 0.05, 1), (2, 0.5, 1), (5, 0.05, 4), (10, 0.05, 9), (1000, 0.05, 950)],
)
def test_a_window_leaves_all_of_the_headroom(per_second: int, headroom: float, size: int) -> None:
    assert window_of(per_second, headroom) == size


def test_a_ramp_doubles_until_it_is_whole() -> None:
    ramp = Ramp(0.1, 10.0)
    assert [ramp.share(s) for s in (-5.0, 0.0, 9.9, 10.0, 25.0, 35.0, 40.0, 1e300, math.inf)] == [
        0.1,
        0.1,
        0.1,
        0.2,
        0.4,
        0.8,
        1.0,
        1.0,
        1.0,
    ]


def test_a_rate_after_a_pause() -> None:
    plain = Rate(10.0, 5)
    assert plain.at(0.0) is plain
    rate = Rate(10.0, 5, Ramp(0.1, 10.0))
    assert rate.at(0.0) == Rate(1.0, 1, horizon_s=0.5)
    assert rate.at(12.0).rate_per_s == 2.0
    assert rate.at(100.0) is rate
    assert Rate(math.inf, 1, Ramp()).at(0.0).rate_per_s == math.inf
    assert Rate(math.inf, 1, Ramp(), whole=30.0).at(0.0).rate_per_s == 3.0
    assert Rate(2.0, 1, Ramp(0.5), whole=30.0).at(0.0).rate_per_s == 2.0


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.integers(0, 9), st.booleans()), max_size=80))
@settings(max_examples=80, deadline=None)
def test_no_window_exceeds_the_whole_rate_while_it_ramps(steps: list[tuple[float, int, bool]]) -> None:
    rate = Rate(10.0, 5, Ramp(0.1, 3.0))
    tat, now, paused_until = 0.0, 1000.0, 0.0
    sent: list[float] = []
    for gap_s, wanted, pauses in steps:
        now += gap_s
        if pauses:
            paused_until = now + 0.3
        if now < paused_until:
            continue
        granted, tat, _ = rate.at(now - paused_until).step(tat, now, wanted)
        sent += [now] * granted
    for window_s in (0.0, 0.5, 1.0, 7.0, 60.0):
        assert most_in_window(sent, window_s) <= 10.0 * window_s + 5 + 1e-3
