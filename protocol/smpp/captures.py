"""SMPP from captured packets: pcap and pcapng files, their TCP put in order, and the PDUs in it.

Enough for a capture of a port, not a TCP stack: fragments of IP are left out, and what is missing stays missing.
"""

from __future__ import annotations

import bisect
import itertools
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from protocol.smpp.constants import HEADER_SIZE, RESPONSE_BIT, Command

PDU_SIZE_MAX: Final = 0x20000

_ETHERNET, _NULL, _RAW, _RAW_OLD, _COOKED, _COOKED_2, _IPV4, _IPV6 = 1, 0, 101, 12, 113, 276, 228, 229
_HEADS: Final = {_ETHERNET: 14, _NULL: 4, _RAW: 0, _RAW_OLD: 0, _COOKED: 16, _COOKED_2: 20, _IPV4: 0, _IPV6: 0}
_MAGIC: Final = {b"\xa1\xb2\xc3\xd4": 1e6, b"\xa1\xb2\x3c\x4d": 1e9}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_TCP: Final = 6
_VLANS: Final = (b"\x81\x00", b"\x88\xa8")
_EXTENSIONS: Final = (0, 43, 60)
_SEQUENCE_MASK: Final = 0xFFFFFFFF


class Segment(msgspec.Struct, frozen=True, gc=False):
    """What one packet carried of a TCP connection. ``source`` and ``destination`` are ``address:port``."""

    source: str
    destination: str
    ports: tuple[int, int]
    sequence: int
    is_first: bool
    payload: bytes


class Captured(msgspec.Struct, frozen=True, gc=False):
    """One PDU and when its first octet came, in Unix seconds. ``is_whole`` is false where the capture lacks its end."""

    at_unix: float
    source: str
    destination: str
    octets: bytes
    is_whole: bool = True


def is_capture(data: bytes) -> bool:
    """Whether a file begins as pcap or pcapng does."""
    return data[:4] == _SECTION or data[:4] in _MAGIC or data[3::-1] in _MAGIC


def pdus_of(data: bytes, port: int = 0) -> list[Captured]:
    """Every PDU of a capture, in the order in which they began; of one port, or of all that speak SMPP.

    Raises ValueError with words for a person when the file cannot be read at all.
    """
    streams: list[_Stream] = []
    latest: dict[tuple[str, str], _Stream] = {}
    for at_unix, link_type, frame in _packets(data):
        segment = segment_of(link_type, frame)
        if segment is None or (not segment.payload and not segment.is_first) or (port and port not in segment.ports):
            continue
        ends = segment.source, segment.destination
        stream = latest.get(ends)
        if stream is None or segment.is_first:
            stream = latest[ends] = _Stream(segment)
            streams.append(stream)
        stream.take(at_unix, segment)
    found = [pdu for stream in streams for pdu in stream.pdus()]
    return sorted(found, key=lambda pdu: pdu.at_unix)


def payload_of(octets: bytes) -> bytes:
    """The TCP payload of a bare packet or frame, as ``tcpdump -x`` and Wireshark give them; else the octets.

    A packet that opens, closes or acknowledges has none. Words whose two octets stand the wrong way round, as
    ``hexdump`` prints them, are put right where that makes a PDU or a packet of them.
    """
    swapped = bytearray(octets) if len(octets) % 2 == 0 else bytearray()
    swapped[0::2], swapped[1::2] = swapped[1::2], swapped[0::2]
    if int.from_bytes(swapped[:4], "big") == len(swapped) - 1:
        swapped.pop()  # the last word was filled up
    for each in (octets, bytes(swapped)):
        payload = _payload_in(each)
        if payload is not None:
            return payload
    return octets


def _payload_in(octets: bytes) -> bytes | None:
    if _is_pdu(octets):
        return octets
    for link_type in (_RAW, _ETHERNET, _COOKED, _NULL):
        segment = segment_of(link_type, octets)
        if segment is not None and (_is_pdu(segment.payload) or not segment.payload):
            return segment.payload
    return None


def segment_of(link_type: int, frame: bytes) -> Segment | None:
    """The TCP segment in a frame; None when there is none that can be read."""
    start = _HEADS.get(link_type)
    if start is None:
        return None
    if link_type == _ETHERNET:
        while frame[start - 2 : start] in _VLANS:
            start += 4
    packet = frame[start:]
    if len(packet) < 20:
        return None
    try:
        return _of_ipv4(packet) if packet[0] >> 4 == 4 else _of_ipv6(packet) if packet[0] >> 4 == 6 else None
    except (struct.error, IndexError):
        return None


def _of_ipv4(packet: bytes) -> Segment | None:
    head, size = (packet[0] & 0x0F) * 4, int.from_bytes(packet[2:4], "big")
    if packet[9] != _TCP or int.from_bytes(packet[6:8], "big") & 0x3FFF:
        return None
    addresses = [".".join(map(str, packet[at : at + 4])) for at in (12, 16)]
    # A size of 0 is what a card that cuts packets itself leaves there.
    return _of_tcp(packet[head : size or len(packet)], addresses[0], addresses[1])


def _of_ipv6(packet: bytes) -> Segment | None:
    following, at = packet[6], 40
    end = at + (int.from_bytes(packet[4:6], "big") or len(packet))
    while following in _EXTENSIONS:
        following, at = packet[at], at + 8 + packet[at + 1] * 8
    if following != _TCP:
        return None
    addresses = [f"[{packet[at_ : at_ + 16].hex(':', 2)}]" for at_ in (8, 24)]
    return _of_tcp(packet[at:end], addresses[0], addresses[1])


def _of_tcp(segment: bytes, source: str, destination: str) -> Segment:
    ports = struct.unpack_from(">HH", segment)
    sequence, flags = int.from_bytes(segment[4:8], "big"), segment[13]
    payload = segment[(segment[12] >> 4) * 4 :]
    is_first = bool(flags & 0x02)
    return Segment(
        f"{source}:{ports[0]}", f"{destination}:{ports[1]}", (ports[0], ports[1]), sequence, is_first, payload
    )


def _packets(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    """(Unix seconds, link type, frame) of every packet."""
    if data[:4] == _SECTION:
        yield from _pcapng(data)
        return
    order = ">" if data[:4] in _MAGIC else "<"
    fraction = _MAGIC.get(data[:4]) or _MAGIC.get(data[3::-1])
    if fraction is None or len(data) < 24:
        raise ValueError("it is neither pcap nor pcapng")
    link_type = struct.unpack_from(f"{order}I", data, 20)[0] & 0x0FFFFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, part, size, _ = struct.unpack_from(f"{order}IIII", data, at)
        yield seconds + part / fraction, link_type, data[at + 16 : at + 16 + size]
        at += 16 + size


def _pcapng(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    at, order = 0, "<"
    links: list[tuple[int, float]] = []
    while at + 12 <= len(data):
        if data[at : at + 4] == _SECTION:
            order = ">" if data[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            links = []
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if size < 12:
            return
        body = data[at + 8 : at + size - 4]
        if kind == 1 and len(body) >= 8:
            links.append((struct.unpack_from(f"{order}H", body)[0], _resolution(body[8:], order)))
        elif kind == 6 and len(body) >= 20:
            link, high, low, captured = struct.unpack_from(f"{order}IIII", body)
            if link < len(links):
                yield (high << 32 | low) / links[link][1], links[link][0], body[20 : 20 + captured]
        elif kind == 3 and links and len(body) >= 4:
            yield 0.0, links[0][0], body[4 : 4 + struct.unpack_from(f"{order}I", body)[0]]
        at += size


def _resolution(options: bytes, order: str) -> float:
    """Ticks a second of an interface (if_tsresol), a million where nothing is said."""
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(f"{order}HH", options, at)
        if code == 0:
            break
        if code == 9 and size == 1 and at + 4 < len(options):
            exponent = options[at + 4]
            return float(2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent)
        at += 4 + (size + 3) // 4 * 4
    return 1e6


class _Stream:
    """One direction of a TCP connection: what came, by its place in the stream."""

    def __init__(self, first: Segment) -> None:
        self._start = first.sequence + first.is_first & _SEQUENCE_MASK
        self._source, self._destination = first.source, first.destination
        self._pieces: dict[int, tuple[float, bytes]] = {}

    def take(self, at_unix: float, segment: Segment) -> None:
        """A segment, in whatever order; one that comes again counts once."""
        place = segment.sequence + segment.is_first - self._start & _SEQUENCE_MASK
        if place >= 1 << 31:
            place -= 1 << 32
        known = self._pieces.get(place)
        if segment.payload and (known is None or len(known[1]) < len(segment.payload)):
            self._pieces[place] = (known[0] if known else at_unix, segment.payload)

    def pdus(self) -> Iterator[Captured]:
        """Its PDUs, looked for anew behind every hole; nothing of a stream that holds none."""
        for run in self._runs():
            yield from self._cut(run)

    def _runs(self) -> Iterator[list[tuple[float, bytes]]]:
        run: list[tuple[float, bytes]] = []
        end = None
        for place in sorted(self._pieces):
            at_unix, octets = self._pieces[place]
            if end is not None and place < end:
                octets, place = octets[end - place :], end
                if not octets:
                    continue
            if end is not None and place > end:
                yield run
                run = []
            run.append((at_unix, octets))
            end = place + len(octets)
        yield run

    def _cut(self, run: list[tuple[float, bytes]]) -> Iterator[Captured]:
        data = b"".join(octets for _, octets in run)
        starts = list(itertools.accumulate((len(octets) for _, octets in run), initial=0))
        at = _resync(data, 0)
        while 0 <= at < len(data):
            size = max(HEADER_SIZE, int.from_bytes(data[at : at + 4], "big"))  # the last may end before its header does
            if at + HEADER_SIZE <= len(data) and not _is_pdu(data[at : at + HEADER_SIZE]):
                at = _resync(data, at + 1)
                continue
            octets = data[at : at + size]
            when, _ = run[bisect.bisect_right(starts, at) - 1]
            yield Captured(when, self._source, self._destination, octets, len(octets) == size)
            at += size


def _resync(data: bytes, at: int) -> int:
    """The next place that looks like the beginning of a PDU; -1 when there is none."""
    while at + HEADER_SIZE <= len(data):
        if _is_pdu(data[at : at + HEADER_SIZE]):
            return at
        at += 1
    return -1


def _is_pdu(data: bytes) -> bool:
    """Whether octets begin with a header that can be true: its length, its command, no status in a request."""
    if len(data) < HEADER_SIZE:
        return False
    length, command, status = struct.unpack_from(">III", data)
    return (
        HEADER_SIZE <= length <= PDU_SIZE_MAX
        and command in Command._value2member_map_
        and (bool(command & RESPONSE_BIT) or status == 0)
    )
