"""Long messages: reading and writing user data headers, and cutting a payload into parts (TS 23.040 9.2.3.24).

Knows no message, no link and no reference counter: which reference a long message gets is the caller's choice.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from protocol.smpp.constants import ESM_UDHI, Status, Tag
from protocol.smpp.errors import LocalFault, RemoteFault

Concat = tuple[int, int, int]  # reference, total, sequence (from 1)
Tlvs = tuple[tuple[int, bytes], ...]

IE_CONCAT_8: Final = 0x00
IE_CONCAT_16: Final = 0x08

# Plain integers: comparing with an enumeration's member costs three times as much.
_SAR_REFERENCE: Final = int(Tag.SAR_MSG_REF_NUM)
_SAR_TOTAL: Final = int(Tag.SAR_TOTAL_SEGMENTS)
_SAR_SEQUENCE: Final = int(Tag.SAR_SEGMENT_SEQNUM)
_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
SAR_TAGS: Final = frozenset((_SAR_REFERENCE, _SAR_TOTAL, _SAR_SEQUENCE))

_HEADER_SIZE: Final = 6  # 05 00 03 reference total sequence
_ESC: Final = 0x1B
_ASCII_EXTENDED: Final = b"\f^{}\\[~]|"  # two septets each, once the carrier has made GSM 03.38 of it


def parse_udh(udh: bytes) -> list[tuple[int, bytes]]:
    """Return the information elements of a header, its length octet included, as (identifier, data) in order.

    Raises RemoteFault (``udh_overrun``, ESME_RINVESMCLASS) when a length in it does not tell the truth.
    """
    if not udh or udh[0] + 1 != len(udh):
        raise _overrun()
    elements = []
    at, end = 1, len(udh)
    while at < end:
        if at + 2 > end:
            raise _overrun()
        start = at + 2
        at = start + udh[at + 1]
        if at > end:
            raise _overrun()
        elements.append((udh[start - 2], udh[start:at]))
    return elements


def body_of(short_message: bytes, tlvs: Tlvs) -> tuple[bytes, Tlvs]:
    """Return the user data of a message and its TLVs without message_payload (5.3.2.32).

    A message_payload wins over short_message, which should then be empty.
    """
    for tag, value in tlvs:
        if tag == _MESSAGE_PAYLOAD:
            return value, tuple(tlv for tlv in tlvs if tlv[0] != _MESSAGE_PAYLOAD)
    return short_message, tlvs


def concat_of(esm_class: int, short_message: bytes, tlvs: Tlvs) -> tuple[Concat | None, bytes, bytes]:
    """Return what a message says of its place in a longer one, its header (length octet included) and the rest.

    A concatenation element in the header wins over the SAR TLVs (5.3.2.22 to 24); one that makes no sense (no parts,
    a sequence beyond the total) is ignored, as TS 23.040 9.2.3.24.1 asks. Raises RemoteFault as ``parse_udh`` does.
    """
    if not esm_class & ESM_UDHI:
        return (_sar_of(tlvs) if tlvs else None), b"", short_message
    if not short_message:
        raise _overrun()
    size = short_message[0] + 1
    udh = short_message[:size]
    concat = None
    if size == _HEADER_SIZE and udh[1:3] == b"\x00\x03" and len(udh) == size:
        concat = _sensible(udh[3], udh[4], udh[5])
    else:
        for identifier, data in parse_udh(udh):
            # An element given twice counts by its last occurrence (9.2.3.24).
            if identifier == IE_CONCAT_8 and len(data) == 3:
                concat = _sensible(data[0], data[1], data[2])
            elif identifier == IE_CONCAT_16 and len(data) == 4:
                concat = _sensible(data[0] << 8 | data[1], data[2], data[3])
    if concat is None and tlvs:
        concat = _sar_of(tlvs)
    return concat, udh, short_message[size:]


def build_udh(concat: Concat, wide: bool) -> bytes:
    """Return a header with one concatenation element, its reference in 16 bits when ``wide``, in 8 bits otherwise.

    Raises LocalFault (``concat_range``) for a total or a sequence that no such element can say.
    """
    reference, total, sequence = concat
    if not 1 <= sequence <= total <= 255:
        raise LocalFault("concat_range", detail="a part must lie between 1 and its total, at most 255")
    if wide:
        return bytes((6, IE_CONCAT_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total, sequence))
    return bytes((5, IE_CONCAT_8, 3, reference & 0xFF, total, sequence))


def split(payload: bytes, encoding: str, limit: int = 140) -> list[bytes]:
    """Return a payload whole when it fits ``limit`` octets on the air, else cut into parts that leave room for a UDH.

    GSM octets hold one septet each, eight of which share seven octets on the air: 160 or 153. A cut never falls inside
    an escape pair or a surrogate pair; it also keeps a character and what modifies it together when this needs no
    further part.
    """
    whole, part = _capacity(payload, encoding, limit)
    if len(payload) <= whole:
        return [payload]
    if part < 4:
        raise LocalFault("part_size", detail="no room is left for a header and a character")
    if encoding == "gsm":
        return _cut(payload, part, _gsm_cut)
    if encoding != "ucs2":
        return [payload[at : at + part] for at in range(0, len(payload), part)]
    parts = _cut(payload, part, _surrogate_cut)
    gentle = _cut(payload, part, _grapheme_cut)
    return gentle if len(gentle) <= len(parts) else parts


def _capacity(payload: bytes, encoding: str, limit: int) -> tuple[int, int]:
    """Octets of payload that fit alone, and beside a header."""
    if encoding == "gsm" or (encoding == "ascii" and len(payload.translate(None, _ASCII_EXTENDED)) == len(payload)):
        return limit * 8 // 7, (limit - _HEADER_SIZE) * 8 // 7
    part = limit - _HEADER_SIZE
    return limit, part & ~1 if encoding == "ucs2" else part


def _cut(payload: bytes, part: int, settle: Callable[[bytes, int, int], int]) -> list[bytes]:
    parts = []
    at, end = 0, len(payload)
    while end - at > part:
        cut = settle(payload, at, at + part)
        parts.append(payload[at:cut])
        at = cut
    parts.append(payload[at:])
    return parts


def _gsm_cut(payload: bytes, start: int, cut: int) -> int:
    escapes = cut
    while escapes > start and payload[escapes - 1] == _ESC:
        escapes -= 1
    # An even run of escapes is whole pairs; the last of an odd run belongs to the character behind the cut.
    return cut - (cut - escapes) % 2


def _surrogate_cut(payload: bytes, start: int, cut: int) -> int:
    if _is_high(payload[cut - 2]) and cut + 1 < len(payload) and _is_low(payload[cut]):
        return cut - 2
    return cut


def _grapheme_cut(payload: bytes, start: int, cut: int) -> int:
    hard = _surrogate_cut(payload, start, cut)
    gentle = hard
    while gentle > start + (cut - start) // 2:
        if not _is_joined(_char_before(payload, gentle), _char_after(payload, gentle)):
            return gentle
        gentle = _surrogate_cut(payload, start, gentle - 2)
    return hard


def _is_high(first_octet: int) -> bool:
    return 0xD8 <= first_octet <= 0xDB


def _is_low(first_octet: int) -> bool:
    return 0xDC <= first_octet <= 0xDF


def _char_after(payload: bytes, at: int) -> int:
    size = 4 if _is_high(payload[at]) else 2
    return _code_point(payload[at : at + size])


def _char_before(payload: bytes, at: int) -> int:
    size = 4 if at >= 4 and _is_low(payload[at - 2]) else 2
    return _code_point(payload[at - size : at])


def _code_point(units: bytes) -> int:
    try:
        return ord(units.decode("utf-16-be"))
    except (UnicodeDecodeError, TypeError):  # a lone surrogate, or half a unit at the end: it joins nothing
        return 0xFFFD


def _is_joined(before: int, after: int) -> bool:
    """Whether two neighbours are seen as one character."""
    return (
        0x200D in (before, after)  # zero width joiner
        or 0x1F3FB <= after <= 0x1F3FF  # skin tones
        or (0x1F1E6 <= before <= 0x1F1FF and 0x1F1E6 <= after <= 0x1F1FF)  # flags are two letters
        or unicodedata.category(chr(after)) in ("Mn", "Me", "Mc")  # accents, variation selectors, keycaps
    )


def _sensible(reference: int, total: int, sequence: int) -> Concat | None:
    return (reference, total, sequence) if 1 <= sequence <= total else None


def _sar_of(tlvs: Tlvs) -> Concat | None:
    found = {tag: value for tag, value in tlvs if tag in SAR_TAGS}
    if len(found) != len(SAR_TAGS):
        return None
    reference, total, sequence = (
        int.from_bytes(found[tag], "big") for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_SEQUENCE)
    )
    return _sensible(reference, total, sequence)


def _overrun() -> RemoteFault:
    return RemoteFault("udh_overrun", Status.ESME_RINVESMCLASS)
