"""Counts that several processes share are exact, and old ones are forgotten in their time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.shared_ratio import BUCKETS, Counts, RatioSlot, SharedRatios

ROOT = Path(__file__).parents[3]
NOW = 1_790_000_000.0
WINDOW_S = BUCKETS * 10.0

COUNTING = """
import sys
from gatewayd.runtime.shared_ratio import SharedRatios

slot = SharedRatios.open(sys.argv[1], 8).slot("a", int(sys.argv[2]), 960.0)

def count(counts):
    counts.total += 1
    counts.errors += counts.total % 4 == 0
    counts.pending += 1

for _ in range(2000):
    slot.change(1_790_000_000.0, count)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedRatios]:
    opened = SharedRatios.open(tmp_path / "ratios", 8)
    yield opened
    opened.close()


def add(slot: RatioSlot, total: int, errors: int, at: float = NOW, pending: int = 0) -> None:
    def change(counts: Counts) -> None:
        counts.total += total
        counts.errors += errors
        counts.pending += pending

    slot.change(at, change)


def seen(slot: RatioSlot, at: float = NOW) -> tuple[int, int, int]:
    counts = slot.read(at)
    return counts.total, counts.errors, counts.pending


def test_what_is_decided_is_kept(file: SharedRatios) -> None:
    slot = file.slot("a", 0, WINDOW_S)

    def decide(counts: Counts) -> str:
        counts.level, counts.state, counts.since = 2.5, 3, NOW
        return "so"

    assert slot.change(NOW, decide) == "so"
    counts = file.slot("a", 1, WINDOW_S).read(NOW)
    assert (counts.level, counts.state, counts.since) == (2.5, 3, NOW)


def test_the_window_moves_on(file: SharedRatios) -> None:
    slot = file.slot("a", 0, WINDOW_S)
    add(slot, 100, 20)
    add(slot, 50, 1, NOW + 500.0)
    assert seen(slot, NOW + WINDOW_S) == (150, 21, 0)
    assert seen(slot, NOW + WINDOW_S + 10.0) == (50, 1, 0)
    assert seen(slot, NOW + 10 * WINDOW_S) == (0, 0, 0)
    assert slot.ever() == (150, 21)


def test_what_is_forgotten_is_told_once(file: SharedRatios) -> None:
    slot = file.slot("a", 0, WINDOW_S)
    add(slot, 100, 20)
    later = NOW + WINDOW_S + 10.0
    assert slot.change(later, lambda counts: counts.forgotten) == 20
    assert slot.change(later, lambda counts: counts.forgotten) == 0


def test_a_count_taken_back_in_a_later_bucket_stays_exact(file: SharedRatios) -> None:
    slot = file.slot("a", 0, WINDOW_S)
    add(slot, 10, 0)
    add(slot, -4, 0, NOW + 100.0)
    assert seen(slot, NOW + 100.0) == (6, 0, 0)
    assert seen(slot, NOW + WINDOW_S + 200.0) == (0, 0, 0)


def test_a_clock_set_back_forgets_nothing(file: SharedRatios) -> None:
    slot = file.slot("a", 0, WINDOW_S)
    add(slot, 10, 2)
    add(slot, 10, 2, NOW - 5 * WINDOW_S)
    assert seen(slot, NOW) == (20, 4, 0)


def test_another_window_keeps_what_was_counted(file: SharedRatios) -> None:
    add(file.slot("a", 0, WINDOW_S), 10, 2)
    slot = file.slot("a", 0, 2 * WINDOW_S)
    assert seen(slot, NOW + 5.0) == (10, 2, 0)
    add(slot, 1, 0, NOW + 5.0)
    assert seen(slot, NOW + 2 * WINDOW_S) == (11, 2, 0)
    assert seen(slot, NOW + 2 * WINDOW_S + 60.0) == (0, 0, 0)


def test_a_worker_that_begins_anew_leaves_nothing_open(file: SharedRatios) -> None:
    one, other = file.slot("a", 0, WINDOW_S), file.slot("a", 5, WINDOW_S)
    add(one, 3, 0, pending=3)
    add(other, 2, 0, pending=2)
    assert seen(one) == (5, 0, 5)
    one.forget_pending()
    assert seen(other) == (5, 0, 2)
    one.forget_pending()
    add(other, 0, 0, pending=-2)
    assert seen(one) == (5, 0, 0)


def test_counts_outlive_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SharedRatios.open(tmp_path / "ratios", 8)
    add(first.slot("a", 0, WINDOW_S), 10, 2)
    first.close()
    monkeypatch.setattr("gatewayd.runtime.shared_table._boot_id", lambda: b"another boot")
    second = SharedRatios.open(tmp_path / "ratios", 8)
    assert seen(second.slot("a", 0, WINDOW_S)) == (10, 2, 0)
    second.close()


def test_several_processes_lose_no_count(tmp_path: Path) -> None:
    path = tmp_path / "ratios"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    children = [subprocess.Popen([sys.executable, "-c", COUNTING, path, str(n)], env=environment) for n in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    file = SharedRatios.open(path, 8)
    slot = file.slot("a", 0, 960.0)
    assert seen(slot) == (6000, 1500, 6000)
    slot.forget_pending()
    assert seen(slot) == (6000, 1500, 4000)
    file.close()
