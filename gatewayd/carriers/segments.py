"""One message as the submit_sm requests that a given link needs: one for each part, or one for all of it.

Knows no connection and keeps no state: the same message gives the same segments after a restart, so that a single
segment can be sent again and still join the others on the handset.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

from gatewayd.carriers.wording import MEASURED, Manner, Wording, is_kept, parts_of, wording_of
from gatewayd.message import TAGS_OF_OURS, Message
from protocol.smpp.constants import ESM_UDHI, Tag
from protocol.smpp.headers import CONCAT_ELEMENTS, SMS_SIZE, build_udh, joined, without
from protocol.smpp.parts import SAR_TAGS
from protocol.smpp.pdu import SubmitSm, Tlvs
from protocol.smpp.septets import fill_bits, pack
from protocol.smpp.times import format_absolute

_SHORT_MESSAGE_MAX: Final = 254  # SMPP 3.4 5.2.21
_RECEIPT_MASK: Final = 0x03  # 5.2.17: SMSC delivery receipt
_RECEIPT_FINAL: Final = 0x01


def prepared(message: Message, manner: Manner, expires_at: float, is_whole: bool = False) -> tuple[list[SubmitSm], str]:
    """Return the requests for a link that wants texts in this manner, in order, and which letters of the text were
    changed so that it fits, if any were.

    ``expires_at`` (Unix seconds, 0 for none) becomes the validity_period. ``is_whole``: it is known to be kept whole;
    other addresses change nothing of that. Raises LocalFault when a header of the sender's own leaves no room for its
    text, or a part can't be given to this link.
    """
    validity_period = _validity_period(int(expires_at)) if expires_at else ""
    tlvs = tuple(tlv for tlv in message.tlvs if tlv[0] not in TAGS_OF_OURS) if message.tlvs else ()
    udh, is_part = message.udh, message.concat is not None
    if (
        is_whole
        or is_kept_whole(message, manner)
        or (is_part and is_kept(message, manner) and _keeps_place(message, manner))
    ):
        return [_request(message, message.data_coding, udh + message.payload, udh, tlvs, validity_period)], ""
    wording = wording_of(message, manner)
    if is_part and not _keeps_place(message, manner):
        replaced = _with_sar if message.udh else _with_header
        wording, tlvs = replaced(message, wording, tlvs, manner)
    parts = [wording.payload] if is_part else parts_of(wording, manner)
    is_long = manner.cut == "payload" and len(parts) > 1
    if is_long or len(parts) == 1:
        pieces = [(wording.payload, wording.udh, tlvs)]
    else:
        pieces = _pieces(message, wording, manner, parts, tlvs)
    is_packed = manner.is_packed and wording.encoding == "gsm"
    requests = []
    for payload, udh, own in pieces:
        octets = udh + (pack(payload, fill_bits(len(udh)), SMS_SIZE - len(udh)) if is_packed else payload)
        requests.append(_request(message, wording.data_coding, octets, udh, own, validity_period, is_long))
    return requests, wording.changed


def _pieces(
    message: Message, wording: Wording, manner: Manner, parts: Sequence[bytes], tlvs: Tlvs
) -> list[tuple[bytes, bytes, Tlvs]]:
    """Payload, header and TLVs of the request for each of several parts, in order."""
    tlvs = tuple(tlv for tlv in tlvs if tlv[0] not in SAR_TAGS)
    is_wide = manner.cut == "udh16"
    reference, total = reference_of(message.id, 16 if is_wide else 8), len(parts)
    if manner.cut == "sar":
        return [
            (part, wording.udh, (*tlvs, *_sar(reference, total, sequence))) for sequence, part in enumerate(parts, 1)
        ]
    return [
        (part, joined(wording.udh, build_udh((reference, total, sequence), is_wide)), tlvs)
        for sequence, part in enumerate(parts, 1)
    ]


def count_of(message: Message, manner: Manner) -> int:
    """Return how many segments a message becomes, without building them where that is plain to see."""
    if is_kept_whole(message, manner) or message.concat is not None or manner.cut == "payload":
        return 1
    return len(parts_of(wording_of(message, manner), manner))


def reference_of(message_id: int, bits: int = 8) -> int:
    """Return the concatenation reference of a message: neighbours in time never share one."""
    reference, mask = 0, (1 << bits) - 1
    while message_id:
        reference ^= message_id & mask
        message_id >>= bits
    return reference


def is_kept_whole(message: Message, manner: Manner) -> bool:
    """Whether it is plain to see that a message goes as it came, in one request: nearly all do.

    Every alphabet but UTF-8, which no link keeps, carries an octet in an octet, and only some carry more. Of those that
    the carrier makes septets of a letter may take two.
    """
    size, room = len(message.payload), SMS_SIZE - len(message.udh)
    if size > room or message.concat is not None or message.transliterate or not manner.is_plain:
        return False
    if message.data_coding != 0:
        return True
    return message.encoding == manner.alphabet and (size <= room * 4 // 7 or manner.alphabet not in MEASURED)


def _sar(reference: int, total: int, sequence: int) -> Tlvs:
    """SMPP 3.4 sections 5.3.2.22 to 5.3.2.24."""
    return (
        (int(Tag.SAR_MSG_REF_NUM), reference.to_bytes(2, "big")),
        (int(Tag.SAR_TOTAL_SEGMENTS), bytes((total,))),
        (int(Tag.SAR_SEGMENT_SEQNUM), bytes((sequence,))),
    )


def _keeps_place(message: Message, manner: Manner) -> bool:
    """Whether a part tells its place as the link asks for it, or the link asks for nothing of parts."""
    return manner.cut == "payload" or (manner.cut != "sar") == bool(message.udh)


def _with_header(message: Message, wording: Wording, tlvs: Tlvs, manner: Manner) -> tuple[Wording, Tlvs]:
    """A part whose TLVs say its place, as a link wants it that asks for headers: with the narrow one, whatever their
    width, since it is this that its sender has left room for. A part without that room stays as it came."""
    assert message.concat is not None  # it is a part
    reference, total, sequence = message.concat
    headed = wording._replace(udh=build_udh((reference & 0xFF, total, sequence), wide=False))
    if len(parts_of(headed, manner)) > 1:
        return wording, tlvs
    return headed, tuple(tlv for tlv in tlvs if tlv[0] not in SAR_TAGS)


def _with_sar(message: Message, wording: Wording, tlvs: Tlvs, manner: Manner) -> tuple[Wording, Tlvs]:
    """A part whose header says its place, as a link wants it that asks for TLVs."""
    udh = without(wording.udh, CONCAT_ELEMENTS)
    if message.concat is None or udh == wording.udh:
        return wording, tlvs
    own = tuple(tlv for tlv in tlvs if tlv[0] not in SAR_TAGS)
    return wording._replace(udh=udh), (*own, *_sar(*message.concat))


def _request(
    message: Message,
    data_coding: int,
    user_data: bytes,
    udh: bytes,
    tlvs: Tlvs,
    validity_period: str,
    is_long: bool = False,
) -> SubmitSm:
    if is_long or len(user_data) > _SHORT_MESSAGE_MAX:
        tlvs = (*tlvs, (int(Tag.MESSAGE_PAYLOAD), user_data))
        user_data = b""
    return SubmitSm(  # by position: by name, so many fields take twice as long
        message.service_type,
        message.source_ton,
        message.source_npi,
        message.source,
        message.destination_ton,
        message.destination_npi,
        message.destination,
        message.esm_class | ESM_UDHI if udh else message.esm_class & ~ESM_UDHI,
        message.protocol_id,
        message.priority,
        "",  # what is scheduled waits here
        validity_period,
        # The gateway needs to know how every segment ended, whatever the sender wants to be told.
        message.registered_delivery & ~_RECEIPT_MASK | _RECEIPT_FINAL,
        0,
        data_coding,
        0,
        user_data,
        tlvs,
    )


@functools.lru_cache(maxsize=1024)
def _validity_period(expires_at: int) -> str:
    return format_absolute(float(expires_at))
