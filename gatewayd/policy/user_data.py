"""What a message's header and coding say of it without its text: whether it is words for a person, or for the handset.

Pure. Knows the numbers of a few information elements (TS 23.040 9.2.3.24) and of data_coding, and no alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gatewayd.message import Encoding, Message

_CONCAT: Final = frozenset((0x00, 0x08))
_SHIFTS: Final = frozenset((0x24, 0x25))
_FORMATTING: Final = 0x0A
# What may stand in the header of a plain text: its place in a long one, its alphabet, how it is drawn.
_PLAIN: Final = _CONCAT | _SHIFTS | {_FORMATTING}
_WAITING: Final = range(0xC0, 0xF0)  # TS 23.038 section 4: message waiting indication groups


def handset_only(message: Message) -> str:
    """Why a message must not leave the SMS world, in one word, or nothing when it is a text like any other.

    Octets, what is addressed to an application on the handset or to its card, and what only lights a lamp on it have no
    meaning in a conversation.
    """
    if message.encoding is Encoding.BINARY:
        return "binary"
    if message.data_coding in _WAITING:
        return "message_waiting"
    if message.udh and any(identifier not in _PLAIN for identifier, _ in _elements(message.udh)):
        return "user_data_header"
    return ""


def without_concat(udh: bytes) -> bytes:
    """A header without what it says of the place of a part, or nothing when nothing else is in it."""
    if not udh:
        return b""
    body = b"".join(
        bytes((identifier, len(data))) + data for identifier, data in _elements(udh) if identifier not in _CONCAT
    )
    return bytes((len(body),)) + body if body else b""


def _elements(udh: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a header that was found sound when the message was taken."""
    at = 1
    while at + 1 < len(udh):
        start = at + 2
        at = start + udh[at + 1]
        yield udh[start - 2], udh[start:at]
