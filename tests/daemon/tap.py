"""A tap on the wire: a relay that keeps the octets of both directions, and tshark, which says what it thinks of them.

Knows nothing of SMPP: the opinion is all tshark's.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import BinaryIO, NamedTuple

CLIENT, SERVER = 0, 1
SMPP_PORT = 2775
SEGMENT_SIZE = 32_000
WARNING = 0x00600000
SHOWN = f"smpp || _ws.malformed || _ws.expert.severity >= {WARNING}"

_READ_SIZE = 65_536


class Conversation:
    """One connection: who it was, and the octets of both sides in the order in which they passed."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.octets: list[tuple[int, bytes]] = []

    def add(self, side: int, data: bytes) -> None:
        """Octets that ``side`` wrote. tshark looks for a PDU only where it is given a few of them at once."""
        if self.octets and self.octets[-1][0] == side:
            self.octets[-1] = (side, self.octets[-1][1] + data)
        else:
            self.octets.append((side, data))


class Relay:
    """Listens, connects each client to ``target``, and writes down what passes. ``target`` may change meanwhile."""

    def __init__(self, label: str, kept: list[Conversation]) -> None:
        self.target = ("", 0)
        self.port = 0
        self._label = label
        self._kept = kept
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = 0
        self._idle = asyncio.Event()

    async def start(self) -> int:
        """Returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Cut what still stands."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        while self._open:
            self._idle.clear()
            await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with contextlib.suppress(OSError):
                await self._relay(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open -= 1
            self._idle.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(self._label)
        self._kept.append(conversation)
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(
                self._pass(reader, far_writer, conversation, CLIENT),
                self._pass(far_reader, writer, conversation, SERVER),
            )
        finally:
            self._writers -= {writer, far_writer}
            far_writer.close()
            with contextlib.suppress(OSError):
                await far_writer.wait_closed()

    @staticmethod
    async def _pass(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, conversation: Conversation, side: int
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_SIZE):
                conversation.add(side, data)
                writer.write(data)
                await writer.drain()
        writer.close()


class Opinion(NamedTuple):
    """What tshark says: how many PDUs of each command_id it saw, and every complaint with the conversation's label."""

    commands: Counter[int]
    complaints: list[str]


def judge(conversations: list[Conversation], path: Path) -> Opinion:
    """Write the conversations down as a capture and let tshark read it."""
    if shutil.which("tshark") is None:
        raise AssertionError("tshark is missing; scripts/test installs it")
    with path.open("wb") as file:
        write_capture(file, conversations)
    fields = ("tcp.stream", "smpp.command_id", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message")
    asked = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-d", f"tcp.port=={SMPP_PORT},smpp", "-Y", SHOWN, "-T", "fields", *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    commands: Counter[int] = Counter()
    complaints = []
    for line in done.stdout.splitlines():
        stream, seen, malformed, severities, messages = (line.split("\t") + [""] * 5)[:5]
        commands.update(int(word, 0) for word in seen.split(",") if word)
        worst = max((int(word, 0) for word in severities.split(",") if word), default=0)
        if malformed or worst >= WARNING:
            complaints.append(f"{conversations[int(stream)].label}: {malformed} {messages}".strip())
    return Opinion(commands, complaints)


def write_capture(file: BinaryIO, conversations: list[Conversation]) -> None:
    """A pcap of raw IPv4 in which each conversation is one sound TCP stream from a port of its own."""
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101))
    clock = 0
    for number, conversation in enumerate(conversations):
        ports = (10_000 + number, SMPP_PORT)
        sequences = [1, 1]
        frames = [(CLIENT, 0x02, b""), (SERVER, 0x12, b""), (CLIENT, 0x10, b"")]
        for side, data in conversation.octets:
            frames += [(side, 0x18, data[at : at + SEGMENT_SIZE]) for at in range(0, len(data), SEGMENT_SIZE)]
        for at, (side, flags, data) in enumerate(frames):
            sequence, acknowledged = sequences[side], sequences[1 - side]
            if at < 2:  # SYN and SYN-ACK count for one octet each, which the numbers above leave out
                sequence, acknowledged = 0, at
            clock += 1
            _write_frame(file, clock, (ports[side], ports[1 - side]), (sequence, acknowledged), flags, data)
            sequences[side] += len(data)


def _write_frame(
    file: BinaryIO, clock: int, ports: tuple[int, int], numbers: tuple[int, int], flags: int, data: bytes
) -> None:
    tcp = struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 65_535, 0, 0)
    loopback = bytes((127, 0, 0, 1))
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0, loopback, loopback)
    packet = ip + tcp + data
    file.write(struct.pack("<IIII", clock // 1_000_000, clock % 1_000_000, len(packet), len(packet)))
    file.write(packet)
