"""Every PDU of SMPP 3.3, 3.4 and 5.0 that we speak, as a plain record of its fields.

Knows neither octets nor states. Integers are the octets of the wire; strings hold one character an octet (Latin-1),
without their NUL; the order of the fields is that of the specification.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from protocol.smpp.constants import INTERFACE_VERSION, Command
from protocol.smpp.destinations import Destination, Unsuccess
from protocol.smpp.fields import Tlvs


class Pdu(msgspec.Struct, gc=False, kw_only=True):
    """Any PDU. ``sequence`` joins a response to its request (3.4 section 5.1.4)."""

    sequence: int = 0


class Request(Pdu, gc=False):
    """A PDU that asks, or that needs no answer (outbind, alert_notification)."""


class Response(Pdu, gc=False, kw_only=True):
    """A PDU that answers. ``status`` is its command_status, vendors' own included."""

    sequence: int = 0
    status: int = 0


class Bind(Request, gc=False):
    """bind_transmitter, bind_receiver or bind_transceiver, as ``command`` says (3.4 section 4.1)."""

    command: Command = Command.BIND_TRANSCEIVER
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


class BindResp(Response, gc=False, kw_only=True):
    """The answer to a bind; without a body when ``status`` is an error (3.4 section 4.1.2)."""

    command: Command = Command.BIND_TRANSCEIVER_RESP
    system_id: str = ""
    tlvs: Tlvs = ()


class Outbind(Request, gc=False):
    """An SMSC asks an ESME to bind as receiver (3.4 section 4.1.7); there is no answer."""

    command: ClassVar[Command] = Command.OUTBIND
    system_id: str = ""
    password: str = ""


class Unbind(Request, gc=False):
    """The end of a bind (3.4 section 4.2.1)."""

    command: ClassVar[Command] = Command.UNBIND


class UnbindResp(Response, gc=False):
    """The answer to unbind (3.4 section 4.2.2)."""

    command: ClassVar[Command] = Command.UNBIND_RESP
    sequence: int = 0
    status: int = 0


class EnquireLink(Request, gc=False):
    """Are you there? (3.4 section 4.11.1)."""

    command: ClassVar[Command] = Command.ENQUIRE_LINK


class EnquireLinkResp(Response, gc=False):
    """The answer to enquire_link (3.4 section 4.11.2)."""

    command: ClassVar[Command] = Command.ENQUIRE_LINK_RESP
    sequence: int = 0
    status: int = 0


class GenericNack(Response, gc=False):
    """The answer to what could not be understood at all (3.4 section 4.3.1)."""

    command: ClassVar[Command] = Command.GENERIC_NACK
    status: int = 0


class MessageRequest(Request, gc=False):
    """What submit_sm and deliver_sm have in common: everything but the direction."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()


class SubmitSm(MessageRequest, gc=False):
    """A message from an ESME (3.4 section 4.4.1)."""

    command: ClassVar[Command] = Command.SUBMIT_SM


class DeliverSm(MessageRequest, gc=False):
    """A message or a receipt from an SMSC (3.4 section 4.6.1)."""

    command: ClassVar[Command] = Command.DELIVER_SM


class MessageResponse(Response, gc=False):
    """What the answers to submit_sm, deliver_sm and data_sm have in common."""

    sequence: int = 0
    status: int = 0
    message_id: str = ""
    tlvs: Tlvs = ()


class SubmitSmResp(MessageResponse, gc=False):
    """The answer to submit_sm; without a body when ``status`` is an error (3.4 section 4.4.2)."""

    command: ClassVar[Command] = Command.SUBMIT_SM_RESP


class DeliverSmResp(MessageResponse, gc=False):
    """The answer to deliver_sm; its message_id is unused (3.4 section 4.6.2)."""

    command: ClassVar[Command] = Command.DELIVER_SM_RESP


class SubmitMulti(Request, gc=False):
    """One message to several destinations (3.4 section 4.5.1). An empty list name makes an entry an address."""

    command: ClassVar[Command] = Command.SUBMIT_MULTI
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    destinations: tuple[Destination, ...] = ()
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()


class SubmitMultiResp(Response, gc=False):
    """The answer to submit_multi: one id for all that were taken, and those that were not (3.4 section 4.5.2)."""

    command: ClassVar[Command] = Command.SUBMIT_MULTI_RESP
    sequence: int = 0
    status: int = 0
    message_id: str = ""
    unsuccess: tuple[Unsuccess, ...] = ()
    tlvs: Tlvs = ()


class DataSm(Request, gc=False):
    """A message in either direction; its text travels in message_payload (3.4 section 4.7.1)."""

    command: ClassVar[Command] = Command.DATA_SM
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = ()


class DataSmResp(MessageResponse, gc=False):
    """The answer to data_sm (3.4 section 4.7.2)."""

    command: ClassVar[Command] = Command.DATA_SM_RESP


class QuerySm(Request, gc=False):
    """What became of a message? (3.4 section 4.8.1)."""

    command: ClassVar[Command] = Command.QUERY_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""


class QuerySmResp(Response, gc=False):
    """The answer to query_sm (3.4 section 4.8.2)."""

    command: ClassVar[Command] = Command.QUERY_SM_RESP
    sequence: int = 0
    status: int = 0
    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


class CancelSm(Request, gc=False):
    """Take one message back, or all between two addresses (3.4 section 4.9.1)."""

    command: ClassVar[Command] = Command.CANCEL_SM
    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


class CancelSmResp(Response, gc=False):
    """The answer to cancel_sm (3.4 section 4.9.2)."""

    command: ClassVar[Command] = Command.CANCEL_SM_RESP
    sequence: int = 0
    status: int = 0


class ReplaceSm(Request, gc=False):
    """Change a message that still waits (3.4 section 4.10.1); TLVs since 5.0 (section 4.5.3.1)."""

    command: ClassVar[Command] = Command.REPLACE_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()


class ReplaceSmResp(Response, gc=False):
    """The answer to replace_sm (3.4 section 4.10.2)."""

    command: ClassVar[Command] = Command.REPLACE_SM_RESP
    sequence: int = 0
    status: int = 0


class AlertNotification(Request, gc=False):
    """A handset can be reached again (3.4 section 4.12.1); there is no answer."""

    command: ClassVar[Command] = Command.ALERT_NOTIFICATION
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: Tlvs = ()
