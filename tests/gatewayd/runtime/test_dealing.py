"""Whose the next connection is: of whoever has the fewest, and nobody waits for one that does not come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.dealing import GRACE_S, MISSES_MAX, UNSEEN_S, Dealing
from gatewayd.runtime.shared_limits import SharedLimits

NOW = 1_000.0


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Dealing]]:
    tables = [SharedLimits.open(tmp_path / "limits") for _ in range(3)]
    yield [Dealing(table, "smpp", slot, 3) for slot, table in enumerate(tables)]
    for table in tables:
        table.close()


def tell(workers: list[Dealing], *counts: int) -> None:
    for worker, count in zip(workers, counts, strict=False):
        worker.tell(count)


def test_it_is_of_whoever_has_the_fewest(workers: list[Dealing]) -> None:
    tell(workers, 2, 1, 2)
    assert [worker.is_ours(NOW) for worker in workers] == [False, True, False]
    tell(workers, 2, 2, 2)
    assert [worker.is_ours(NOW) for worker in workers] == [True, True, True]


def test_eight_at_once_are_dealt_evenly_whoever_is_first(workers: list[Dealing]) -> None:
    counts = [0, 0, 0]
    tell(workers, *counts)
    for _ in range(9):
        first = next(slot for slot, worker in enumerate(workers) if worker.is_ours(NOW))
        counts[first] += 1
        workers[first].tell(counts[first])
    assert counts == [3, 3, 3]


def test_where_there_are_many_an_eighth_more_is_even(workers: list[Dealing]) -> None:
    tell(workers, 90, 80, 80)
    assert workers[0].is_ours(NOW)
    tell(workers, 91, 80, 80)
    assert not workers[0].is_ours(NOW)


def missed(worker: Dealing, now: float) -> float:
    """One that nobody comes for; when it was taken here."""
    assert not worker.is_ours(now)
    assert not worker.is_ours(now + GRACE_S - 0.001)
    assert worker.is_ours(now + GRACE_S + 0.001)
    return now + GRACE_S + 0.001


def test_who_does_not_come_is_waited_for_a_few_times_and_then_not(workers: list[Dealing]) -> None:
    """A thousand that connect are not held up by one that hangs; later he is given another chance."""
    tell(workers, 1, 0, 0)
    now = NOW
    for count in range(MISSES_MAX):
        now = missed(workers[0], now + 3_600.0)
        workers[0].tell(2 + count)
    assert workers[0].is_ours(now + 0.001)
    assert not workers[0].is_ours(now + UNSEEN_S)
    missed(workers[0], now + UNSEEN_S)
    assert not workers[0].is_ours(now + UNSEEN_S + 1.0), "as at first"


def test_who_came_late_is_waited_for_as_often_again(workers: list[Dealing]) -> None:
    tell(workers, 9, 0, 0)
    now = NOW
    for came in (1, 2, 3):
        for _ in range(MISSES_MAX - 1):
            now = missed(workers[0], now + 0.001)
        workers[1].tell(came)


def test_whoever_hangs_is_waited_for_by_all_at_once(workers: list[Dealing]) -> None:
    """What the others take meanwhile is no sign of life of his: a hundred connections are not held up one by one."""
    counts, now = [0, 0, 0], NOW
    tell(workers, *counts)
    while sum(counts) < 100:
        for slot in (0, 1):
            if workers[slot].is_ours(now):
                counts[slot] += 1
                workers[slot].tell(counts[slot])
        now += 0.001
    assert counts[2] == 0
    assert now - NOW < (MISSES_MAX + 1) * GRACE_S + 0.1


def test_as_long_as_others_come_they_are_left_their_part(workers: list[Dealing]) -> None:
    tell(workers, 9, 0, 0)
    for step in range(1, 9):
        assert not workers[0].is_ours(NOW + step * GRACE_S / 2)
        workers[1].tell(step)


def test_all_are_there_when_each_has_told_so(workers: list[Dealing]) -> None:
    workers[0].tell(0)
    workers[1].tell(0)
    assert [worker.is_complete for worker in workers] == [False, False, True]
    workers[2].tell(0)
    assert all(worker.is_complete for worker in workers)
    workers[1].leave()
    assert [worker.is_complete for worker in workers] == [False, True, False]


def test_who_left_or_never_was_there_is_no_other(workers: list[Dealing]) -> None:
    workers[0].tell(5)
    assert workers[0].is_ours(NOW)
    workers[1].tell(0)
    assert not workers[0].is_ours(NOW)
    workers[1].leave()
    assert workers[0].is_ours(NOW)
