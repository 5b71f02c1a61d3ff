"""A deliver_sm in another shape, for applications that read no other: as data_sm, or without any TLV.

Knows no connection and no account.
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocol.smpp.constants import ESM_UDHI, Status, Tag
from protocol.smpp.errors import LocalFault
from protocol.smpp.headers import build_udh
from protocol.smpp.parts import split
from protocol.smpp.pdu import DataSm, DeliverSm

_PARTS_MAX: Final = 255
_REFERENCE_MASK: Final = 0xFF


def data_sm_of(pdu: DeliverSm) -> DataSm:
    """The same as a data_sm (SMPP 3.4 section 4.7.1): its text is in message_payload."""
    tlvs = pdu.tlvs
    if pdu.short_message:
        tlvs = ((Tag.MESSAGE_PAYLOAD, pdu.short_message), *tlvs)
    return DataSm(
        service_type=pdu.service_type,
        source_addr_ton=pdu.source_addr_ton,
        source_addr_npi=pdu.source_addr_npi,
        source_addr=pdu.source_addr,
        dest_addr_ton=pdu.dest_addr_ton,
        dest_addr_npi=pdu.dest_addr_npi,
        destination_addr=pdu.destination_addr,
        esm_class=pdu.esm_class,
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        tlvs=tlvs,
    )


def bare_parts(pdu: DeliverSm, encoding: str, reference: int) -> list[DeliverSm]:
    """The same without TLVs, for a peer of SMPP 3.3. What needs message_payload becomes parts with a concatenation
    header (3GPP TS 23.040 section 9.2.3.24.1), as a handset would have sent them; ``reference`` tells them apart.

    ``encoding`` is that of the text. Raises LocalFault when it cannot be cut.
    """
    payload = next((value for tag, value in pdu.tlvs if tag == Tag.MESSAGE_PAYLOAD), None)
    if payload is None:
        return [msgspec.structs.replace(pdu, tlvs=())] if pdu.tlvs else [pdu]
    pieces = split(payload, encoding)
    if pdu.esm_class & ESM_UDHI or len(pieces) > _PARTS_MAX:
        raise LocalFault("field_too_long", Status.ESME_RINVMSGLEN, command=pdu.command, detail="message_payload")
    total, esm_class = len(pieces), pdu.esm_class | ESM_UDHI
    return [
        msgspec.structs.replace(
            pdu,
            esm_class=esm_class,
            short_message=build_udh((reference & _REFERENCE_MASK, total, number), wide=False) + piece,
            tlvs=(),
        )
        for number, piece in enumerate(pieces, 1)
    ]
