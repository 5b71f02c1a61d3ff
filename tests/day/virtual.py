"""A loop whose time jumps to the next timer whenever nothing is left to do, and stands still while threads work."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

BEGINS_AT = 1_000.0
LOOK_S = 0.05
"""How long a real wait for a thread lasts before it is looked at again."""


class _Selector(selectors.DefaultSelector):
    """Never waits for time to go by: moves it."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None or self.loop.is_busy():
            return super().select(LOOK_S)
        self.loop.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """``is_busy`` says whether threads work for somebody: no time goes by meanwhile."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = BEGINS_AT
        self.is_busy: Callable[[], bool] = lambda: False
        super().__init__(selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self.now


async def pass_time(seconds: float) -> None:
    """Let virtual time go by."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


async def until(condition: Callable[[], object], step_s: float, limit_s: float) -> None:
    """Let virtual time go by until it holds."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + limit_s
    while not condition():
        assert loop.time() < ends_at, "it does not come to that"
        await pass_time(step_s)
