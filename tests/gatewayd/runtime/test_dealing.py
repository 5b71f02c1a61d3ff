"""Whose the next connection is: of whoever has the fewest, and nobody waits for one that does not come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.dealing import ALONE_S, GRACE_S, Dealing
from gatewayd.runtime.shared_limits import SharedLimits

NOW = 1_000.0
LATER = NOW + GRACE_S + 0.001


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


def test_who_does_not_come_is_not_waited_for(workers: list[Dealing]) -> None:
    """Not for this connection, nor for the next ones; later he is given another chance."""
    tell(workers, 1, 0, 0)
    assert not workers[0].is_ours(NOW)
    assert not workers[0].is_ours(NOW + GRACE_S - 0.001)
    assert workers[0].is_ours(LATER)
    workers[0].tell(2)
    assert workers[0].is_ours(LATER + 0.001)
    assert not workers[0].is_ours(LATER + ALONE_S)


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
