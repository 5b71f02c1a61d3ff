"""The RCS platform of the benchmark: takes every message at once, and tells its sent, delivered and displayed.

Octets by slices on plain sockets, without a check that the measurement does not need: the product's own simulator is
strict, and would cost several times what the daemon does. Takes one JSON object as its argument, prints its port, and
on SIGTERM leaves its moments and one line of counts.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import uvloop
from bench_connections import Held
from bench_wire import HANDSET_FIRST, Octets, moments, save, text_of

PULSE_S = 0.002
CONNECT_RETRY_S = 0.05

TOKEN = b'{"access_token":"bench","token_type":"Bearer","expires_in":86400}'
ANSWER = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
TAKEN = b'{"RCSMessage":{"msgId":"%b","status":"pending"}}'
CALL = (
    b"POST /rcs/platform HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nAuthorization: %b\r\n"
    b"Content-Length: %d\r\n\r\n%b"
)
EVENT = (
    b'{"event":"messageStatus","messageContact":{"userContact":"%b"},'
    b'"RCSMessage":{"msgId":"%b","status":"%b","timestamp":"%b"}}'
)
# A handset reads it as long after its arrival as it took to arrive.
STATUSES = ((b"sent", 0), (b"delivered", 1), (b"displayed", 2))


class Contact(msgspec.Struct, rename="camel"):
    """Whom a message is for."""

    user_contact: str


class Words(msgspec.Struct, rename="camel"):
    """What it says."""

    text_message: str


class Submission(msgspec.Struct, rename="camel"):
    """As much of a message as is looked at."""

    message_contact: Contact
    message: Words = msgspec.field(name="RCSMessage")


read_submission = msgspec.json.Decoder(Submission).decode


class Told(msgspec.Struct, gc=False):
    """One webhook that waits for its turn: about message ``at``, under its name."""

    at: int
    contact: bytes
    name: bytes
    status: bytes


class Counts:
    """What the platform saw, over all connections."""

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.submitted_at = moments(messages)
        self.receipt_at = moments(messages)
        self.submits = self.duplicates = self.damaged = self.told = self.receipts_refused = 0

    def on_told(self, status: bytes) -> None:
        """A webhook was answered; the last one is what the bench waits for."""
        self.told += 1
        self.receipts_refused += status != b"200"
        if self.told == self.messages * len(STATUSES):
            print(json.dumps({"told": self.told}), flush=True)


class Door(Held):
    """One connection of the daemon to the platform."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform
        self.octets = Octets()

    def data_received(self, data: bytes) -> None:
        answers = [self.platform.answer(line, body) for line, body in self.octets.feed(data)]
        if answers and self.transport is not None:
            self.transport.write(b"".join(answers))


class Caller(Held):
    """One connection of the platform to the daemon's webhook: one call at a time, in order."""

    def __init__(self, counts: Counts, token: bytes) -> None:
        super().__init__()
        self.counts = counts
        self.token = token
        self.octets = Octets()
        self.waiting: deque[Told] = deque()
        self.is_busy = False

    def data_received(self, data: bytes) -> None:
        for line, _ in self.octets.feed(data):
            self.is_busy = False
            self.counts.on_told(line.split(b" ", 2)[1])
        self.call()

    def call(self) -> None:
        """The next one, when the last one was answered."""
        if self.is_busy or not self.waiting or self.transport is None:
            return
        told = self.waiting.popleft()
        body = EVENT % (told.contact, told.name, told.status, TIMESTAMP.now)
        self.is_busy = True
        if told.status == b"delivered":
            self.counts.receipt_at[told.at] = time.monotonic()
        self.transport.write(CALL % (self.token, len(body), body))


class Timestamp:
    """Now, as RFC 3339, written once a pulse."""

    now = b""

    def tick(self) -> None:
        """Write it anew."""
        now = time.time()
        self.now = b"%b.%03dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)).encode(), now % 1 * 1000)


TIMESTAMP = Timestamp()


class Platform:
    """What takes messages and plans their webhooks."""

    def __init__(self, options: dict[str, str | int | float]) -> None:
        self.counts = Counts(int(options["messages"]))
        self.delay_s = float(options["receipt_delay_s"])
        self.gather_s = float(options["gather_s"])
        self.gathered_at = 0.0
        token = str(options["webhook_token"]).encode()
        self.callers = [Caller(self.counts, token) for _ in range(int(options["connections"]))]
        # One line a status: each is in the order of time by itself.
        self.planned: list[deque[tuple[float, Told]]] = [deque() for _ in STATUSES]

    def answer(self, line: bytes, body: bytes) -> bytes:
        """Any request's answer."""
        if b"/messages" not in line:
            return ANSWER % (b"200 OK", len(TOKEN), TOKEN)
        now, counts = time.monotonic(), self.counts
        submission = read_submission(body)
        contact = submission.message_contact.user_contact.encode()
        at = int(contact) - HANDSET_FIRST
        counts.submits += 1
        counts.duplicates += counts.submitted_at[at] > 0
        counts.damaged += submission.message.text_message.encode() != text_of(contact[1:])
        counts.submitted_at[at] = now
        name = b"%016x" % counts.submits
        for number, (status, delays) in enumerate(STATUSES):
            self.planned[number].append((now + delays * self.delay_s, Told(at, contact, name, status)))
        taken = TAKEN % name
        return ANSWER % (b"202 Accepted", len(taken), taken)

    def pulse(self) -> None:
        """What is due leaves, at once or with what gathered."""
        now = time.monotonic()
        asyncio.get_running_loop().call_later(PULSE_S, self.pulse)
        TIMESTAMP.tick()
        if now - self.gathered_at < self.gather_s:
            return
        self.gathered_at = now
        for line in self.planned:
            while line and line[0][0] <= now:
                told = line.popleft()[1]
                self.callers[told.at % len(self.callers)].waiting.append(told)
        for caller in self.callers:
            caller.call()

    async def connect(self, port: int) -> None:
        """Reach the daemon's webhook, again and again until it listens."""
        loop = asyncio.get_running_loop()
        for caller in self.callers:
            while caller.transport is None:
                try:
                    await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
                except OSError:
                    await asyncio.sleep(CONNECT_RETRY_S)


async def serve(options: dict[str, str | int | float]) -> None:
    platform = Platform(options)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Door(platform), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await platform.connect(int(options["webhook_port"]))
    print(json.dumps({"bound": True}), flush=True)
    platform.pulse()
    await stopped.wait()
    counts, place = platform.counts, Path(str(options["place"]))
    save(place / "submitted_at", counts.submitted_at)
    save(place / "receipt_sent_at", counts.receipt_at)
    words = ("submits", "duplicates", "damaged", "receipts_refused", "told")
    print(json.dumps({word: getattr(counts, word) for word in words}), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))
