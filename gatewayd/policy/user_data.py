"""What a message's header, coding and TLVs say of it without its text: whether it is words for a person, or for the
handset.

Pure. Knows the numbers of a few information elements (TS 23.040 9.2.3.24), of data_coding, of protocol identifiers and
of TLVs, and no alphabet.
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
# Message classes (TS 23.038 section 4): shown at once and kept nowhere, for the card, for what is connected to it.
# Class 1, the ordinary one, says no more than none.
_CLASSES: Final = {0: "flash", 2: "for_the_card", 3: "for_terminal_equipment"}
_CLASS_GROUPS: Final = (range(0x10, 0x20), range(0x30, 0x40), range(0x50, 0x60), range(0x70, 0x80), range(0xF0, 0x100))
# TS 23.040 section 9.2.3.9: a type 0 (which no handset shows), and data for handset and card.
_PROTOCOLS: Final = {0x40: "silent", 0x7C: "for_the_card", 0x7D: "for_the_handset", 0x7F: "for_the_card"}
# SMPP 3.4 section 5.2.12: acknowledgements that one application gives another, or a person gives by hand.
_MESSAGE_TYPE: Final = 0x3C
# Section 5.3.2: TLVs that say to what on the handset a message goes, and the lamp that it lights.
_TAG_SUBUNIT: Final = 0x0005
_SUBUNITS: Final = {1: "flash", 2: "for_the_handset", 3: "for_the_card", 4: "for_terminal_equipment"}
_TAGS: Final = {0x020A: "port", 0x020B: "port", 0x0030: "message_waiting"}
_WAITING: Final = range(0xC0, 0xF0)  # TS 23.038 section 4: message waiting indication groups


def may_be_special(message: Message) -> bool:
    """Whether a message has anything at all that a plain text has not; else there is no need to look closer."""
    return bool(
        message.udh or message.data_coding or message.tlvs or message.protocol_id or message.esm_class & _MESSAGE_TYPE
    )


def handset_only(message: Message) -> str:
    """Why a message must not leave the SMS world, in one word, or nothing when it is a text like any other.

    Octets, what is addressed to an application on the handset or to its card, what only lights a lamp on it or flashes
    up and is gone, and acknowledgements between applications have no meaning in a conversation.
    """
    coding = message.data_coding
    if message.encoding is Encoding.BINARY:
        return "binary"
    if coding in _WAITING:
        return "message_waiting"
    if coding & 0x10 and any(coding in group for group in _CLASS_GROUPS) and (word := _CLASSES.get(coding & 3, "")):
        return word
    if message.udh and any(identifier not in _PLAIN for identifier, _ in _elements(message.udh)):
        return "user_data_header"
    if message.protocol_id and (word := _PROTOCOLS.get(message.protocol_id, "")):
        return word
    if message.esm_class & _MESSAGE_TYPE:
        return "acknowledgement"
    return _by_tlvs(message.tlvs) if message.tlvs else ""


def _by_tlvs(tlvs: tuple[tuple[int, bytes], ...]) -> str:
    for tag, value in tlvs:
        if tag == _TAG_SUBUNIT and (word := _SUBUNITS.get(value[-1] if value else 0, "")):
            return word
        if tag in _TAGS:
            return _TAGS[tag]
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
