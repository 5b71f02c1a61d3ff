"""A pace that is halved and climbs: how often, how far, and how it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.easing import SHARE_MIN, Eased, congested, share_at, throttled

WHOLE = Eased(0.0, 0.0)
CLIMB_S = 60.0


def test_a_new_link_has_its_whole_pace() -> None:
    assert share_at(WHOLE, CLIMB_S, 100.0) == 1.0


def test_it_is_halved_and_climbs_evenly() -> None:
    eased = throttled(WHOLE, CLIMB_S, 100.0, 99.9, 1.0)
    assert eased == Eased(0.5, 101.0)
    assert [share_at(eased, CLIMB_S, now) for now in (100.5, 101.0, 116.0, 131.0, 500.0)] == [0.5, 0.5, 0.75, 1.0, 1.0]


def test_what_went_before_the_halving_says_nothing_new() -> None:
    eased = throttled(WHOLE, CLIMB_S, 100.0, 99.9, 1.0)
    assert eased is not None
    assert throttled(eased, CLIMB_S, 100.0, 99.95, 1.0) is None
    assert throttled(eased, CLIMB_S, 103.0, 100.9, 1.0) is None, "a slow carrier turns its queue away late"
    again = throttled(eased, CLIMB_S, 107.0, 106.9, 1.0)
    assert again is not None
    assert again.share == pytest.approx(0.3)
    assert again.at == 108.0


def test_something_always_goes() -> None:
    eased: Eased | None = WHOLE
    for second in range(1, 40):
        assert eased is not None
        eased = throttled(eased, 1e9, float(second), float(second), 0.0)
    assert eased is not None
    assert eased.share == SHARE_MIN


def test_a_carrier_of_5_0_says_how_full_it_is() -> None:
    assert congested(WHOLE, CLIMB_S, 100.0, 99, 1.0) is None, "nobody goes faster than the whole"
    eased = congested(WHOLE, CLIMB_S, 100.0, 100, 1.0)
    assert eased == Eased(0.5, 101.0)
    assert congested(eased, CLIMB_S, 100.5, 100, 1.0) is None, "once in so long"
    assert congested(eased, CLIMB_S, 107.0, 89, 1.0) is None
    held = congested(eased, CLIMB_S, 107.0, 90, 1.0)
    assert held is not None
    assert held.share == pytest.approx(0.6), "it stays where it is"
    assert held.at == 107.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 5.0), st.integers(0, 100)), max_size=30))
def test_a_share_is_a_share(events: list[tuple[float, float, int]]) -> None:
    eased, now = WHOLE, 1_000.0
    for after_s, latency_s, state in events:
        now += after_s
        before = share_at(eased, CLIMB_S, now)
        found = (
            throttled(eased, CLIMB_S, now, now - latency_s, 1.0)
            if state % 2
            else congested(eased, CLIMB_S, now, state, 1.0)
        )
        if found is not None:
            assert SHARE_MIN <= found.share <= before
            eased = found
        assert SHARE_MIN <= share_at(eased, CLIMB_S, now) <= 1.0
