"""The commands about carriers' receipts: which dialects there are, what one reads, and what nobody could read.

Holds no logic of its own, and imports the parts that do late.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, Limit, counted, load_config, refuse

if TYPE_CHECKING:
    from gatewayd.carriers.receipt_dialects import Dialect, Reading
    from gatewayd.carriers.unparsed import Unparsed
    from protocol.smpp.pdu import DataSm, DeliverSm

UNREAD: Final = 1

app = typer.Typer(help="How carriers write their receipts.", no_args_is_help=True)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the dialects that come with the gateway, as links may name them in `receipts`.

    Example: `gatewayd receipts list`

    Exit codes: 0 told.
    """
    from gatewayd.config.receipt_dialects import decode
    from gatewayd.config.receipt_files import SHIPPED, SUFFIX, shipped_names

    dialects = {name: decode((SHIPPED / (name + SUFFIX)).read_text(encoding="utf-8")).about for name in shipped_names()}
    if as_json:
        print_json({"rows": [{"name": name, "about": about} for name, about in dialects.items()]})
        return
    for name, about in dialects.items():
        typer.echo(f"{name}: {about}")


@app.command("try")
def try_command(
    name: Annotated[str, typer.Argument(help="A dialect's name, or the path of its file.")],
    as_json: AsJson = False,
) -> None:
    """See what a dialect reads in receipts: one a line on stdin, as text or as a whole PDU in hexadecimal.

    Nothing is sent, and no gateway need run. Of each line it says which form of the file it has, the spellings of the
    id that are looked for, the state and what it was before, the error, and the moment; or why it cannot be used.

    Example: `gatewayd receipts try failed_words < captures.txt`

    Exit codes: 0 all could be read; 1 one could not; 2 there is no such dialect, or it is wrong.
    """
    dialect = _dialect(name)
    tried = [(line, _read(dialect, line)) for line in sys.stdin.read().splitlines() if line.strip()]
    unread = sum(bool(reading.refusal) for _, reading in tried)
    if as_json:
        print_json([_plain(dialect, reading) for _, reading in tried])
    else:
        for line, reading in tried:
            typer.echo(line if len(line) <= 120 else f"{line[:117]}...")
            for sentence in _sentences(dialect, reading):
                typer.echo(f"  {sentence}")
        typer.echo(f"{counted(len(tried), 'receipt')}, {unread} of them unread")
    if unread:
        raise typer.Exit(UNREAD)


@app.command("unparsed")
def unparsed_command(
    config: Config = DEFAULT_CONFIG,
    link: Annotated[str, typer.Option(help="Of this link alone.")] = "",
    captures: Annotated[
        bool, typer.Option("--captures", help="Print them whole, numbers and texts too, as `receipts try` reads them.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete them all.")] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the last receipts that could not be read: when, over which link, and their text with its digits hidden.

    They are in small files in the spool folder, the newest half a megabyte or more of each worker. They were answered
    and belong to no message any more; what waits for them ends as UNKNOWN.

    Example: `gatewayd receipts unparsed --link carrier --captures`

    Exit codes: 0 told; 2 the configuration is wrong, or the files may not be read.
    """
    from gatewayd.carriers import unparsed

    folder = Path(load_config(config).config.daemon.spool_dir)
    try:
        if forget:
            gone = unparsed.forget(folder)
            if as_json:
                print_json({"forgotten": gone})
            else:
                typer.echo(f"{counted(gone, 'receipt')} forgotten")
            return
        found = [entry for entry in unparsed.kept(folder) if link in ("", entry.link)][-limit:]
    except OSError as error:
        refuse(f"{error.filename} cannot be read ({error.strerror})")
    if as_json:
        print_json({"rows": [_row(entry, whole=captures) for entry in found]})
        return
    for entry in found:
        typer.echo(entry.pdu if captures else _masked(entry))


def _row(entry: Unparsed, *, whole: bool) -> dict[str, object]:
    shown = {"pdu": entry.pdu} if whole else {"text": _text(entry)}
    return {"at": entry.at, "link": entry.link, **shown}


def _dialect(name: str) -> Dialect:
    from gatewayd.carriers.receipt_dialects import Dialect
    from gatewayd.config.receipt_dialects import DialectFault
    from gatewayd.config.receipt_files import place_of

    path = place_of(name, Path.cwd())
    try:
        return Dialect(path.read_text(encoding="utf-8"))
    except DialectFault as fault:
        refuse(f"{path}: {fault}")
    except OSError:
        refuse(f"there is no dialect {name}; see: gatewayd receipts list")
    except UnicodeDecodeError:
        refuse(f"{path} is not UTF-8 text")


def _read(dialect: Dialect, line: str) -> Reading:
    from gatewayd.carriers.receipt_dialects import octets_of

    pdu = _pdu(line)
    if pdu is None:
        return dialect.read(line.encode("latin-1", "replace"))
    return dialect.read(*octets_of(pdu))


def _pdu(line: str) -> DeliverSm | DataSm | None:
    """A line that is a whole PDU in hexadecimal."""
    from protocol.smpp.errors import SmppFault
    from protocol.smpp.pdu import DataSm, DeliverSm, parse

    try:
        pdu = parse(bytes.fromhex(line.strip()))
    except (ValueError, SmppFault):
        return None
    return pdu if isinstance(pdu, DeliverSm | DataSm) else None


def _plain(dialect: Dialect, reading: Reading) -> dict[str, object]:
    from protocol.smpp.receipt_ids import id_keys

    carrier_id = reading.fields.get("id", "")
    return {
        "refusal": reading.refusal,
        "form": reading.form,
        "fields": reading.fields,
        "keys": list(id_keys(carrier_id, dialect.file.message_id_mode)) if carrier_id else [],
        "state": reading.state,
        "error": reading.error,
        "meaning": reading.meaning,
        "done": reading.done.isoformat() if reading.done else None,
        "network_error": reading.network_error if reading.network_error >= 0 else None,
    }


def _sentences(dialect: Dialect, reading: Reading) -> Iterator[str]:
    facts = _plain(dialect, reading)
    if reading.refusal:
        yield f"not a receipt: {reading.refusal}"
    if reading.form:
        read = ", ".join(f"{key} {value!r}" for key, value in reading.fields.items())
        yield f"form {reading.form} reads {read}"
    if reading.refusal:
        return
    yield f"looked for as: {', '.join(map(str, facts['keys']))}"  # type: ignore[call-overload]
    word = reading.fields.get("stat", "")
    yield f"state {reading.state}" + (f", from {word!r}" if word and word != reading.state else "")
    yield f"error {reading.error}" + (f": {reading.meaning}" if reading.meaning else "")
    if reading.network_error >= 0:
        yield f"network_error_code: network {reading.network_error >> 16}, code {reading.network_error & 0xFFFF}"
    yield f"done {facts['done']}" if reading.done else "no moment: the time of its coming counts"


def _masked(entry: Unparsed) -> str:
    import datetime

    pdu = _pdu(entry.pdu)
    at = datetime.datetime.fromtimestamp(entry.at, datetime.UTC)
    esm_class = f"esm_class 0x{pdu.esm_class:02X}" if pdu is not None else ""
    return f"{at:%Y-%m-%d %H:%M:%S}Z {entry.link} {esm_class} {_text(entry)}"


def _text(entry: Unparsed) -> str:
    """For eyes that may be anybody's: no digit of a number, and nothing behind ``text:``."""
    import re

    from gatewayd.carriers.receipt_dialects import octets_of

    pdu = _pdu(entry.pdu)
    text = octets_of(pdu)[0].decode("latin-1") if pdu is not None else entry.pdu
    text = re.sub(r"(?is)(text:).*", r"\1…", re.sub(r"\d", "#", text))
    return "".join(character if character.isprintable() else "." for character in text[:200])
