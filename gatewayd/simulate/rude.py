"""Applications that behave badly: do not read, read a byte at a time, flood, hold idle connections, die within a PDU.

Written over bare sockets: a well-made client would not let itself be used like this. Knows nothing of the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time

from protocol.smpp.constants import Command
from protocol.smpp.pdu import build
from protocol.smpp.records import Bind, SubmitSm

_RESPONSE_HEADER = struct.Struct(">IIII")
_RECEIVE_BUFFER = 4_096
_READ = 65_536
_BATCH = 50


class RudeEsme:
    """One connection of such an application."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        # So small that whoever writes to us soon finds it full.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._sequence = 1
        self.sent = 0
        self.octets_read = 0

    async def connect(self) -> None:
        """Connect, and say nothing. Raises OSError."""
        await self._loop.sock_connect(self._socket, self._address)

    async def bind(self, system_id: str, password: str) -> int:
        """Connect and bind as a transceiver; the status of the answer, -1 when there was none."""
        await self.connect()
        await self._write(
            build(Bind(command=Command.BIND_TRANSCEIVER, sequence=1, system_id=system_id, password=password))
        )
        header = await self._loop.sock_recv(self._socket, _READ)
        return _RESPONSE_HEADER.unpack_from(header)[2] if len(header) >= _RESPONSE_HEADER.size else -1

    async def flood(self, destination: str, until: float) -> None:
        """Submit without any window as fast as it goes, reading and forgetting what comes, until a moment."""
        with contextlib.suppress(OSError):
            while time.monotonic() < until:
                await self._write(b"".join(self._submit(destination) for _ in range(_BATCH)))
                self._forget_answers()
                await asyncio.sleep(0)  # others live on this loop, too

    async def never_read(self, destination: str, until: float) -> None:
        """Submit and read nothing, until a moment or until the other side has had enough of us."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                while True:
                    await self._write(self._submit(destination))

    async def read_slowly(self, destination: str, until: float, pause_s: float = 1.0) -> None:
        """The same, but take one octet in every pause."""
        await asyncio.gather(self.never_read(destination, until), self._sip(until, pause_s))

    async def _sip(self, until: float, pause_s: float) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                while await self._loop.sock_recv(self._socket, 1):
                    self.octets_read += 1
                    await asyncio.sleep(pause_s)

    async def die_within_a_pdu(self, destination: str) -> None:
        """Send the beginning of a submit_sm, and be gone without a word."""
        octets = self._submit(destination)
        with contextlib.suppress(OSError):
            await self._write(octets[: len(octets) // 2])
        self.close(reset=True)

    def close(self, *, reset: bool = False) -> None:
        """End the connection: in order, or as a machine that lost its power."""
        if reset:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _submit(self, destination: str) -> bytes:
        self._sequence += 1
        self.sent += 1
        return build(
            SubmitSm(
                sequence=self._sequence,
                source_addr="rude",
                source_addr_ton=5,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=destination,
                registered_delivery=1,
                short_message=b"this application does not behave",
            )
        )

    async def _write(self, octets: bytes) -> None:
        await self._loop.sock_sendall(self._socket, octets)

    def _forget_answers(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while octets := self._socket.recv(_READ):
                self.octets_read += len(octets)


async def idle_connections(host: str, port: int, count: int) -> list[RudeEsme]:
    """So many connections that never say anything; those that the other side would not have are left out."""
    held = []
    for _ in range(count):
        rude = RudeEsme(host, port)
        try:
            await rude.connect()
        except OSError:
            rude.close()
        else:
            held.append(rude)
    return held
