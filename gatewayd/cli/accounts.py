"""``gatewayd accounts``: the applications that may bind, and how to add one.

What an account's keys mean is the configuration's; here they are written down so that it can be loaded, or not at all.
"""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewayd.cli.calls import daemon, mind_silent, print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, REFUSED, AsJson, Config, Socket, refuse
from gatewayd.cli.status import account_row
from gatewayd.cli.tables import Column, amount, console, table

COLUMNS = (
    Column("account", "name"),
    Column("binds", "binds", is_number=True),
    Column("rate/s", "rate", is_number=True),
    Column("submitted", "submitted", is_number=True),
    Column("throttled", "throttled", is_number=True, is_spare=True),
    Column("refused", "refused", is_number=True, is_spare=True),
    Column("delivered", "delivered", is_number=True),
    Column("failed", "undelivered", is_number=True, is_spare=True),
    Column("owed", "owed", is_number=True),
    Column("oldest", "oldest", is_number=True, is_spare=True),
    Column("class", "class", is_spare=True),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_HASH_MODE = 0o640

app = typer.Typer()


@app.callback(invoke_without_command=True)
def accounts(
    context: typer.Context, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False
) -> None:
    """List the applications: binds, rate, what they sent since the workers started, and what they are owed.

    Example: `gatewayd accounts`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not
    answer.
    """
    if context.invoked_subcommand is not None:
        return
    with daemon(config, socket) as client:
        answer = client.ask("status")
    found = answer["answer"]["accounts"]
    if as_json:
        print_json({"accounts": found, "silent": answer["silent"]})
    else:
        out = console()
        out.print(table(COLUMNS, [_row(name, one) for name, one in sorted(found.items())], out.width))
    mind_silent(answer)


def _row(name: str, account: dict[str, Any]) -> dict[str, Any]:
    return account_row(name, account) | {
        "binds": f"{account['binds_up']}/{account['binds_max']}",
        "rate": f"{account['rate_per_s']:g}" if account["rate_per_s"] else "any",
        "undelivered": amount(account["undelivered"]),
        "class": account["class"],
    }


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The system_id by which it will bind: at most 15 characters.")],
    network: Annotated[
        list[str] | None, typer.Option(help="From where it may connect; several times for more.")
    ] = None,
    sender: Annotated[list[str] | None, typer.Option(help="A source address that it may use, or SHOP*.")] = None,
    number: Annotated[list[str] | None, typer.Option(help="A number whose replies are its own.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Messages a second; 0 is no limit.")] = None,
    traffic_class: Annotated[str, typer.Option("--class", help="Its traffic class, such as otp.")] = "",
    append: Annotated[bool, typer.Option("--append", help="Append it to the configuration.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make an account: ask for its password, write the hash into NAME.hash beside the configuration, show the table.

    With --append the table is appended to the configuration, if that can be loaded with it; `gatewayd reload` then puts
    it in force. Nothing is ever written over: neither a file that is there, nor an account.

    The password is asked for twice without showing it, or read from stdin when that is no terminal.

    Example: `gatewayd accounts add shop --network 10.1.0.0/16 --append`

    Exit codes: 0 the account is there, or its table is on stdout; 1 a file cannot be written; 2 the name, the password
    or an option cannot be used, or there is such an account or file already: nothing was changed.
    """
    from gatewayd.cli.daemon import read_password
    from gatewayd.config import forms
    from gatewayd.config.passwords import hash_password

    path = config.resolve()
    verdict = forms.system_id(name)
    if verdict or "/" in name or name.startswith("."):
        refuse("; ".join(verdict or (f"{name} cannot be the name of a file", "choose another name")))
    if name in accounts_in(path):
        refuse(f"there is an account {name} in {path} already")
    hashed = path.with_name(f"{name}.hash")
    if hashed.exists():
        refuse(f"{hashed} is there already: remove it if it is of no use")
    keys = dict(_keys(hashed.name, network, sender, number, rate, traffic_class))
    text = table_of(name, keys)
    password = read_password()
    try:
        write_new(hashed, hash_password(password, random.SystemRandom()) + "\n", like=path)
        if append:
            append_table(path, text, hashed)
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}", 1)
    if as_json:
        print_json({"account": name, "hash_file": str(hashed), "table": text, "is_appended": append})
    elif append:
        typer.echo(f"{path}: account {name} added; put it in force with: gatewayd reload")
    else:
        typer.echo(f"# {hashed} was written. Add this to {path}, then: gatewayd reload\n{text}", nl=False)


def accounts_in(path: Path) -> Any:
    """The accounts' tables as they stand in a configuration; one that cannot be read ends the command."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig")).get("accounts", {})
    except (OSError, ValueError) as error:
        refuse(f"{path}: {getattr(error, 'strerror', None) or error}")


def _keys(
    hash_file: str,
    network: list[str] | None,
    sender: list[str] | None,
    number: list[str] | None,
    rate: float | None,
    traffic_class: str,
) -> Iterator[tuple[str, Any]]:
    yield "password_hash_file", hash_file
    for key, values in (("networks", network), ("senders", sender), ("numbers", number)):
        if values:
            yield key, values
    if rate is not None:
        yield "rate_per_s", rate
    if traffic_class:
        yield "traffic_class", traffic_class


def table_of(name: str, keys: dict[str, Any]) -> str:
    """The TOML table of an account. A JSON text is a TOML text, too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join([f"[accounts.{heading_of(name)}]", *lines]) + "\n"


def heading_of(name: str) -> str:
    """An account's name as a part of a table's heading."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)


def write_new(path: Path, text: str, like: Path) -> None:
    """A file that is not there yet, readable by whoever may read another. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _HASH_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.chown(path, like.stat().st_uid, like.stat().st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def append_table(path: Path, table_text: str, made: Path | None = None) -> None:
    """Put the whole file in the place of the old one, once it is known that it can be loaded.

    If it cannot, ``made`` is taken away again and the command ends. Raises OSError.
    """
    from gatewayd.config.faults import ConfigFaults
    from gatewayd.config.load import load

    old = path.read_text(encoding="utf-8-sig")
    status = path.stat()
    descriptor, fresh_name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(fresh_name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{old.rstrip()}\n\n{table_text}")
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(status.st_mode & 0o7777)
        if os.geteuid() == 0:
            os.chown(fresh, status.st_uid, status.st_gid)
        try:
            load(fresh)
        except ConfigFaults as refusal:
            if made is not None:
                made.unlink()
            for fault in refusal.faults:
                typer.echo(str(fault).replace(str(fresh), str(path)), err=True)
            typer.echo("with this table the configuration could not be loaded: nothing was changed", err=True)
            raise typer.Exit(REFUSED) from None
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)
