"""Long messages: what one says of its place in a longer one, and cutting a payload into parts (TS 23.040 9.2.3.24).

Knows no message, no link and no reference counter: which reference a long message gets is the caller's choice.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Callable
from typing import Final

from protocol.smpp.constants import ESM_UDHI, Tag
from protocol.smpp.errors import LocalFault
from protocol.smpp.graphemes import cluster_ends
from protocol.smpp.headers import (
    CONCAT_8_SIZE,
    IE_CONCAT_8,
    IE_CONCAT_16,
    NO_SHIFT,
    SMS_SIZE,
    Concat,
    Shift,
    overrun,
    parse_udh,
)
from protocol.smpp.text import decode

Tlvs = tuple[tuple[int, bytes], ...]

# Plain integers: comparing with an enumeration's member costs three times as much.
_SAR_REFERENCE: Final = int(Tag.SAR_MSG_REF_NUM)
_SAR_TOTAL: Final = int(Tag.SAR_TOTAL_SEGMENTS)
_SAR_SEQUENCE: Final = int(Tag.SAR_SEGMENT_SEQNUM)
_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
SAR_TAGS: Final = frozenset((_SAR_REFERENCE, _SAR_TOTAL, _SAR_SEQUENCE))

_PARTS_MAX: Final = 255  # a TLV of SAR that is too wide could say more
_ESC: Final = 0x1B
# Two neighbours of these are never one character (UAX #29), which spares most texts the search for all boundaries.
_LETTERS: Final = (
    "\x20-\u02ff\u0370-\u0482\u048a-\u058f\u2010-\u2027\u20a0-\u20bf\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff"
)
_ORDINARY: Final = re.compile(f"[{_LETTERS}]{{2}}")
_ASCII_EXTENDED: Final = b"\f^{}\\[~]|"  # two septets each, once the carrier has made GSM 03.38 of it


def body_of(short_message: bytes, tlvs: Tlvs) -> tuple[bytes, Tlvs]:
    """Return the user data of a message and its TLVs without message_payload (5.3.2.32).

    A message_payload wins over short_message, which should then be empty, unless it is empty itself: some libraries
    always send one.
    """
    for tag, value in tlvs:
        if tag == _MESSAGE_PAYLOAD:
            return value or short_message, tuple(tlv for tlv in tlvs if tlv[0] != _MESSAGE_PAYLOAD)
    return short_message, tlvs


def concat_of(esm_class: int, short_message: bytes, tlvs: Tlvs) -> tuple[Concat | None, bytes, bytes]:
    """Return what a message says of its place in a longer one, its header (length octet included) and the rest.

    A concatenation element in the header wins over the SAR TLVs (5.3.2.22 to 24); one that makes no sense (no parts,
    a sequence beyond the total) is ignored, as TS 23.040 9.2.3.24.1 asks. Raises RemoteFault as ``parse_udh`` does.
    """
    if not esm_class & ESM_UDHI:
        return (_sar_of(tlvs) if tlvs else None), b"", short_message
    if not short_message:
        raise overrun()
    size = short_message[0] + 1
    udh = short_message[:size]
    concat = None
    if size == CONCAT_8_SIZE and udh[1:3] == b"\x00\x03" and len(udh) == size:
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


def split(
    payload: bytes, encoding: str, limit: int = SMS_SIZE, header: int = CONCAT_8_SIZE, shift: Shift = NO_SHIFT
) -> list[bytes]:
    """Return a payload whole when it fits ``limit`` octets on the air, else cut into parts that leave room for
    ``header`` octets of concatenation.

    GSM octets hold one septet each, eight of which share seven octets on the air: 160 or 153. A cut never falls inside
    an escape pair or a surrogate pair, nor inside what is seen as one character (UAX #29) as far as no further part is
    needed for that. ``shift`` says how GSM is to be read. Raises LocalFault (``part_size``) when nothing fits.
    """
    whole, part = _capacity(payload, encoding, limit, header)
    if len(payload) <= whole:
        return [payload]
    if part < 4:
        raise LocalFault("part_size", detail="no room is left for a header and a character")
    if encoding == "gsm":
        cuts = _cuts(payload, part, _gsm_cut, 0)
        if shift != NO_SHIFT:
            gentle = functools.partial(_shifted_gentle, shift)
            cuts = _gentle_cuts(payload, part, _gsm_cut, gentle, len(cuts))
        return _divided(payload, cuts)
    if encoding == "ucs2":
        cuts = _cuts(payload, part, _surrogate_cut, 0)
        if not all(_is_welcome(payload, cut) for cut in cuts):
            cuts = _gentle_cuts(payload, part, _surrogate_cut, _ucs2_gentle, len(cuts))
        return _divided(payload, cuts)
    return [payload[at : at + part] for at in range(0, len(payload), part)]


def _capacity(payload: bytes, encoding: str, limit: int, header: int) -> tuple[int, int]:
    """Octets of payload that fit alone, and beside a header."""
    part = limit - header
    if encoding == "gsm" or (encoding == "ascii" and len(payload.translate(None, _ASCII_EXTENDED)) == len(payload)):
        return limit * 8 // 7, part * 8 // 7
    return limit, part & ~1 if encoding == "ucs2" else part


_Settle = Callable[[bytes, int, int], int]


def _divided(payload: bytes, cuts: list[int]) -> list[bytes]:
    return [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]


def _is_welcome(payload: bytes, cut: int) -> bool:
    """Whether a cut of UCS2 is plainly between two characters."""
    return _ORDINARY.fullmatch(payload[cut - 2 : cut + 2].decode("utf-16-be", "replace")) is not None


def _cuts(payload: bytes, part: int, settle: _Settle, at: int) -> list[int]:
    cuts = []
    while len(payload) - at > part:
        at = settle(payload, at, at + part)
        cuts.append(at)
    return cuts


def _gentle_cuts(payload: bytes, part: int, settle: _Settle, soften: _Settle, count_max: int) -> list[int]:
    """Cuts between what is seen as characters, wherever the rest still fits what is left of ``count_max`` cuts.

    ``settle`` makes any place one where a cut is allowed, ``soften`` such a place one where it is welcome, if one is
    behind the part's start.
    """
    cuts: list[int] = []
    at = 0
    while len(payload) - at > part:
        hard = settle(payload, at, at + part)
        gentle = soften(payload, at, hard)
        if gentle != hard and (gentle <= at or len(cuts) + 1 + len(_cuts(payload, part, settle, gentle)) > count_max):
            gentle = hard
        at = gentle
        cuts.append(at)
    return cuts


def _gsm_cut(payload: bytes, start: int, cut: int) -> int:
    escapes = cut
    while escapes > start and payload[escapes - 1] == _ESC:
        escapes -= 1
    # An even run of escapes is whole pairs; the last of an odd run belongs to the character behind the cut.
    return cut - (cut - escapes) % 2


def _surrogate_cut(payload: bytes, start: int, cut: int) -> int:
    if 0xD8 <= payload[cut - 2] <= 0xDB and cut + 1 < len(payload) and 0xDC <= payload[cut] <= 0xDF:
        return cut - 2
    return cut


def _ucs2_gentle(payload: bytes, start: int, cut: int) -> int:
    """The last place up to a cut where a character ends: what stands behind the cut decides with its first letter."""
    if _is_welcome(payload, cut):
        return cut
    head = payload[start:cut].decode("utf-16-be", "surrogatepass")
    text = head + payload[cut : cut + 4].decode("utf-16-be", "replace")[:1]
    # Behind two ordinary letters the search may begin anew: what came before has no say.
    begin = len(head) - 1
    while begin > 0 and _ORDINARY.match(text, begin - 1) is None:
        begin -= 1
    ends = [begin, *(begin + end for end in cluster_ends(text[begin:]))]
    welcome = ends[bisect.bisect_right(ends, len(head)) - 1]
    return cut - len(head[welcome:].encode("utf-16-be", "surrogatepass"))


def _shifted_gentle(shift: Shift, payload: bytes, start: int, cut: int) -> int:
    """The same for septets of national languages, some of whose letters stand on others."""
    offsets, at, end = [start], start, min(len(payload), cut + 2)
    while at < end:
        at += 2 if payload[at] == _ESC and at + 1 < end else 1
        offsets.append(at)
    ends = [0, *cluster_ends(decode(payload[start:end], "gsm", "replace", shift))]
    return max(offsets[place] for place in ends if offsets[place] <= cut)


def _sensible(reference: int, total: int, sequence: int) -> Concat | None:
    return (reference, total, sequence) if 1 <= sequence <= total <= _PARTS_MAX else None


def _sar_of(tlvs: Tlvs) -> Concat | None:
    found = {tag: value for tag, value in tlvs if tag in SAR_TAGS}
    if len(found) != len(SAR_TAGS):
        return None
    reference, total, sequence = (
        int.from_bytes(found[tag], "big") for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_SEQUENCE)
    )
    return _sensible(reference, total, sequence)
