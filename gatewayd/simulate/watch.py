"""Waiting for a condition over a simulator's ledger, without polling and without sleeping.

Knows nothing of what the condition looks at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """Whoever changes a ledger says so here; whoever waits looks again then."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Let everyone who waits look again."""
        self._changed.set()

    async def wait_for(self, predicate: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Return as soon as ``predicate`` holds; TimeoutError when it does not within ``timeout_s``."""
        async with asyncio.timeout(timeout_s):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()
