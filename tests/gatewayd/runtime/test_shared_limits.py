"""Several processes share one limit: never above it, hardly below it, and no death of one stops the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.policy.pacing import Ramp, Rate
from gatewayd.runtime import shared_table
from gatewayd.runtime.shared_limits import GRACE_S, YIELD_S, SharedLimits, take_all
from gatewayd.runtime.shared_table import SlotsExhausted

ROOT = Path(__file__).parents[3]
NOW = 1000.0

# Takes from one slot as fast as it can for a given time and prints what was granted and as of when.
HAMMER = """
import json, sys, time
from gatewayd.policy.pacing import Rate
from gatewayd.runtime.shared_limits import SharedLimits

class Recording(Rate):
    def step(self, tat, now, wanted):
        result = super().step(tat, now, wanted)
        if result[0]:
            grants.append((now, result[0]))
        return result

grants = []
path, rate_per_s, burst, duration_s, batch = sys.argv[1], *map(float, sys.argv[2:])
rate = Recording(rate_per_s, int(burst))
slot = SharedLimits.open(path).slot("hammered")
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + duration_s
while (now := time.monotonic()) < end:
    slot.take(rate, int(batch), now)
print(json.dumps(grants))
"""

# Dies, or rather waits to be killed, at the worst moment: with the lock held.
HOLDER = """
import sys
from gatewayd.policy.pacing import Rate
from gatewayd.runtime.shared_limits import SharedLimits

class Stuck(Rate):
    def step(self, tat, now, wanted):
        print("holding", flush=True)
        sys.stdin.readline()

SharedLimits.open(sys.argv[1]).slot("held").take(Stuck(1.0), 1, 1000.0)
"""


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A real other process, on pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a child prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits"


@pytest.fixture
def table(path: Path) -> Iterator[SharedLimits]:
    opened = SharedLimits.open(path)
    yield opened
    opened.close()


def test_take_and_wait(table: SharedLimits) -> None:
    slot = table.slot("orange")
    granted, wait_s = slot.take(Rate(10.0, 3), 5, NOW)
    assert granted == 3
    assert wait_s == pytest.approx(0.1)
    assert slot.take(Rate(10.0, 3), 1, NOW + 0.11) == (1, 0.0)


def test_same_name_is_the_same_limit(table: SharedLimits, path: Path) -> None:
    other = SharedLimits.open(path)
    assert table.slot("a").take(Rate(1.0, 3), 2, NOW)[0] == 2
    assert other.slot("a").take(Rate(1.0, 3), 2, NOW)[0] == 1
    assert other.slot("b").take(Rate(1.0, 3), 2, NOW)[0] == 2
    assert table.slot("a") is table.slot("a")
    assert table.names() == ["a", "b"]
    other.close()


def test_state_outlives_every_process(path: Path) -> None:
    first = SharedLimits.open(path)
    first.slot("a").take(Rate(1.0, 3), 3, NOW)
    first.slot("a").pause(NOW + 5, 429)
    first.close()
    second = SharedLimits.open(path)
    assert second.slot("a").take(Rate(1.0, 3), 1, NOW + 1) == (0, 4.0)
    assert second.slot("a").take(Rate(1.0, 3), 9, NOW + 5.5)[0] == 3
    second.close()


def test_pause(table: SharedLimits) -> None:
    slot = table.slot("a")
    assert slot.paused_until == 0.0
    slot.pause(NOW + 60, 429)
    slot.pause(NOW + 10, 503)
    assert slot.take(Rate(1.0), 1, NOW) == (0, 60.0)
    assert (slot.paused_until, slot.pause_reason) == (NOW + 60, 429)
    assert slot.take(Rate(1.0), 1, NOW + 60) == (1, 0.0)


def test_give_back(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(1.0, 10)
    slot.take(rate, 10, NOW)
    slot.give_back(4, rate, NOW)
    slot.give_back(0, rate, NOW)
    assert slot.take(rate, 10, NOW)[0] == 4
    slot.give_back(10, rate, NOW + 9, taken_at=NOW)
    assert slot.take(rate, 99, NOW + 9)[0] == 10


def test_overtaken_reader_of_the_clock_earns_nothing(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(1.0, 2)
    slot.take(rate, 2, NOW + 1)
    assert slot.take(rate, 1, NOW)[0] == 0
    assert slot.take(rate, 2, NOW + 1)[0] == 0
    assert slot.take(rate, 2, NOW + 2)[0] == 1


def test_clock_far_behind_heals(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(1.0, 2)
    slot.take(rate, 2, NOW + 1_000_000)
    granted, wait_s = slot.take(rate, 1, NOW)
    assert (granted, wait_s) == (0, 1.0)
    assert slot.take(rate, 1, NOW + 1)[0] == 1


def test_take_all_grants_the_least_and_returns_the_rest(table: SharedLimits) -> None:
    link, provider = table.slot("link"), table.slot("provider")
    limits = [(link, Rate(1.0, 10)), (provider, Rate(2.0, 4))]
    granted, wait_s = take_all(limits, 8, NOW)
    assert granted == 4
    assert wait_s == pytest.approx(0.5)
    assert link.take(Rate(1.0, 10), 99, NOW)[0] == 6


def test_take_all_under_a_pause_costs_nothing(table: SharedLimits) -> None:
    link, provider = table.slot("link"), table.slot("provider")
    provider.pause(NOW + 7, 429)
    assert take_all([(link, Rate(1.0, 10)), (provider, Rate(2.0, 4))], 8, NOW) == (0, 7.0)
    assert link.take(Rate(1.0, 10), 99, NOW)[0] == 10
    assert take_all([], 8, NOW) == (8, 0.0)


def test_names_are_bounded(path: Path) -> None:
    table = SharedLimits.open(path, slots_max=2)
    with pytest.raises(ValueError, match="octets"):
        table.slot("")
    with pytest.raises(ValueError, match="octets"):
        table.slot("x" * 80)
    table.slot("é" * 39)
    table.slot("ab")
    with pytest.raises(SlotsExhausted):
        table.slot("a")
    assert table.names() == ["é" * 39, "ab"]
    table.close()


@pytest.mark.parametrize("damage", ["version", "boot", "size", "empty"])
def test_unfit_file_is_replaced_and_its_users_live_on(path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = SharedLimits.open(path)
    old.slot("a").take(Rate(1.0), 1, NOW)
    if damage == "version":
        monkeypatch.setattr(SharedLimits, "VERSION", 99)
    elif damage == "boot":
        monkeypatch.setattr(shared_table, "_boot_id", lambda: b"another boot")
    elif damage == "size":
        with path.open("ab") as file:
            file.write(b"more")
    else:
        path.unlink()
        path.touch()
    new = SharedLimits.open(path)
    assert new.names() == []
    assert new.slot("a").take(Rate(1.0), 1, NOW) == (1, 0.0)
    assert old.slot("a").take(Rate(1.0), 1, NOW)[0] == 0
    new.close()
    old.close()
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["limits", "limits.lock"]


def test_missing_boot_id_is_not_fatal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_table, "_BOOT_ID_PATH", path / "missing")
    SharedLimits.open(path).close()


def test_close_twice(path: Path) -> None:
    table = SharedLimits.open(path)
    table.close()
    table.close()


def test_mapping_failure_closes_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no memory")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("gatewayd.runtime.shared_table.mmap.mmap", refuse)
    with pytest.raises(OSError, match="no memory"):
        SharedLimits.open(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_threads_of_one_process(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(1.0, 1000)
    granted: list[int] = []

    def take() -> None:
        granted.append(sum(slot.take(rate, 1, NOW)[0] for _ in range(500)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(granted) == 1000


@pytest.mark.parametrize("batch", [1, 10])
def test_no_worker_count_exceeds_a_limit_or_wastes_it(path: Path, batch: int) -> None:
    rate_per_s, burst = 1000.0, 100
    processes = [child(HAMMER, path, rate_per_s, burst, 1.0, batch) for _ in range(3)]
    for process in processes:
        assert line_of(process) == "ready"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    grants = sorted(tuple(grant) for output in outputs for grant in json.loads(output))
    # As a bucket that drains at the rate: it overflows exactly when some window holds more than rate * w + burst.
    level, previous = 0.0, grants[0][0]
    for at, granted in grants:
        level = max(0.0, level - (at - previous) * rate_per_s) + granted
        previous = at
        assert level <= burst + 1e-3
    total = sum(granted for _, granted in grants)
    duration_s = grants[-1][0] - grants[0][0]
    assert total >= 0.99 * (duration_s * rate_per_s)
    assert sum(bool(json.loads(output)) for output in outputs) >= 2


def test_killed_holder_of_a_lock_blocks_nobody(path: Path, table: SharedLimits) -> None:
    holder = child(HOLDER, path)
    assert line_of(holder) == "holding"
    results: list[tuple[int, float]] = []
    waiting = threading.Thread(target=lambda: results.append(table.slot("held").take(Rate(1.0), 1, NOW)), daemon=True)
    waiting.start()
    # The thread is either not at the lock yet or waits for it: the holder lives, so it cannot have passed.
    assert results == []
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=30)
    waiting.join(30)
    assert results == [(1, 0.0)]


def test_a_pace_comes_back_slowly_for_everybody(table: SharedLimits, path: Path) -> None:
    rate, other = Rate(10.0, 5, Ramp(0.1, 10.0)), SharedLimits.open(path)
    table.slot("a").pause(NOW, 429)
    assert other.slot("a").take(rate, 5, NOW) == (1, 1.0)
    assert table.slot("a").take(rate, 5, NOW + 1.0) == (1, 1.0)
    table.slot("a").give_back(1, rate, NOW + 1.0)
    assert other.slot("a").take(rate, 5, NOW + 1.0) == (1, 1.0)
    assert other.slot("a").take(rate, 5, NOW + 20.0)[1] == pytest.approx(0.25)
    assert other.slot("a").take(rate, 5, NOW + 60.0)[0] == 5
    other.close()


def test_what_was_used(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(1000.0, 100)
    assert slot.used(NOW) == 0
    slot.take(rate, 70, 1200.0)
    slot.give_back(10, rate, 1200.0)
    assert (slot.granted, slot.used(1200.0), slot.used(1259.0)) == (60, 60, 60)
    assert slot.used(1275.0) == pytest.approx(45)
    slot.take(rate, 8, 1260.0)
    assert slot.used(1275.0) == pytest.approx(53)
    assert slot.used(1400.0) == 0
    slot.take(rate, 1, 1400.0)
    assert (slot.used(1400.0), slot.granted) == (1, 69)


def test_a_lower_lane_lets_a_higher_one_of_another_worker_go_first(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 1)
    assert slot.take(rate, 1, NOW, lane=0, worker=0) == (1, 0.0)
    granted, wait_s = slot.take(rate, 1, NOW, lane=3, worker=1)
    assert granted == 0
    assert wait_s == pytest.approx(0.1)
    at = NOW + 0.101
    assert slot.take(rate, 1, at, lane=0, worker=0) == (0, YIELD_S)
    assert slot.take(rate, 1, at, lane=3, worker=1) == (1, 0.0)
    assert slot.take(rate, 1, at + 0.101, lane=0, worker=0) == (1, 0.0)


def test_same_lane_is_first_come_first_served(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 1)
    slot.take(rate, 2, NOW, lane=1, worker=0)
    assert slot.take(rate, 1, NOW + 0.101, lane=1, worker=1) == (1, 0.0)


def test_a_waiter_that_died_is_not_waited_for_long(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 1)
    slot.take(rate, 2, NOW, lane=3, worker=1)
    assert slot.take(rate, 1, NOW + 0.15, lane=0, worker=0) == (0, YIELD_S)
    assert slot.take(rate, 1, NOW + 0.1 + GRACE_S, lane=0, worker=0) == (1, 0.0)


def test_a_waiter_may_withdraw(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 1)
    slot.take(rate, 2, NOW, lane=3, worker=1)
    slot.withdraw(1)
    slot.withdraw(1)
    assert slot.take(rate, 1, NOW + 0.101, lane=0, worker=0) == (1, 0.0)


def test_who_waits_through_a_pause_keeps_its_place(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 1)
    slot.pause(NOW + 60.0, 429)
    assert slot.take(rate, 1, NOW, lane=3, worker=1) == (0, 60.0)
    assert take_all([(slot, rate)], 1, NOW + 60.0, lane=0, worker=0) == (0, YIELD_S)
    assert take_all([(slot, rate)], 1, NOW + 60.0, lane=3, worker=1) == (1, 0.0)


def test_what_could_be_had_is_told_and_not_taken(table: SharedLimits) -> None:
    slot, rate = table.slot("a"), Rate(10.0, 5)
    assert slot.room(rate, NOW)[0] == slot.room(rate, NOW)[0] == 5
    slot.take(rate, 5, NOW)
    left, wait_s = slot.room(rate, NOW)
    assert left == 0
    assert wait_s == pytest.approx(0.1)
    assert slot.room(rate, NOW + 0.2)[0] == 2
    slot.pause(NOW + 3.0, 1)
    assert slot.room(rate, NOW) == (0, 3.0)


def test_a_pause_may_end_before_its_time(tmp_path: Path) -> None:
    table = SharedLimits.open(tmp_path / "limits")
    slot, rate = table.slot("connects:carrier"), Rate(10.0, 1)
    slot.pause(1_000.0, 2)
    assert slot.take(rate, 1, 100.0) == (0, 900.0)
    slot.resume(100.0)
    assert slot.take(rate, 1, 100.0) == (1, 0.0)
    assert slot.pause_reason == 0
    slot.resume(200.0)
    assert slot.paused_until == 100.0, "there is none to end"
    table.close()
