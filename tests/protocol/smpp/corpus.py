"""Some 600 sound PDUs, the same every time: every command, every TLV where it may stand, the edges of every size."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from typing import Any, Final

from protocol.smpp.constants import Command, Tag
from protocol.smpp.destinations import Destination, DestinationList, Unsuccess, UnsuccessList
from protocol.smpp.fields import CString, Octet, ShortMessage, Tlvs
from protocol.smpp.layouts import LAYOUTS
from protocol.smpp.pdu import Pdu
from protocol.smpp.records import Bind, BindResp, Response
from protocol.smpp.tlv_table import DEFINITIONS, Definition, Form

VARIANTS: Final = 15
_LETTERS: Final = string.ascii_letters + string.digits
_TIMES: Final = {"schedule_delivery_time", "validity_period", "final_date"}
_PAYLOAD_MAX: Final = 1200


def corpus() -> list[Pdu]:
    """All of them, each with a sequence of its own."""
    chance = random.Random(34)
    pdus = [*_variants(chance), *_with_tlvs(chance)]
    for sequence, pdu in enumerate(pdus, 1):
        pdu.sequence = sequence
    return pdus


def _variants(chance: random.Random) -> Iterator[Pdu]:
    for command in sorted(LAYOUTS):
        for number in range(VARIANTS):
            yield _record(command, chance, number)


def _with_tlvs(chance: random.Random) -> Iterator[Pdu]:
    """Each TLV alone at its edges in each PDU that we speak and that lists it, and many at once."""
    speaking = {Command(command).name.lower(): command for command in LAYOUTS}
    for row in DEFINITIONS.values():
        commands = [speaking[place] for place in row.places if place in speaking]
        sizes = sorted({row.size_min, min(row.size_max, _PAYLOAD_MAX)})
        for command in commands or [speaking["submit_sm"]]:
            if "tlvs" in (field.name for field in LAYOUTS[command].fields):
                for size in sizes:
                    yield _record(command, chance, 2, tlvs=((row.tag, _value(row, size, chance)),))
    rows = [row for row in DEFINITIONS.values() if "submit_sm" in row.places and row.name != "message_payload"]
    for _ in range(10):
        picked = chance.sample(rows, 8)
        tlvs = tuple((row.tag, _value(row, row.size_max, chance)) for row in picked)
        yield _record(speaking["submit_sm"], chance, 2, tlvs=(*tlvs, (0x1400 + chance.randrange(0x100), b"vendor")))


def _record(command: int, chance: random.Random, number: int, **given: Any) -> Pdu:
    layout = LAYOUTS[command]
    values = {field.name: _field(field, chance, number) for field in layout.fields} | given
    if any(tag == Tag.MESSAGE_PAYLOAD for tag, _ in given.get("tlvs", ())) and "short_message" in values:
        values["short_message"] = b""  # only one of the two may have anything (3.4 section 5.3.2.32)
    if issubclass(layout.record, Response):
        values["status"] = 0
        if layout.bare_error and number > 12:
            values = {"status": (0x08, 0x58)[number % 2]}
    if layout.record in (Bind, BindResp):
        values["command"] = Command(command)
    return layout.record(**values)  # type: ignore[arg-type]


def _field(field: object, chance: random.Random, number: int) -> object:
    """``number`` 0 is the shortest of all, 1 the longest; the rest lie between."""
    if isinstance(field, Octet):
        return _octet(field.name, chance) if number else 0
    if isinstance(field, CString):
        if field.name in _TIMES:
            return chance.choice(("", "240229235959900+", "000002013000000R")) if number else ""
        return _text(_size(field.size_max - 1, chance, number), chance)
    if isinstance(field, ShortMessage):
        return _text(_size(254, chance, number), chance).encode()
    if isinstance(field, DestinationList):
        return tuple(_destination(chance) for _ in range((1, 254, 3)[min(number, 2)]))
    if isinstance(field, UnsuccessList):
        refused = range((0, 60, 2)[min(number, 2)])
        return tuple(Unsuccess(1, 1, _text(11, chance), chance.choice((0x0B, 0x45))) for _ in refused)
    return _tlvs(chance) if number > 2 else ()


def _octet(name: str, chance: random.Random) -> int:
    """Values that have a meaning, where others are reserved; a header is only announced where there is one."""
    choices = {
        "esm_class": (0x00, 0x03, 0x04, 0x20, 0x80),
        "interface_version": (0x33, 0x34, 0x50),
        "data_coding": (0, 1, 3, 4, 8, 0x11, 0xF0),
        "message_state": tuple(range(1, 9)),
        "replace_if_present_flag": (0, 1),
    }
    return chance.choice(choices.get(name, (0, 1, 2, 3)))


def _size(most: int, chance: random.Random, number: int) -> int:
    return (0, most)[number] if number < 2 else chance.randint(1, most)


def _text(size: int, chance: random.Random) -> str:
    return "".join(chance.choice(_LETTERS) for _ in range(size))


def _destination(chance: random.Random) -> Destination:
    if chance.random() < 0.3:
        return Destination(list_name=_text(chance.randint(1, 20), chance))
    return Destination(1, 1, _text(chance.randint(1, 20), chance))


def _tlvs(chance: random.Random) -> Tlvs:
    return ((0x1400 + chance.randrange(0x2BFF), chance.randbytes(chance.randint(1, 30))),)


def _value(row: Definition, size: int, chance: random.Random) -> bytes:
    if row.form is Form.C_STRING:
        return (
            b"240229235959900+\0"[-size:]
            if row.name == "broadcast_end_time"
            else _text(size - 1, chance).encode() + b"\0"
        )
    if row.form is Form.OCTETS:
        return _text(size, chance).encode()
    most = min(row.value_max if row.value_max is not None else 0x7F, 0x7F)
    number = chance.choice(
        [*(word for word in row.words if word <= most), max(row.value_min, most if not row.words else 0)]
    )
    return max(number, row.value_min).to_bytes(size, "big") if size else b""
