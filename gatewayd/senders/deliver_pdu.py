"""A delivery as the deliver_sm that an application of twenty years understands: appendix B text, plus TLVs."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from gatewayd.config import schema
from gatewayd.message import NO_NETWORK_ERROR, Encoding
from gatewayd.policy.correlation import session_info
from gatewayd.senders.errors_told import error_code
from gatewayd.senders.own_alphabet import coded
from gatewayd.senders.receipt_form import ReceiptForm
from gatewayd.senders.tlv_rules import told
from gatewayd.store.records import Delivery
from protocol.smpp import receipt, text
from protocol.smpp.constants import ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, Tag
from protocol.smpp.fields import SHORT_MESSAGE_MAX
from protocol.smpp.headers import NO_SHIFT, SHIFT_ELEMENTS, Shift, shift_of, without
from protocol.smpp.pdu import DeliverSm
from protocol.smpp.shifts import identifiers_of

# Vendor TLVs (SMPP 3.4 section 5.3.2 leaves 0x1400 to 0x3FFF to us), documented in the README.
TAG_SESSION_ID = 0x1490
TAG_POSTBACK = 0x1491
TAG_MEDIA_TYPE = 0x1492
TAG_MEDIA_SIZE = 0x1493
TAG_MEDIA_NAME = 0x1494
TAG_PLACE = 0x1495
TAG_DISPLAYED = 0x1496
_POSTBACK_MAX = 2_048
_MEDIA_TYPE_MAX, _MEDIA_NAME_MAX = 127, 255
_SIZE_MAX = 0xFFFF_FFFF

_NAMED = frozenset({Encoding.LATIN1, Encoding.ASCII})
"""What needs no UCS2 where the account's alphabet lacks a letter: a data_coding names it."""

_Tlvs = tuple[tuple[int, bytes], ...]


def deliver_sm(delivery: Delivery, account: schema.Account, form: ReceiptForm | None = None) -> DeliverSm:
    """The PDU, without its sequence number; ``form`` is how the account's receipts are written, if not as always.

    Raises LocalFault when the delivery does not fit one.
    """
    return _receipt(delivery, account, form) if delivery.kind == "receipt" else _mo(delivery, account)


def _receipt(delivery: Delivery, account: schema.Account, form: ReceiptForm | None) -> DeliverSm:
    """SMPP 3.4 sections 5.2.12 and 5.3.2, appendix B."""
    message_id = delivery.known_as or f"{delivery.message_id:x}"
    state = delivery.state
    tlvs = receipt.build_tlvs(message_id, str(state))
    if delivery.network_error != NO_NETWORK_ERROR:
        tlvs += ((Tag.NETWORK_ERROR_CODE, delivery.network_error.to_bytes(3, "big")),)
    if form is not None:
        tlvs = form.tlvs_of(tlvs)
    if delivery.user_message_reference >= 0:
        tlvs += _reference(delivery)
    if delivery.displayed:
        tlvs += ((TAG_DISPLAYED, b"\x01"),)
    if delivery.tlvs:
        tlvs += told(delivery.tlvs, account)
    return DeliverSm(
        source_addr_ton=delivery.source_ton,
        source_addr_npi=delivery.source_npi,
        source_addr=delivery.source,
        dest_addr_ton=delivery.destination_ton,
        dest_addr_npi=delivery.destination_npi,
        destination_addr=delivery.destination,
        esm_class=ESM_RECEIPT if state.is_final else ESM_INTERMEDIATE,
        short_message=receipt_text(delivery, message_id) if form is None else form.text_of(delivery, message_id),
        tlvs=tlvs,
    )


def receipt_text(delivery: Delivery, name: str) -> bytes:
    """The text of a receipt for the message of this name."""
    return receipt.build_text(
        name,
        str(delivery.state),
        _moment(int(delivery.submitted_at)),
        _moment(int(delivery.done_at)),
        error_code(delivery.error),
        word=delivery.displayed,
    )


@functools.lru_cache(maxsize=4096)
def _moment(unix: int) -> datetime:
    """Receipts come in crowds of the same seconds; building a date costs as much as the rest of the PDU."""
    return datetime.fromtimestamp(unix, UTC)


def _mo(delivery: Delivery, account: schema.Account) -> DeliverSm:
    payload, data_coding, udh = _coded(delivery, account)
    body = udh + payload
    own = _reference(delivery) + _session(delivery) + _media(delivery)
    tags = {tag for tag, _ in own}
    tlvs = tuple(tlv for tlv in told(delivery.tlvs, account) if tlv[0] not in tags) + own
    if len(body) > SHORT_MESSAGE_MAX:
        tlvs = ((Tag.MESSAGE_PAYLOAD, body), *tlvs)
        body = b""
    return DeliverSm(
        source_addr_ton=delivery.source_ton,
        source_addr_npi=delivery.source_npi,
        source_addr=delivery.source,
        dest_addr_ton=delivery.destination_ton,
        dest_addr_npi=delivery.destination_npi,
        destination_addr=delivery.destination,
        esm_class=delivery.esm_class if udh or not delivery.udh else delivery.esm_class & ~ESM_UDHI,
        protocol_id=delivery.protocol_id,
        data_coding=data_coding,
        short_message=body,
        tlvs=tlvs,
    )


def _coded(delivery: Delivery, account: schema.Account) -> tuple[bytes, int, bytes]:
    """The octets, the data_coding and the header by which this account reads them.

    The carrier's own data_coding stays where it means the same to the account, as all but 0 do, unless the text is
    written in national language tables that the account does not read. Else the text comes in the account's own
    alphabet if that has every letter, as it is the one that all of its programs know.
    """
    encoding, udh, default = delivery.encoding, delivery.udh, account.data_coding_0
    shift = shift_of(udh) if udh and encoding is Encoding.GSM else NO_SHIFT
    if shift == NO_SHIFT or _reads(account, shift):
        same = text.encoding_of(delivery.data_coding, default) == encoding
        if same or encoding is Encoding.BINARY:
            return delivery.payload, delivery.data_coding, udh
    else:
        udh = without(udh, SHIFT_ELEMENTS)
    words = text.decode(delivery.payload, encoding, "replace", shift)
    data_coding, payload = coded(words, default)
    if data_coding and encoding in _NAMED:
        return delivery.payload, text.data_coding_of(encoding, default), udh
    return payload, data_coding, udh


def _reads(account: schema.Account, shift: Shift) -> bool:
    known = (0, *identifiers_of(account.national_languages))
    return account.data_coding_0 == "gsm" and all(language in known for language in shift)


def _reference(delivery: Delivery) -> _Tlvs:
    """user_message_reference (5.3.2.17): the application's own number for the message that this is about."""
    if delivery.user_message_reference < 0:
        return ()
    return ((Tag.USER_MESSAGE_REFERENCE, delivery.user_message_reference.to_bytes(2, "big")),)


def _session(delivery: Delivery) -> _Tlvs:
    """its_session_info (5.3.2.43), the session's id, and the data behind a tapped suggestion."""
    tlvs: _Tlvs = ()
    if delivery.session_id:
        info = session_info(delivery.session_sequence, delivery.session_number)
        tlvs = ((Tag.ITS_SESSION_INFO, info), (TAG_SESSION_ID, delivery.session_id.encode()))
    if delivery.postback:
        tlvs += ((TAG_POSTBACK, _cut(delivery.postback, _POSTBACK_MAX)),)
    return tlvs


def _media(delivery: Delivery) -> _Tlvs:
    """What the address in the text leads to, as far as the platform told it, and where the user is."""
    tlvs: _Tlvs = ()
    attachment = delivery.attachment
    if attachment is not None:
        if attachment.mime_type:
            tlvs += ((TAG_MEDIA_TYPE, _cut(attachment.mime_type, _MEDIA_TYPE_MAX)),)
        if attachment.size > 0:
            tlvs += ((TAG_MEDIA_SIZE, min(attachment.size, _SIZE_MAX).to_bytes(4, "big")),)
        if attachment.name:
            tlvs += ((TAG_MEDIA_NAME, _cut(attachment.name, _MEDIA_NAME_MAX)),)
    if delivery.place:
        tlvs += ((TAG_PLACE, delivery.place.encode()),)
    return tlvs


def _cut(text: str, size_max: int) -> bytes:
    """UTF-8, so many octets at most, and never half a character."""
    return text.encode()[:size_max].decode(errors="ignore").encode()
