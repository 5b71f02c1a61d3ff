"""Under load, with turns that come late, no window holds more than its quota, and nearly all of it is used.

Of a quota of a second all of the headroom is kept in each second, and 96 % of the rest is used; of a minute's 99 %.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.flow.limits import Limits
from gatewayd.limiting import Limiting
from gatewayd.policy.quota import Call, with_headroom
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_ratio import SharedRatios
from tests.support.clock import Clock

LATE_S = 0.05
COMMIT_S, WINDOW = 0.01, 50
LONG_S = 300.0


class Worker:
    """As flow does it: what has its turn is committed, then leaves through the gate; every wake comes late."""

    def __init__(self, limits: Limits, chance: random.Random) -> None:
        self.limits = limits
        self.chance = chance
        self.intents: deque[float] = deque()

    def pump(self, now: float) -> float:
        """Take a turn; when the next one is asked for."""
        granted, wait_s = self.limits.take(max(0, WINDOW - len(self.intents)), 0)
        self.intents += [now + self.chance.uniform(0.0, COMMIT_S)] * granted
        return now + (wait_s or 0.01)

    def leave(self, now: float, left: list[float]) -> float:
        """Let go what is durable; when to look again."""
        while self.intents and self.intents[0] <= now:
            wait_s = self.limits.leave()
            if wait_s:
                return now + wait_s
            self.intents.popleft()
            left.append(now)
        return self.intents[0] if self.intents else now


def run(workers: list[Worker], clock: Clock, late_s: float) -> list[float]:
    left: list[float] = []
    chance = workers[0].chance
    wakes = [(clock.now, number, task) for number in range(len(workers)) for task in ("pump", "leave")]
    heapq.heapify(wakes)
    end = clock.now + LONG_S
    while wakes[0][0] < end:
        clock.now, number, task = heapq.heappop(wakes)
        worker = workers[number]
        asked_for = worker.pump(clock.now) if task == "pump" else worker.leave(clock.now, left)
        heapq.heappush(wakes, (asked_for + chance.uniform(0.0, late_s), number, task))
    return left


def most_in(times: list[float], window_s: float) -> int:
    """The most that lie in any window, its end left out."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("per_minute", "per_second", "late_s"),
    [(1800, 0, LATE_S), (0, 30, LATE_S), (1800, 30, LATE_S), (0, 9, LATE_S), (0, 200, LATE_S), (600, 30, LATE_S)],
)
def test_the_quota_is_kept_and_used(
    tmp_path: Path, per_minute: int, per_second: int, late_s: float, workers: int
) -> None:
    provider = schema.Provider(per_minute=per_minute, per_second=per_second)
    config = schema.Config(providers={"p": provider}, links={"bot": schema.Link(kind="gsma", provider="p")})
    clock, chance = Clock(), random.Random(7)
    limits, ratios = SharedLimits.open(tmp_path / "limits"), SharedRatios.open(tmp_path / "ratios", 4)
    made = [Limiting(limits, ratios, number, workers, clock).limits_of(config, "bot") for number in range(workers)]
    left = run([Worker(each, chance) for each in made], clock, late_s)
    limits.close()
    ratios.close()
    used = len(left) / LONG_S
    if per_second:
        assert most_in(left, 1.0) <= with_headroom(per_second, 0.05)
    if per_minute:
        assert most_in(left, 60.0) <= per_minute
    of_minute, of_second = (with_headroom(quota, 0.05) for quota in (per_minute, per_second))
    assert used >= min(0.99 * of_minute / 60.0 if of_minute else 1e9, 0.96 * of_second if of_second else 1e9)


@pytest.mark.parametrize("call", ["capability", "revoke"])
def test_questions_leave_through_the_same_gate(tmp_path: Path, call: Call) -> None:
    provider = schema.Provider(per_second=4, headroom=0.0)
    config = schema.Config(providers={"p": provider}, links={"bot": schema.Link(kind="gsma", provider="p")})
    clock = Clock()
    limits, ratios = SharedLimits.open(tmp_path / "limits"), SharedRatios.open(tmp_path / "ratios", 4)
    made = Limiting(limits, ratios, 0, 1, clock).limits_of(config, "bot")
    assert [made.leave(), made.leave(call), made.leave(), made.leave(call)] == [0.0] * 4
    assert made.leave(call) == made.leave() == 1.0
    limits.close()
    ratios.close()
