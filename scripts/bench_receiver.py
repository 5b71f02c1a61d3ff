"""The receiver of webhooks in benchmarks and outages: takes every event at once, unless it is told to be in a bad mood.

Octets by slices on plain sockets, so that the daemon is what is measured. Takes one JSON object as its argument, prints
its port, hears a mood a line, prints its progress, and on SIGTERM leaves what it took, a line each, in `taken`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TextIO

import msgspec
import uvloop
from bench_connections import Held
from bench_wire import Octets

REPORT_S = 0.25
SLOW_S = 2.0
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
ANSWERS = {
    "well": TAKEN,
    "slow": TAKEN,
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "410": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"\x00\x01 200 OK\r\n\r\n<html>",
}
# These answer nothing: one does not listen, one only listens.
MOODS = (*ANSWERS, "gone", "silent")


class Data(msgspec.Struct):
    """As much of an event's data as is looked at."""

    to: str = ""
    message_id: str = ""
    state: str = ""
    user_message_reference: int = -1


class Event(msgspec.Struct):
    """As much of an event as is looked at."""

    id: str
    type: str
    data: Data


read_event = msgspec.json.Decoder(Event).decode


class Receiver:
    """What was taken, and the mood."""

    def __init__(self, ledger: TextIO) -> None:
        self.ledger = ledger
        self.mood = "well"
        self.calls = 0
        self.kinds: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.connections: set[Connection] = set()

    def take(self, body: bytes) -> None:
        """An event that will be answered with 2xx."""
        event = read_event(body)
        if event.id not in self.ids:
            self.ids.add(event.id)
            self.kinds[event.type] += 1
        data = event.data
        self.ledger.write(
            f"{time.monotonic():.6f} {event.id} {event.type} {data.to} {data.user_message_reference}"
            f" {data.message_id or '-'} {data.state or '-'}\n"
        )

    def hear(self, mood: str) -> None:
        """Be so from now on."""
        self.mood = mood
        if mood == "gone":
            for connection in [*self.connections]:
                connection.abort()

    def progress(self) -> dict[str, int]:
        """How much has come so far, repetitions left out; calls are counted in any mood."""
        return {"calls": self.calls, "receipts": self.kinds["message.receipt"], "events": self.kinds.total()}


class Connection(Held):
    """One connection of the daemon's."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self.receiver = receiver
        self.octets = Octets()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.receiver.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.receiver.connections.discard(self)

    def abort(self) -> None:
        """Cut it."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        for _, body in self.octets.feed(data):
            self.answer(body)

    def answer(self, body: bytes) -> None:
        receiver = self.receiver
        receiver.calls += 1
        answer = ANSWERS.get(receiver.mood)
        if answer is None:
            return
        if answer is TAKEN:
            receiver.take(body)
        if receiver.mood == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self.write, answer)
        else:
            self.write(answer)

    def write(self, answer: bytes) -> None:
        if self.transport is not None:
            self.transport.write(answer)
            if self.receiver.mood == "garbage":
                self.transport.close()


async def hear_moods(receiver: Receiver, port: int) -> None:
    """Listen, but while it is gone, until standard input ends or a signal comes."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline().strip()))
    server: asyncio.Server | None = None
    while not stopped.is_set():
        if receiver.mood == "gone" and server is not None:
            server.close()
            server = None
        if receiver.mood != "gone" and server is None:
            server = await loop.create_server(lambda: Connection(receiver), "127.0.0.1", port, reuse_address=True)
            if not port:
                port = server.sockets[0].getsockname()[1]
                print(json.dumps({"port": port}), flush=True)
        try:
            async with asyncio.timeout(REPORT_S):
                mood = await lines.get()
        except TimeoutError:
            print(json.dumps(receiver.progress()), flush=True)
            continue
        if mood in MOODS:
            receiver.hear(mood)
        elif not mood:  # whoever told it moods is gone
            loop.remove_reader(sys.stdin)


async def run(options: dict[str, str | int]) -> None:
    with (Path(str(options["place"])) / "taken").open("w", encoding="ascii", buffering=1 << 20) as ledger:
        receiver = Receiver(ledger)
        await hear_moods(receiver, int(options.get("port", 0)))
    print(json.dumps({"done": True, **receiver.progress()}), flush=True)


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1])))
