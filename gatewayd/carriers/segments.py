"""One message as the submit_sm requests that a given link needs: recoded where alphabets differ, cut where too long.

Knows no connection and keeps no state: the same message gives the same segments after a restart, so that a single
segment can be sent again and still join the others on the handset.
"""

from __future__ import annotations

import functools
from typing import Final

from gatewayd.message import TAGS_OF_OURS, Message
from protocol.smpp.constants import ESM_UDHI, Tag
from protocol.smpp.headers import build_udh
from protocol.smpp.parts import SAR_TAGS, split
from protocol.smpp.pdu import SubmitSm, Tlvs
from protocol.smpp.text import TextFault, data_coding_of, decode, encode
from protocol.smpp.times import format_absolute

_SMS_SIZE: Final = 140  # octets of one SMS on the air (TS 23.040 9.2.3.16)
_CONCAT_SIZE: Final = 6  # the header of a part
_SHORT_MESSAGE_MAX: Final = 254  # SMPP 3.4 5.2.21
_EXPLICIT_GSM: Final = 0xF1  # 5.2.19: class 1, the ordinary one, in the GSM alphabet whatever the default is
_RECEIPT_MASK: Final = 0x03  # 5.2.17: SMSC delivery receipt
_RECEIPT_FINAL: Final = 0x01


def segments_of(message: Message, alphabet: str, expires_at: float) -> list[SubmitSm]:
    """Return the requests, in order, for a link where data_coding 0 means ``alphabet``.

    ``expires_at`` (Unix seconds, 0 for none) becomes the validity_period. Raises LocalFault when a header of the
    sender's own leaves no room for its text.
    """
    data_coding, encoding, payload = _content_of(message, alphabet)
    validity_period = _validity_period(int(expires_at)) if expires_at else ""
    own_tlvs = tuple(tlv for tlv in message.tlvs if tlv[0] not in TAGS_OF_OURS) if message.tlvs else ()
    # Every alphabet carries an octet in an octet; only some carry more.
    if message.concat is not None or len(payload) <= _SMS_SIZE - len(message.udh):
        return [_request(message, data_coding, message.udh + payload, message.udh, own_tlvs, validity_period)]
    parts = _cut(payload, encoding, data_coding, _SMS_SIZE - len(message.udh))
    if len(parts) == 1:
        return [_request(message, data_coding, message.udh + payload, message.udh, own_tlvs, validity_period)]
    tlvs = tuple(tlv for tlv in own_tlvs if tlv[0] not in SAR_TAGS)
    requests = []
    for sequence, part in enumerate(parts, 1):
        udh = _joined_udh(message.udh, build_udh((reference_of(message.id), len(parts), sequence), wide=False))
        requests.append(_request(message, data_coding, udh + part, udh, tlvs, validity_period))
    return requests


def count_of(message: Message, alphabet: str) -> int:
    """Return how many segments a message becomes, without building them where that is plain to see."""
    if message.concat is not None:
        return 1
    data_coding, encoding, payload = _content_of(message, alphabet)
    if len(payload) <= _SMS_SIZE - len(message.udh):
        return 1
    return len(_cut(payload, encoding, data_coding, _SMS_SIZE - len(message.udh)))


def reference_of(message_id: int) -> int:
    """Return the concatenation reference of a message: neighbours in time never share one."""
    reference = 0
    while message_id:
        reference ^= message_id & 0xFF
        message_id >>= 8
    return reference


def _content_of(message: Message, alphabet: str) -> tuple[int, str, bytes]:
    """The data_coding, the encoding and the octets that this link is given."""
    data_coding, encoding, payload = message.data_coding, message.encoding, message.payload
    if data_coding or encoding == alphabet:
        return data_coding, encoding, payload
    if encoding in ("ucs2", "binary"):
        return data_coding_of(encoding, alphabet), encoding, payload
    text = decode(payload, encoding, "replace")
    try:
        recoded = 0, alphabet, encode(text, alphabet)
    except TextFault:
        recoded = data_coding_of("ucs2", alphabet), "ucs2", encode(text, "ucs2")
    if message.concat is None:
        return recoded
    room = _SMS_SIZE - (len(message.udh) or _CONCAT_SIZE)  # the carrier makes a header of SAR
    if len(_cut(recoded[2], recoded[1], recoded[0], room)) == 1:
        return recoded
    # A part that would outgrow its SMS can't be cut again: it keeps its octets and names their alphabet.
    return _EXPLICIT_GSM if encoding == "gsm" else data_coding_of(encoding, alphabet), encoding, payload


def _cut(payload: bytes, encoding: str, data_coding: int, room: int) -> list[bytes]:
    if data_coding == 0 and encoding in ("latin1", "ascii"):
        # The carrier makes septets of its default alphabet, so it is by septets that the text must be measured.
        try:
            septets = encode(decode(payload, encoding), "gsm")
        except TextFault:
            pass  # it will go as octets then
        else:
            return [encode(decode(part, "gsm"), encoding) for part in split(septets, "gsm", room)]
    return split(payload, encoding, room)


def _joined_udh(own: bytes, concat: bytes) -> bytes:
    """The sender's elements, which every part must repeat, and ours."""
    if not own:
        return concat
    elements = own[1:] + concat[1:]
    return bytes((len(elements),)) + elements


def _request(
    message: Message, data_coding: int, user_data: bytes, udh: bytes, tlvs: Tlvs, validity_period: str
) -> SubmitSm:
    if len(user_data) > _SHORT_MESSAGE_MAX:
        tlvs = (*tlvs, (int(Tag.MESSAGE_PAYLOAD), user_data))
        user_data = b""
    return SubmitSm(
        service_type=message.service_type,
        source_addr_ton=message.source_ton,
        source_addr_npi=message.source_npi,
        source_addr=message.source,
        dest_addr_ton=message.destination_ton,
        dest_addr_npi=message.destination_npi,
        destination_addr=message.destination,
        esm_class=message.esm_class | ESM_UDHI if udh else message.esm_class & ~ESM_UDHI,
        protocol_id=message.protocol_id,
        priority_flag=message.priority,
        validity_period=validity_period,
        # The gateway needs to know how every segment ended, whatever the sender wants to be told.
        registered_delivery=message.registered_delivery & ~_RECEIPT_MASK | _RECEIPT_FINAL,
        data_coding=data_coding,
        short_message=user_data,
        tlvs=tlvs,
    )


@functools.lru_cache(maxsize=1024)
def _validity_period(expires_at: int) -> str:
    return format_absolute(float(expires_at))
