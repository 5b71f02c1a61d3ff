"""One timer for the earliest of the moments that anybody asked for.

Knows nothing of what is done then. Keeps the moment itself: uvloop rounds a timer's, and for one that is due at once
gives a handle that has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``act`` once for each row of ``set``."""

    __slots__ = ("_act", "_at", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
        self._loop = loop
        self._act = act
        self._at = 0.0
        self._handle: asyncio.Handle | None = None

    @property
    def at(self) -> float | None:
        """When it rings, by the loop's clock; None while it is not set."""
        return self._at if self._handle is not None else None

    def set(self, at: float) -> None:
        """Ring then, or before, if it is to ring earlier already. It may ring a moment too early: look again."""
        if self._handle is not None:
            if self._at <= at:
                return
            self._handle.cancel()
        self._at = at
        self._handle = self._loop.call_at(at, self._ring)

    def cancel(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._act()
