"""What both ends of the benchmark agree on: the numbers they use, the text of message n, and octets by slices.

Shares no code with the daemon, neither its engine nor its codec, so that neither end can hide a fault of the other.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

BIND_TRANSCEIVER = 0x00000009
SUBMIT_SM = 0x00000004
SUBMIT_SM_RESP = 0x80000004
DELIVER_SM = 0x00000005
DELIVER_SM_RESP = 0x80000005
UNBIND = 0x00000006
ENQUIRE_LINK = 0x00000015
RESPONSE = 0x80000000

THROTTLED = 0x00000058
QUEUE_FULL = 0x00000014

HANDSET_FIRST = 33_600_000_000
SENDER = b"Bench"
TEXT_SIZE = 60

GROWTH = 65_536  # moments

LENGTH = b"\r\ncontent-length:"

HEADER = struct.Struct(">IIII")
header_at = HEADER.unpack_from


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """One PDU (SMPP 3.4 3.2)."""
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def bind_body(system_id: str, password: str) -> bytes:
    """The body of a bind (SMPP 3.4 4.1)."""
    return system_id.encode() + b"\0" + password.encode() + b"\0\0\x34\0\0\0"


def text_of(handset: bytes) -> bytes:
    """The text that belongs to a handset, so that a mix-up on the way is seen."""
    return (b"Your order for " + handset + b" is on its way to you." + b"." * TEXT_SIZE)[:TEXT_SIZE]


class Stream:
    """Octets as they come, given out as whole PDUs: (command, status, sequence, start, end) into ``octets``."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
        """Take what was read; whatever is incomplete waits for the next time."""
        octets = self.octets + data if self.octets else data
        self.octets = octets
        at, size = 0, len(octets)
        while at + 16 <= size:
            length, command, status, sequence = header_at(octets, at)
            end = at + length
            if end > size:
                break
            yield command, status, sequence, at, end
            at = end
        self.octets = octets[at:]


class Octets:
    """What was read, given out as whole HTTP messages: (first line, body)."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take what was read; whatever is incomplete waits for the next time."""
        octets = self.rest + data if self.rest else data
        at = 0
        while (head_end := octets.find(b"\r\n\r\n", at)) >= 0:
            head = octets[at:head_end].lower()
            length_at = head.find(LENGTH)
            length = int(head[length_at + len(LENGTH) :].split(b"\r\n", 1)[0]) if length_at >= 0 else 0
            end = head_end + 4 + length
            if end > len(octets):
                break
            yield octets[at : octets.index(b"\r\n", at)], octets[head_end + 4 : end]
            at = end
        self.rest = octets[at:]


def fields_of(octets: bytes, start: int) -> tuple[bytes, bytes, int]:
    """Source and destination of a submit_sm or deliver_sm, and where its esm_class stands."""
    source = octets.index(b"\0", start + 16) + 3
    source_end = octets.index(b"\0", source)
    destination = source_end + 3
    destination_end = octets.index(b"\0", destination)
    return octets[source:source_end], octets[destination:destination_end], destination_end + 1


def short_message_of(octets: bytes, esm_class_at: int) -> bytes:
    """The short_message, from where esm_class stands (SMPP 3.4 4.4.1)."""
    at = octets.index(b"\0", esm_class_at + 3) + 1  # schedule_delivery_time
    at = octets.index(b"\0", at) + 1  # validity_period
    size = octets[at + 4]
    return octets[at + 5 : at + 5 + size]


def moments(count: int) -> array[float]:
    """A moment for each message, 0 as long as it has not come."""
    return array("d", bytes(8 * count))


def grow(values: array[float], count: int) -> None:
    """Make room for as many moments and some more, where it is not known how many messages there will be."""
    if count > len(values):
        values.frombytes(bytes(8 * (count - len(values) + GROWTH)))


def save(path: Path, values: array[float]) -> None:
    """Leave the moments for the report."""
    path.write_bytes(values.tobytes())


def restore(path: Path, count: int | None = None) -> array[float]:
    """Take them up again; with a ``count``, as many, those that never came as 0."""
    values: array[float] = array("d")
    values.frombytes(path.read_bytes())
    if count is not None:
        grow(values, count)
        del values[count:]
    return values
