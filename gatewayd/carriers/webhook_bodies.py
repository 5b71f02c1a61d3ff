"""Bounds the bodies that webhook callers have begun and not ended, of calls that only their body can prove.

Knows neither what a body means nor who may call: whoever is slow may be a stranger.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

BODIES_MAX: Final = 200
BODY_TIMEOUT_S: Final = 10.0


class BodyDisplacedError(Exception):
    """The body was slow, and its place was needed for another one."""


class SlowBodies:
    """Waits for bodies, for so many at once.

    When one more comes, the address that has the most loses its oldest. So a stranger's slow bodies are in nobody's way
    but their own, and where all calls come from a proxy's address the slowest ones go.
    """

    def __init__(self, bodies_max: int = BODIES_MAX, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._bodies_max = bodies_max
        self._timeout_s = timeout_s
        # In the order in which they began.
        self._waiting: dict[asyncio.Timeout, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def read(self, request: web.BaseRequest) -> bytes:
        """The whole body. Raises BodyDisplacedError, TimeoutError, or what aiohttp does for large and broken ones."""
        if request.content.is_eof():  # as nearly always: it came with its head
            return await request.read()
        if len(self._waiting) >= self._bodies_max:
            self._make_room()
        is_displaced = False
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                self._waiting[limit] = request.remote or ""
                try:
                    return await request.read()
                finally:
                    is_displaced = self._waiting.pop(limit, None) is None
        except TimeoutError:
            if is_displaced:
                raise BodyDisplacedError from None
            raise

    def _make_room(self) -> None:
        ((busiest, _),) = Counter(self._waiting.values()).most_common(1)
        oldest = next(limit for limit, address in self._waiting.items() if address == busiest)
        del self._waiting[oldest]
        oldest.reschedule(asyncio.get_running_loop().time())
