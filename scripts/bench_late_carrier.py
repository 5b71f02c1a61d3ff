"""The carrier of the benchmark that takes its time: random message ids, and receipts after a wait that nobody foresees.

Takes one JSON object as its argument, prints its port, its first bind and, on SIGTERM, one line of counts for each
sender. What waits is kept in arrays, 16 octets a receipt.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import signal
import sys
import time
from array import array
from collections import deque
from pathlib import Path

import msgspec
import uvloop
from bench_carrier import receipt_body
from bench_connections import Wire
from bench_numbered import Tally, handset_of
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
    pdu,
    save,
    short_message_of,
)

PULSE_S = 0.002
SLOT_S = 0.01
NUMBER_BITS = 40


class Job(msgspec.Struct):
    """What the carrier is told; ``senders`` are source addresses, in the order of their places in what waits."""

    place: str
    messages: int
    handsets: int
    senders: list[str]
    window: int
    late_min_s: float
    late_max_s: float
    port: int = 0
    keeps_moments: bool = False


class Waiting:
    """Receipts that are not due yet, in slots of a hundredth of a second; those of one slot stay in their order."""

    def __init__(self) -> None:
        self.slots: dict[int, array[int]] = {}
        self.order: list[int] = []
        self.ready: deque[array[int]] = deque()
        self.at = 0
        self.count = self.count_max = 0

    def add(self, due: float, message_id: int, mark: int) -> None:
        """One more, due at a moment."""
        slot = int(due / SLOT_S)
        entries = self.slots.get(slot)
        if entries is None:
            entries = self.slots[slot] = array("Q")
            heapq.heappush(self.order, slot)
        entries.append(message_id)
        entries.append(mark)
        self.count += 1
        self.count_max = max(self.count_max, self.count)

    def take(self, now: float, most: int) -> list[tuple[int, int]]:
        """Those that are due, as many as may go."""
        slot_now = int(now / SLOT_S)
        while self.order and self.order[0] < slot_now:
            self.ready.append(self.slots.pop(heapq.heappop(self.order)))
        taken: list[tuple[int, int]] = []
        while self.ready and len(taken) < most:
            entries = self.ready[0]
            taken.append((entries[self.at], entries[self.at + 1]))
            self.at += 2
            if self.at == len(entries):
                self.ready.popleft()
                self.at = 0
        self.count -= len(taken)
        return taken


class Carrier:
    """What all its connections share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.senders = [sender.encode() for sender in job.senders]
        self.tallies = [Tally(job.messages, job.handsets, keeps_moments=job.keeps_moments) for _ in self.senders]
        self.places = {sender: place for place, sender in enumerate(self.senders)}
        self.chance = random.Random(1)
        self.waiting = Waiting()
        self.binds = 0
        self.first_at = self.last_at = 0.0
        self.strangers = self.receipts_refused = 0

    def bound(self) -> None:
        """One bind more; the first one is what the bench waits for."""
        self.binds += 1
        if self.binds == 1:
            print(json.dumps({"bound": True}), flush=True)

    def take(self, sender: bytes, handset: bytes, text: bytes, now: float) -> int:
        """A message came: the id that it gets. Its receipt is planned."""
        self.last_at = now
        self.first_at = self.first_at or now
        message_id = self.chance.getrandbits(64)
        place = self.places.get(sender, -1)
        if place < 0:
            self.strangers += 1
            return message_id
        number = self.tallies[place].take(text, handset, now)
        if number >= 0:
            due = now + self.chance.uniform(self.job.late_min_s, self.job.late_max_s)
            self.waiting.add(due, message_id, place << NUMBER_BITS | number)
        return message_id

    def receipt(self, message_id: int, mark: int) -> bytes:
        """The body of one that is due."""
        place, number = mark >> NUMBER_BITS, mark & (1 << NUMBER_BITS) - 1
        return receipt_body(b"%016x" % message_id, self.senders[place], handset_of(number, self.job.handsets))

    def counts(self) -> dict[str, object]:
        """What came, in all and of each sender."""
        words = ("submits", "duplicates", "damaged", "out_of_order")
        return {
            "senders": [{word: getattr(tally, word) for word in words} for tally in self.tallies],
            "strangers": self.strangers,
            "receipts_refused": self.receipts_refused,
            "waiting_max": self.waiting.count_max,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }


class Connection(Wire):
    """One bind."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self.carrier = carrier
        self.window_free = 0  # no receipt leaves before the bind stands
        self.sequence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)

    def data_received(self, data: bytes) -> None:
        stream, carrier = self.stream, self.carrier
        now = time.monotonic()
        for command, status, sequence, start, _ in stream.feed(data):
            if command == SUBMIT_SM:
                sender, handset, middle = fields_of(stream.octets, start)
                message_id = carrier.take(sender, handset, short_message_of(stream.octets, middle), now)
                self.out.append(pdu(SUBMIT_SM_RESP, sequence, b"%016x\0" % message_id))
            elif command == DELIVER_SM_RESP:
                self.window_free += 1
                carrier.receipts_refused += status != 0
            elif command in (ENQUIRE_LINK, UNBIND):
                self.out.append(pdu(command | RESPONSE, sequence))
            elif 0 < command <= BIND_TRANSCEIVER:
                self.out.append(pdu(command | RESPONSE, sequence, b"carrier\0"))
                self.window_free = carrier.job.window
                carrier.bound()
        self.write()

    def pulse(self) -> None:
        """What the clock brings: receipts that are due."""
        if self.transport is None:
            return
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        if self.window_free > 0:
            for message_id, mark in self.carrier.waiting.take(time.monotonic(), self.window_free):
                self.sequence += 1
                self.window_free -= 1
                self.out.append(pdu(DELIVER_SM, self.sequence, self.carrier.receipt(message_id, mark)))
            self.write()


async def serve(job: Job) -> None:
    carrier = Carrier(job)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Connection(carrier), "127.0.0.1", job.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stopped.wait()
    for sender, tally in zip(job.senders, carrier.tallies, strict=True):
        if tally.moments is not None:
            save(Path(job.place) / f"{sender}_submitted_at", tally.moments)
    print(json.dumps(carrier.counts()), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=Job)))
