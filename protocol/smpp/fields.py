"""The kinds of field that SMPP bodies are made of: how each is read and written, and within what limits.

Knows no PDU; faults raised here name the field, and the layout's walker adds the command and the sequence.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

import msgspec

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault

Tlvs = tuple[tuple[int, bytes], ...]
"""Optional parameters in the order of the wire: (tag, value)."""

SHORT_MESSAGE_MAX: Final = 254
"""Octets that short_message may hold (3.4 section 5.2.22)."""

_TLV_HEAD: Final = struct.Struct(">HH")


class Field(Protocol):
    """One field of a body. ``read`` returns the value and the position after it."""

    @property
    def name(self) -> str:
        """The attribute of the record that holds the value."""

    def read(self, data: bytes, position: int) -> tuple[object, int]:
        """Take the value at ``position``; raises RemoteFault."""

    def write(self, value: object, out: bytearray) -> None:
        """Append the value; raises LocalFault."""


class Octet(msgspec.Struct, frozen=True, gc=False):
    """An unsigned integer of one octet (3.4 section 3.1)."""

    name: str

    def read(self, data: bytes, position: int) -> tuple[int, int]:
        """Take one octet."""
        if position >= len(data):
            raise RemoteFault("short_pdu", Status.ESME_RINVCMDLEN, detail=self.name)
        return data[position], position + 1

    def write(self, value: object, out: bytearray) -> None:
        """Append one octet."""
        if not isinstance(value, int) or not 0 <= value <= 0xFF:
            raise LocalFault("out_of_range", detail=self.name)
        out.append(value)


class CString(msgspec.Struct, frozen=True, gc=False):
    """A C-octet string of at most ``size_max`` octets, its NUL included (3.4 section 3.1).

    ``status`` is what a peer is told whose string is too long or has no end. Latin-1 is not a claim about the
    alphabet: it lets every octet survive.
    """

    name: str
    size_max: int
    status: Status

    def read(self, data: bytes, position: int) -> tuple[str, int]:
        """Take the string and its NUL."""
        if position >= len(data):
            raise RemoteFault("short_pdu", Status.ESME_RINVCMDLEN, detail=self.name)
        end = data.find(b"\0", position, position + self.size_max)
        if end < 0:
            kind = "field_too_long" if len(data) - position >= self.size_max else "unterminated_string"
            raise RemoteFault(kind, self.status, detail=self.name)
        return data[position:end].decode("latin-1"), end + 1

    def write(self, value: object, out: bytearray) -> None:
        """Append the string and its NUL."""
        if not isinstance(value, str):
            raise LocalFault("out_of_range", self.status, detail=self.name)
        if len(value) >= self.size_max:
            raise LocalFault("field_too_long", self.status, detail=self.name)
        if "\0" in value:
            raise LocalFault("embedded_nul", self.status, detail=self.name)
        try:
            out += value.encode("latin-1")
        except UnicodeEncodeError:
            raise LocalFault("not_latin1", self.status, detail=self.name) from None
        out.append(0)


class ShortMessage(msgspec.Struct, frozen=True, gc=False):
    """sm_length and the octets that it counts (3.4 sections 5.2.21 and 5.2.22)."""

    name: str

    def read(self, data: bytes, position: int) -> tuple[bytes, int]:
        """Take the length octet and the user data."""
        if position >= len(data):
            raise RemoteFault("short_pdu", Status.ESME_RINVCMDLEN, detail="sm_length")
        length = data[position]
        end = position + 1 + length
        if length > SHORT_MESSAGE_MAX:
            raise RemoteFault("field_too_long", Status.ESME_RINVMSGLEN, detail=self.name)
        if end > len(data):
            raise RemoteFault("message_overrun", Status.ESME_RINVMSGLEN, detail=self.name)
        return data[position + 1 : end], end

    def write(self, value: object, out: bytearray) -> None:
        """Append the length octet and the user data."""
        if not isinstance(value, bytes):
            raise LocalFault("out_of_range", Status.ESME_RINVMSGLEN, detail=self.name)
        if len(value) > SHORT_MESSAGE_MAX:
            raise LocalFault("field_too_long", Status.ESME_RINVMSGLEN, detail=self.name)
        out.append(len(value))
        out += value


class TlvList(msgspec.Struct, frozen=True, gc=False):
    """The optional parameters, to the end of the body (3.4 section 3.2.4); unknown tags are kept (section 3.3)."""

    name: str

    def read(self, data: bytes, position: int) -> tuple[Tlvs, int]:
        """Take every TLV up to the end."""
        tlvs = []
        size = len(data)
        while position < size:
            if position + 4 > size:
                raise RemoteFault("tlv_overrun", Status.ESME_RINVTLVSTREAM, detail=self.name)
            tag, length = _TLV_HEAD.unpack_from(data, position)
            end = position + 4 + length
            if end > size:
                raise RemoteFault("tlv_overrun", Status.ESME_RINVTLVSTREAM, detail=self.name)
            tlvs.append((tag, data[position + 4 : end]))
            position = end
        return tuple(tlvs), position

    def write(self, value: object, out: bytearray) -> None:
        """Append every TLV."""
        if not isinstance(value, tuple):
            raise LocalFault("out_of_range", Status.ESME_RINVTLVSTREAM, detail=self.name)
        for tag, content in value:
            if not 0 <= tag <= 0xFFFF or len(content) > 0xFFFF:
                raise LocalFault("out_of_range", Status.ESME_RINVTLVSTREAM, detail=self.name)
            out += _TLV_HEAD.pack(tag, len(content))
            out += content
