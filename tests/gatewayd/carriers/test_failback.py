"""How often a better host is looked at: rarely, while it takes binds and keeps none."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatewayd.carriers.failback import Failback

LOOKS = 9
CUT_UNTIL = 7  # looks


class Seat:
    """A bind that is taken at the first host whenever it goes there, and the berth that it is alone in."""

    is_away = True

    @property
    def away(self) -> list[Seat]:
        return [self] if self.is_away else []

    async def go_back(self, until_empty: object) -> bool:
        self.is_away = False
        return True


async def test_a_host_that_keeps_nobody_is_looked_at_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    seat, waits, done = Seat(), list[float](), asyncio.Event()

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        seat.is_away = len(waits) <= CUT_UNTIL  # it was cut meanwhile
        if len(waits) == LOOKS:
            done.set()
            await asyncio.Event().wait()

    async def answers(place: int) -> bool:
        return place == 0

    async def emptied(seat: object) -> None:
        """Nothing is owed."""

    monkeypatch.setattr(asyncio, "sleep", sleep)
    dialer: Any = SimpleNamespace(hosts=("first", "second"), answers=answers)
    failback = Failback("carrier", 10.0, dialer, lambda: cast(Any, [seat]), emptied)
    failback.start()
    await asyncio.wait_for(done.wait(), 5)
    await failback.stop()
    assert waits == [10.0, 20.0, 40.0, 80.0, 160.0, 160.0, 160.0, 160.0, 10.0]
