"""ESMEs that bind and then do nothing, each under a name of its own: what the daemon keeps is their sessions.

Takes one JSON object as its argument. Prints `{"bound": n}` while they bind, a few at a time, and `{"all": n}` once all
have. On its standard input `again` lets all unbind and bind anew, `count` asks for the counts, which are also the last
line on SIGTERM: enquire_links that were answered, and sessions that somebody ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import uvloop
from bench_connections import Binding
from bench_wire import BIND_TRANSCEIVER, ENQUIRE_LINK, RESPONSE, UNBIND, pdu

REPORT_S = 0.25
AT_ONCE = 32
"""So many bind at a time: those that wait in the daemon's line for their password must not run out of time."""


def name_of(number: int) -> str:
    """The system_id of an idle ESME."""
    return f"idle{number:06}"


class Idler(Binding):
    """One connection."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_leaving = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.crowd.cut += not self.is_leaving
        self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        for command, status, sequence, _, _ in self.stream.feed(data):
            if command == ENQUIRE_LINK:
                self.crowd.enquiries += 1
                self.out.append(pdu(command | RESPONSE, sequence))
            elif command == BIND_TRANSCEIVER | RESPONSE:
                self.status.set_result(status)
            elif command == UNBIND | RESPONSE and self.transport is not None:
                self.transport.close()
        self.write()

    async def leave(self) -> None:
        """Unbind, and wait until the connection is gone."""
        self.is_leaving = True
        self.out.append(pdu(UNBIND, 2))
        self.write()
        await self.gone


class Crowd:
    """All of them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.port = int(options["port"])
        self.password = str(options["password"])
        self.esmes = int(options["esmes"])
        self.enquiries = self.cut = 0
        self.idlers: list[Idler] = []

    async def bind_all(self) -> None:
        """From nobody to everybody."""
        numbers = iter(range(self.esmes))
        told_at = time.monotonic()

        async def bind_some() -> None:
            nonlocal told_at
            for number in numbers:
                await self.bind(number)
                if time.monotonic() - told_at > REPORT_S:
                    told_at = time.monotonic()
                    print(json.dumps({"bound": len(self.idlers)}), flush=True)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(bind_some())
        print(json.dumps({"all": len(self.idlers)}), flush=True)

    async def bind(self, number: int) -> None:
        idler = Idler(self)
        if status := await idler.bind(self.port, name_of(number), self.password):
            sys.exit(f"bench_idlers: bind {number} was refused: {status & 0xFFFFFFFF:#010x}")
        self.idlers.append(idler)

    async def again(self) -> None:
        """Everybody goes, and comes back."""
        leaving, self.idlers = self.idlers, []
        await asyncio.gather(*(idler.leave() for idler in leaving))
        print(json.dumps({"gone": len(leaving)}), flush=True)
        await self.bind_all()

    def count(self) -> None:
        """What has happened so far."""
        print(json.dumps({"enquiries": self.enquiries, "cut": self.cut, "bound": len(self.idlers)}), flush=True)


async def run(options: dict[str, Any]) -> None:
    crowd = Crowd(options)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    words: asyncio.Queue[bytes] = asyncio.Queue()

    def hear() -> None:
        said = os.read(sys.stdin.fileno(), 1_024).split()
        if not said:
            loop.remove_reader(sys.stdin.fileno())
        for word in said:
            words.put_nowait(word)

    async def obey() -> None:
        while True:
            word = await words.get()
            if word == b"again":
                await crowd.again()
            elif word == b"count":
                crowd.count()

    loop.add_reader(sys.stdin.fileno(), hear)
    await crowd.bind_all()
    async with asyncio.TaskGroup() as group:
        obeying = group.create_task(obey())
        await stopped.wait()
        obeying.cancel()
    crowd.count()


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1])))
