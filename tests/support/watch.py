"""Waiting in tests for a condition that the code itself makes true, never for a time to pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """Whoever changes something rings; whoever waits looks again."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self._rung.set()

    async def until(self, condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Return once the condition holds; raise TimeoutError when it does not in time."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._rung.clear()
                await self._rung.wait()
