"""A busy loop's turns take two milliseconds at least; a quiet one's never a moment longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gatewayd.runtime.turns import BUSY_OCTETS_PER_S, TURN_S, Turns


class Played:
    """A clock that only moves when it is told to, a loop whose next turn comes when it is asked for, and the rests."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.rests: list[float] = []
        self.turns = Turns(lambda: self.now, self.sleep)

    def sleep(self, rest_s: float) -> None:
        self.rests.append(rest_s)
        self.now += rest_s

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self.soon.append((callback, args))

    def turn(self, *reads: int, took_s: float) -> None:
        """One turn with these reads; what was asked for is called in the next one, and in that after it."""
        for octets in reads:
            self.turns.brought(cast(asyncio.AbstractEventLoop, self), octets)
        self.now += took_s
        for _ in range(2):
            soon, self.soon = self.soon, []
            for callback, args in soon:
                callback(*args)

    def run(self, octets_per_s: float, took_s: float, seconds: float = 1.0) -> list[float]:
        """The rests of so long a time at this pace."""
        self.rests.clear()
        until = self.now + seconds
        while self.now < until:
            began = self.now
            self.turn(round(octets_per_s * max(took_s, TURN_S / 2)), took_s=took_s)
            if self.now - began < TURN_S / 2:
                self.now = began + TURN_S / 2
        return self.rests


def test_a_quiet_loop_never_rests() -> None:
    assert Played().run(BUSY_OCTETS_PER_S * 0.9, 0.0002) == []


def test_a_busy_one_makes_each_turn_long_enough() -> None:
    played = Played()
    rests = played.run(BUSY_OCTETS_PER_S * 4, 0.0005)
    assert len(rests) > 400
    assert all(rest == pytest.approx(TURN_S - 0.0005, abs=0.0006) for rest in rests)


def test_turns_that_are_long_anyhow_are_not_made_longer() -> None:
    assert Played().run(BUSY_OCTETS_PER_S * 40, TURN_S * 1.5) == []


def test_it_does_not_rest_longer_than_the_load_lasts() -> None:
    played = Played()
    assert played.run(BUSY_OCTETS_PER_S * 4, 0.0005)
    played.run(BUSY_OCTETS_PER_S / 10, 0.0005, seconds=0.1)
    assert played.run(BUSY_OCTETS_PER_S / 10, 0.0005) == []


def test_all_that_was_read_in_one_turn_is_one_question() -> None:
    played = Played()
    for octets in (10, 20, 30):
        played.turns.brought(cast(asyncio.AbstractEventLoop, played), octets)
    assert len(played.soon) == 1


async def test_a_loop_that_ended_in_the_middle_of_a_turn_is_forgotten() -> None:
    turns = Turns()
    other = asyncio.new_event_loop()
    turns.brought(other, 1)
    other.close()
    loop = asyncio.get_running_loop()
    turns.brought(loop, 1)
    assert turns._asked is loop
