"""Every timer as a moment, with plain numbers."""

from __future__ import annotations

import pytest

from protocol.smpp.states import ConnState
from protocol.smpp.timers import Asked, Due, Limits, Timers

LIMITS = Limits(
    session_init_timeout_s=10.0, enquire_interval_s=30.0, inactivity_timeout_s=300.0, response_timeout_s=20.0
)
OFF = Limits(session_init_timeout_s=0, enquire_interval_s=0, inactivity_timeout_s=0, response_timeout_s=0)
ASKED = Asked(1, 110.0, 0x80000015)


def running(timers: Timers, state: ConnState, oldest_at: float | None = None) -> dict[Due, float]:
    return {due: at for at, due in timers.running(state, oldest_at)}


def test_before_the_bind() -> None:
    timers = Timers(LIMITS, 100.0)
    assert running(timers, ConnState.OPEN) == {Due.SESSION_INIT: 110.0}
    timers.binding = ASKED
    timers.heard_at = timers.active_at = 109.0
    assert running(timers, ConnState.OPEN) == {Due.SESSION_INIT: 110.0, Due.BIND: 130.0}


@pytest.mark.parametrize("state", [ConnState.BOUND_TX, ConnState.BOUND_RX, ConnState.BOUND_TRX])
def test_while_bound(state: ConnState) -> None:
    timers = Timers(LIMITS, 100.0)
    timers.heard_at = 105.0
    assert running(timers, state, 120.5) == {Due.REQUEST: 120.5, Due.PROBE: 135.0, Due.INACTIVITY: 400.0}
    timers.probe = ASKED
    assert running(timers, state) == {Due.ENQUIRE: 130.0, Due.INACTIVITY: 400.0}


def test_whoever_still_talks_is_not_cut_for_a_missing_answer() -> None:
    timers = Timers(LIMITS, 100.0)
    timers.probe = ASKED
    timers.heard_at = 125.0
    assert running(timers, ConnState.BOUND_TRX)[Due.ENQUIRE] == 145.0


def test_while_unbinding() -> None:
    timers = Timers(LIMITS, 100.0)
    timers.unbinding = ASKED
    assert running(timers, ConnState.UNBINDING, 115.0) == {Due.REQUEST: 115.0, Due.UNBIND: 130.0}


def test_nothing_runs_after_the_end() -> None:
    timers = Timers(LIMITS, 100.0)
    timers.unbinding = timers.probe = ASKED
    assert running(timers, ConnState.CLOSED, 115.0) == {}


@pytest.mark.parametrize("state", list(ConnState))
def test_a_time_of_zero_is_no_timer(state: ConnState) -> None:
    timers = Timers(OFF, 100.0)
    timers.binding = timers.unbinding = ASKED
    assert running(timers, state) == {}
    timers.probe = ASKED
    assert running(timers, state) == {}
