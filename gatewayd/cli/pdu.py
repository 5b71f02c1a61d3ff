"""The command that explains PDUs to a person. How they are read and what they mean is ``protocol.smpp``'s to know."""

from __future__ import annotations

import os
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import FAILED, AsJson, counted, refuse

if TYPE_CHECKING:
    from protocol.smpp.captures import Captured
    from protocol.smpp.explaining import Explained, Line

_OCTETS_SHOWN: Final = 8
_OCTETS_SHOWN_NARROW: Final = 4
_NARROW: Final = 100
_NAME_WIDTH: Final = 26
_WORDS_MAX: Final = 160
_SIZE_MAX: Final = 256 << 20
_BARE: Final = frozenset({"command_id", "command_status", "error_status_code"})
_IN_HEX: Final = frozenset({"interface_version", "esm_class", "registered_delivery", "data_coding", "protocol_id"})


def pdu_command(
    source: Annotated[str, typer.Argument(help="Hexadecimal digits, a file (a dump, pcap or pcapng), or - for input.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of a capture, only what goes to or from this port.")] = 0,
    data_coding_0: Annotated[str, typer.Option(help="What data_coding 0 means: gsm, latin1 …")] = "gsm",
    mask: Annotated[bool, typer.Option("--mask", help="Without numbers, passwords and texts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain PDUs: every field with its octets, its value and what it means, and what is wrong at which octet.

    Digits may come in any usual form: with spaces, colons or 0x, as hexdump, xxd, od -tx1, tcpdump -x, Wireshark or
    Python print them, packet headers and words between included, several PDUs one after the other. Of a capture every
    TCP connection that speaks SMPP is put in order and told in the order of time. No gateway need run.

    Example: `gatewayd pdu capture.pcap --port 2775`

    Exit codes: 0 all is well; 1 something is wrong with a PDU, and told; 2 no PDU could be read.
    """
    from protocol.smpp.explaining import explain
    from protocol.smpp.text import ENCODINGS

    if data_coding_0 not in ENCODINGS:
        refuse(f"{data_coding_0} is no alphabet; there are: {', '.join(ENCODINGS)}")
    try:
        captured = _captured(source, port)
    except ValueError as error:
        refuse(f"no octets can be read from {_shown(source)}: {error}")
    if not captured:
        refuse(f"there is no PDU in {_shown(source)}" + (f" for port {port}" if port else ""))
    told = [(one, explain(one.octets, data_coding_0)) for one in captured]
    if as_json:
        print_json([_as_json(one, explained, mask) for one, explained in told])
    else:
        width = _width()
        for number, (one, explained) in enumerate(told):
            if number:
                typer.echo()
            _show(one, explained, mask, width)
    if any(explained.faults for _, explained in told):
        raise typer.Exit(FAILED)


def _shown(source: str) -> str:
    return "the input" if source == "-" else source if len(source) <= 40 else f"{source[:40]}…"


def _captured(source: str, port: int) -> list[Captured]:
    """The PDUs of whatever was given; raises ValueError."""
    from protocol.smpp.captures import Captured, is_capture, payload_of, pdus_of
    from protocol.smpp.dumps import octets_of

    data = _read(source)
    if is_capture(data):
        return pdus_of(data, port)
    if port:
        raise ValueError("--port is for captures, and this is none")
    dumps = [data] if data[:1] == b"\0" else octets_of(data.decode("latin-1"))
    return [Captured(0.0, "", "", octets) for dump in dumps for octets in _framed(payload_of(dump))]


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(_SIZE_MAX)
    try:
        is_file = Path(source).is_file()
    except (OSError, ValueError):  # digits make a name that is too long for any file
        is_file = False
    if not is_file:
        if os.sep in source or source.endswith((".pcap", ".pcapng", ".txt", ".hex", ".bin")):
            raise ValueError("there is no such file")
        return source.encode()
    try:
        if Path(source).stat().st_size > _SIZE_MAX:
            raise ValueError("it is larger than 256 MiB; cut it with editcap or tcpdump -r … -w …")
        return Path(source).read_bytes()
    except OSError as error:
        raise ValueError(error.strerror) from None


def _framed(octets: bytes) -> list[bytes]:
    """PDUs one after the other; where a length cannot be true, all that is left is one."""
    found = []
    at = 0
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 4], "big")
        if not 16 <= size < len(octets) - at:
            size = len(octets) - at
        found.append(octets[at : at + size])
        at += size
    return found


def _width() -> int:
    """How wide the terminal is; 0 where there is none, for then lines stay whole, so that grep finds what they say."""
    from gatewayd.cli.tables import console

    return console().width if sys.stdout.isatty() or "COLUMNS" in os.environ else 0


def _show(one: Captured, told: Explained, mask: bool, width: int) -> None:
    head = f"{told.command or 'a PDU'}, {counted(told.size, 'octet')}, sequence {told.sequence}"
    head += f", {told.status}" if told.status else ""
    if one.source:
        at = datetime.fromtimestamp(one.at_unix, UTC)
        head = f"{at:%Y-%m-%d %H:%M:%S.%f} UTC  {one.source} → {one.destination}\n{head}"
    typer.echo(head)
    if not one.is_whole:
        typer.echo("  the capture does not have all of it")
    shown = _OCTETS_SHOWN_NARROW if 0 < width < _NARROW else _OCTETS_SHOWN
    for line in told.lines:
        typer.echo(_row(line, mask, shown, width))
    if told.rest:
        typer.echo(f"{told.size - len(told.rest):>5}  {_octets(told.rest, mask, shown)}  not read")
    for fault in told.faults:
        answer = f"; it is answered with {fault.status}" if fault.status != "ESME_ROK" else ""
        section = f" ({fault.section})" if fault.section.startswith("app") else f" (section {fault.section})"
        typer.echo(_folded("  ! ", f"at octet {fault.at}: {fault.kind}: {fault.detail}{section}{answer}", width))


def _row(line: Line, mask: bool, shown: int, width: int) -> str:
    name = "  " * line.depth + line.name
    at = f"{line.at:>5}" if line.octets or not line.depth else " " * 5
    before = f"{at}  {_octets(line.octets, mask and line.is_private, shown)}  {name:{_NAME_WIDTH}} "
    return _folded(before, _value(line, mask) + (f"  {line.words}" if line.words else ""), width)


def _folded(before: str, text: str, width: int) -> str:
    """What does not fit goes on in lines below, under where it began."""
    room = width - len(before)
    if not width or len(text) <= room or room < _OCTETS_SHOWN:
        return (before + text).rstrip()
    lines = textwrap.wrap(text, room, break_on_hyphens=False, drop_whitespace=True)
    return ("\n" + " " * len(before)).join([before + lines[0], *lines[1:]])


def _octets(octets: bytes, mask: bool, shown: int) -> str:
    """The first octets; a mark says that there are more."""
    first = " ".join("··" for _ in octets[:shown]) if mask else octets[:shown].hex(" ")
    more = "+" if len(octets) > shown else " "
    return f"{first:{shown * 3 - 1}}{more}"


def _value(line: Line, mask: bool) -> str:
    value = line.value
    if mask and line.is_private:
        return "(a number)" if isinstance(value, int) else f"({counted(len(value), 'octet')})" if value else '""'
    if isinstance(value, bytes):
        return (value[:_WORDS_MAX].hex(" ") + ("…" if len(value) > _WORDS_MAX else "")) or "-"
    if isinstance(value, int):
        return f"0x{value:02X}" if line.name in _IN_HEX else str(value)
    if line.name in _BARE:
        return value
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in f'"{value}"')


def _as_json(one: Captured, told: Explained, mask: bool) -> dict[str, Any]:
    import msgspec

    where = {"at_unix": one.at_unix, "from": one.source, "to": one.destination, "whole": one.is_whole}
    return {
        **(where if one.source else {}),
        "command": told.command,
        "status": told.status,
        "sequence": told.sequence,
        "octets": told.size,
        "fields": [_field(line, mask and line.is_private) for line in told.lines],
        "not_read": "" if mask else told.rest.hex(),
        "faults": [msgspec.structs.asdict(fault) for fault in told.faults],
    }


def _field(line: Line, mask: bool) -> dict[str, Any]:
    value = line.value.hex() if isinstance(line.value, bytes) else line.value
    return {
        "at": line.at,
        "size": len(line.octets),
        "name": line.name,
        "depth": line.depth,
        "value": None if mask else value,
        "hex": None if mask else line.octets.hex(),
        "meaning": line.words,
    }
