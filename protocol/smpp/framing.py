"""Cutting a stream of octets into whole PDUs.

Knows the first four octets of a header and nothing else.
"""

from __future__ import annotations

import struct

from protocol.smpp.constants import HEADER_SIZE, Status
from protocol.smpp.errors import RemoteFault

_STRANGERS = {b"PROX": "a PROXY header", b"\r\n\r\n": "a PROXY header", b"GET ": "HTTP", b"POST": "HTTP"}
"""What those say first who have the wrong port, or a balancer before them that nobody told us of."""

_unpack_length = struct.Struct(">I").unpack_from


class Framer:
    """Keeps what is incomplete; ``pdu_size_max`` bounds how much that can be (3.4 section 3.2, command_length)."""

    __slots__ = ("_rest", "_size_needed", "fault", "pdu_size_max")

    def __init__(self, pdu_size_max: int) -> None:
        self.pdu_size_max = pdu_size_max
        self.fault: RemoteFault | None = None
        """Set once a command_length was impossible: nothing after it can be found any more."""
        self._rest = bytearray()
        self._size_needed = 4

    @property
    def is_within_pdu(self) -> bool:
        """Whether the beginning of a PDU is there and its end is not."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that ``data`` completes, in order.

        Those that came whole before an impossible command_length are still returned, and ``fault`` is set; when there
        is none, and at every later call, that RemoteFault is raised.
        """
        self._raise_fault()
        if self._rest:
            self._rest += data
            if len(self._rest) < self._size_needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        pdus = self._cut(data)
        if not pdus:
            self._raise_fault()
        return pdus

    def _raise_fault(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _cut(self, data: bytes) -> list[bytes]:
        """Slice every whole PDU out of ``data`` and keep the rest, with the size from which it is worth a look."""
        pdus: list[bytes] = []
        start, size, size_max = 0, len(data), self.pdu_size_max
        self._size_needed = 4
        last = size - 4
        while start <= last:
            (length,) = _unpack_length(data, start)
            if length < HEADER_SIZE:
                self.fault = RemoteFault("short_length", Status.ESME_RINVCMDLEN, fatal=True)
                return pdus
            if length > size_max:
                if size - start >= HEADER_SIZE:
                    self.fault = _oversized(data[start : start + HEADER_SIZE])
                    return pdus
                # The rest of the header is worth waiting for: it says which sequence_number to nack.
                self._size_needed = HEADER_SIZE
                break
            end = start + length
            if end > size:
                self._size_needed = length
                break
            pdus.append(data[start:end])
            start = end
        if start < size:
            self._rest += data[start:] if start else data
        return pdus


def _oversized(header: bytes) -> RemoteFault:
    """The fault for a PDU that is longer than we allow."""
    command, sequence = int.from_bytes(header[4:8], "big"), int.from_bytes(header[12:16], "big")
    stranger = "TLS" if header[:2] == b"\x16\x03" else _STRANGERS.get(header[:4], "")
    detail = f"{stranger}, not SMPP" if stranger else ""
    return RemoteFault(
        "oversized", Status.ESME_RINVCMDLEN, command=command, sequence=sequence, detail=detail, fatal=True
    )
