"""The commands of the daemon itself: run it, check its configuration, hash a password, tell the version.

Holds no logic of its own, and imports the parts that do late, so that help and completion are quick.
"""

from __future__ import annotations

import getpass
import platform
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gatewayd import __version__, starting
from gatewayd.billing.rule_files import RulesFault
from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, REFUSED, AsJson, Config, counted, refuse
from gatewayd.config import forms, house, schema
from gatewayd.config.effective import effective
from gatewayd.config.faults import ConfigFaults, Fault
from gatewayd.config.passwords import hash_password

LONG_MAX = 64


def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM or SIGINT, with daemon.workers processes that act as one.

    A stop takes no more messages, waits daemon.drain_timeout_s for answers under way, and keeps the rest on disk; a
    second SIGINT waits no longer. SIGHUP reads the configuration again: a faulty one changes nothing, see the log.

    Example: `gatewayd run --config /etc/gatewayd/gatewayd.toml`

    Exit codes: 0 stopped as asked; 1 a failure while running, see the log; 2 the configuration, the command line or
    the installation is wrong, and nothing was started.
    """
    raise typer.Exit(starting.run(config))


def check_config(
    path: Annotated[Path, typer.Argument(help="The configuration file.")] = DEFAULT_CONFIG,
    show: Annotated[
        bool, typer.Option("--effective", help="Print every key with the value in force, as TOML; secrets show as ***.")
    ] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(help="Where to look for secret files first, as systemd does with its credentials."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a configuration and its secret files without starting anything.

    Every fault is printed on stderr, one a line, with its key and what to do. Warnings do not forbid a start. Run it
    as the user that the daemon runs as: others may not be able to read the secrets. Routes, and only they, have
    numbers instead of names: routes[1] is the first.

    Example: `gatewayd check-config /etc/gatewayd/gatewayd.toml`

    Exit codes: 0 the gateway can start with it, warnings or not; 2 it can't.
    """
    if not starting.in_own_house():
        raise typer.Exit(REFUSED)
    if as_json and not show:
        _tell_findings(path, credentials)
        return
    loaded = starting.read(path, credentials)
    if loaded is None:
        raise typer.Exit(REFUSED)
    if show:
        typer.echo(effective(loaded.config), nl=False)
        return
    config = loaded.config
    counts = ", ".join(
        (
            counted(len(config.accounts), "account"),
            counted(len(config.links), "link"),
            counted(len(config.routes), "route"),
            counted(len(loaded.warnings), "warning"),
        )
    )
    typer.echo(f"{path}: good ({counts})")
    _show_receipts(config.accounts)


def _show_receipts(accounts: Mapping[str, schema.Account]) -> None:
    """What applications that want receipts of their own will read."""
    from gatewayd.senders.receipt_form import example_of, form_of

    for name, account in accounts.items():
        form = form_of(account)
        if form is not None:
            typer.echo(f"accounts.{name}: a receipt reads {example_of(form, account)}")


def _tell_findings(path: Path, credentials: Path | None) -> None:
    """Faults and warnings for programs, each with its file, its key, what is wrong and what to do."""
    faults: tuple[Fault, ...] = ()
    try:
        warnings = starting.judged(path, credentials).warnings
    except ConfigFaults as refusal:
        faults, warnings = refusal.faults, refusal.warnings
    except RulesFault as fault:
        refuse(str(fault))
    print_json({"good": not faults, "faults": msgspec.to_builtins(faults), "warnings": msgspec.to_builtins(warnings)})
    if faults:
        raise typer.Exit(REFUSED)


def hash_password_command(
    is_long: Annotated[
        bool, typer.Option("--long", help="Take one that SMPP cannot carry, for an account that comes over HTTP alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn an application's password into the hash that the configuration wants.

    Asks twice without showing it, or reads one line when stdin is not a terminal. There is no option for it: the
    arguments of a command can be read by every user of the machine.

    Example: `gatewayd hash-password < secret > shop.hash`

    Exit codes: 0 the hash is on stdout; 2 the password cannot be used.
    """
    made = hash_password(read_password(is_long=is_long), random.SystemRandom())
    if as_json:
        print_json({"hash": made})
    else:
        typer.echo(made)


def read_password(*, is_long: bool = False) -> str:
    """A password that SMPP can carry, if it must: asked for twice at a terminal, else the first line of stdin."""
    password = _ask_password() if _is_terminal() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        refuse("the password is empty")
    verdict = None if is_long and len(password) <= LONG_MAX else forms.password(password)
    if verdict:
        refuse("; ".join(verdict))
    return password


def version(as_json: AsJson = False) -> None:
    """Print the version of the gateway, of the Python that runs it, and whether its `protocol` is pure or compiled.

    Example: `gatewayd version`
    """
    if as_json:
        print_json({"gatewayd": __version__, "python": platform.python_version(), "protocol": house.how_built()})
    else:
        typer.echo(f"gatewayd {__version__} (Python {platform.python_version()}, protocol {house.how_built()})")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask_password() -> str:
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        refuse("the two are not the same")
    return first
