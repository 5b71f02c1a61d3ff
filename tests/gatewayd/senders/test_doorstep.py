"""Between accepting and SMPP: balancers' headers, handshakes, and those who are turned away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.runtime.dealing import Dealing
from gatewayd.runtime.networks import Networks
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.tls import LiveTls
from gatewayd.senders.doorstep import Doorstep
from tests.daemon.test_tls import certificate
from tests.support.watch import Watch

HEADER = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes((203, 0, 113, 9, 192, 0, 2, 1)) + b"\xdc\x04\x0a\xd7"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


class Client(asyncio.Protocol):
    """What the doorstep makes: keeps for whom it was made, and what it hears first."""

    def __init__(self, hall: Hall, peer: str) -> None:
        self.hall, self.peer, self.heard = hall, peer, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.hall.guests.append(self)
        self.hall.watch.ring()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.hall.watch.ring()


class Hall:
    """A doorstep on a free port, and who came in over it."""

    def __init__(
        self,
        proxies: tuple[str, ...] = (),
        tls: LiveTls | None = None,
        patience_s: float = 10.0,
        listening: socket.socket | None = None,
        dealing: Dealing | None = None,
    ) -> None:
        self.watch = Watch()
        self.guests: list[Client] = []
        self.faults: list[str] = []
        self.room = True
        self.dealing = dealing
        self.listening = listening or socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.doorstep = Doorstep(
            self.listening,
            lambda peer: Client(self, peer),
            tls=tls,
            proxies=Networks(proxies),
            patience_s=patience_s,
            has_room=lambda: self.room,
            on_fault=self._count,
            on_change=self._tell,
            dealing=dealing,
        )
        self._tell()
        self.doorstep.start()

    def _tell(self) -> None:
        if self.dealing is not None:
            self.dealing.tell(len(self.guests) + len(self.doorstep))

    def _count(self, kind: str) -> None:
        self.faults.append(kind)
        self.watch.ring()

    async def call(self, **how: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, **how)


@contextlib.asynccontextmanager
async def hall(
    proxies: tuple[str, ...] = ("127.0.0.1/32",), tls: LiveTls | None = None, patience_s: float = 10.0
) -> AsyncIterator[Hall]:
    it = Hall(proxies, tls, patience_s)
    yield it
    it.doorstep.close()
    for guest in it.guests:
        guest.transport.abort()


@pytest.mark.parametrize(("head", "peer"), [(HEADER, "203.0.113.9"), (LOCAL, "")])
async def test_a_header_is_taken_and_nothing_behind_it(head: bytes, peer: str) -> None:
    async with hall() as it:
        _, writer = await it.call()
        for octet in head:  # a balancer on a bad line
            writer.write(bytes((octet,)))
            await writer.drain()
        writer.write(b"SMPP")
        await it.watch.until(lambda: it.guests and it.guests[0].heard == b"SMPP")
        assert it.guests[0].peer == peer
        assert not len(it.doorstep)
        writer.close()


async def test_a_header_and_what_follows_may_come_at_once() -> None:
    async with hall() as it:
        _, writer = await it.call()
        writer.write(HEADER + b"SMPP")
        await it.watch.until(lambda: it.guests and it.guests[0].heard == b"SMPP")
        writer.close()


async def test_from_elsewhere_a_header_is_what_was_said() -> None:
    async with hall(("192.0.2.0/24",)) as it:
        _, writer = await it.call()
        writer.write(HEADER)
        await it.watch.until(lambda: it.guests and it.guests[0].heard == HEADER)
        assert it.guests[0].peer == "", "nobody is believed who is no balancer"
        writer.close()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1", "proxy_absent"),
        (HEADER[:12] + b"\x22" + HEADER[13:], "proxy_command"),
        (HEADER[:20], "proxy_ended"),
        (b"PROXY " + b"x" * 200, "proxy_length"),
    ],
)
async def test_a_balancer_that_says_something_else_is_turned_away(said: bytes, kind: str) -> None:
    async with hall() as it:
        reader, writer = await it.call()
        writer.write(said)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await it.watch.until(lambda: it.faults == [kind])
        assert not it.guests
        writer.close()


async def test_a_balancer_that_only_looks_whether_we_are_there_is_no_fault() -> None:
    async with hall() as it:
        reader, writer = await it.call()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert it.faults == []


async def test_a_silent_balancer_has_its_time() -> None:
    async with hall(patience_s=0.05) as it:
        reader, writer = await it.call()
        writer.write(HEADER[:-1])
        assert await reader.read() == b""
        assert it.faults == ["proxy_timeout"]
        writer.close()


@pytest.mark.parametrize("is_stuck", [False, True])
async def test_what_comes_at_once_is_dealt_evenly(tmp_path: Path, is_stuck: bool) -> None:
    """Two workers at one socket; one that does not come is not waited for."""
    table = SharedLimits.open(tmp_path / "limits")
    first = Hall(dealing=Dealing(table, "smpp", 0, 2))
    second = Hall(dealing=Dealing(table, "smpp", 1, 2), listening=first.listening.dup())
    if is_stuck:
        asyncio.get_running_loop().remove_reader(second.listening)
    streams = await asyncio.gather(*(first.call() for _ in range(12)))
    await first.watch.until(lambda: len(first.guests) == (12 if is_stuck else 6))
    await second.watch.until(lambda: len(second.guests) == (0 if is_stuck else 6))
    for _, writer in streams:
        writer.close()
    for it in (first, second):
        it.doorstep.close()
    table.close()


async def test_one_too_many_is_turned_away() -> None:
    async with hall() as it:
        it.room = False
        reader, writer = await it.call()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert it.faults == ["too_many_connections"]
        writer.close()


async def test_tls_begins_behind_the_header(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=pem)
    async with hall(tls=LiveTls(pem, key)) as it:
        stream = socket.create_connection(("127.0.0.1", it.port))
        stream.sendall(HEADER)
        _, writer = await asyncio.open_connection(sock=stream, ssl=trusting, server_hostname="127.0.0.1")
        writer.write(b"SMPP")
        await it.watch.until(lambda: it.guests and it.guests[0].heard == b"SMPP")
        assert it.guests[0].peer == "203.0.113.9"
        writer.close()


async def test_a_handshake_that_fails_is_counted(tmp_path: Path) -> None:
    async with hall((), tls=LiveTls(*certificate(tmp_path))) as it:
        for distrusting in (ssl.create_default_context(), None):
            with contextlib.suppress(OSError):
                reader, writer = await it.call(ssl=distrusting)
                writer.write(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1")
                await reader.read()
                writer.close()
        await it.watch.until(lambda: len(it.faults) == 2)
        assert it.faults == ["tls_handshake", "tls_handshake"]
        assert not it.guests
