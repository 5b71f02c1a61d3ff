"""Credits: shared evenly, never above what is free, and all back in the end, whoever dies meanwhile."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from gatewayd.policy.credits import Office, Purse

HOLDER = 9


def test_the_hungry_are_served_in_equal_shares() -> None:
    office = Office()
    for peer in range(4):
        office.hungry(peer, 1_000)
    assert office.grants(100) == [(0, 25), (1, 25), (2, 25), (3, 25)]
    assert office.granted == 100
    assert office.grants(100) == []


def test_what_one_does_not_want_is_for_the_others() -> None:
    office = Office()
    for peer, wanted in ((0, 3), (1, 10_000), (2, 10_000)):
        office.hungry(peer, wanted)
    assert dict(office.grants(103)) == {0: 3, 1: 50, 2: 50}


def test_one_credit_at_a_time_goes_round() -> None:
    office = Office()
    for peer in range(3):
        office.hungry(peer, 1_000)
    served: list[int] = []
    for _ in range(9):
        ((peer, count),) = office.grants(1)
        office.spent(peer, count)
        served.append(peer)
    assert served == [0, 1, 2] * 3


def test_a_credit_of_one_holder_is_spent_there_alone() -> None:
    purse = Purse()
    purse.receive(1, 1)
    purse.receive(2, 5)
    assert [purse.spend_at(holder) for holder in (1, 1, 3, 2)] == [True, False, False, True]
    assert len(purse) == 4


def test_who_got_less_than_he_asked_for_is_hungry_still() -> None:
    office = Office()
    office.hungry(0, 5)
    office.hungry(1, 5)
    assert office.grants(6) == [(0, 3), (1, 3)]
    assert [office.is_hungry(peer) for peer in range(3)] == [True, True, False]
    office.grants(100)
    assert not office.is_hungry(0)
    assert not office.is_hungry(2)


def test_hunger_can_be_taken_back() -> None:
    office = Office()
    office.hungry(0, 5)
    office.hungry(1, 5)
    office.hungry(0, 0)
    office.hungry(2, 0)
    assert office.grants(100) == [(1, 5)]


def test_whoever_asks_again_does_not_stand_in_the_row_twice() -> None:
    office = Office()
    office.hungry(0, 5)
    office.hungry(0, 7)
    assert office.grants(100) == [(0, 7)]


def test_what_a_lost_home_held_is_free_again() -> None:
    office = Office()
    office.hungry(0, 10)
    assert office.grants(10) == [(0, 10)]
    office.hungry(1, 10)
    assert office.grants(10) == []
    office.forget(0)
    assert office.grants(10) == [(1, 10)]


def test_a_window_that_shrank_gives_nothing_before_it_has_room_again() -> None:
    office = Office()
    office.hungry(0, 100)
    assert sum(count for _, count in office.grants(20)) == 20
    assert office.grants(5) == []
    office.spent(0, 18)
    assert office.grants(5) == [(0, 3)]


def test_a_purse_spends_at_home_first_and_then_where_it_has_most() -> None:
    purse = Purse()
    assert purse.spend(5, 0) == (-1, 0)
    for holder, count in ((0, 3), (1, 2), (2, 4)):
        purse.receive(holder, count)
    assert len(purse) == 9
    assert [purse.spend(2, 0), purse.spend(2, 0)] == [(0, 2), (0, 1)]
    assert purse.spend(10, 0) == (2, 4)
    assert purse.spend(1, 0) == (1, 1)
    assert purse.spend(1, 0) == (1, 1)
    assert purse.spend(1, 0) == (-1, 0)


@pytest.mark.parametrize(("keep", "back"), [(0, 6), (2, 4), (6, 0), (9, 0)])
def test_a_purse_gives_back_all_but_what_is_kept(keep: int, back: int) -> None:
    purse = Purse()
    purse.receive(1, 2)
    purse.receive(2, 4)
    assert sum(count for _, count in purse.give_back(keep)) == back
    assert len(purse) == 6 - back


def test_a_holder_is_asked_once_until_it_has_given_or_is_there_anew() -> None:
    purse = Purse()
    assert purse.ask(iter((1, 2))) == [1, 2]
    assert purse.ask(iter((1, 2, 3))) == [3]
    purse.receive(1, 1)
    assert purse.ask(iter((1, 2, 3))) == [1]
    purse.forget(2)
    assert purse.ask(iter((1, 2, 3))) == [2]


def test_a_lost_holders_credits_are_void() -> None:
    purse = Purse()
    purse.receive(1, 5)
    purse.forget(1)
    assert len(purse) == 0


class Bank(RuleBasedStateMachine):
    """One holder, three homes, and a line each way between them on which words take their time.

    Homes die and come back; then all that is on their lines is lost, and the holder forgets them.
    """

    window = 40
    homes = Bundle("homes")

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.purses = [Purse() for _ in range(3)]
        self.work = [0, 0, 0]
        self.under_way: Counter[int] = Counter()
        self.to_holder: list[deque[tuple[str, int]]] = [deque() for _ in range(3)]
        self.to_home: list[deque[int]] = [deque() for _ in range(3)]

    def free(self) -> int:
        return self.window - self.under_way.total()

    def serve(self) -> None:
        for peer, count in self.office.grants(self.free()):
            self.to_home[peer].append(count)

    def want(self, home: int) -> None:
        """As a shared link does after each look at its queue."""
        purse = self.purses[home]
        if self.work[home] and not len(purse):
            for _ in purse.ask(iter((HOLDER,))):
                self.to_holder[home].append(("hungry", self.work[home]))
        elif not self.work[home]:
            for _, count in purse.give_back(0):
                self.to_holder[home].append(("back", count))

    @rule(target=homes)
    def all_homes(self) -> object:
        return multiple(0, 1, 2)

    @rule(home=homes, count=st.integers(1, 60))
    def work_comes(self, home: int, count: int) -> None:
        self.work[home] += count
        self.want(home)

    @rule(home=homes)
    def work_goes(self, home: int) -> None:
        """It expired, or found another way."""
        self.work[home] = 0
        self.want(home)

    @rule(home=homes, wanted=st.integers(1, 30))
    def home_sends(self, home: int, wanted: int) -> None:
        _, share = self.purses[home].spend(min(wanted, self.work[home]), HOLDER)
        self.work[home] -= share
        if share:
            self.to_holder[home].append(("send", share))
        self.want(home)

    @rule(home=homes)
    def holder_hears(self, home: int) -> None:
        if not self.to_holder[home]:
            return
        word, count = self.to_holder[home].popleft()
        if word == "hungry":
            self.office.hungry(home, count)
        else:
            self.office.spent(home, count)
            if word == "send":
                self.under_way[home] += count
        self.serve()

    @rule(home=homes)
    def home_hears(self, home: int) -> None:
        if self.to_home[home]:
            self.purses[home].receive(HOLDER, self.to_home[home].popleft())
            self.want(home)

    @rule(home=homes, count=st.integers(1, 40))
    def answers_come(self, home: int, count: int) -> None:
        self.under_way[home] -= min(count, self.under_way[home])
        self.serve()

    @rule(home=homes)
    def home_dies(self, home: int) -> None:
        """A new one is in its place at once; the old one's messages wait in its spool."""
        self.to_holder[home].clear()
        self.to_home[home].clear()
        self.office.forget(home)
        self.purses[home] = Purse()
        self.serve()
        self.want(home)

    @invariant()
    def never_above_the_window(self) -> None:
        assert self.under_way.total() + self.office.granted <= self.window

    @invariant()
    def no_credit_is_made_up(self) -> None:
        held = sum(map(len, self.purses)) + sum(map(sum, self.to_home))
        moving = sum(count for line in self.to_holder for word, count in line if word != "hungry")
        assert held + moving == self.office.granted

    def teardown(self) -> None:
        """Nobody starves: whatever has happened, all work is done in the end, and every credit is back."""
        for _ in range(500):
            for home in range(3):
                for _ in range(10):
                    self.holder_hears(home)
                    self.home_hears(home)
                self.home_sends(home, 1_000)
                self.answers_come(home, 1_000)
            if not any(self.work) and not any(self.to_holder) and not any(self.to_home):
                break
        assert self.work == [0, 0, 0]
        assert self.office.granted == 0
        assert self.under_way.total() == 0


TestBank = Bank.TestCase
TestBank.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
