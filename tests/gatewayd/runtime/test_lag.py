"""How late the loop was is seen, and nothing is looked at after the end."""

from __future__ import annotations

import asyncio

from gatewayd.runtime.instruments import Timing
from gatewayd.runtime.lag import LoopLag


class Clock:
    """Goes on by so much at every look."""

    def __init__(self, step_s: float) -> None:
        self.now = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


class Noting(Timing):
    """Tells the test of each look."""

    def __init__(self) -> None:
        super().__init__((0.05, 0.5, 5.0))
        self.looks: asyncio.Queue[float] = asyncio.Queue()

    def observe(self, amount: float, times: int = 1) -> None:
        super().observe(amount)
        self.looks.put_nowait(amount)


async def test_lateness_is_observed() -> None:
    timing = Noting()
    lag = LoopLag(timing, look_s=0.001, clock=Clock(0.301))
    lag.start()
    looks = [await asyncio.wait_for(timing.looks.get(), 10) for _ in range(3)]
    lag.stop()
    lag.stop()
    # The clock goes on once when the look is due, and once when the next one is planned.
    assert [round(late_s, 3) for late_s in looks] == [0.3, 0.3, 0.3]
    assert timing.counts == [0, 3, 0, 0]


async def test_a_loop_that_is_in_time_is_not_late() -> None:
    timing = Noting()
    lag = LoopLag(timing, look_s=0.01, clock=Clock(0.005))
    lag.start()
    await asyncio.wait_for(timing.looks.get(), 10)
    lag.stop()
    assert timing.counts == [1, 0, 0, 0]
