"""The PROXY header of HAProxy, versions 1 and 2: what a load balancer says before the first octet of its client.

Knows no socket: ``wanted`` says how many octets more must be read, so that none of the client's own is taken, and
``parse`` reads the whole. Section numbers are those of HAProxy's proxy-protocol.txt.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

import msgspec

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
V1_BEGIN: Final = b"PROXY "
V1_SIZE_MAX: Final = 107
"""Section 2.1: the longest line, its CR LF included."""
V2_BODY_MAX: Final = 4_096
"""Section 2.2 allows 65,535; addresses take 216 at most, and what else a balancer may tell is of no use to us."""

_PREFIX = struct.Struct("!12sBBH")
_FIRST = 12  # no header is shorter
_V4 = struct.Struct("!4s4sHH")
_V6 = struct.Struct("!16s16sHH")
_UNIX_SIZE = 216
_LOCAL, _PROXY = 0x20, 0x21  # version and command
_UNSPECIFIED, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
_FORMS: Final = {_TCP4: (_V4, ipaddress.IPv4Address), _TCP6: (_V6, ipaddress.IPv6Address)}
_V1_FAMILIES: Final = {b"TCP4": ipaddress.IPv4Address, b"TCP6": ipaddress.IPv6Address}


class HeaderFault(Exception):
    """It is no PROXY header, or none that we take. ``kind``: absent, version, command, family, length, address."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Header(msgspec.Struct, frozen=True, gc=False):
    """For whom the balancer connects: an address in its shortest text, and a port.

    An empty ``address``: for itself (the command LOCAL, as health checks have it), or it does not tell.
    ``is_local`` says which.
    """

    version: int
    address: str = ""
    port: int = 0
    is_local: bool = False


def wanted(head: bytes) -> int:
    """How many octets to read next, none of them the client's own; 0 when the header is whole.

    Raises HeaderFault as soon as the octets can no longer become a header.
    """
    size = len(head)
    if head[:_FIRST] == SIGNATURE[:size]:
        if size < _PREFIX.size:
            return _PREFIX.size - size if size >= _FIRST else _FIRST - size
        return _v2_size(head) - size
    if head[:6] != V1_BEGIN[:size]:
        raise HeaderFault("absent")
    if size < _FIRST:
        return _FIRST - size
    if head.endswith(b"\r\n"):
        return 0
    if size >= V1_SIZE_MAX:
        raise HeaderFault("length")
    return 1  # nobody can tell how far away the end of the line is


def parse(head: bytes) -> Header:
    """Read a whole header, one for which ``wanted`` gives 0. Raises HeaderFault."""
    return _parse_v2(head) if head.startswith(SIGNATURE) else _parse_v1(head)


def _v2_size(head: bytes) -> int:
    """The size of the whole header by its first 16 octets (section 2.2)."""
    _, command, _, length = _PREFIX.unpack_from(head)
    if command >> 4 != 2:
        raise HeaderFault("version")
    if length > V2_BODY_MAX:
        raise HeaderFault("length")
    return _PREFIX.size + int(length)


def _parse_v2(head: bytes) -> Header:
    """Section 2.2. What follows the addresses (TLVs) is left alone."""
    if len(head) < _PREFIX.size or len(head) != _v2_size(head):
        raise HeaderFault("length")
    _, command, family, length = _PREFIX.unpack_from(head)
    if command == _LOCAL:
        return Header(2, is_local=True)
    if command != _PROXY:
        raise HeaderFault("command")
    if family == _UNSPECIFIED:
        return Header(2)
    if family == _UNIX_STREAM:
        if length < _UNIX_SIZE:
            raise HeaderFault("length")
        return Header(2)
    if family not in _FORMS:
        raise HeaderFault("family")
    form, kind = _FORMS[family]
    if length < form.size:
        raise HeaderFault("length")
    source, _, port, _ = form.unpack_from(head, _PREFIX.size)
    return Header(2, str(kind(source)), port)


def _parse_v1(head: bytes) -> Header:
    """Section 2.1: ``PROXY TCP4 source destination source-port destination-port`` and CR LF."""
    if not (head.startswith(V1_BEGIN) and head.endswith(b"\r\n") and len(head) <= V1_SIZE_MAX):
        raise HeaderFault("absent")
    words = head[:-2].split(b" ")
    if words[1] == b"UNKNOWN":
        return Header(1)
    if len(words) != 6 or words[1] not in _V1_FAMILIES:
        raise HeaderFault("family")
    kind = _V1_FAMILIES[words[1]]
    try:
        source, _ = (kind(word.decode("ascii")) for word in words[2:4])
    except ValueError:
        raise HeaderFault("address") from None
    port, _ = _port(words[4]), _port(words[5])
    return Header(1, str(source), port)


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or (word[:1] == b"0" and word != b"0") or int(word) > 65_535:
        raise HeaderFault("address")
    return int(word)
