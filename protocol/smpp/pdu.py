"""PDUs of SMPP between octets and records: ``parse``, ``build`` and the short answers.

Knows no connection, no state and no time. The four PDUs that carry nearly all traffic have hand-written fast paths;
each gives way to the table's walker at the first sign of trouble, so the walker alone decides what is a fault.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

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
# From esm_class to sm_length: at once where both times are empty, as they mostly are, else what stands around them.
_UNTIMED: Final = struct.Struct(">10B")
_unpack_untimed, _pack_untimed = _UNTIMED.unpack_from, _UNTIMED.pack
_pack_triple = struct.Struct(">3B").pack
_TAIL: Final = struct.Struct(">5B")
_unpack_tail, _pack_tail = _TAIL.unpack_from, _TAIL.pack

_SUBMIT_SM: Final = int(Command.SUBMIT_SM)
_SUBMIT_SM_RESP: Final = int(Command.SUBMIT_SM_RESP)
_DELIVER_SM: Final = int(Command.DELIVER_SM)
_DELIVER_SM_RESP: Final = int(Command.DELIVER_SM_RESP)
_GENERIC_NACK: Final = int(Command.GENERIC_NACK)
_MESSAGE_ID_MAX: Final = 64
# Their response has a mandatory message_id even when it is an error (3.4 sections 4.6.2 and 4.7.2).
_ID_IN_ERRORS: Final = frozenset({int(Command.DELIVER_SM), int(Command.DATA_SM)})


def parse(data: bytes) -> Pdu:
    """One whole PDU, header included, to its record.

    Raises RemoteFault: ``fatal`` when the length is a lie, else with the command and sequence to answer.
    """
    size = len(data)
    if size > HEADER_SIZE:
        length, command, status, sequence = _unpack_header(data)
        fast = _FAST.get(command)
        if fast is not None and length == size:
            parse_body, record = fast
            pdu = parse_body(record, data, sequence, status)
            if pdu is not None:
                return pdu
    return walk_parse(data)


def _parse_message(record: type[SubmitSm | DeliverSm], data: bytes, sequence: int, status: int) -> Pdu | None:
    """The body of submit_sm or deliver_sm (3.4 sections 4.4.1 and 4.6.1); requests have no status."""
    del status
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
        start = end + 1
        esm_class, protocol_id, priority_flag, at, until, registered, replace, data_coding, default_id, length = (
            _unpack_untimed(data, start)
        )
        schedule = validity = ""
        start += 10
        if at or until:
            schedule, validity, start = _times_of(data, start - 7)
            registered, replace, data_coding, default_id, length = _unpack_tail(data, start)
            start += 5
    except (ValueError, IndexError, struct.error):
        return None
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


def _times_of(data: bytes, start: int) -> tuple[str, str, int]:
    """schedule_delivery_time and validity_period (3.4 sections 5.2.15 and 5.2.16), and where they end."""
    middle = data.index(0, start, start + 17)
    end = data.index(0, middle + 1, middle + 18)
    return data[start:middle].decode("latin-1"), data[middle + 1 : end].decode("latin-1"), end + 1


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


_FAST: Final[dict[int, tuple[Callable[[Any, bytes, int, int], Pdu | None], type[Pdu]]]] = {
    _SUBMIT_SM: (_parse_message, SubmitSm),
    _DELIVER_SM: (_parse_message, DeliverSm),
    _SUBMIT_SM_RESP: (_parse_message_response, SubmitSmResp),
    _DELIVER_SM_RESP: (_parse_message_response, DeliverSmResp),
}
"""By command_id, what reads the body of the four, and to which record."""


def build(pdu: Pdu) -> bytes:
    """A record to one whole PDU.

    Raises LocalFault when a field exceeds what 3.4 section 5.2 allows, holds a NUL, or is not Latin-1.
    """
    if not isinstance(pdu, MessageRequest):
        return walk_build(pdu)
    service_type, source, destination = pdu.service_type, pdu.source_addr, pdu.destination_addr
    message = pdu.short_message
    length = len(message)
    is_odd = len(service_type) > 5 or len(source) > 20 or len(destination) > 20 or length > SHORT_MESSAGE_MAX
    if is_odd or "\0" in service_type or "\0" in source or "\0" in destination:
        return walk_build(pdu)  # which says what is wrong
    try:
        addresses = (
            f"{service_type}\0{chr(pdu.source_addr_ton)}{chr(pdu.source_addr_npi)}{source}\0"
            f"{chr(pdu.dest_addr_ton)}{chr(pdu.dest_addr_npi)}{destination}\0"
        )
        rest = (
            _rest_with_times(pdu, length)
            if pdu.schedule_delivery_time or pdu.validity_period
            else _pack_untimed(
                pdu.esm_class,
                pdu.protocol_id,
                pdu.priority_flag,
                0,
                0,
                pdu.registered_delivery,
                pdu.replace_if_present_flag,
                pdu.data_coding,
                pdu.sm_default_msg_id,
                length,
            )
        )
        body = addresses.encode("latin-1") + rest + message
        for tag, value in pdu.tlvs:
            body += _pack_tlv_head(tag, len(value)) + value
        command = _SUBMIT_SM if type(pdu) is SubmitSm else _DELIVER_SM
        return _pack_header(HEADER_SIZE + len(body), command, 0, pdu.sequence) + body
    except (OverflowError, TypeError, ValueError, struct.error):
        pass
    return walk_build(pdu)


def _rest_with_times(pdu: MessageRequest, length: int) -> bytes:
    """From esm_class to sm_length; raises ValueError for a time that is too long or holds a NUL."""
    schedule, validity = pdu.schedule_delivery_time, pdu.validity_period
    if len(schedule) > 16 or len(validity) > 16 or "\0" in f"{schedule}{validity}":
        raise ValueError("not a time")
    times = f"{schedule}\0{validity}\0".encode("latin-1")
    tail = pdu.registered_delivery, pdu.replace_if_present_flag, pdu.data_coding, pdu.sm_default_msg_id, length
    return _pack_triple(pdu.esm_class, pdu.protocol_id, pdu.priority_flag) + times + _pack_tail(*tail)


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
