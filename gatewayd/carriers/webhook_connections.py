"""Bounds the connections to the webhook server: how many there are, and how long each may say nothing.

Knows neither paths nor secrets, only which connections are of use just now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

CONNECTIONS_MAX: Final = 2_000
SILENCE_MAX_S: Final = 75.0


class BoundedServer(web.Server):
    """An HTTP server to which anybody may connect, in vain.

    A connection that brings no whole head of a request within ``silence_max_s`` is closed. Of more than
    ``connections_max`` the one goes that was of no use for the longest time; ``on_full`` is called then. One whose
    request is being served stays: those are bounded by whoever serves them.
    """

    def __init__(
        self,
        handler: Any,
        on_full: Callable[[], None],
        *,
        connections_max: int = CONNECTIONS_MAX,
        silence_max_s: float = SILENCE_MAX_S,
        **terms: Any,
    ) -> None:
        super().__init__(handler, keepalive_timeout=silence_max_s, **terms)
        self._connections_max = connections_max
        self._on_full = on_full
        # In the order in which they were last of use.
        self._idle: dict[web.RequestHandler, None] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Somebody connected."""
        super().connection_made(handler, transport)
        self._idle[handler] = None
        if len(self._idle) > self._connections_max:
            longest = next(iter(self._idle))
            del self._idle[longest]
            self._on_full()
            longest.force_close()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """A connection ended."""
        self._idle.pop(handler, None)
        super().connection_lost(handler, exc)

    @contextmanager
    def in_use(self, request: web.BaseRequest) -> Iterator[None]:
        """While this is served its connection is not one of those that may go; then it is the last of them."""
        connection = request.protocol
        self._idle.pop(connection, None)
        try:
            yield
        finally:
            if request.transport is not None:  # else it was lost meanwhile
                self._idle[connection] = None
