"""What scripts/fuzz feeds: one function a target, which raises when any octets surprise the code that they reach.

Knows no fuzzer: a crash's file is replayed by calling the same function, in a test too. Only RemoteFault and LocalFault
are answers; everything else, and every broken promise, is a find.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Final

from protocol.smpp.captures import payload_of, pdus_of
from protocol.smpp.constants import HEADER_SIZE, Command, Status
from protocol.smpp.dumps import octets_of
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.explaining import explain
from protocol.smpp.framing import Framer
from protocol.smpp.headers import build_header, parse_udh, shift_of, without
from protocol.smpp.layouts import LAYOUTS, walk_build, walk_parse
from protocol.smpp.parts import body_of, concat_of, split
from protocol.smpp.pdu import Pdu, build, parse
from protocol.smpp.receipt import is_receipt
from protocol.smpp.receipt import parse as parse_receipt
from protocol.smpp.receipt_ids import MODES, canonical_key, id_keys
from protocol.smpp.septets import pack, unpack
from protocol.smpp.shifts import best_shift
from protocol.smpp.text import best_encoding, decode, encode, encoding_of
from protocol.smpp.times import parse_time
from protocol.smpp.tlv_table import DEFINITIONS
from protocol.smpp.tlvs import fault_of, first_fault, read, rule_of

Target = Callable[[bytes], None]

_COMMANDS: Final = sorted(int(command) for command in Command)
_ENCODINGS: Final = ("gsm", "latin1", "ascii", "ucs2", "utf8", "binary")
_TAGS: Final = sorted(DEFINITIONS)
_COMMANDS_TOLD: Final = [b"\0\0\0\x40" + command.to_bytes(4, "big") for command in _COMMANDS]
_PCAP: Final = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000")
_PCAPNG: Final = bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000")


def fuzz_parser(data: bytes) -> None:
    """A body behind a header that is true, for any command; and the octets as they are."""
    _check_parse(data)
    if len(data) < 2:
        return
    command, status = _COMMANDS[data[0] % len(_COMMANDS)], data[1]
    head = (HEADER_SIZE + len(data) - 2, command, status if command >> 31 else 0, 7)
    _check_parse(b"".join(number.to_bytes(4, "big") for number in head) + data[2:])


def _check_parse(data: bytes) -> None:
    pdu, walked = _outcome(parse, data), _outcome(walk_parse, data)
    assert pdu == walked, "the fast path and the walker differ"
    if not isinstance(pdu, Pdu):
        return
    try:
        octets = build(pdu)
    except LocalFault:
        return
    assert octets == walk_build(pdu), "the two builders differ"
    if not (getattr(pdu, "status", 0) and LAYOUTS[int(pdu.command)].bare_error):  # type: ignore[attr-defined]
        assert parse(octets) == pdu, "what was read is not what was written"


def _outcome(reader: Callable[[bytes], Pdu], data: bytes) -> Pdu | tuple[str, int, str]:
    try:
        return reader(data)
    except RemoteFault as fault:
        return fault.kind, fault.status, fault.detail


def fuzz_framing(data: bytes) -> None:
    """A stream in one piece and in many has the same PDUs and the same end."""
    if len(data) < 2:
        return
    size, stream = data[0] % 40 + 1, data[1:]
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    whole = _framed([stream])
    assert whole == _framed(pieces)
    assert b"".join(whole[0]) == stream[: sum(map(len, whole[0]))]


def _framed(pieces: list[bytes]) -> tuple[list[bytes], str]:
    framer = Framer(256)
    pdus: list[bytes] = []
    try:
        for piece in pieces:
            pdus += framer.feed(piece)
    except RemoteFault as fault:
        return pdus, fault.kind
    return pdus, framer.fault.kind if framer.fault else ""


def fuzz_text(data: bytes) -> None:
    """Octets as text of every alphabet, with every pair of tables, and there and back."""
    if len(data) < 2:
        return
    encoding, shift, payload = _ENCODINGS[data[0] % 6], (data[1] % 16, data[1] // 16), data[2:]
    encoding_of(data[0], encoding)
    if encoding != "gsm":
        shift = (0, 0)
    loose = decode(payload, encoding, "replace", shift)
    try:
        text = decode(payload, encoding, shift=shift)
    except LocalFault:
        text = loose
    else:
        assert text == loose, "a sound text needs no replacing"
    try:
        octets = encode(text, encoding, shift)
    except LocalFault:
        pass
    else:
        assert decode(octets, encoding, shift=shift) == text
    words = payload.decode("utf-8", "ignore")
    best = best_encoding(words)
    assert decode(encode(words, best), best) == words
    tables = best_shift(words, (data[1] % 14,))
    assert tables is None or decode(encode(words, "gsm", tables), "gsm", shift=tables) == words


def fuzz_parts(data: bytes) -> None:
    """Where a message belongs, and how a payload is cut."""
    if len(data) < 3:
        return
    esm_class, encoding, limit, payload = data[0], _ENCODINGS[data[1] % 4], data[2], data[3:]
    tlvs = tuple(_tlvs(payload))
    short, rest = body_of(payload, tlvs)
    try:
        concat, udh, message = concat_of(esm_class, short, rest)
    except RemoteFault:
        message = short
    else:
        assert udh + message == short
        assert concat is None or 1 <= concat[2] <= concat[1]
    long = message * (esm_class % 8)
    try:
        pieces = split(long, encoding, min(limit, 140))
    except LocalFault:
        return
    assert b"".join(pieces) == long
    assert len(pieces) == 1 or all(pieces)
    if encoding == "ucs2":
        assert not any(len(piece) % 2 for piece in pieces[:-1])


def fuzz_receipts(data: bytes) -> None:
    """A receipt's text and TLVs, and its id in every mode."""
    at = data.find(b"\xff")
    text, tlvs = (data, ()) if at < 0 else (data[:at], tuple(_tlvs(data[at + 1 :])))
    is_receipt(data[0] if data else 0, tlvs)
    found = parse_receipt(text, tlvs)
    if found is None:
        return
    assert found.carrier_id
    assert found.state
    for mode in MODES:
        canonical_key(found.carrier_id, mode)
        keys = id_keys(found.carrier_id, mode)
        assert all(keys)
        assert len(set(keys)) == len(keys)


def fuzz_udh(data: bytes) -> None:
    """User data headers, read and written again."""
    shift_of(data)
    try:
        elements = parse_udh(data)
    except RemoteFault:
        return
    if elements:
        assert build_header(elements) == data
    left = without(data, frozenset((0, 8)))
    assert not left or all(identifier not in (0, 8) for identifier, _ in parse_udh(left))


def fuzz_septets(data: bytes) -> None:
    """Packed septets, as octets and as what they were packed from."""
    if not data:
        return
    fill, octets = data[0] % 7, data[1:]
    unpacked = unpack(octets, fill)
    assert all(septet < 0x80 for septet in unpacked)
    septets = bytes(octet & 0x7F for octet in octets)
    # A CR on an octet's edge is the one that is not read back where there is no room to guard it.
    assert unpack(pack(septets, fill, 0xFFFF), fill).rstrip(b"\r") == septets.rstrip(b"\r")


def fuzz_times(data: bytes) -> None:
    """Times, absolute and relative."""
    if not data:
        return
    now_unix = 1_700_000_000.0 + data[0] * 86_400
    try:
        assert math.isfinite(parse_time(data[1:].decode("latin-1"), now_unix, Status.ESME_RINVEXPIRY))
    except RemoteFault:
        return


def fuzz_tlvs(data: bytes) -> None:
    """TLVs by their table: judged, read and ruled, whatever their octets."""
    tlvs = tuple(_tlvs(data))
    for tag, value in tlvs:
        for said in read(tag, value):
            assert 0 <= said.at <= said.at + said.size <= max(len(value), 1)
        fault = fault_of(tag, value)
        assert fault is None or fault.status in (Status.ESME_RINVPARLEN, Status.ESME_RINVOPTPARAMVAL)
    assert (first_fault(tlvs) is None) == all(fault_of(tag, value) is None for tag, value in tlvs)
    rule = rule_of(("0x0200-0x0427",), ((0x0204, 0x1400),))
    assert rule is not None
    allowed = {0x1400, *range(0x0200, 0x0428)} - {0x0204}
    assert all(tag in allowed for tag, _ in rule(tlvs))


def fuzz_explaining(data: bytes) -> None:
    """What `gatewayd pdu` makes of a PDU, of a dump and of a packet."""
    if len(data) < 3:
        return
    told = explain(_COMMANDS_TOLD[data[0] % len(_COMMANDS_TOLD)] + bytes(8) + data[1:])
    assert all(line.at + len(line.octets) <= told.size for line in told.lines)
    with contextlib.suppress(ValueError):
        assert all(octets_of(data.decode("latin-1")))
    payload_of(data)
    with contextlib.suppress(ValueError):
        pdus_of((_PCAP, _PCAPNG)[data[0] & 1] + data[1:])


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Octets as TLVs: one chooses the tag, those of the table by turns, one the length."""
    at = 0
    while at + 2 <= len(data):
        tag = _TAGS[data[at] % len(_TAGS)] if data[at] < 0xF0 else data[at] << 8 | 0x12
        end = at + 2 + data[at + 1] % 80
        yield tag, data[at + 2 : end]
        at = end


TARGETS: Final[dict[str, Target]] = {
    "parser": fuzz_parser,
    "framing": fuzz_framing,
    "text": fuzz_text,
    "parts": fuzz_parts,
    "receipts": fuzz_receipts,
    "udh": fuzz_udh,
    "septets": fuzz_septets,
    "times": fuzz_times,
    "tlvs": fuzz_tlvs,
    "explaining": fuzz_explaining,
}
"""Name → function."""

_RECEIPT: Final = b"id:0123 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:DELIVRD err:000 text:hi"
_SUBMIT: Final = (
    b"CMT\0\x01\x0133612345678\0\x01\x0133687654321\0\x40\0\0\0000001000000000R\0\x01\0\x08\0"
    b"\x08\x05\0\x03\x01\x02\x01\0h\x02\x04\0\x02\0\x2a"
)
SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "parser": (
        bytes((_COMMANDS.index(Command.SUBMIT_SM), 0)) + _SUBMIT,
        bytes((_COMMANDS.index(Command.SUBMIT_MULTI), 0))
        + b"\0\0\0b\0\x02\x01\x01\x01336\0\x02friends\0\0\0\0\0\0\0\0\0\0\0",
        bytes((_COMMANDS.index(Command.SUBMIT_MULTI_RESP), 0)) + b"id\0\x01\x01\x01336\0\0\0\0\x0b",
        bytes((_COMMANDS.index(Command.BIND_TRANSCEIVER), 0)) + b"shop\0secret\0\0\x34\0\0\0",
        bytes((_COMMANDS.index(Command.SUBMIT_SM_RESP), 0)) + b"0123456789abcdef\0",
    ),
    "framing": (
        b"\x05" + (b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01") * 3,
        b"\x09\0\0\0\x11\x80\0\0\5\0\0\0\0\0\0\0\x01\0",
    ),
    "text": (b"\0\0Hello \x1be", b"\x03\0\xd8\x3d\xde\x00", "\x04\x01été €".encode(), "\x00\x01şğ ıİ".encode()),
    "parts": (b"\x40\0\x8c\x05\0\x03\x07\x02\x01Hello", b"\x47\x03\x8c\x06\x08\x04\0\x07\x02\x01\xd8\x3d\xde\x00"),
    "receipts": (_RECEIPT, _RECEIPT + b"\xff\x0b\x05abcd\0\x25\x01\x02", b"stat:EXPIRED id:7"),
    "udh": (b"\x05\0\x03\x07\x02\x01", b"\x0b\x05\x04\x15\x81\0\0\0\x03\x07\x02\x01", b"\x06\x24\x01\x01\x25\x01\x01"),
    "septets": (b"\0hellohello", b"\x03\r\r\r\r\r\r\r\r"),
    "times": (b"\0000001000000000R", b"\x01240131235959900+", b"\x01240229000000048-"),
    "explaining": (
        bytes((_COMMANDS.index(Command.SUBMIT_SM),)) + _SUBMIT,
        b"0000   00 00 00 10 00 00 00 15   ........",
        b"\0" + bytes(8) + b"\x30\0\0\0\x30\0\0\0\x45\0\0\x30" + bytes(5) + b"\x06" + bytes(38),
    ),
    "tlvs": (b"\x05\x02\0\x2a\x0b\x05abcd\0", b"\xf5\x03abc\x25\x01\x02\x20\x03\x03\0\x15"),
}
"""What each target begins with, so that it need not guess what a PDU is."""
