"""Applications under which a daemon is restarted: some talk and come back when they are cut off, one only knocks.

Runs by itself, with nothing but the standard library. Says "talking" whenever a talker is well under way on a new
connection. When its stdin ends, it waits for the receipts that are still due, and says what it saw in a JSON object:
``refused`` connections, ``acknowledged`` messages, and of these the ``missing`` ones, without a receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import struct
import sys

HOST, PORT = sys.argv[1], int(sys.argv[2])
SYSTEM_ID, PASSWORD = b"shop", b"secret"
TALKERS = 2
WELL_UNDER_WAY = 20
PAUSE_S, RETRY_S, LAST_RECEIPTS_S = 0.02, 0.05, 20.0

BIND, BIND_RESP = 0x00000009, 0x80000009
SUBMIT, SUBMIT_RESP = 0x00000004, 0x80000004
DELIVER, DELIVER_RESP = 0x00000005, 0x80000005
ENQUIRE, ENQUIRE_RESP = 0x00000015, 0x80000015
UNBIND, UNBIND_RESP = 0x00000006, 0x80000006


class Tally:
    """What everybody saw."""

    def __init__(self) -> None:
        self.knocks = self.refused = self.binds = 0
        self.acknowledged: set[bytes] = set()
        self.receipted: set[bytes] = set()
        self.longest_wait_s = 0.0
        self.over = asyncio.Event()
        self.receipt_came = asyncio.Event()

    async def pace(self, seconds: float) -> None:
        """Between one thing and the next, unless all is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)


def say(words: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """One PDU."""
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def submit_body(number: int) -> bytes:
    """A short text that wants a receipt."""
    text = b"message %d" % number
    handset = b"336%08d" % number
    return b"\0\5\0SHOP\0\1\1" + handset + b"\0\0\0\0\0\0\1\0\0\0" + bytes([len(text)]) + text


async def knock(tally: Tally) -> None:
    """Connect and go away again, many times a second."""
    while not tally.over.is_set():
        tally.knocks += 1
        try:
            _, writer = await asyncio.open_connection(HOST, PORT)
            writer.close()
        except ConnectionRefusedError:
            tally.refused += 1
        await tally.pace(PAUSE_S)


class Talker:
    """One application."""

    def __init__(self, tally: Tally, numbers: itertools.count[int]) -> None:
        self.tally, self.numbers = tally, numbers

    async def live(self) -> None:
        """Connect, bind and talk; begin again whenever that ends."""
        while not self.tally.over.is_set():
            with contextlib.suppress(ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
                await self.talk()
            await self.tally.pace(RETRY_S)

    async def talk(self) -> None:
        """Over one connection."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            reader, writer = await asyncio.open_connection(HOST, PORT)
        except ConnectionRefusedError:
            self.tally.refused += 1
            return
        writer.write(pdu(BIND, 1, SYSTEM_ID + b"\0" + PASSWORD + b"\0\0\x34\0\0\0"))
        submitting, acknowledged = None, 0
        try:
            while True:
                length, command, status, sequence = struct.unpack(">IIII", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                if command == BIND_RESP and status == 0:
                    self.tally.binds += 1
                    self.tally.longest_wait_s = max(self.tally.longest_wait_s, loop.time() - since)
                    submitting = asyncio.create_task(self.submit(writer))  # noqa: TID251
                elif command == SUBMIT_RESP and status == 0:
                    self.tally.acknowledged.add(body.rstrip(b"\0"))
                    acknowledged += 1
                    if acknowledged == WELL_UNDER_WAY:
                        say("talking")
                elif command == DELIVER:
                    self.tally.receipted.update(re.findall(rb"id:(\S+)", body))
                    self.tally.receipt_came.set()
                    writer.write(pdu(DELIVER_RESP, sequence, b"\0"))
                elif command == ENQUIRE:
                    writer.write(pdu(ENQUIRE_RESP, sequence))
                elif command == UNBIND:
                    writer.write(pdu(UNBIND_RESP, sequence))
                    await writer.drain()
                    return
        finally:
            if submitting is not None:
                submitting.cancel()
            writer.close()

    async def submit(self, writer: asyncio.StreamWriter) -> None:
        """At an even pace."""
        for sequence in itertools.count(2):
            writer.write(pdu(SUBMIT, sequence, submit_body(next(self.numbers))))
            await self.tally.pace(PAUSE_S)
            if self.tally.over.is_set():
                return


async def main() -> None:
    """Until nobody wants to hear more."""
    tally, numbers = Tally(), itertools.count()
    knocking = asyncio.create_task(knock(tally))  # noqa: TID251
    talking = [asyncio.create_task(Talker(tally, numbers).live()) for _ in range(TALKERS)]  # noqa: TID251
    await asyncio.to_thread(sys.stdin.read)
    tally.over.set()
    await knocking
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_RECEIPTS_S):
            while tally.acknowledged - tally.receipted:
                tally.receipt_came.clear()
                await tally.receipt_came.wait()
    for task in talking:
        task.cancel()
    report = {
        "knocks": tally.knocks,
        "refused": tally.refused,
        "binds": tally.binds,
        "longest_wait_s": round(tally.longest_wait_s, 2),
        "acknowledged": len(tally.acknowledged),
        "missing": len(tally.acknowledged - tally.receipted),
    }
    say(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
