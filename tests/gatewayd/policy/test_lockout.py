"""When whoever is wrong is locked out, for how long, and what clocks that jump do to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.lockout import SHARED_FACTOR, Mark, Terms, failed, wait_s

TERMS = Terms(3, 60.0, 300.0)
NOW = 1_000.0


def wrong(*moments: float, terms: Terms = TERMS) -> Mark:
    mark = Mark()
    for moment in moments:
        mark = failed(mark, moment, terms)
    return mark


def test_so_many_within_the_window_and_no_fewer() -> None:
    assert wait_s(wrong(NOW, NOW + 1), NOW + 1, TERMS) == 0
    assert wait_s(wrong(NOW, NOW + 1, NOW + 60), NOW + 60, TERMS) == 300
    assert wait_s(wrong(NOW, NOW + 1, NOW + 61), NOW + 61, TERMS) == 0, "the window is over"
    assert wait_s(wrong(NOW, NOW, NOW), NOW + 299.5, TERMS) == 0.5
    assert wait_s(wrong(NOW, NOW, NOW), NOW + 300, TERMS) == 0


def test_after_a_lock_out_counting_begins_anew() -> None:
    mark = wrong(NOW, NOW, NOW)
    later = NOW + 301
    assert wait_s(failed(mark, later, TERMS), later, TERMS) == 0
    assert wait_s(wrong(NOW, NOW, NOW, later, later, later), later, TERMS) == 300


def test_no_failures_are_no_limit() -> None:
    never = Terms(0, 60.0, 300.0)
    assert failed(Mark(), NOW, never) == Mark()
    assert wait_s(Mark(0, 0.0, NOW + 10), NOW, never) == 0


def test_what_several_share_bears_more() -> None:
    assert TERMS.shared().failures == 3 * SHARED_FACTOR


def test_a_sum_that_was_rounded_up_locks_out_all_the_same() -> None:
    moment, terms = 212.9195064188836, Terms(1, 60.0, 300.0)
    assert wait_s(failed(Mark(), moment, terms), moment, terms) > 299


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer() -> None:
    mark = wrong(NOW, NOW, NOW)
    assert wait_s(mark, NOW - 86_400, TERMS) == 0
    assert failed(Mark(2, NOW, 0.0), NOW - 86_400, TERMS) == Mark(1, NOW - 86_400, 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 500), min_size=1, max_size=40).map(sorted), st.integers(1, 10))
def test_nobody_gets_more_tries_than_the_terms_say(moments: list[float], failures: int) -> None:
    """Of those who may try, no window holds more tries than twice the failures: a window may begin at any moment."""
    terms = Terms(failures, 60.0, 300.0)
    mark, tried = Mark(), []
    for moment in moments:
        if not wait_s(mark, moment, terms):
            tried.append(moment)
            mark = failed(mark, moment, terms)
    for begin in tried:
        assert sum(begin <= at < begin + 60.0 for at in tried) <= 2 * failures
