"""Nothing is lost or reordered, lanes are strict, and shares follow the weights."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy import queueing
from gatewayd.policy.queueing import FairQueue


def drain(queue: FairQueue[str]) -> list[str]:
    """Everything that is left, in order."""
    return list(iter(queue.pop, None))


def test_empty() -> None:
    queue: FairQueue[str] = FairQueue()
    assert queue.pop() is None
    assert len(queue) == 0
    assert queue.depths() == {}
    assert list(queue.heads()) == []


def test_higher_lane_first() -> None:
    queue: FairQueue[str] = FairQueue()
    for lane in (1, 3, 0, 2):
        queue.push(lane, "a", 1, str(lane))
    assert drain(queue) == ["3", "2", "1", "0"]


def test_top_lane() -> None:
    queue: FairQueue[str] = FairQueue()
    assert queue.top_lane() == -1
    for lane in (1, 3):
        queue.push(lane, "a", 1, str(lane))
    for lane in (3, 1, -1):
        assert queue.top_lane() == lane
        queue.pop()


@pytest.mark.parametrize("lane", [4, 7])
def test_there_are_no_other_lanes(lane: int) -> None:
    with pytest.raises(IndexError):
        FairQueue[str]().push(lane, "a", 1, "x")


def test_campaign_never_delays_an_otp() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(1_000_000 // 100):
        queue.push(0, "campaign", 100, "bulk")
    for number in range(50):
        queue.push(3, "otp", 1, f"otp {number}")
        assert queue.pop() == f"otp {number}"
        assert queue.pop() == "bulk"


def test_campaign_delays_another_account_of_its_lane_by_one_message() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(10_000):
        queue.push(0, "campaign", 1, "bulk")
    for _ in range(500):
        queue.pop()
    queue.push(0, "shop", 1, "order shipped")
    assert "order shipped" in [queue.pop(), queue.pop()]


def test_single_waiting_item_at_a_time_is_no_trick() -> None:
    """An account that refills its one place at once gets its share and starves nobody."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(1000):
        queue.push(0, "patient", 1, "patient")
    queue.push(0, "eager", 1, "eager")
    served: Counter[str | None] = Counter()
    for _ in range(200):
        item = queue.pop()
        served[item] += 1
        if item == "eager":
            queue.push(0, "eager", 1, "eager")
    assert abs(served["patient"] - served["eager"]) <= 1


def test_idle_account_earns_no_credit() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push(0, "sleeper", 1, "sleeper")
    for _ in range(1000):
        queue.push(0, "busy", 1, "busy")
    for _ in range(500):
        queue.pop()
    for _ in range(100):
        queue.push(0, "sleeper", 1, "sleeper")
    served = Counter(queue.pop() for _ in range(100))
    assert abs(served["sleeper"] - served["busy"]) <= 2  # one item of each


def test_weight_changes_with_the_next_item() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(500):
        queue.push(0, "a", 1, "a")
        queue.push(0, "b", 1, "b")
    queue.push(0, "a", 3, "a")
    served = Counter(queue.pop() for _ in range(400))
    assert served["a"] == pytest.approx(300, abs=2)


def test_handed_back_items_keep_order_and_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(4):
        queue.push(0, "a", 1, f"a{number}")
        queue.push(0, "b", 1, f"b{number}")
    popped = [queue.pop() for _ in range(4)]
    assert popped == ["a0", "b0", "a1", "b1"]
    queue.push_front(0, "a", 1, "a1")
    queue.push_front(0, "a", 1, "a0")
    rest = drain(queue)
    assert [item for item in rest if item[0] == "a"] == ["a0", "a1", "a2", "a3"]
    assert rest.index("b3") > rest.index("a2")


def test_hand_back_to_an_empty_account() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push(1, "a", 1, "only")
    assert queue.pop() == "only"
    queue.push_front(1, "a", 1, "only")
    assert len(queue) == 1
    assert drain(queue) == ["only"]


def test_depths_and_heads() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push(0, "a", 1, "a0")
    queue.push(0, "a", 1, "a1")
    queue.push(2, "a", 1, "urgent")
    queue.push(0, "b", 1, "b0")
    queue.push(0, "c", 1, "c0")
    assert queue.depths() == {(0, "a"): 2, (0, "b"): 1, (0, "c"): 1, (2, "a"): 1}
    assert sorted(queue.heads()) == ["a0", "b0", "c0", "urgent"]


def test_old_tags_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "_FORGET_ABOVE", 10.0)
    queue: FairQueue[str] = FairQueue()
    for number in range(30):
        queue.push(0, f"account {number % 3}", 1, "x")
        queue.push(0, "a", 1, "x")
        queue.pop()
    drain(queue)
    assert len(queue) == 0
    queue.push(0, "a", 1, "x")
    assert queue.depths() == {(0, "a"): 1}
    assert drain(queue) == ["x"]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8), st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_shares_follow_weights_within_one_item(weights: list[int], turns: int) -> None:
    """For any two accounts that always have something waiting, at any moment: one item of each apart, at most."""
    queue: FairQueue[int] = FairQueue()
    for account, weight in enumerate(weights):
        for _ in range(turns):
            queue.push(0, str(account), weight, account)
    served: Counter[int | None] = Counter()
    for _ in range(turns):
        served[queue.pop()] += 1
        for (one, weight), (other, other_weight) in itertools.combinations(enumerate(weights), 2):
            apart = abs(served[one] / weight - served[other] / other_weight)
            assert apart <= 1 / weight + 1 / other_weight + 1e-9


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_whole_rounds_are_exact(weights: list[int]) -> None:
    rounds = 10
    queue: FairQueue[int] = FairQueue()
    for account, weight in enumerate(weights):
        for _ in range(weight * rounds * 2):
            queue.push(0, str(account), weight, account)
    served = Counter(queue.pop() for _ in range(sum(weights) * rounds))
    for account, weight in enumerate(weights):
        assert abs(served[account] - weight * rounds) <= 1


operations = st.lists(st.tuples(st.sampled_from(["push", "pop", "hand back"]), st.integers(0, 3), st.integers(0, 3)))


@given(operations)
@settings(max_examples=100, deadline=None)
def test_against_a_plain_model(steps: list[tuple[str, int, int]]) -> None:
    """No loss, no duplicate, order per account and lane kept, lanes strict, whatever happens in whatever order."""
    queue: FairQueue[tuple[int, str, int]] = FairQueue()
    model: dict[tuple[int, str], deque[tuple[int, str, int]]] = {}
    last: tuple[int, str, int] | None = None
    for number, (step, lane, who) in enumerate(steps):
        account = f"account {who}"
        if step == "push":
            item = (lane, account, number)
            queue.push(lane, account, who + 1, item)
            model.setdefault((lane, account), deque()).append(item)
        elif step == "pop":
            last = queue.pop()
            filled = [key for key, items in model.items() if items]
            assert (last is None) == (not filled)
            if last is not None:
                assert last[0] == max(filled)[0]
                assert model[last[:2]].popleft() == last
        elif last is not None:
            queue.push_front(last[0], last[1], 1, last)
            model[last[:2]].appendleft(last)
            last = None
        assert len(queue) == sum(map(len, model.values()))
        assert queue.depths() == {key: len(items) for key, items in model.items() if items}


def test_all_items_and_how_many_wait_in_front() -> None:
    queue: FairQueue[str] = FairQueue()
    assert queue.top_size() == 0
    for lane, account, item in ((1, "a", "x"), (3, "a", "y"), (3, "b", "z"), (3, "b", "w")):
        queue.push(lane, account, 1, item)
    assert sorted(queue.items()) == ["w", "x", "y", "z"]
    assert [queue.top_size() for _ in range(4) if queue.pop()] == [2, 1, 1, 0]


def test_what_is_discarded_is_not_there_and_the_rest_goes_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(6):
        queue.push(number % 2, "ab"[number % 3 == 0], 1, str(number))
    queue.discard({"0", "3", "5", "9"})
    assert len(queue) == 3
    assert queue.depths() == {(0, "a"): 2, (1, "a"): 1}
    assert drain(queue) == ["1", "2", "4"]
    queue.push(0, "b", 1, "again")
    queue.discard(set())
    assert drain(queue) == ["again"]
    queue.discard({"again"})
    assert queue.pop() is None


_ACCOUNTS = st.sampled_from(["shop", "bank", "club"])
_STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), _ACCOUNTS, st.integers(1, 5)),
    st.tuples(st.just("take"), st.integers(1, 7)),
    st.tuples(st.just("back"), st.integers(1, 3)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_STEPS, max_size=60))
def test_many_at_once_are_those_that_would_come_one_after_the_other(steps: list[tuple[Any, ...]]) -> None:
    weights, numbers = {"shop": 1, "bank": 3, "club": 7}, itertools.count()
    single: FairQueue[tuple[int, str, int]] = FairQueue()
    several: FairQueue[tuple[int, str, int]] = FairQueue()
    taken: list[tuple[int, str, int]] = []
    for step, *facts in steps:
        if step == "add":
            lane, account, count = facts
            items = [(lane, account, next(numbers)) for _ in range(count)]
            for item in items:
                single.push(lane, account, weights[account], item)
            several.extend(lane, account, weights[account], items)
        elif step == "take":
            taken = [popped for _ in range(facts[0]) if (popped := single.pop()) is not None]
            assert several.pop_many(facts[0]) == taken
        else:
            for lane, account, number in reversed(taken[-facts[0] :]):
                for queue in (single, several):
                    queue.push_front(lane, account, weights[account], (lane, account, number))
            taken = []
        assert len(single) == len(several)
        assert single.depths() == several.depths()
    rest = list(iter(single.pop, None))
    assert several.pop_many(1_000) == rest
