"""What the values of fields mean, in words: types of number, bits of esm_class, data_coding, headers and times.

Knows one value at a time, and no PDU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from protocol.smpp.constants import (
    ESM_CONVERSATION_ABORT,
    ESM_DELIVERY_ACK,
    ESM_INTERMEDIATE,
    ESM_MODE_MASK,
    ESM_RECEIPT,
    ESM_REPLY_PATH,
    ESM_TYPE_MASK,
    ESM_UDHI,
    ESM_USER_ACK,
    REGISTERED_DELIVERY_ACK,
    REGISTERED_INTERMEDIATE,
    REGISTERED_RECEIPT_MASK,
    REGISTERED_USER_ACK,
    VERSION_3_3,
    MessageState,
    status_name,
)
from protocol.smpp.national import LANGUAGES
from protocol.smpp.text import encoding_of
from protocol.smpp.times import parse_time
from protocol.smpp.tlv_table import NPI_WORDS, TON_WORDS

SECTIONS: Final[dict[str, str]] = {
    "command_length": "5.1.1",
    "command_id": "5.1.2",
    "command_status": "5.1.3",
    "sequence_number": "5.1.4",
    "system_id": "5.2.1",
    "password": "5.2.2",
    "system_type": "5.2.3",
    "interface_version": "5.2.4",
    "address_range": "5.2.7",
    "source_addr": "5.2.8",
    "destination_addr": "5.2.9",
    "esme_addr": "5.2.10",
    "service_type": "5.2.11",
    "esm_class": "5.2.12",
    "protocol_id": "5.2.13",
    "priority_flag": "5.2.14",
    "schedule_delivery_time": "5.2.15",
    "validity_period": "5.2.16",
    "registered_delivery": "5.2.17",
    "replace_if_present_flag": "5.2.18",
    "data_coding": "5.2.19",
    "sm_default_msg_id": "5.2.20",
    "sm_length": "5.2.21",
    "short_message": "5.2.22",
    "message_id": "5.2.23",
    "number_of_dests": "5.2.24",
    "dest_flag": "5.2.25",
    "no_unsuccess": "5.2.26",
    "dl_name": "5.2.27",
    "message_state": "5.2.28",
    "destinations": "4.5.1.1",
    "unsuccess": "4.5.2.1",
    "tlvs": "3.2.4.1",
}
"""Field → its section of 3.4."""

_MODES: Final = ("the default mode", "datagram", "forward (transaction)", "store and forward")
_TYPES: Final = {
    0: "a message",
    ESM_RECEIPT: "a delivery receipt",
    ESM_DELIVERY_ACK: "a delivery acknowledgement of the handset",
    ESM_USER_ACK: "an acknowledgement by hand",
    ESM_CONVERSATION_ABORT: "a conversation is aborted",
    ESM_INTERMEDIATE: "an intermediate notification",
}
_RECEIPTS: Final = ("no receipt", "a receipt of the end", "a receipt if it fails", "a receipt if it succeeds (5.0)")
_CLASSES: Final = ("class 0 (flash)", "class 1 (handset)", "class 2 (SIM)", "class 3 (terminal)")
_WAITING: Final = ("voicemail", "fax", "e-mail", "other")
_ENCODINGS: Final = {
    "gsm": "GSM alphabet",
    "latin1": "Latin-1",
    "ascii": "ASCII",
    "ucs2": "UCS2",
    "utf8": "UTF-8",
    "cyrillic": "Cyrillic (ISO 8859-5)",
    "hebrew": "Hebrew (ISO 8859-8)",
    "iso2022jp": "ISO-2022-JP",
    "euckr": "KS C 5601",
    "binary": "octets",
}
_ELEMENTS: Final = {
    0x00: "concatenation, 8 bits",
    0x01: "special message indication",
    0x04: "ports, 8 bits",
    0x05: "ports, 16 bits",
    0x06: "SMSC control",
    0x07: "source of the header",
    0x08: "concatenation, 16 bits",
    0x09: "wireless control message",
    0x0A: "text formatting",
    0x0B: "predefined sound",
    0x0C: "sound",
    0x20: "e-mail header",
    0x21: "hyperlink",
    0x22: "reply address",
    0x23: "enhanced voice mail",
    0x24: "national single shift",
    0x25: "national locking shift",
}


def ton(value: int) -> str:
    """Type of number (3.4 section 5.2.5)."""
    return TON_WORDS.get(value, "reserved")


def npi(value: int) -> str:
    """Numbering plan (3.4 section 5.2.6)."""
    return NPI_WORDS.get(value, "reserved")


def version(value: int) -> str:
    """interface_version (3.4 section 5.2.4)."""
    return "SMPP 3.3 or older" if value <= VERSION_3_3 else f"SMPP {value >> 4}.{value & 0x0F}"


def esm_class(value: int) -> str:
    """Mode, type and features (3.4 section 5.2.12)."""
    said = [_TYPES.get(value & ESM_TYPE_MASK, "of a reserved type"), _MODES[value & ESM_MODE_MASK]]
    said += ["has a header (UDHI)"] if value & ESM_UDHI else []
    said += ["reply path"] if value & ESM_REPLY_PATH else []
    return ", ".join(said)


def registered_delivery(value: int) -> str:
    """Which reports are wanted (3.4 section 5.2.17, 5.0 section 4.7.21)."""
    said = [_RECEIPTS[value & REGISTERED_RECEIPT_MASK]]
    said += ["acknowledgement of the handset"] if value & REGISTERED_DELIVERY_ACK else []
    said += ["acknowledgement by hand"] if value & REGISTERED_USER_ACK else []
    said += ["intermediate notifications"] if value & REGISTERED_INTERMEDIATE else []
    return ", ".join(said)


def data_coding(value: int, default: str) -> str:
    """The alphabet, and what else TS 23.038 section 4 has in the same octet (3.4 section 5.2.19)."""
    encoding = encoding_of(value, default)
    said = [_ENCODINGS.get(encoding, encoding)]
    if value == 0:
        said.append("by agreement")
    if value & 0xF0 == 0xF0 or value & 0xD0 == 0x10:
        said.append(_CLASSES[value & 3])
    if 0xC0 <= value <= 0xEF:
        said.append(f"{_WAITING[value & 3]} waiting: {'on' if value & 8 else 'off'}")
        said += ["to be dropped"] if value < 0xD0 else []
    return ", ".join(said)


def protocol_id(value: int) -> str:
    """The values of TS 23.040 9.2.3.9 that are met."""
    if 0x41 <= value <= 0x47:
        return f"replaces one of type {value - 0x40} in the handset"
    return {0x40: "silent (type 0)", 0x7F: "SIM data download", 0x5F: "return call"}.get(value, "")


def priority(value: int) -> str:
    """0 to 3, of which each network makes its own (3.4 section 5.2.14)."""
    return {0: "lowest", 1: "between", 2: "between", 3: "highest"}.get(value, "reserved")


def replace_flag(value: int) -> str:
    """replace_if_present_flag (3.4 section 5.2.18)."""
    return {0: "no", 1: "yes"}.get(value, "reserved")


def state(value: int) -> str:
    """message_state (3.4 section 5.2.28, 5.0 section 4.7.15)."""
    return MessageState(value).name if value in MessageState._value2member_map_ else "reserved"


def status(value: int) -> str:
    """command_status (3.4 section 5.1.3)."""
    return status_name(value)


def moment(text: str) -> str:
    """A time in words: ``in 1 day 2 h`` or a date in UTC; raises RemoteFault as ``parse_time`` does."""
    if not text:
        return ""
    at = parse_time(text, 0.0, 0)
    if not text.endswith("R"):
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    names = ("year", "month", "day", "hour", "minute", "second")
    numbers = [int(text[place : place + 2]) for place in range(0, 12, 2)]
    words = [f"{number} {name}{'s'[: number != 1]}" for number, name in zip(numbers, names, strict=True) if number]
    return f"after {' '.join(words) or 'no time'}"


def element(identifier: int, data: bytes) -> tuple[str, str]:
    """An information element's name and what it says (TS 23.040 9.2.3.24)."""
    name = _ELEMENTS.get(identifier) or ("SIM toolkit" if 0x70 <= identifier <= 0x7F else f"element 0x{identifier:02X}")
    return name, "".join(_said(identifier, data))


def _said(identifier: int, data: bytes) -> Iterator[str]:
    size = len(data)
    if (identifier, size) in ((0x00, 3), (0x08, 4)):
        yield f"reference {int.from_bytes(data[:-2], 'big')}, part {data[-1]} of {data[-2]}"
        if not 1 <= data[-1] <= data[-2]:
            yield ", which makes no sense and is ignored"
    elif (identifier, size) in ((0x04, 2), (0x05, 4)):
        half = size // 2
        yield f"to {int.from_bytes(data[:half], 'big')}, from {int.from_bytes(data[half:], 'big')}"
    elif identifier in (0x24, 0x25) and size == 1:
        yield LANGUAGES[data[0]] if data[0] < len(LANGUAGES) else f"{data[0]}, which is reserved"
    elif identifier == 0x01 and size == 2:
        yield f"{_WAITING[data[0] & 3]}: {data[1]}"


WORDS: Final[dict[str, Callable[[int], str]]] = {
    "interface_version": version,
    "esm_class": esm_class,
    "registered_delivery": registered_delivery,
    "protocol_id": protocol_id,
    "priority_flag": priority,
    "replace_if_present_flag": replace_flag,
    "message_state": state,
}
"""Field of one octet → its words; types of number and numbering plans go by the end of their names."""


def words_of(name: str, value: object, default: str) -> str:
    """What a field of a body says, as far as there are words; raises RemoteFault for a time that is none."""
    if isinstance(value, str):
        is_time = name in ("schedule_delivery_time", "validity_period", "final_date")
        return moment(value) if is_time else ""
    if not isinstance(value, int):
        return ""
    if name == "data_coding":
        return data_coding(value, default)
    if name.endswith("_ton"):
        return ton(value)
    if name.endswith("_npi"):
        return npi(value)
    return WORDS[name](value) if name in WORDS else ""
