"""The carrier of the benchmark: answers every submit_sm at once and sends its receipt a fixed time later.

Takes one JSON object as its argument, prints its port, and on SIGTERM leaves its moments and one line of counts. A line
`hold` on its standard input keeps all receipts back until `release`; `count` asks how many messages have come so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import uvloop
from bench_connections import Wire
from bench_shapes import SHAPES, Short
from bench_wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    fields_of,
    grow,
    moments,
    pdu,
    save,
    short_message_of,
)

PULSE_S = 0.002
RECEIPT_MIDDLE = b"\x04\0\0\0\0\0\0\0\0"  # esm_class to sm_default_msg_id


class Counts:
    """What the carrier saw, over all connections."""

    def __init__(self, messages: int, shape: Short) -> None:
        self.messages = messages
        self.shape = shape
        self.submitted_at = moments(messages)
        self.receipt_at = moments(messages)
        self.submits = 0
        self.first_id = 1
        self.duplicates = 0
        self.damaged = 0
        self.receipts_refused = 0
        self.receipts_answered = 0
        self.tells_end = False
        self.binds = 0
        self.binds_awaited = 1
        self.holds = False

    def hear(self) -> None:
        """The words of the bench, until it has no more to say."""
        said = os.read(sys.stdin.fileno(), 1_024).split()
        if not said:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        for word in said:
            if word == b"count":
                print(json.dumps({"submits": self.submits}), flush=True)
            else:
                self.holds = word == b"hold"

    def answered(self, status: int) -> None:
        """A receipt was answered; where nobody else sees the end, the last one is what the bench waits for."""
        self.receipts_answered += 1
        self.receipts_refused += status != 0
        if self.tells_end and self.receipts_answered == self.messages:
            print(json.dumps({"finished": True}), flush=True)

    def bound(self) -> None:
        """One bind more; the first one, or as many as it says, is what the bench waits for."""
        self.binds += 1
        if self.binds == self.binds_awaited:
            print(json.dumps({"bound": True}), flush=True)


class Carrier(Wire):
    """One connection."""

    def __init__(self, counts: Counts, receipt_delay_s: float, window: int) -> None:
        super().__init__()
        self.counts = counts
        self.receipt_delay_s = receipt_delay_s
        self.window_free = window
        self.sequence = 0
        self.planned: deque[tuple[float, int, bytes, bytes, bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)

    def data_received(self, data: bytes) -> None:
        stream = self.stream
        now = time.monotonic()
        for command, status, sequence, start, _ in stream.feed(data):
            if command == SUBMIT_SM:
                self.on_submit(stream.octets, sequence, start, now)
            elif command == DELIVER_SM_RESP:
                self.window_free += 1
                self.counts.answered(status)
            elif command in (ENQUIRE_LINK, UNBIND):
                self.out.append(pdu(command | RESPONSE, sequence))
            elif 0 < command <= BIND_TRANSCEIVER:
                self.out.append(pdu(command | RESPONSE, sequence, b"carrier\0"))
                self.counts.bound()
        self.write()

    def on_submit(self, octets: bytes, sequence: int, start: int, now: float) -> None:
        counts = self.counts
        source, destination, middle = fields_of(octets, start)
        at, is_whole = counts.shape.taken(destination, octets[middle], short_message_of(octets, middle))
        counts.submits += 1
        counts.damaged += not is_whole
        message_id = b"%08x" % (counts.first_id + counts.submits - 1)
        self.out.append(pdu(SUBMIT_SM_RESP, sequence, message_id + b"\0"))
        if at >= len(counts.submitted_at):
            grow(counts.submitted_at, at + 1)
            grow(counts.receipt_at, at + 1)
        if counts.submitted_at[at]:
            counts.duplicates += 1
        counts.submitted_at[at] = now
        self.planned.append((now + self.receipt_delay_s, at, message_id, source, destination))

    def pulse(self) -> None:
        if self.transport is None:
            return
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        now = time.monotonic()
        if self.counts.holds:
            return
        planned, receipt_at = self.planned, self.counts.receipt_at
        while planned and planned[0][0] <= now and self.window_free > 0:
            _, at, message_id, source, destination = planned.popleft()
            self.sequence += 1
            self.window_free -= 1
            self.out.append(pdu(DELIVER_SM, self.sequence, receipt_body(message_id, source, destination)))
            receipt_at[at] = now
        self.write()


def receipt_body(message_id: bytes, sender: bytes, handset: bytes) -> bytes:
    """A receipt as SMPP 3.4 appendix B writes it, with the two TLVs that belong to it."""
    text = (
        b"id:%b sub:001 dlvrd:001 submit date:2611260900 done date:2611260900 stat:DELIVRD err:000 text:" % message_id
    )
    return b"\0\x01\x01%b\0\x05\0%b\0%b%c%b\x00\x1e\x00%c%b\0\x04\x27\x00\x01\x02" % (
        handset,
        sender,
        RECEIPT_MIDDLE,
        len(text),
        text,
        len(message_id) + 1,
        message_id,
    )


async def serve(options: dict[str, Any]) -> None:
    shape = SHAPES[options.get("shape", "short")](is_scattered=bool(options.get("is_scattered")))
    counts = Counts(int(options["messages"]), shape)
    counts.binds_awaited = int(options.get("binds", 1))
    counts.first_id = int(options.get("first_id", 1))
    counts.tells_end = bool(options.get("tells_end"))
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(
        lambda: Carrier(counts, float(options["receipt_delay_s"]), int(options["window"])),
        "127.0.0.1",
        int(options.get("port", 0)),
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    loop.add_reader(sys.stdin.fileno(), counts.hear)
    await stopped.wait()
    place = Path(str(options["place"]))
    save(place / "submitted_at", counts.submitted_at)
    save(place / "receipt_sent_at", counts.receipt_at)
    words = ("submits", "duplicates", "damaged", "receipts_refused")
    print(json.dumps({word: getattr(counts, word) for word in words}), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))
