"""A link whose carrier cannot follow: half as fast, in order, nothing lost and no try used up."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.flow.easing import Easing
from gatewayd.flow.limits import Limits
from gatewayd.policy.pacing import UNLIMITED, Rate
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_shares import Share
from tests.support.clock import Clock


def limits(file: SharedLimits, clock: Clock, rate: Rate) -> tuple[Limits, Easing]:
    slot = file.slot("link:carrier")
    easing = Easing(Share(file, "share:carrier"), 60.0, 1.0, clock)
    return Limits([(slot, rate)], slot, clock, easing=easing), easing


def sent_in(seconds: float, paced: Limits, clock: Clock) -> int:
    """How many go in so long when all that may go does."""
    sent, until = 0, clock.now + seconds
    while clock.now < until:
        granted, wait_s = paced.take(10)
        sent += granted
        clock.now += max(wait_s, 0.001)
    return sent


def test_it_goes_at_half_its_rate_and_climbs_back(file: SharedLimits) -> None:
    clock = Clock()
    paced, easing = limits(file, clock, Rate(100.0, 10))
    assert 95 <= sent_in(1.0, paced, clock) <= 112
    paced.pause(1.0)
    assert paced.ease(1.0, 0.05)
    assert not paced.ease(1.0, 0.05), "the others of the same window"
    clock.now += 1.0
    assert 45 <= sent_in(1.0, paced, clock) <= 55
    clock.now += 14.0
    assert 72 <= sent_in(1.0, paced, clock) <= 80
    clock.now += 30.0
    assert easing.share() == 1.0
    sent_in(0.2, paced, clock)
    assert 95 <= sent_in(1.0, paced, clock) <= 112


def test_what_was_not_sent_is_given_back_at_the_pace_that_it_was_taken(file: SharedLimits) -> None:
    clock = Clock()
    paced, _ = limits(file, clock, Rate(100.0, 10))
    paced.ease(0.0, 0.0)
    assert paced.take(10)[0] == 1
    paced.give_back(1)
    assert paced.take(10)[0] == 1


def test_all_workers_are_slowed_by_what_one_of_them_was_told(file: SharedLimits, tmp_path: Path) -> None:
    clock, other = Clock(), SharedLimits.open(tmp_path / "limits")
    mine, _ = limits(file, clock, Rate(100.0, 10))
    theirs, easing = limits(other, clock, Rate(100.0, 10))
    assert mine.ease(0.0, 0.0)
    assert easing.share() == 0.5
    assert 45 <= sent_in(1.0, theirs, clock) <= 55
    other.close()


def test_without_a_rate_there_is_none_to_halve(file: SharedLimits) -> None:
    clock = Clock()
    paced, easing = limits(file, clock, UNLIMITED)
    paced.ease(0.0, 0.0)
    assert easing.share() == 0.5, "for the window"
    assert paced.take(1_000) == (1_000, 0.0)


def test_a_carrier_that_is_full_and_one_that_is_nearly_so(file: SharedLimits) -> None:
    clock = Clock()
    _, easing = limits(file, clock, Rate(100.0, 10))
    assert not easing.congested(95)
    assert easing.congested(100)
    assert not easing.congested(100)
    clock.now += 10.0
    share = easing.share()
    assert easing.congested(95)
    clock.now += 0.5
    assert easing.share() == pytest.approx(share + 0.5 / 60.0)
