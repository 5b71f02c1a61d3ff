"""The sender of the benchmark that speaks HTTP: calls of one message or of many, over connections that are kept.

Takes one JSON object as its argument, prints its progress as JSON lines, and at the end leaves its moments and the ids
that it was told.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import uvloop
from bench_connections import Held
from bench_wire import HANDSET_FIRST, SENDER, Octets, moments, save, text_of

REPORT_S = 0.25
RETRY_S = 0.1
CONNECT_PATIENCE_S = 20.0
ACCEPTED = 202
AGAIN = frozenset({429, 503})
HEAD = (
    b"POST %b HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)
MESSAGE = b'{"to":"%b","from":"' + SENDER + b'","text":"%b","receipt":"%b"}'


class Outcome(msgspec.Struct):
    """What became of one message."""

    status: int = ACCEPTED
    id: str = ""


class Outcomes(msgspec.Struct):
    """What became of a batch."""

    results: list[Outcome]


read_one = msgspec.json.Decoder(Outcome).decode
read_many = msgspec.json.Decoder(Outcomes).decode


class Load:
    """All messages, each sent once, and again only when there was no room for it."""

    def __init__(self, options: dict[str, str | int | float]) -> None:
        self.messages = int(options["messages"])
        self.batch = int(options["batch"])
        self.key = str(options["key"]).encode()
        self.receipt = b"final" if options["receipts"] else b"none"
        self.sent_at = moments(self.messages)
        self.answered_at = moments(self.messages)
        self.ids = [""] * self.messages
        self.next = 0
        self.moved_at = time.monotonic()
        self.answered = self.refused = self.throttled = 0
        self.again: deque[int] = deque()
        self.finished = asyncio.Event()

    def numbers(self) -> list[int]:
        """The next ones to go in one call."""
        first = [self.again.popleft() for _ in range(min(self.batch, len(self.again)))]
        fresh = range(self.next, min(self.messages, self.next + self.batch - len(first)))
        self.next += len(fresh)
        return [*first, *fresh]

    def call(self, numbers: list[int]) -> bytes:
        """The call that hands these in."""
        now = time.monotonic()
        bodies = []
        for at in numbers:
            handset = b"%d" % (HANDSET_FIRST + at)
            bodies.append(MESSAGE % (handset, text_of(handset), self.receipt))
            self.sent_at[at] = self.sent_at[at] or now
        if self.batch == 1:
            return HEAD % (b"/v1/messages", self.key, len(bodies[0])) + bodies[0]
        body = b'{"messages":[' + b",".join(bodies) + b"]}"
        return HEAD % (b"/v1/messages/batch", self.key, len(body)) + body

    def on_answer(self, numbers: list[int], status: int, body: bytes) -> bool:
        """A call was answered; whether there was room for all."""
        now = self.moved_at = time.monotonic()
        outcomes = [Outcome(status)] * len(numbers)
        if status < 300:
            outcomes = [read_one(body)] if self.batch == 1 else read_many(body).results
        again = [at for at, outcome in zip(numbers, outcomes, strict=True) if outcome.status in AGAIN]
        self.again.extend(again)
        self.throttled += len(again)
        for at, outcome in zip(numbers, outcomes, strict=True):
            if outcome.status in AGAIN:
                continue
            self.answered += 1
            self.answered_at[at] = now
            self.ids[at] = outcome.id
            self.refused += outcome.status != ACCEPTED
        if self.answered >= self.messages:
            self.finished.set()
        return not again


class Caller(Held):
    """One connection with one call unanswered at a time."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load
        self.octets = Octets()
        self.numbers: list[int] = []

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.load.finished.set()

    def go(self) -> None:
        """The next call, or a look later whether something has to go again."""
        if self.transport is None:
            return
        self.numbers = self.load.numbers()
        if self.numbers:
            self.transport.write(self.load.call(self.numbers))
        elif not self.load.finished.is_set():
            asyncio.get_running_loop().call_later(RETRY_S, self.go)

    def data_received(self, data: bytes) -> None:
        for line, body in self.octets.feed(data):
            if self.load.on_answer(self.numbers, int(line[9:12]), body):
                self.go()
            else:
                asyncio.get_running_loop().call_later(RETRY_S, self.go)


async def connected(load: Load, port: int, count: int) -> list[Caller]:
    """Connect, again and again until the daemon is ready."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + CONNECT_PATIENCE_S
    while loop.time() < give_up_at:
        try:
            return [(await loop.create_connection(lambda: Caller(load), "127.0.0.1", port))[1] for _ in range(count)]
        except OSError:
            await asyncio.sleep(0.05)
    sys.exit("bench_http: nobody listens")


async def run(options: dict[str, str | int | float]) -> None:
    load = Load(options)
    # Connections that say nothing for ten seconds are closed, so there are none before it begins.
    print(json.dumps({"bound": True}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    callers = await connected(load, int(options["port"]), int(options["connections"]))
    load.moved_at = time.monotonic()
    for caller in callers:
        caller.go()
    while not load.finished.is_set():
        try:
            async with asyncio.timeout(REPORT_S):
                await load.finished.wait()
        except TimeoutError:
            print(json.dumps({"answered": load.answered, "received": 0}), flush=True)
        if time.monotonic() - load.moved_at > float(options["patience_s"]):
            break
    place = Path(str(options["place"]))
    for name in ("sent_at", "answered_at"):
        save(place / name, getattr(load, name))
    (place / "ids").write_text("\n".join(load.ids), encoding="ascii")
    words = ("answered", "refused", "throttled")
    counts = {word: getattr(load, word) for word in words}
    print(json.dumps({"done": True, "received": 0, "duplicates": 0, "damaged": 0, **counts}), flush=True)


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1])))
