"""A bind's way among hosts: on after so many failures, round and round, and back to the first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.failover import Failover


def test_so_many_failures_in_a_row_move_it() -> None:
    bind = Failover(2, 3)
    assert [bind.failed() for _ in range(3)] == [False, False, True]
    assert (bind.place, bind.is_away) == (1, True)
    assert [bind.failed(), bind.failed()] == [False, False]
    bind.stood()
    assert [bind.failed(), bind.failed()] == [False, False]
    assert bind.place == 1, "a bind that stood begins anew"


def test_one_host_is_all_there_is() -> None:
    bind = Failover(1, 1)
    assert not any(bind.failed() for _ in range(10))
    assert not bind.is_away


def test_after_a_whole_round_nobody_is_new() -> None:
    bind = Failover(3, 1)
    assert [(bind.failed(), bind.place) for _ in range(5)] == [(True, 1), (True, 2), (False, 0), (False, 1), (False, 2)]
    bind.stood()
    assert bind.failed()


def test_back_to_the_first_and_away_again_at_once() -> None:
    bind = Failover(3, 2)
    for _ in range(4):
        bind.failed()
    assert bind.place == 2
    bind.go_back()
    assert bind.place == 0
    assert bind.failed()
    assert bind.place == 2
    bind.stood()
    bind.go_back()
    bind.stood()
    assert not bind.failed()
    assert bind.place == 0, "it was taken there, and has as many failures as ever"


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.sampled_from(["failed", "stood", "go_back"]), max_size=40))
def test_it_is_always_somewhere_and_no_round_is_free(count: int, failures_max: int, events: list[str]) -> None:
    bind, at_once = Failover(count, failures_max), 0
    for event in events:
        result = getattr(bind, event)()
        at_once = at_once + 1 if result else 0 if event == "stood" else at_once
        assert 0 <= bind.place < count
        # Those of one round, and one for each return that failed.
        assert at_once <= count - 1 + events.count("go_back")
