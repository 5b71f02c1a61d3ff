"""A pump over paper: an engine that echoes, and a transport that only remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gatewayd.runtime.transport import Pump


class Echo:
    """An engine that tells what it is given and sends it back; b"bye" makes it want to close."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.wants_close = False
        self.deadline: float | None = None
        self.deadline_min_s = 0.0
        self.ticks: list[float] = []
        self.has_ended = False

    def receive(self, data: bytes, now: float) -> list[Any]:
        del now
        self.out.append(data)
        self.wants_close = data == b"bye"
        return [data]

    def eof(self, now: float) -> list[Any]:
        del now
        if self.has_ended:
            return []
        self.has_ended = True
        return ["end"]

    def tick(self, now: float) -> list[Any]:
        self.ticks.append(now)
        self.deadline = None
        return ["tick"]

    def next_deadline(self) -> float | None:
        return self.deadline

    def data_to_send(self) -> bytes:
        data = b"".join(self.out)
        self.out.clear()
        return data


class Paper(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.9", 4242)})
        self.writes: list[bytes] = []
        self.calls: list[str] = []
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & set(self.calls))

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def pumped(on_events: Callable[[list[Any]], None] | None = None, **options: Any) -> tuple[Pump, Echo, Paper, list[Any]]:
    """A connected pump over paper, and the list that its events go to."""
    events: list[Any] = []
    engine, paper = Echo(), Paper()
    pump = Pump(engine, on_events or events.extend, **options)
    pump.connection_made(paper)
    return pump, engine, paper, events


async def turn() -> None:
    """Let what is scheduled for the end of this loop turn happen."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
