"""What a carrier's deliver_sm or data_sm says: a receipt or a handset's message, in the neutral vocabulary.

Knows no connection and answers nothing: it reads one PDU.
"""

from __future__ import annotations

from typing import Final

from gatewayd.message import Availability, Encoding, Inbound, Receipt, State
from protocol.smpp.constants import Tag
from protocol.smpp.parts import body_of, concat_of
from protocol.smpp.pdu import AlertNotification, DataSm, DeliverSm
from protocol.smpp.receipt import is_receipt, parse
from protocol.smpp.receipt_ids import id_keys
from protocol.smpp.septets import fill_bits, unpack
from protocol.smpp.text import LOOSE_ENCODINGS, TextFault, decode, encoding_of

_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}
_STATES: Final = {state.value: state for state in State}


def report_of(
    pdu: DeliverSm | DataSm, alphabet: str, message_id_mode: str, is_packed: bool = False
) -> Receipt | Inbound | None:
    """Return what a PDU reports, or None for a receipt that cannot be read: it is never taken for a message.

    ``alphabet`` is what data_coding 0 means on this link; ``is_packed``: its GSM texts have eight septets in seven
    octets. Raises RemoteFault for a broken user data header.
    """
    short_message = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    if pdu.tlvs:
        short_message, tlvs = body_of(short_message, pdu.tlvs)
    else:
        tlvs = ()
    if is_receipt(pdu.esm_class, tlvs):
        return _receipt_of(short_message, tlvs, message_id_mode, pdu.source_addr)
    concat, udh, payload = concat_of(pdu.esm_class, short_message, tlvs)
    encoding = encoding_of(pdu.data_coding, alphabet)
    if is_packed and encoding == "gsm":
        payload = unpack(payload, fill_bits(len(udh)))
    elif encoding in LOOSE_ENCODINGS and not _is_text(payload, encoding):
        encoding = "binary"
    return Inbound(
        source_ton=pdu.source_addr_ton,
        source_npi=pdu.source_addr_npi,
        source=pdu.source_addr,
        destination_ton=pdu.dest_addr_ton,
        destination_npi=pdu.dest_addr_npi,
        destination=pdu.destination_addr,
        payload=payload,
        encoding=_ENCODINGS[encoding],
        data_coding=pdu.data_coding,
        esm_class=pdu.esm_class,
        protocol_id=pdu.protocol_id if isinstance(pdu, DeliverSm) else 0,
        udh=udh,
        concat=concat,
        tlvs=tlvs,
    )


def availability_of(pdu: AlertNotification) -> Availability:
    """Return what an alert_notification says (3.4 sections 4.12 and 5.3.2.30)."""
    said = next((value for tag, value in pdu.tlvs if tag == Tag.MS_AVAILABILITY_STATUS), b"")
    return Availability(
        handset_ton=pdu.source_addr_ton,
        handset_npi=pdu.source_addr_npi,
        handset=pdu.source_addr,
        address_ton=pdu.esme_addr_ton,
        address_npi=pdu.esme_addr_npi,
        address=pdu.esme_addr,
        status=said[0] if len(said) == 1 else -1,
    )


def _is_text(payload: bytes, encoding: str) -> bool:
    try:
        decode(payload, encoding)
    except TextFault:
        return False
    return True


def _receipt_of(text: bytes, tlvs: tuple[tuple[int, bytes], ...], message_id_mode: str, handset: str) -> Receipt | None:
    parsed = parse(text, tlvs)
    if parsed is None:
        return None
    keys = id_keys(parsed.carrier_id, message_id_mode)
    at = parsed.done.timestamp() if parsed.done is not None else 0.0
    return Receipt(keys[0], _STATES[parsed.state], parsed.error, at, aliases=keys[1:], handset=handset)
