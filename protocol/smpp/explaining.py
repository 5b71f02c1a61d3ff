"""One PDU to a person: every field with its octets, name, value and meaning, and what is wrong with it, where.

Knows no peer and forgives nothing: what is told as a fault here may be taken by a daemon that is lenient. Never raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from protocol.smpp import meanings
from protocol.smpp.constants import (
    ESM_UDHI,
    HEADER_SIZE,
    RESPONSE_BIT,
    Status,
    Tag,
    command_name,
    status_name,
)
from protocol.smpp.destinations import DestinationList, UnsuccessList
from protocol.smpp.errors import RemoteFault
from protocol.smpp.fields import CString, Octet, ShortMessage, TlvList
from protocol.smpp.headers import parse_udh, shift_of
from protocol.smpp.layouts import LAYOUTS, Layout
from protocol.smpp.receipt import is_receipt
from protocol.smpp.receipt import parse as parse_receipt
from protocol.smpp.text import decode, encoding_of
from protocol.smpp.tlv_table import DEFINITIONS
from protocol.smpp.tlvs import fault_of, name_of, owner_of, read

Value = int | str | bytes

_PRIVATE: Final = frozenset({"source_addr", "destination_addr", "esme_addr", "address_range", "password"})
_PRIVATE_TAGS: Final = frozenset({Tag.CALLBACK_NUM, Tag.SOURCE_SUBADDRESS, Tag.DEST_SUBADDRESS, Tag.CALLBACK_NUM_ATAG})


class Line(msgspec.Struct, frozen=True, gc=False):
    """One field, or a part of the one above it (``depth`` > 0).

    ``is_private``: it is a number, a password or a text, or may hold one.
    """

    at: int
    octets: bytes
    name: str
    value: Value
    words: str = ""
    depth: int = 0
    is_private: bool = False


class Fault(msgspec.Struct, frozen=True, gc=False):
    """What is wrong: at which octet, of which kind, by which section of 3.4, and what status answers it."""

    at: int
    kind: str
    detail: str
    section: str
    status: str


class Explained(msgspec.Struct, gc=False):
    """A PDU in words. ``lines`` end where a fault makes the rest unreadable; ``rest`` is then what is left."""

    command: str
    status: str
    sequence: int
    size: int
    lines: list[Line] = []
    faults: list[Fault] = []
    rest: bytes = b""


def explain(data: bytes, default: str = "gsm") -> Explained:
    """Explain the octets of one PDU, header included; ``default`` is what data_coding 0 means."""
    told = Explained("", "", 0, len(data))
    if len(data) < HEADER_SIZE:
        told.rest = data
        told.faults.append(_fault(0, "short_pdu", "a header has 16 octets", "3.2", Status.ESME_RINVCMDLEN))
        return told
    length, command, status, sequence = (int.from_bytes(data[at : at + 4], "big") for at in range(0, 16, 4))
    told.command, told.sequence = command_name(command), sequence
    told.status = status_name(status) if command & RESPONSE_BIT else ""
    told.lines += [
        Line(0, data[0:4], "command_length", length),
        Line(4, data[4:8], "command_id", f"0x{command:08X}", told.command),
        Line(8, data[8:12], "command_status", f"0x{status:08X}", told.status),
        Line(12, data[12:16], "sequence_number", sequence),
    ]
    told.faults += _header_faults(length, command, status, len(data))
    layout = LAYOUTS.get(command)
    if layout is not None:
        _Reader(told, data[: max(HEADER_SIZE, length)], default).read(layout, bool(command & RESPONSE_BIT))
    elif len(data) > HEADER_SIZE:
        told.rest = data[HEADER_SIZE:]
    return told


def _fault(at: int, kind: str, detail: str, section: str, status: int) -> Fault:
    return Fault(at, kind, detail, section, status_name(status))


def _header_faults(length: int, command: int, status: int, size: int) -> Iterator[Fault]:
    if length != size:
        words = f"command_length says {length}, and there are {size} octets"
        yield _fault(0, "wrong_length", words, "5.1.1", Status.ESME_RINVCMDLEN)
    if command not in LAYOUTS:
        is_known = not command_name(command).startswith("0x")
        kind = "unsupported_command" if is_known else "unknown_command"
        words = "broadcasting is not taken" if is_known else "no PDU has this command_id"
        yield _fault(4, kind, words, "5.1.2.1", Status.ESME_RINVCMDID)
    if status and not command & RESPONSE_BIT:
        yield _fault(8, "status_in_request", "a request must say 0 here; it is not looked at", "5.1.3", 0)


class _Reader:
    """Reads one body into lines, field by field, as the walker does."""

    def __init__(self, told: Explained, data: bytes, default: str) -> None:
        self._told, self._data, self._default = told, data, default
        self._values: dict[str, object] = {}

    def read(self, layout: Layout, is_response: bool) -> None:
        """Every field; a fault in one ends it."""
        told, data, at = self._told, self._data, HEADER_SIZE
        if is_response and at == len(data):
            return
        for field in layout.fields:
            try:
                value, end = field.read(data, at)
            except RemoteFault as fault:
                detail = f"{fault.detail}: {_hint(field, fault.kind)}".rstrip(": ")
                told.faults.append(_fault(at, fault.kind, detail, _section(field.name, fault.detail), fault.status))
                told.rest = data[at:]
                self._salvage(field, at)
                return
            self._values[field.name] = value
            self._tell(field, value, at, end)
            at = end
        if at < len(data):
            told.rest = data[at:]
            words = f"{len(data) - at} octets follow the last field; they are not looked at"
            told.faults.append(_fault(at, "trailing_octets", words, "3.3", 0))

    def _tell(self, field: object, value: object, at: int, end: int) -> None:
        octets = self._data[at:end]
        if isinstance(field, Octet | CString):
            assert isinstance(value, int | str)
            self._line(
                Line(at, octets, field.name, value, self._words(field.name, value, at), 0, field.name in _PRIVATE)
            )
        elif isinstance(field, ShortMessage):
            self._line(Line(at, octets[:1], "sm_length", octets[0]))
            self._payload(field.name, octets[1:], at + 1)
        elif isinstance(field, TlvList):
            self._tlvs(at)
        elif isinstance(field, DestinationList):
            self._destinations(at)
        elif isinstance(field, UnsuccessList):
            self._refused(at)

    def _line(self, line: Line) -> None:
        self._told.lines.append(line)

    def _words(self, name: str, value: Value, at: int) -> str:
        try:
            return meanings.words_of(name, value, self._default)
        except RemoteFault as fault:
            status = Status.ESME_RINVSCHED if name.startswith("schedule") else Status.ESME_RINVEXPIRY
            words = f"{name} is YYMMDDhhmmsstnnp, p one of + - R"
            self._told.faults.append(_fault(at, fault.kind, words, "7.1.1", status))
            return ""

    def _salvage(self, field: object, at: int) -> None:
        """What can still be told of a list that does not end where it should."""
        if isinstance(field, TlvList):
            self._tlvs(at)

    def _tlvs(self, at: int) -> None:
        data = self._data
        while at + 4 <= len(data):
            tag, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
            value = data[at + 4 : at + 4 + size]
            self._tlv(tag, size, value, at)
            at += 4 + size
        self._told.rest = data[at:]

    def _tlv(self, tag: int, size: int, value: bytes, at: int) -> None:
        row, told = DEFINITIONS.get(tag), self._told
        place = "" if row is None or told.command in row.places else f"not listed for {told.command}"
        words = owner_of(tag) if row is None else place
        self._line(Line(at, self._data[at : at + 4], name_of(tag), size, ", ".join(filter(None, ("TLV", words)))))
        if len(value) < size:
            words = f"{name_of(tag)} says {size} octets, and {len(value)} are left"
            told.faults.append(_fault(at + 2, "tlv_overrun", words, "3.2.4.1", Status.ESME_RINVTLVSTREAM))
        elif (fault := fault_of(tag, value)) is not None and row is not None:
            sizes = str(row.size_min) if row.size_min == row.size_max else f"{row.size_min} to {row.size_max}"
            words = f"{row.name} is an {row.form} of {sizes} octets".replace(" an b", " a b").replace(" an C", " a C")
            told.faults.append(_fault(at + 4, fault.kind, words, row.section_3_4 or row.section_5_0, fault.status))
        if tag == Tag.MESSAGE_PAYLOAD:
            self._payload("message_payload", value, at + 4)
            return
        for said in read(tag, value):
            piece = value[said.at : said.at + said.size]
            name = "value" if said.name == name_of(tag) else said.name
            self._line(
                Line(at + 4 + said.at, piece, name, said.value, said.words, 1, row is None or tag in _PRIVATE_TAGS)
            )

    def _payload(self, name: str, octets: bytes, at: int) -> None:
        """The header, if esm_class says that there is one, and the text."""
        if not octets and name == "short_message":
            self._line(Line(at, b"", name, ""))
            return
        esm_class, coding = self._number("esm_class"), self._number("data_coding")
        udh = b""
        if esm_class & ESM_UDHI and octets:
            udh = octets[: octets[0] + 1]
            self._header(udh, at)
        rest = octets[len(udh) :]
        encoding = encoding_of(coding, self._default)
        text: Value = rest if encoding == "binary" else decode(rest, encoding, "replace", shift_of(udh))
        words = meanings.data_coding(coding, self._default)
        if isinstance(text, str):
            words = f"{len(text)} characters, {words}"
            if "\ufffd" in text:
                detail = f"{name}: not all octets are {words.partition(', ')[2]}"
                self._told.faults.append(
                    _fault(at + len(udh), "undecodable", detail, "5.2.19", Status.ESME_RSUBMITFAIL)
                )
        self._line(Line(at + len(udh), rest, name, text, words, 0, is_private=True))
        self._receipt(esm_class, rest, at + len(udh))

    def _header(self, udh: bytes, at: int) -> None:
        self._line(Line(at, udh[:1], "header", udh[0], "user data header, TS 23.040 9.2.3.24"))
        try:
            elements = parse_udh(udh)
        except RemoteFault as fault:
            words = "the lengths in the header do not tell the truth"
            self._told.faults.append(_fault(at, fault.kind, words, "5.2.12", fault.status))
            self._line(Line(at + 1, udh[1:], "elements", udh[1:], "", 1, is_private=True))  # it may be a text after all
            return
        at += 1
        for identifier, data in elements:
            name, words = meanings.element(identifier, data)
            octets = bytes((identifier, len(data))) + data
            self._line(Line(at, octets, name, words or data, "", 1, is_private=not words))
            at += len(octets)

    def _receipt(self, esm_class: int, text: bytes, at: int) -> None:
        if not is_receipt(esm_class, ()):
            return
        found = parse_receipt(text, ())
        if found is None:
            words = "esm_class says that this is a receipt, and the text is none that we read"
            self._told.faults.append(_fault(at, "unread_receipt", words, "appendix B", 0))
            return
        done = found.done.strftime("%Y-%m-%d %H:%M") if found.done else ""
        for name, value in (("id", found.carrier_id), ("stat", found.state), ("err", found.error), ("done date", done)):
            self._line(Line(at, b"", name, value, "receipt", 1))

    def _number(self, name: str) -> int:
        value = self._values.get(name, 0)
        return value if isinstance(value, int) else 0

    def _destinations(self, at: int) -> None:
        self._line(Line(at, self._data[at : at + 1], "number_of_dests", self._data[at]))
        count, at = self._data[at], at + 1
        for _ in range(count):
            flag = self._data[at]
            self._line(
                Line(at, self._data[at : at + 1], "dest_flag", flag, "address" if flag == 1 else "distribution list", 1)
            )
            at += 1
            at = self._address(at) if flag == 1 else self._string("dl_name", at)

    def _refused(self, at: int) -> None:
        self._line(Line(at, self._data[at : at + 1], "no_unsuccess", self._data[at]))
        count, at = self._data[at], at + 1
        for _ in range(count):
            at = self._address(at)
            octets = self._data[at : at + 4]
            status = int.from_bytes(octets, "big")
            self._line(Line(at, octets, "error_status_code", f"0x{status:08X}", status_name(status), 1))
            at += 4

    def _address(self, at: int) -> int:
        for name in ("dest_addr_ton", "dest_addr_npi"):
            value = self._data[at]
            self._line(Line(at, self._data[at : at + 1], name, value, meanings.words_of(name, value, ""), 1))
            at += 1
        return self._string("destination_addr", at)

    def _string(self, name: str, at: int) -> int:
        end = self._data.index(0, at) + 1
        octets = self._data[at:end]
        self._line(Line(at, octets, name, octets[:-1].decode("latin-1"), "", 1, name in _PRIVATE))
        return end


def _section(name: str, detail: str) -> str:
    return meanings.SECTIONS.get(detail) or meanings.SECTIONS.get(name, "4")


def _hint(field: object, kind: str) -> str:
    if isinstance(field, CString) and kind in ("field_too_long", "unterminated_string"):
        return f"no NUL within its {field.size_max} octets"
    return {
        "short_pdu": "the PDU ends before it",
        "message_overrun": "sm_length says more than is left",
        "field_too_long": "short_message has 254 octets at most; longer ones go in message_payload",
        "tlv_overrun": "the TLVs do not end where the PDU ends",
        "destination_count": "1 to 254 destinations",
        "destination_flag": "dest_flag is 1 or 2",
    }.get(kind, "")
