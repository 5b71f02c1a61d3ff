"""A breaker opens after failures in a row, lets one probe through, and closes when it works."""

from __future__ import annotations

import pytest

from gatewayd.policy.breaker import FAILURES_MAX, OPEN_FIRST_S, OPEN_MAX_S, Breaker, BreakerState


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    told = [breaker.failed(now, 1.0) for _ in range(FAILURES_MAX)]
    assert told == [False] * (FAILURES_MAX - 1) + [True]
    return breaker


def test_it_lets_as_many_through_as_may_be_unanswered() -> None:
    assert [Breaker().room(in_flight, 8, 0.0) for in_flight in (0, 7, 8, 9)] == [8, 1, 0, 0]


def test_a_success_in_between_keeps_it_closed() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(0.0, 1.0)
        assert not breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_after_failures_in_a_row_nothing_goes_for_a_while_and_then_one_probe() -> None:
    breaker = opened()
    assert (breaker.room(0, 8, 0.5), breaker.waits_until(0.5)) == (0, OPEN_FIRST_S)
    assert (breaker.room(0, 8, 1.0), breaker.room(1, 8, 1.0)) == (1, 0)
    assert breaker.succeeded()
    assert breaker.room(0, 8, 1.0) == 8


def test_each_probe_that_fails_doubles_the_wait_up_to_a_bound() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(9):
        until = breaker.waits_until(now)
        assert until is not None
        waits.append(until - now)
        now = until
        assert breaker.room(0, 8, now) == 1
        assert not breaker.failed(now, 1.0)  # that it is in trouble was told already
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, OPEN_MAX_S, OPEN_MAX_S, OPEN_MAX_S])


def test_what_was_under_way_when_it_opened_neither_prolongs_nor_doubles() -> None:
    breaker = opened()
    breaker.failed(0.9, 1.0)
    assert breaker.room(0, 8, 1.0) == 1


def test_chance_takes_half_of_the_wait_at_most() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        breaker.failed(0.0, 0.0)
    assert breaker.waits_until(0.0) == OPEN_FIRST_S / 2


def test_a_pause_holds_whatever_else_is() -> None:
    breaker = Breaker()
    breaker.pause(10.0)
    breaker.succeeded()
    assert (breaker.room(0, 8, 9.0), breaker.waits_until(9.0), breaker.room(0, 8, 10.0)) == (0, 10.0, 8)
    probing = opened()
    assert probing.room(0, 8, 1.0) == 1
    probing.pause(10.0)
    assert probing.room(0, 8, 9.0) == 0


def test_what_is_gone_stays_so_until_it_is_tried_anew() -> None:
    breaker = Breaker()
    breaker.disable()
    breaker.succeeded()
    breaker.failed(0.0, 1.0)
    assert (breaker.room(0, 8, 1e9), breaker.waits_until(0.0)) == (0, None)
    breaker.reset()
    assert breaker.room(0, 8, 0.0) == 8
