"""An application that writes whatever octets a test wants: built by hand from the specification, by no code of ours.

Blocks; every read has a timeout.
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import NamedTuple, Self

from tests.daemon.process import PASSWORD, Address
from tests.daemon.tap import SERVER, Conversation

GENERIC_NACK = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
RESPONSE = 0x80000000
SENDER, HANDSET, SECRET = b"33700000001", b"33620000077", b"TOP-SECRET-TEXT"
TIMEOUT_S = 10.0


class Answer(NamedTuple):
    """One PDU of the daemon."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def head(self) -> tuple[int, int, int]:
        """All but the body."""
        return self[:3]


class Raw:
    """One connection. What the daemon writes is kept for tshark."""

    def __init__(
        self,
        address: Address,
        kept: list[Conversation],
        label: str = "raw",
        tls: ssl.SSLContext | None = None,
        *,
        source: str = "",
        head: bytes = b"",
    ) -> None:
        """``source`` is from where it connects; ``head`` is said before everything else, TLS included."""
        self._socket = socket.create_connection(address, TIMEOUT_S, (source, 0) if source else None)
        if head:
            self._socket.sendall(head)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
        self._rest = b""
        self._conversation = Conversation(label)
        self._sequence = 1_000
        kept.append(self._conversation)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Without an unbind."""
        self._socket.close()

    def write(self, octets: bytes) -> None:
        """Send them as they are."""
        self._socket.sendall(octets)

    def read(self) -> Answer | None:
        """The next PDU of the daemon, None at the end of the stream."""
        head = self._take(16)
        if not head:
            return None
        length, command, status, sequence = struct.unpack(">IIII", head)
        return Answer(command, status, sequence, self._take(length - 16))

    def read_heads(self, count: int) -> list[tuple[int, int, int]]:
        """The next PDUs of the daemon, or as many as come before the end."""
        answers = (self.read() for _ in range(count))
        return [answer.head for answer in answers if answer is not None]

    def ask(self, octets: bytes) -> tuple[int, int, int]:
        """Send one PDU and give its answer's head."""
        self.write(octets)
        answer = self.read()
        assert answer is not None, "the connection was closed"
        return answer.head

    def bind(self, system_id: str = "shop", password: str = PASSWORD, command: int = BIND_TRANSCEIVER) -> int:
        """The status of the answer."""
        return self.ask(bind(system_id.encode(), password.encode(), command))[1]

    def is_alive(self) -> bool:
        """Whether an enquire_link is answered."""
        self._sequence += 1
        return self.ask(pdu(ENQUIRE_LINK, sequence=self._sequence)) == (ENQUIRE_LINK | RESPONSE, 0, self._sequence)

    def submits_well(self) -> bool:
        """Whether an ordinary message is taken."""
        self._sequence += 1
        return self.ask(submit(self._sequence)) == (SUBMIT_SM | RESPONSE, 0, self._sequence)

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            try:
                data = self._socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self._rest, "the stream ends within a PDU"
                return b""
            self._conversation.add(SERVER, data)
            self._rest += data
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def pdu(command: int, body: bytes = b"", sequence: int = 1, status: int = 0, length: int | None = None) -> bytes:
    """A PDU; ``length`` lies about its size."""
    return struct.pack(">IIII", 16 + len(body) if length is None else length, command, status, sequence) + body


def bind(system_id: bytes = b"shop", password: bytes = PASSWORD.encode(), command: int = BIND_TRANSCEIVER) -> bytes:
    """A bind of version 3.4."""
    return pdu(command, system_id + b"\0" + password + b"\0" + b"\0" + b"\x34\0\0\0")


def body(
    *,
    service_type: bytes = b"",
    source: bytes = SENDER,
    source_ton: int = 1,
    destination: bytes = HANDSET,
    destination_ton: int = 1,
    esm_class: int = 0,
    schedule: bytes = b"",
    validity: bytes = b"",
    registered_delivery: int = 0,
    data_coding: int = 0,
    default_message: int = 0,
    text: bytes = SECRET,
    text_length: int | None = None,
    tlvs: bytes = b"",
) -> bytes:
    """The body of a submit_sm, sound unless told otherwise."""
    return (
        service_type
        + bytes((0, source_ton, 1))
        + source
        + bytes((0, destination_ton, 1))
        + destination
        + bytes((0, esm_class, 0, 0))
        + schedule
        + b"\0"
        + validity
        + bytes((0, registered_delivery, 0, data_coding, default_message))
        + bytes((len(text) if text_length is None else text_length,))
        + text
        + tlvs
    )


def submit(sequence: int = 2, content: bytes | None = None) -> bytes:
    """A submit_sm."""
    return pdu(SUBMIT_SM, body() if content is None else content, sequence)


def tlv(tag: int, value: bytes, length: int | None = None) -> bytes:
    """An optional parameter; ``length`` lies about its size."""
    return struct.pack(">HH", tag, len(value) if length is None else length) + value
