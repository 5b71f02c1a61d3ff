"""The channel between the supervisor and a worker: JSON objects, one a line, over a pair of Unix sockets.

Knows what a line looks like, not what it asks for. The other side's end is the end of the iteration.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

logger = logging.getLogger(__name__)

# The whole configuration travels in one line.
LINE_SIZE_MAX: Final = 64 * 1024 * 1024
# What a side that does not read may leave with us. Beyond it lines are dropped: all that is sent often is news of now.
UNSENT_MAX: Final = 1024 * 1024

Line = dict[str, Any]


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the worker's, neither of them inherited by accident."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


class Channel:
    """One end. Iterating it gives what the other side says until that side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, end: socket.socket) -> Channel:
        """Take over one end of ``socket_pair``."""
        return cls(*await _streams(end))

    def send(self, line: Line) -> bool:
        """Say something; False when it was dropped, because the other side is gone or has long stopped reading."""
        if self._writer.is_closing() or self._writer.transport.get_write_buffer_size() > UNSENT_MAX:
            return False
        self._writer.write(msgspec.json.encode(line) + b"\n")
        return True

    def close(self) -> None:
        """End it; what was sent is still written out."""
        self._writer.close()

    async def __aiter__(self) -> AsyncIterator[Line]:
        while (line := await self._next()) is not None:
            yield line

    async def _next(self) -> Line | None:
        """The next object, or None at the end. What is no object is passed over: a killed process stops anywhere."""
        while True:
            try:
                octets = await self._reader.readline()
            except (OSError, ValueError) as error:  # reset by the other side; longer than any of our lines
                logger.warning("the control channel broke: %s", error)
                return None
            if not octets:
                return None
            try:
                return msgspec.json.decode(octets, type=Line)
            except msgspec.DecodeError:
                logger.warning("%d octets on the control channel are no JSON object", len(octets))


class WorkerChannel(Channel):
    """The worker's end: ``orders`` is what the supervisor said first.

    Then come ``{"drain": seconds}``, ``{"reload": true, …}``, every few seconds ``{"news": …}``, and questions,
    ``{"ask": n, "what": name, "args": {…}}``. The worker says ``{"ready": …}``, ``{"beat": …}`` each second,
    ``{"reloaded": [fault, …]}`` and, before it ends for a reason, ``{"fatal": sentence}``; it answers in any order with
    ``{"answered": n, "value": …}`` or ``{"answered": n, "fault": sentence}``. When the iteration ends, the supervisor
    is gone, and the worker must be gone at once too.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.orders: Line = {}

    @classmethod
    async def open(cls, fd: int) -> WorkerChannel:
        """Take over the inherited descriptor, and wait for the orders. Raises ConnectionError when none come."""
        channel = cls(*await _streams(socket.socket(fileno=fd)))
        orders = await channel._next()
        if orders is None:
            channel.close()
            raise ConnectionError("the supervisor has gone without giving orders")
        channel.orders = orders
        return channel


async def _streams(end: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    end.setblocking(False)
    # Otherwise a process that the worker starts would keep the channel open after the worker's death.
    end.set_inheritable(False)
    return await asyncio.open_unix_connection(sock=end, limit=LINE_SIZE_MAX)
