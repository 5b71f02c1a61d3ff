"""The sender of long benchmarks: one bind of one account, whose messages bear their numbers; every receipt is checked.

Takes one JSON object as its argument, hears ``go``, ``stop`` (send nothing new) and ``leave`` (end now), and prints its
progress as JSON lines. Of each message nine octets are kept, and its two moments only where that is asked for.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import deque
from pathlib import Path

import msgspec
import uvloop
from bench_connections import Binding, bound
from bench_numbered import submit_body
from bench_wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    HANDSET_FIRST,
    QUEUE_FULL,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    THROTTLED,
    UNBIND,
    fields_of,
    moments,
    pdu,
    save,
)

PULSE_S = 0.002
REPORT_S = 0.25
RETRY_S = 0.1


class Job(msgspec.Struct):
    """What the sender is told; ``marks`` are counts of receipts that are told of at once when they are reached.

    That all were answered is told of at once, too.
    """

    place: str
    port: int
    account: str
    password: str
    sender: str
    messages: int
    handsets: int
    window: int
    patience_s: float
    rate: float = 0.0
    lag_s: float = 0.0
    marks: list[int] = []
    keeps_moments: bool = False


class Load(Binding):
    """One bind that sends every message once, and again only what was throttled."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.sender = job.sender.encode()
        self.messages = job.messages
        self.ids = array("Q", bytes(8 * job.messages))
        self.seen = bytearray(job.messages)
        self.sent_at = moments(job.messages if job.keeps_moments else 0)
        self.answered_at = moments(job.messages if job.keeps_moments else 0)
        self.marks = deque(job.marks)
        self.next = 0
        self.started_at = self.moved_at = self.accepted_at = self.received_at = 0.0
        self.answered = self.received = self.refused = self.throttled = self.duplicates = self.damaged = 0
        self.unanswered = 0
        self.again: deque[tuple[float, int]] = deque()
        self.finished = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.finished.set()

    def hear(self, word: str) -> None:
        """What whoever started us wants."""
        if word == "go":
            self.started_at = self.moved_at = time.monotonic()
            self.pulse()
        elif word == "stop":
            self.messages = self.next
            self.end_when_done()
        elif word == "leave":
            self.finished.set()

    def pulse(self) -> None:
        """What the clock brings: the pace, and messages to send again."""
        if self.transport is None:
            return
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        self.top_up(time.monotonic())
        self.write()

    def top_up(self, now: float) -> None:
        """Submit as many as window and pace allow now."""
        room = self.job.window - self.unanswered
        while self.again and room > 0 and self.again[0][0] <= now:
            self.submit(self.again.popleft()[1], now)
            room -= 1
        allowed = self.messages
        if self.job.rate:
            allowed = min(allowed, int((now - self.started_at - self.job.lag_s) * self.job.rate + 1))
        for number in range(self.next, min(allowed, self.next + room)):
            self.submit(number, now)
            self.next = number + 1

    def submit(self, number: int, now: float) -> None:
        body = submit_body(self.sender, number, self.job.handsets)
        self.out.append(pdu(SUBMIT_SM, number + 1, body))
        if self.sent_at and not self.sent_at[number]:
            self.sent_at[number] = now
        self.unanswered += 1

    def data_received(self, data: bytes) -> None:
        stream = self.stream
        now = time.monotonic()
        for command, status, sequence, start, end in stream.feed(data):
            if command == SUBMIT_SM_RESP:
                self.on_answer(status, sequence - 1, stream.octets[start + 16 : end - 1], now)
            elif command == DELIVER_SM:
                self.out.append(pdu(DELIVER_SM_RESP, sequence, b"\0"))
                self.on_receipt(stream.octets, start, end, now)
            elif command in (ENQUIRE_LINK, UNBIND):
                self.out.append(pdu(command | RESPONSE, sequence))
            elif command == BIND_TRANSCEIVER | RESPONSE and not self.status.done():
                self.status.set_result(status)
        if self.started_at:
            self.top_up(now)
            self.end_when_done()
        self.write()

    def on_answer(self, status: int, number: int, message_id: bytes, now: float) -> None:
        self.unanswered -= 1
        self.moved_at = now
        if status in (THROTTLED, QUEUE_FULL):
            self.throttled += 1
            self.again.append((now + RETRY_S, number))
            return
        self.answered += 1
        self.accepted_at = now
        if self.answered_at:
            self.answered_at[number] = now
        if status:
            self.refused += 1
        else:
            self.ids[number] = int(message_id, 16)
            self.damaged += b"%x" % self.ids[number] != message_id
        if self.answered == self.messages:
            print(json.dumps({"accepted": True, **self.progress()}), flush=True)

    def on_receipt(self, octets: bytes, start: int, end: int, now: float) -> None:
        self.moved_at = self.received_at = now
        handset, _, middle = fields_of(octets, start)
        id_at = octets.find(b"id:", middle, end) + 3
        digits = octets[id_at : octets.find(b" ", id_at, end)]
        is_whole = octets[middle] == 0x04 and id_at > 2 and octets.find(b"stat:DELIVRD", middle, end) > 0
        number = self.number_of(digits, int(handset) - HANDSET_FIRST) if is_whole else -1
        if number < 0:
            self.damaged += 1
        elif self.seen[number]:
            self.duplicates += 1
        else:
            self.seen[number] = 1
            self.received += 1
            while self.marks and self.received >= self.marks[0]:
                print(json.dumps({"mark": self.marks.popleft(), **self.progress()}), flush=True)

    def number_of(self, digits: bytes, handset: int) -> int:
        """Which of a handset's messages has this id, or -1."""
        try:
            message_id = int(digits, 16)
        except ValueError:
            return -1
        if message_id and b"%x" % message_id == digits:
            for number in range(handset, self.next, self.job.handsets):
                if self.ids[number] == message_id:
                    return number
        return -1

    def end_when_done(self) -> None:
        if self.answered >= self.messages and self.received + self.refused >= self.messages:
            self.finished.set()

    def progress(self) -> dict[str, float]:
        """How far it is."""
        return {"answered": self.answered, "received": self.received, "at": time.monotonic()}

    def outcome(self) -> dict[str, float]:
        """How it ended."""
        words = ("answered", "received", "refused", "throttled", "duplicates", "damaged")
        spans = ("started_at", "accepted_at", "received_at")
        return {"messages": self.messages} | {word: getattr(self, word) for word in words + spans}


async def run(job: Job) -> None:
    load = await bound(lambda: Load(job), job.port, job.account, job.password, "bench_numbered_load")
    loop = asyncio.get_running_loop()

    def hear() -> None:
        line = sys.stdin.readline()
        if not line:  # whoever started us is gone
            loop.remove_reader(sys.stdin)
            load.finished.set()
        load.hear(line.strip())

    loop.add_reader(sys.stdin, hear)
    print(json.dumps({"bound": True}), flush=True)
    while not load.finished.is_set():
        try:
            async with asyncio.timeout(REPORT_S):
                await load.finished.wait()
        except TimeoutError:
            if load.started_at:
                print(json.dumps(load.progress()), flush=True)
        if load.started_at and time.monotonic() - load.moved_at > job.patience_s:
            break
    if job.keeps_moments:
        for name in ("sent_at", "answered_at"):
            save(Path(job.place) / f"{job.sender}_{name}", getattr(load, name))
    print(json.dumps({"done": True, **load.outcome()}), flush=True)


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=Job)))
