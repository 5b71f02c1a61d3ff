"""Seats are spread evenly by workers that look by themselves, whatever dies and comes back, and none moves in vain."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.spread import REST_MAX_S, REST_MEMORY_S, REST_MIN_S, Rest, next_step, share_of

ORPHAN_LOOKS = 3


@pytest.mark.parametrize(("seats", "workers"), [(1, 1), (1, 4), (4, 4), (10, 4), (3, 2), (1_000, 7)])
def test_shares_are_even_and_come_to_the_whole(seats: int, workers: int) -> None:
    shares = [share_of(slot, seats, workers) for slot in range(workers)]
    assert sum(shares) == seats
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("held", "orphaned", "alive", "step"),
    [
        ({}, 0, {0, 1, 2}, 4),  # its share, at once
        ({0: 4}, 0, {0, 1, 2}, 0),  # free seats are the others' own
        ({0: 4, 1: 3}, 3, {0, 1}, 2),  # those of the third, half for each
        ({0: 4, 1: 5}, 1, {0, 1}, 1),
        ({0: 6, 1: 4}, 0, {0, 1}, 0),  # the third is away: it keeps them
        ({0: 6, 1: 4}, 0, {0, 1, 2}, -1),
        ({0: 5, 1: 5}, 0, {0, 1, 2}, 0),  # not this one: the other has more above its share
        ({0: 5, 1: 4, 2: 1}, 0, {0, 1, 2}, -1),
        ({0: 3, 1: 7}, 0, {0, 1, 2}, 0),
    ],
)
def test_one_step(held: dict[int, int], orphaned: int, alive: set[int], step: int) -> None:
    assert next_step(held, 10, 0, 3, alive, orphaned) == step


class Room:
    """Workers that look at the seats in an order of chance, as their timers make it."""

    def __init__(self, seats: int, workers: int, seed: int) -> None:
        self.seats, self.workers = seats, workers
        self.owners: list[int | None] = [None] * seats
        self.free_looks = [[0] * seats for _ in range(workers)]
        self.alive = set(range(workers))
        self.able = set(range(workers))
        self.chance = random.Random(seed)
        self.moves = 0
        self.gifts = 0

    def look_round(self) -> None:
        """Everybody looks once."""
        order = sorted(self.alive & self.able)
        self.chance.shuffle(order)
        for slot in order:
            self.look(slot)
            assert len(self.owners) == self.seats

    def look(self, slot: int) -> None:
        looks = self.free_looks[slot]
        for seat, owner in enumerate(self.owners):
            looks[seat] = looks[seat] + 1 if owner is None else 0
        held = Counter(owner for owner in self.owners if owner is not None)
        orphaned = sum(count >= ORPHAN_LOOKS for count in looks)
        step = next_step(held, self.seats, slot, self.workers, self.alive, orphaned)
        self.moves += abs(step)
        if step < 0:
            self.gifts += 1
            self.owners[len(self.owners) - 1 - self.owners[::-1].index(slot)] = None
        for _ in range(step):
            self.owners[self.owners.index(None)] = slot

    def kill(self, slot: int) -> None:
        """The kernel frees its seats."""
        self.alive.discard(slot)
        self.owners = [None if owner == slot else owner for owner in self.owners]

    def revive(self, slot: int) -> None:
        self.alive.add(slot)
        self.free_looks[slot] = [0] * self.seats

    def settle(self, rounds: int = 100) -> None:
        """Until nobody moves for as long as it takes to call a seat an orphan."""
        still = 0
        for _ in range(rounds):
            before = self.moves
            self.look_round()
            still = still + 1 if self.moves == before else 0
            if still > ORPHAN_LOOKS + 1:
                return
        raise AssertionError(f"still moving: {self.owners}")

    def counts(self) -> list[int]:
        return [self.owners.count(slot) for slot in range(self.workers)]

    def is_even(self) -> bool:
        return self.counts() == [share_of(slot, self.seats, self.workers) for slot in range(self.workers)]


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 1_000), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_dies_and_returns_all_seats_are_held_and_in_the_end_evenly(
    seats: int, workers: int, seed: int, data: st.DataObject
) -> None:
    room = Room(seats, workers, seed)
    room.settle()
    assert room.is_even()
    for slot in data.draw(st.lists(st.integers(0, workers - 1), max_size=6)):
        if slot not in room.alive:
            room.revive(slot)
        elif len(room.alive) > 1:
            room.kill(slot)
        if data.draw(st.booleans()):
            room.settle()
            assert None not in room.owners
    for slot in range(workers):
        room.revive(slot)
    room.settle()
    assert room.is_even()
    before = room.moves
    for _ in range(20):
        room.look_round()
    assert room.moves == before, "even, and yet somebody moves"


def test_the_seats_of_a_dead_worker_are_taken_within_the_looks_of_an_orphan_and_evenly() -> None:
    room = Room(12, 4, seed=1)
    room.settle()
    room.kill(2)
    for _ in range(ORPHAN_LOOKS):
        room.look_round()
    assert room.counts() == [4, 4, 0, 4]


def test_who_comes_back_is_given_its_share_and_nothing_is_closed_in_vain() -> None:
    """Two are away and one returns: those who hold the seats of both must not each give one up for it."""
    room = Room(4, 4, seed=2)
    room.settle()
    room.kill(2)
    room.kill(3)
    room.settle()
    assert None not in room.owners
    room.revive(2)
    room.settle()
    assert room.gifts == 1
    assert room.counts()[2] == 1
    assert None not in room.owners


def test_a_seat_given_up_in_vain_is_kept_longer_each_time() -> None:
    rest = Rest()
    assert rest.is_over(0.0)
    now, waits = 100.0, []
    for _ in range(10):
        rest.took_orphan(now)
        began = now
        while not rest.is_over(now):
            now += 0.5
        waits.append(now - began)
        rest.gave(now)
        now += 0.5
    assert waits[:3] == [REST_MIN_S, 2 * REST_MIN_S, 4 * REST_MIN_S]
    assert waits[-1] == REST_MAX_S
    now += REST_MEMORY_S + REST_MAX_S
    rest.took_orphan(now)
    assert rest.is_over(now + REST_MIN_S), "that was long ago"
