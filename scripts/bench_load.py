"""The sender of the benchmark: submits as its window or its pace allows, and answers every receipt.

Takes one JSON object as its argument, prints its progress as JSON lines, and at the end leaves its moments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import uvloop
from bench_wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    HANDSET_FIRST,
    QUEUE_FULL,
    RESPONSE,
    SENDER,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    THROTTLED,
    UNBIND,
    Stream,
    bind_body,
    fields_of,
    grow,
    moments,
    pdu,
    save,
    text_of,
)

PULSE_S = 0.002
REPORT_S = 0.25
RETRY_S = 0.1
BIND_PATIENCE_S = 20.0


class Load(asyncio.Protocol):
    """One bind that sends every message once, and again only what was throttled.

    With ``seconds`` it sends for so long, and then knows how many messages there were.
    """

    def __init__(self, messages: int, window: int, rate: float, *, seconds: float, wants: bool, awaits: bool) -> None:
        self.messages = sys.maxsize if seconds else messages
        self.seconds = seconds
        messages = 0 if seconds else messages
        self.window = window
        self.rate = rate
        self.body = SUBMIT_BODY if wants else SUBMIT_BODY.replace(WANTED, UNWANTED)
        self.awaits = awaits
        self.sent_at = moments(messages)
        self.answered_at = moments(messages)
        self.receipt_at = moments(messages)
        self.ids: list[bytes] = [b""] * messages
        self.next = 0
        self.started_at = 0.0
        self.moved_at = 0.0
        self.unanswered = 0
        self.answered = self.received = self.refused = self.throttled = self.duplicates = self.damaged = 0
        self.again: deque[tuple[float, int]] = deque()
        self.stream = Stream()
        self.out: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.bind_status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.finished = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's without being one.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.bind_status.done():
            self.bind_status.set_result(-1)
        self.finished.set()

    def start(self) -> None:
        self.started_at = self.moved_at = time.monotonic()
        self.pulse()

    def pulse(self) -> None:
        """What the clock brings: the pace, and messages to send again."""
        if self.transport is None:
            return
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        self.top_up(time.monotonic())
        self.write()

    def top_up(self, now: float) -> None:
        """Submit as many as window and pace allow now."""
        if self.seconds and now - self.started_at >= self.seconds:
            self.messages = min(self.messages, self.next)
        room = self.window - self.unanswered
        while self.again and room > 0 and self.again[0][0] <= now:
            self.submit(self.again.popleft()[1], now)
            room -= 1
        allowed = self.messages if not self.rate else min(self.messages, int((now - self.started_at) * self.rate) + 1)
        for at in range(self.next, min(allowed, self.next + room)):
            self.submit(at, now)
            self.next = at + 1

    def submit(self, at: int, now: float) -> None:
        handset = b"%d" % (HANDSET_FIRST + at)
        self.out.append(pdu(SUBMIT_SM, at + 1, self.body % (handset, text_of(handset))))
        if at >= len(self.sent_at):
            self.grow(at + 1)
        if not self.sent_at[at]:
            self.sent_at[at] = now
        self.unanswered += 1

    def grow(self, count: int) -> None:
        for values in (self.sent_at, self.answered_at, self.receipt_at):
            grow(values, count)
        self.ids.extend([b""] * (len(self.sent_at) - len(self.ids)))

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
            elif command == BIND_TRANSCEIVER | RESPONSE and not self.bind_status.done():
                self.bind_status.set_result(status)
        if self.started_at:
            self.top_up(now)
        self.write()
        expected = self.messages - self.refused if self.awaits else 0
        if self.received >= expected and self.answered >= self.messages:
            self.finished.set()

    def on_answer(self, status: int, at: int, message_id: bytes, now: float) -> None:
        self.unanswered -= 1
        self.moved_at = now
        if status in (THROTTLED, QUEUE_FULL):
            self.throttled += 1
            self.again.append((now + RETRY_S, at))
            return
        self.answered += 1
        self.answered_at[at] = now
        self.ids[at] = message_id
        self.refused += status != 0

    def on_receipt(self, octets: bytes, start: int, end: int, now: float) -> None:
        self.moved_at = now
        handset, _, middle = fields_of(octets, start)
        at = int(handset) - HANDSET_FIRST
        if self.receipt_at[at]:
            self.duplicates += 1
            return
        self.receipt_at[at] = now
        self.received += 1
        is_whole = (
            octets[middle] == 0x04
            and octets.find(b"id:" + self.ids[at], middle, end) > 0
            and octets.find(b"stat:DELIVRD", middle, end) > 0
        )
        self.damaged += not is_whole
        self.ids[at] = b""  # it was compared: a long run must not fill the memory

    def write(self) -> None:
        if self.out and self.transport is not None:
            self.transport.write(b"".join(self.out))
            self.out.clear()


# service_type, source (alphanumeric), destination (E.164), esm_class to sm_default_msg_id with a receipt wanted, text.
WANTED, UNWANTED = b"\x01\0\0\0\x3c%b", b"\0\0\0\0\x3c%b"
SUBMIT_BODY = b"\0\x05\0" + SENDER + b"\0\x01\x01%b\0\0\0\0\0\0" + WANTED


async def bound(options: dict[str, str | int | float]) -> Load:
    """Connect and bind, again and again until the daemon is ready."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + BIND_PATIENCE_S
    status: int | None = None
    while loop.time() < give_up_at:
        load = Load(
            int(options["messages"]),
            int(options["window"]),
            float(options["rate"]),
            seconds=float(options.get("seconds", 0)),
            wants=bool(options.get("wants", True)),
            awaits=bool(options.get("awaits", True)),
        )
        try:
            await loop.create_connection(lambda load=load: load, "127.0.0.1", int(options["port"]))  # type: ignore[misc]
        except OSError:
            await asyncio.sleep(0.05)
            continue
        assert load.transport is not None
        load.transport.write(pdu(BIND_TRANSCEIVER, 1, bind_body("bench", str(options["password"]))))
        status = await load.bind_status
        if status == 0:
            return load
        await asyncio.sleep(0.05)
    sys.exit("bench_load: nobody listens" if status is None else f"bench_load: the bind was refused: {status:#010x}")


async def run(options: dict[str, str | int | float]) -> None:
    load = await bound(options)
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
