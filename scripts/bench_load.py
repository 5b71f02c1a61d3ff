"""The sender of the benchmark: submits as windows or pace allow, over one bind or several, and answers every receipt.

Takes one JSON object as its argument, prints its progress as JSON lines, and at the end leaves its moments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import uvloop
from bench_connections import Binding, bound
from bench_shapes import SHAPES, Short
from bench_wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    QUEUE_FULL,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    THROTTLED,
    UNBIND,
    fields_of,
    grow,
    moments,
    pdu,
    save,
)

PULSE_S = 0.002
REPORT_S = 0.25
RETRY_S = 0.1


class Load:
    """What is sent and what came of it, over all binds: every message once, and again only what was throttled.

    With ``seconds`` it sends for so long, and then knows how many messages there were.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.seconds = float(options.get("seconds", 0))
        self.messages = sys.maxsize if self.seconds else int(options["messages"])
        self.rate = float(options["rate"])
        self.awaits = bool(options.get("awaits", True))
        self.shape: Short = SHAPES[options.get("shape", "short")](
            wants=bool(options.get("wants", True)),
            first=int(options.get("first", 0)),
            is_scattered=bool(options.get("is_scattered")),
        )
        room = 0 if self.seconds else self.messages
        self.sent_at, self.answered_at, self.receipt_at = moments(room), moments(room), moments(room)
        self.ids: list[bytes] = [b""] * room
        self.next = 0
        self.started_at = self.moved_at = 0.0
        self.answered = self.received = self.refused = self.throttled = self.duplicates = self.damaged = 0
        self.again: deque[tuple[float, int]] = deque()
        self.binds: list[Bind] = []
        self.finished = asyncio.Event()

    def start(self) -> None:
        self.started_at = self.moved_at = time.monotonic()
        self.pulse()

    def pulse(self) -> None:
        """What the clock brings: the pace, and messages to send again. Binds take turns at being the first."""
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        now = time.monotonic()
        for bind in self.binds:
            bind.top_up(now)
            bind.write()
        self.binds.append(self.binds.pop(0))
        self.look()

    def allowed(self, now: float) -> int:
        """How many may have been sent by now."""
        if self.seconds and now - self.started_at >= self.seconds:
            self.messages = min(self.messages, self.next)
        return self.messages if not self.rate else min(self.messages, int((now - self.started_at) * self.rate) + 1)

    def sent(self, at: int, now: float) -> None:
        if at >= len(self.sent_at):
            for values in (self.sent_at, self.answered_at, self.receipt_at):
                grow(values, at + 1)
            self.ids.extend([b""] * (len(self.sent_at) - len(self.ids)))
        if not self.sent_at[at]:
            self.sent_at[at] = now

    def on_answer(self, status: int, at: int, message_id: bytes, now: float) -> None:
        self.moved_at = now
        if status in (THROTTLED, QUEUE_FULL):
            self.throttled += 1
            self.again.append((now + RETRY_S, at))
            return
        self.answered += 1
        self.answered_at[at] = now
        self.ids[at] = message_id
        self.shape.named(at, message_id)
        self.refused += status != 0

    def on_receipt(self, octets: bytes, start: int, end: int, now: float) -> None:
        self.moved_at = now
        handset, _, middle = fields_of(octets, start)
        id_at = octets.find(b"id:", middle, end) + 3
        message_id = octets[id_at : octets.find(b" ", id_at, end)]
        at = self.shape.told_of(handset, message_id)
        if not 0 <= at < self.next:
            self.damaged += 1
            return
        if self.receipt_at[at]:
            self.duplicates += 1
            return
        self.receipt_at[at] = now
        self.received += 1
        is_whole = (
            octets[middle] == 0x04 and message_id == self.ids[at] and octets.find(b"stat:DELIVRD", middle, end) > 0
        )
        self.damaged += not is_whole
        self.ids[at] = b""  # it was compared: a long run must not fill the memory

    def look(self) -> None:
        """Whether all has come that is to come."""
        expected = self.messages - self.refused if self.awaits else 0
        if self.received >= expected and self.answered >= self.messages:
            self.finished.set()


class Bind(Binding):
    """One bind, with a window of its own."""

    def __init__(self, load: Load, window: int) -> None:
        super().__init__()
        self.load = load
        self.window = window
        self.unanswered = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self in self.load.binds:
            self.load.finished.set()

    def top_up(self, now: float) -> None:
        """Submit as many as window and pace allow now."""
        if self.transport is None:
            return
        load = self.load
        room = self.window - self.unanswered
        while load.again and room > 0 and load.again[0][0] <= now:
            self.submit(load.again.popleft()[1], now)
            room -= 1
        for at in range(load.next, min(load.allowed(now), load.next + room)):
            self.submit(at, now)
            load.next = at + 1

    def submit(self, at: int, now: float) -> None:
        self.out.append(pdu(SUBMIT_SM, at + 1, self.load.shape.body_of(at)))
        self.load.sent(at, now)
        self.unanswered += 1

    def data_received(self, data: bytes) -> None:
        stream, load = self.stream, self.load
        now = time.monotonic()
        for command, status, sequence, start, end in stream.feed(data):
            if command == SUBMIT_SM_RESP:
                self.unanswered -= 1
                load.on_answer(status, sequence - 1, stream.octets[start + 16 : end - 1], now)
            elif command == DELIVER_SM:
                self.out.append(pdu(DELIVER_SM_RESP, sequence, b"\0"))
                load.on_receipt(stream.octets, start, end, now)
            elif command in (ENQUIRE_LINK, UNBIND):
                self.out.append(pdu(command | RESPONSE, sequence))
            elif command == BIND_TRANSCEIVER | RESPONSE and not self.status.done():
                self.status.set_result(status)
        if load.started_at:
            self.top_up(now)
        self.write()
        load.look()


async def run(options: dict[str, Any]) -> None:
    load = Load(options)
    binds = int(options.get("binds", 1))

    def make() -> Bind:
        return Bind(load, int(options["window"]) // binds)

    for _ in range(binds):
        load.binds.append(await bound(make, int(options["port"]), "bench", str(options["password"]), "bench_load"))
    print(json.dumps({"bound": True}), flush=True)
    # The parent lets us go once the daemon's own link to the carrier is up.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    load.start()
    while not load.finished.is_set():
        try:
            async with asyncio.timeout(REPORT_S):
                await load.finished.wait()
        except TimeoutError:
            print(json.dumps({"answered": load.answered, "received": load.received}), flush=True)
        if time.monotonic() - load.moved_at > float(options["patience_s"]):
            break
    place = Path(str(options["place"]))
    for name in ("sent_at", "answered_at", "receipt_at"):
        save(place / name, getattr(load, name))
    (place / "ids").write_bytes(b"\n".join(load.ids))
    load.messages = load.next if load.seconds else load.messages
    words = ("messages", "answered", "received", "refused", "throttled", "duplicates", "damaged")
    print(json.dumps({"done": True, **{word: getattr(load, word) for word in words}}), flush=True)


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1])))
