"""One table of every body's layout, and the walker that parses and builds any PDU from it.

Knows nothing of speed and nothing of states: ``pdu`` adds the fast paths, which must agree with this walker.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from protocol.smpp.constants import HEADER_SIZE, RESPONSE_BIT, Command, Status
from protocol.smpp.destinations import DestinationList, UnsuccessList
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.fields import CString, Field, Octet, ShortMessage, TlvList
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
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    Response,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

HEADER: Final = struct.Struct(">IIII")
"""command_length, command_id, command_status, sequence_number (3.4 section 3.2)."""


class Layout(msgspec.Struct, frozen=True, gc=False):
    """One row of the table. ``bare_error``: an error response is written without its body."""

    record: type[Pdu]
    fields: tuple[Field, ...] = ()
    bare_error: bool = False


def _address(prefix: str, name: str, size_max: int, status: Status) -> tuple[Field, ...]:
    """TON, NPI and address: three fields that always come together."""
    return (Octet(f"{prefix}_ton"), Octet(f"{prefix}_npi"), CString(name, size_max, status))


# The limits are those of 3.4 section 5.2, NUL included. Times are 1 or 17 octets there; what such a string says is
# for whoever uses it, so only the maximum is held here.
_SERVICE_TYPE: Final = CString("service_type", 6, Status.ESME_RINVSERTYP)
_SOURCE: Final = _address("source_addr", "source_addr", 21, Status.ESME_RINVSRCADR)
_DESTINATION: Final = _address("dest_addr", "destination_addr", 21, Status.ESME_RINVDSTADR)
_SOURCE_LONG: Final = _address("source_addr", "source_addr", 65, Status.ESME_RINVSRCADR)
_DESTINATION_LONG: Final = _address("dest_addr", "destination_addr", 65, Status.ESME_RINVDSTADR)
_ESME: Final = _address("esme_addr", "esme_addr", 65, Status.ESME_RINVDSTADR)
_SCHEDULE: Final = CString("schedule_delivery_time", 17, Status.ESME_RINVSCHED)
_VALIDITY: Final = CString("validity_period", 17, Status.ESME_RINVEXPIRY)
_MESSAGE_ID: Final = CString("message_id", 65, Status.ESME_RINVMSGID)
_SYSTEM_ID: Final = CString("system_id", 16, Status.ESME_RINVSYSID)
_PASSWORD: Final = CString("password", 9, Status.ESME_RINVPASWD)
_TLVS: Final = TlvList("tlvs")

_REST_OF_MESSAGE: Final[tuple[Field, ...]] = (
    Octet("esm_class"),
    Octet("protocol_id"),
    Octet("priority_flag"),
    _SCHEDULE,
    _VALIDITY,
    Octet("registered_delivery"),
    Octet("replace_if_present_flag"),
    Octet("data_coding"),
    Octet("sm_default_msg_id"),
    ShortMessage("short_message"),
    _TLVS,
)
_MESSAGE: Final[tuple[Field, ...]] = (_SERVICE_TYPE, *_SOURCE, *_DESTINATION, *_REST_OF_MESSAGE)
_MULTI: Final[tuple[Field, ...]] = (_SERVICE_TYPE, *_SOURCE, DestinationList("destinations"), *_REST_OF_MESSAGE)
_MULTI_RESP: Final[tuple[Field, ...]] = (_MESSAGE_ID, UnsuccessList("unsuccess"), _TLVS)
_DATA: Final[tuple[Field, ...]] = (
    _SERVICE_TYPE,
    *_SOURCE_LONG,
    *_DESTINATION_LONG,
    Octet("esm_class"),
    Octet("registered_delivery"),
    Octet("data_coding"),
    _TLVS,
)
_BIND: Final = Layout(
    Bind,
    (
        _SYSTEM_ID,
        _PASSWORD,
        CString("system_type", 13, Status.ESME_RINVSYSTYP),
        Octet("interface_version"),
        # 3.4 gives address_range no status of its own.
        *_address("addr", "address_range", 41, Status.ESME_RBINDFAIL),
    ),
)
_BIND_RESP: Final = Layout(BindResp, (_SYSTEM_ID, _TLVS), bare_error=True)
_REPLACE: Final[tuple[Field, ...]] = (
    _MESSAGE_ID,
    *_SOURCE,
    _SCHEDULE,
    _VALIDITY,
    Octet("registered_delivery"),
    Octet("sm_default_msg_id"),
    ShortMessage("short_message"),
    _TLVS,
)
_QUERY_RESP: Final[tuple[Field, ...]] = (
    _MESSAGE_ID,
    CString("final_date", 17, Status.ESME_RQUERYFAIL),
    Octet("message_state"),
    Octet("error_code"),
)

LAYOUTS: Final[dict[int, Layout]] = {
    Command.BIND_TRANSMITTER: _BIND,
    Command.BIND_RECEIVER: _BIND,
    Command.BIND_TRANSCEIVER: _BIND,
    Command.BIND_TRANSMITTER_RESP: _BIND_RESP,
    Command.BIND_RECEIVER_RESP: _BIND_RESP,
    Command.BIND_TRANSCEIVER_RESP: _BIND_RESP,
    Command.OUTBIND: Layout(Outbind, (_SYSTEM_ID, _PASSWORD)),
    Command.UNBIND: Layout(Unbind),
    Command.UNBIND_RESP: Layout(UnbindResp),
    Command.ENQUIRE_LINK: Layout(EnquireLink),
    Command.ENQUIRE_LINK_RESP: Layout(EnquireLinkResp),
    Command.GENERIC_NACK: Layout(GenericNack),
    Command.SUBMIT_SM: Layout(SubmitSm, _MESSAGE),
    Command.SUBMIT_SM_RESP: Layout(SubmitSmResp, (_MESSAGE_ID, _TLVS), bare_error=True),
    # Even when it is an error it says which destinations were refused, and why each.
    Command.SUBMIT_MULTI: Layout(SubmitMulti, _MULTI),
    Command.SUBMIT_MULTI_RESP: Layout(SubmitMultiResp, _MULTI_RESP),
    Command.DELIVER_SM: Layout(DeliverSm, _MESSAGE),
    Command.DELIVER_SM_RESP: Layout(DeliverSmResp, (_MESSAGE_ID, _TLVS)),
    Command.DATA_SM: Layout(DataSm, _DATA),
    Command.DATA_SM_RESP: Layout(DataSmResp, (_MESSAGE_ID, _TLVS)),
    Command.QUERY_SM: Layout(QuerySm, (_MESSAGE_ID, *_SOURCE)),
    Command.QUERY_SM_RESP: Layout(QuerySmResp, _QUERY_RESP, bare_error=True),
    Command.CANCEL_SM: Layout(CancelSm, (_SERVICE_TYPE, _MESSAGE_ID, *_SOURCE, *_DESTINATION)),
    Command.CANCEL_SM_RESP: Layout(CancelSmResp),
    Command.REPLACE_SM: Layout(ReplaceSm, _REPLACE),
    Command.REPLACE_SM_RESP: Layout(ReplaceSmResp),
    Command.ALERT_NOTIFICATION: Layout(AlertNotification, (*_SOURCE_LONG, *_ESME, _TLVS)),
}
"""command_id → layout. Those of broadcasting (5.0 section 4.4) are missing on purpose: named, and not taken."""


def walk_parse(data: bytes) -> Pdu:
    """One whole PDU to its record, field by field; raises RemoteFault.

    A response may come without its body, whatever its status: 3.4 allows that for errors, and peers do it for the
    rest. What follows the last field of a body that has no TLVs is ignored (3.4 section 3.3, forward compatibility).
    """
    if len(data) < HEADER_SIZE:
        raise RemoteFault("short_pdu", Status.ESME_RINVCMDLEN, detail="header", fatal=True)
    length, command, status, sequence = HEADER.unpack_from(data)
    if length != len(data):
        raise RemoteFault("wrong_length", Status.ESME_RINVCMDLEN, command=command, sequence=sequence, fatal=True)
    layout = LAYOUTS.get(command)
    if layout is None:
        known = command in Command._value2member_map_
        kind = "unsupported_command" if known else "unknown_command"
        raise RemoteFault(kind, Status.ESME_RINVCMDID, command=command, sequence=sequence)
    values: dict[str, object] = {"sequence": sequence}
    if command & RESPONSE_BIT:
        values["status"] = status
    if layout.record is Bind or layout.record is BindResp:
        values["command"] = Command(command)
    try:
        _read_body(layout, data, bool(command & RESPONSE_BIT), values)
    except RemoteFault as fault:
        fault.command, fault.sequence = command, sequence
        raise
    return layout.record(**values)  # type: ignore[arg-type]


def _read_body(layout: Layout, data: bytes, is_response: bool, values: dict[str, object]) -> None:
    """Read every field into ``values``."""
    position = HEADER_SIZE
    if is_response and position == len(data):
        return
    for field in layout.fields:
        values[field.name], position = field.read(data, position)


def walk_build(pdu: Pdu) -> bytes:
    """A record to its octets, field by field; raises LocalFault."""
    command: int = pdu.command  # type: ignore[attr-defined]
    layout = LAYOUTS.get(command)
    if layout is None or layout.record is not type(pdu):
        raise LocalFault("wrong_command", Status.ESME_RINVCMDID, command=command, sequence=pdu.sequence)
    status = pdu.status if isinstance(pdu, Response) else 0
    out = bytearray(HEADER_SIZE)
    try:
        if not (status and layout.bare_error):
            for field in layout.fields:
                field.write(getattr(pdu, field.name), out)
        HEADER.pack_into(out, 0, len(out), command, status, pdu.sequence)
    except struct.error:
        raise LocalFault("out_of_range", command=command, detail="header") from None
    except LocalFault as fault:
        fault.command, fault.sequence = command, pdu.sequence
        raise
    return bytes(out)
