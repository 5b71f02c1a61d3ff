"""PDUs of SMPP between octets and records: ``parse``, ``build`` and the short answers.

Knows no connection, no state and no time. The four PDUs that carry nearly all traffic have hand-written fast paths;
each gives way to the table's walker at the first sign of trouble, so the walker alone decides what is a fault.
"""

from __future__ import annotations

import struct
from typing import Final

from protocol.smpp.constants import HEADER_SIZE, RESPONSE_BIT, Command
from protocol.smpp.fields import SHORT_MESSAGE_MAX, Tlvs
from protocol.smpp.layouts import HEADER, walk_build, walk_parse
from protocol.smpp.records import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    MessageRequest,
    MessageResponse,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    Request,
    Response,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

__all__ = [
    "AlertNotification",
    "Bind",
    "BindResp",
    "CancelSm",
    "CancelSmResp",
    "DataSm",
    "DataSmResp",
    "DeliverSm",
    "DeliverSmResp",
    "EnquireLink",
    "EnquireLinkResp",
    "GenericNack",
    "MessageRequest",
    "MessageResponse",
    "Outbind",
    "Pdu",
    "QuerySm",
    "QuerySmResp",
    "ReplaceSm",
    "ReplaceSmResp",
    "Request",
    "Response",
    "SubmitMulti",
    "SubmitMultiResp",
    "SubmitSm",
    "SubmitSmResp",
    "Tlvs",
    "Unbind",
    "UnbindResp",
    "build",
    "build_answer",
    "build_deliver_ok",
    "build_submit_ok",
    "parse",
]

_unpack_header = HEADER.unpack_from
_pack_header = HEADER.pack
_pack_tlv_head = struct.Struct(">HH").pack
_unpack_tlv_head = struct.Struct(">HH").unpack_from
_unpack_triple = struct.Struct(">BBB").unpack_from
_unpack_tail = struct.Struct(">BBBBB").unpack_from

_SUBMIT_SM: Final = int(Command.SUBMIT_SM)
_SUBMIT_SM_RESP: Final = int(Command.SUBMIT_SM_RESP)
_DELIVER_SM: Final = int(Command.DELIVER_SM)
_DELIVER_SM_RESP: Final = int(Command.DELIVER_SM_RESP)
_GENERIC_NACK: Final = int(Command.GENERIC_NACK)
_FAST_LOW_OCTETS: Final = frozenset({_SUBMIT_SM, _DELIVER_SM})
_MESSAGE_ID_MAX: Final = 64
# Their response has a mandatory message_id even when it is an error (3.4 sections 4.6.2 and 4.7.2).
_ID_IN_ERRORS: Final = frozenset({int(Command.DELIVER_SM), int(Command.DATA_SM)})


def parse(data: bytes) -> Pdu:
    """One whole PDU, header included, to its record.

    Raises RemoteFault: ``fatal`` when the length is a lie, else with the command and sequence to answer.
    """
    size = len(data)
    if size > HEADER_SIZE and data[7] in _FAST_LOW_OCTETS:
        length, command, status, sequence = _unpack_header(data)
        pdu: Pdu | None = None
        if length != size:
            pass
        elif command == _SUBMIT_SM:
            pdu = _parse_message(SubmitSm, data, sequence)
        elif command == _DELIVER_SM:
            pdu = _parse_message(DeliverSm, data, sequence)
        elif command == _SUBMIT_SM_RESP:
            pdu = _parse_message_response(SubmitSmResp, data, sequence, status)
        elif command == _DELIVER_SM_RESP:
            pdu = _parse_message_response(DeliverSmResp, data, sequence, status)
        if pdu is not None:
            return pdu
    return walk_parse(data)


def _parse_message(record: type[SubmitSm | DeliverSm], data: bytes, sequence: int) -> Pdu | None:
    """The body of submit_sm or deliver_sm (3.4 sections 4.4.1 and 4.6.1)."""
    index = data.index
    try:
        end = index(0, 16, 22)
        service_type = data[16:end].decode("latin-1") if end > 16 else ""
        source_ton, source_npi = data[end + 1], data[end + 2]
        start = end + 3
        end = index(0, start, start + 21)
        source = data[start:end].decode("latin-1")
        dest_ton, dest_npi = data[end + 1], data[end + 2]
        start = end + 3
        end = index(0, start, start + 21)
        destination = data[start:end].decode("latin-1")
        esm_class, protocol_id, priority_flag = _unpack_triple(data, end + 1)
        start = end + 4
        if data[start]:
            end = index(0, start, start + 17)
            schedule = data[start:end].decode("latin-1")
            start = end + 1
        else:
            schedule = ""
            start += 1
        if data[start]:
            end = index(0, start, start + 17)
            validity = data[start:end].decode("latin-1")
            start = end + 1
        else:
            validity = ""
            start += 1
        registered, replace, data_coding, default_id, length = _unpack_tail(data, start)
    except (ValueError, IndexError, struct.error):
        return None
    start += 5
    end = start + length
    tlvs: Tlvs | None = () if end == len(data) else _parse_tlvs(data, end)
    if tlvs is None or length > SHORT_MESSAGE_MAX:
        return None
    return record(
        service_type,
        source_ton,
        source_npi,
        source,
        dest_ton,
        dest_npi,
        destination,
        esm_class,
        protocol_id,
        priority_flag,
        schedule,
        validity,
        registered,
        replace,
        data_coding,
        default_id,
        data[start:end],
        tlvs,
        sequence=sequence,
    )


def _parse_message_response(
    record: type[SubmitSmResp | DeliverSmResp], data: bytes, sequence: int, status: int
) -> Pdu | None:
    """The body of submit_sm_resp or deliver_sm_resp (3.4 sections 4.4.2 and 4.6.2)."""
    end = data.find(0, 16, 16 + 1 + _MESSAGE_ID_MAX)
    if end < 0:
        return None
    tlvs: Tlvs | None = () if end + 1 == len(data) else _parse_tlvs(data, end + 1)
    if tlvs is None:
        return None
    return record(sequence, status, data[16:end].decode("latin-1"), tlvs)


def _parse_tlvs(data: bytes, start: int) -> Tlvs | None:
    """The TLVs from ``start`` to the end; None when they do not end where the PDU ends."""
    tlvs = []
    size = len(data)
    while start + 4 <= size:
        tag, length = _unpack_tlv_head(data, start)
        start += 4 + length
        tlvs.append((tag, data[start - length : start]))
    return tuple(tlvs) if start == size else None


def build(pdu: Pdu) -> bytes:
    """A record to one whole PDU.

    Raises LocalFault when a field exceeds what 3.4 section 5.2 allows, holds a NUL, or is not Latin-1.
    """
    if not isinstance(pdu, MessageRequest):
        return walk_build(pdu)
    service_type, source, destination = pdu.service_type, pdu.source_addr, pdu.destination_addr
    schedule, validity, message = pdu.schedule_delivery_time, pdu.validity_period, pdu.short_message
    length = len(message)
    is_odd = len(service_type) > 5 or len(source) > 20 or len(destination) > 20 or length > SHORT_MESSAGE_MAX
    is_odd = is_odd or len(schedule) > 16 or len(validity) > 16
    if is_odd or "\0" in f"{service_type}{source}{destination}{schedule}{validity}":
        return walk_build(pdu)  # which says what is wrong
    try:
        body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
            service_type.encode("latin-1") if service_type else b"",
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            source.encode("latin-1"),
            pdu.dest_addr_ton,
            pdu.dest_addr_npi,
            destination.encode("latin-1"),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority_flag,
            schedule.encode("latin-1") if schedule else b"",
            validity.encode("latin-1") if validity else b"",
            pdu.registered_delivery,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            length,
            message,
        )
        for tag, value in pdu.tlvs:
            body += _pack_tlv_head(tag, len(value)) + value
        command = _SUBMIT_SM if type(pdu) is SubmitSm else _DELIVER_SM
        return _pack_header(HEADER_SIZE + len(body), command, 0, pdu.sequence) + body
    except (OverflowError, TypeError, UnicodeEncodeError, struct.error):
        pass
    return walk_build(pdu)


def build_submit_ok(sequence: int, message_id: str) -> bytes:
    """A submit_sm_resp that says ESME_ROK (3.4 section 4.4.2); raises LocalFault for an unfit id."""
    if len(message_id) > _MESSAGE_ID_MAX or "\0" in message_id or not message_id.isascii():
        return walk_build(SubmitSmResp(sequence, 0, message_id))
    return _pack_header(17 + len(message_id), _SUBMIT_SM_RESP, 0, sequence) + message_id.encode() + b"\0"


def build_deliver_ok(sequence: int) -> bytes:
    """A deliver_sm_resp that says ESME_ROK, its unused message_id empty (3.4 section 4.6.2)."""
    return _pack_header(17, _DELIVER_SM_RESP, 0, sequence) + b"\0"


def build_answer(command: int, sequence: int, status: int) -> bytes:
    """The shortest answer to a request of ``command``: its own response, or generic_nack when it has none.

    For a refusal, whatever the request was, even one that could not be parsed (3.4 sections 3.2 and 4.3).
    """
    if command & RESPONSE_BIT or (command | RESPONSE_BIT) not in Command._value2member_map_:
        return _pack_header(HEADER_SIZE, _GENERIC_NACK, status, sequence)
    if command in _ID_IN_ERRORS:
        return _pack_header(HEADER_SIZE + 1, command | RESPONSE_BIT, status, sequence) + b"\0"
    return _pack_header(HEADER_SIZE, command | RESPONSE_BIT, status, sequence)
