"""One sample of each row of the conformance table, its octets typed from the specification and by no code of ours."""

from __future__ import annotations

import struct

from protocol.smpp.states import Role

SENDER, HANDSET = b"33700000001\0", b"33620000077\0"
_MINE, _THEIRS = b"\1\1" + SENDER, b"\1\1" + HANDSET
_FLAGS = b"\0\0\0\0\0\0\0\0\0\x05hello"
_BIND = b"shop\0secret\0\0\x34\0\0\0"

COMMANDS: dict[str, tuple[int, bytes]] = {
    "bind_receiver": (0x00000001, _BIND),
    "bind_transmitter": (0x00000002, _BIND),
    "query_sm": (0x00000003, b"1\0\0\0\0"),
    "submit_sm": (0x00000004, b"\0" + _MINE + _THEIRS + _FLAGS),
    "deliver_sm": (0x00000005, b"\0" + _THEIRS + _MINE + _FLAGS),
    "unbind": (0x00000006, b""),
    "replace_sm": (0x00000007, b"1\0\0\0\0\0\0\0\0\x01x"),
    "cancel_sm": (0x00000008, b"\0001\0\0\0\0\0\0\0"),
    "bind_transceiver": (0x00000009, _BIND),
    "outbind": (0x0000000B, b"smsc\0secret\0"),
    "enquire_link": (0x00000015, b""),
    "submit_multi": (0x00000021, b"\0" + _MINE + b"\x01\x01" + _THEIRS + _FLAGS),
    "alert_notification": (0x00000102, _THEIRS + _MINE),
    "data_sm": (0x00000103, b"\0" + _MINE + _THEIRS + b"\0\0\0\x04\x24\0\x05hello"),
    "broadcast_sm": (0x00000111, b"?"),
    "query_broadcast_sm": (0x00000112, b"?"),
    "cancel_broadcast_sm": (0x00000113, b"?"),
    "bind_receiver_resp": (0x80000001, b"smsc\0"),
    "bind_transmitter_resp": (0x80000002, b"smsc\0"),
    "query_sm_resp": (0x80000003, b"1\0\0\x02\0"),
    "submit_sm_resp": (0x80000004, b"1\0"),
    "deliver_sm_resp": (0x80000005, b"\0"),
    "unbind_resp": (0x80000006, b""),
    "replace_sm_resp": (0x80000007, b""),
    "cancel_sm_resp": (0x80000008, b""),
    "bind_transceiver_resp": (0x80000009, b"smsc\0"),
    "enquire_link_resp": (0x80000015, b""),
    "submit_multi_resp": (0x80000021, b"1\0\0"),
    "data_sm_resp": (0x80000103, b"1\0"),
    "broadcast_sm_resp": (0x80000111, b"1\0"),
    "query_broadcast_sm_resp": (0x80000112, b"1\0"),
    "cancel_broadcast_sm_resp": (0x80000113, b""),
    "generic_nack": (0x80000000, b""),
    "an unknown request": (0x00000333, b"?"),
    "an unknown response": (0x80000333, b"?"),
}
SEQUENCE = 0x4D2
RESPONSE = 0x80000000


def message(role: Role) -> tuple[int, bytes]:
    """The message that we take in a role."""
    return COMMANDS["submit_sm" if role is Role.SMSC else "deliver_sm"]


def sample(name: str, role: Role) -> tuple[int, int, bytes]:
    """command_id, sequence_number and the whole PDU that a row is about, when we have that role."""
    command, body = COMMANDS.get(name) or message(role)
    sequence, status, length = SEQUENCE, 0, 16 + len(body)
    if name == "data_sm" and role is Role.ESME:
        body = b"\0" + _THEIRS + _MINE + body[-12:]
    match name:
        case "command_length below 16":
            body, length, sequence = b"", 15, 0
        case "command_length too large":
            body, length = b"", 0x7FFFFFFF
        case "a message that ends early":
            body, length = body[:-8], 16 + len(body) - 8
        case "command_status in a request":
            status = 0x45
        case "sequence_number 0":
            sequence = 0
        case "sequence_number above 0x7FFFFFFF":
            sequence = 0xFFFFFFF0
    return command, sequence, struct.pack(">IIII", length, command, status, sequence) + body
