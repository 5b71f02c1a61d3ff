"""The connections of the benchmark's ends; of those of SMPP what they read as PDUs and write a batch at a time, and
binding.

Shares no code with the daemon, as bench_wire.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TypeVar, cast

from bench_wire import BIND_TRANSCEIVER, Stream, bind_body, pdu

BIND_PATIENCE_S = 20.0
RETRY_S = 0.05


class Held(asyncio.Protocol):
    """A connection that knows its transport for as long as it stands."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's without being one.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None


class Wire(Held):
    """One of SMPP, of either end."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()
        self.out: list[bytes] = []

    def write(self) -> None:
        """Let go what has gathered."""
        if self.out and self.transport is not None:
            self.transport.write(b"".join(self.out))
            self.out.clear()


class Binding(Wire):
    """An ESME's: ``status`` is what its bind was answered, -1 where the connection ended before."""

    def __init__(self) -> None:
        super().__init__()
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.status.done():
            self.status.set_result(-1)

    async def bind(self, port: int, system_id: str, password: str) -> int:
        """Connect and bind; raises OSError where nobody listens."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        self.out.append(pdu(BIND_TRANSCEIVER, 1, bind_body(system_id, password)))
        self.write()
        return await self.status


B = TypeVar("B", bound=Binding)


async def bound(make: Callable[[], B], port: int, system_id: str, password: str, who: str) -> B:
    """A bind that stands, tried again and again until the daemon is ready; else the end of ``who``."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + BIND_PATIENCE_S
    status: int | None = None
    while loop.time() < give_up_at:
        binding = make()
        try:
            status = await binding.bind(port, system_id, password)
        except OSError:
            await asyncio.sleep(RETRY_S)
            continue
        if status == 0:
            return binding
        await asyncio.sleep(RETRY_S)
    sys.exit(f"{who}: nobody listens" if status is None else f"{who}: the bind was refused: {status:#010x}")
