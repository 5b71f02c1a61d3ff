"""Captures made by hand for the tests: TCP segments in frames, frames in pcap and pcapng."""

from __future__ import annotations

import struct
from collections.abc import Iterable

START_UNIX = 1_700_000_000


def tcp(payload: bytes, sequence: int, ports: tuple[int, int] = (40000, 2775), flags: int = 0x18) -> bytes:
    """One segment, with an option in its header."""
    head = struct.pack(">HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 0, 6 << 4, flags, 1024, 0, 0)
    return head + b"\x01\x01\x01\x01" + payload


def ethernet(payload: bytes, sequence: int, ports: tuple[int, int] = (40000, 2775), flags: int = 0x18) -> bytes:
    """A frame with IPv4; replies go the other way."""
    segment = tcp(payload, sequence, ports, flags)
    ends = b"\x0a\0\0\x01", b"\x0a\0\0\x02"
    source, destination = ends if ports[1] == 2775 else ends[::-1]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0) + source + destination
    return bytes(12) + b"\x08\x00" + head + segment


def ipv6(payload: bytes, sequence: int) -> bytes:
    """A packet of IPv6 with an extension header."""
    segment = b"\x06\0" + bytes(6) + tcp(payload, sequence)
    return struct.pack(">IHBB", 6 << 28, len(segment), 0, 64) + bytes(31) + b"\x01" + segment


def pcap(frames: Iterable[bytes], order: str = "<", link_type: int = 1) -> bytes:
    """A classic capture, one packet a millisecond."""
    found = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    for number, frame in enumerate(frames):
        found += struct.pack(f"{order}IIII", START_UNIX, number * 1000, len(frame), len(frame)) + frame
    return found


def pcapng(frames: Iterable[bytes], order: str = "<", link_type: int = 1) -> bytes:
    """The same in blocks, times in nanoseconds."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack(f"{order}I", 12 + len(body))
        return struct.pack(f"{order}I", kind) + size + body + size

    found = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    resolution = struct.pack(f"{order}HHB", 9, 1, 9) + bytes(7)
    found += block(1, struct.pack(f"{order}HHI", link_type, 0, 65535) + resolution)
    for number, frame in enumerate(frames):
        at = START_UNIX * 10**9 + number * 10**6
        head = struct.pack(f"{order}IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
        found += block(6, head + frame)
    return found
