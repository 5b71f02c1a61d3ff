"""The command line: what an administrator types, and how it answers.

Holds no logic of its own, and imports the parts that do late, so that help and completion are quick.
"""

from __future__ import annotations

import getpass
import platform
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gatewayd import __version__
from gatewayd.billing.command import app as billing
from gatewayd.cli_numbers import numbers
from gatewayd.cli_templates import templates
from gatewayd.config import forms, house
from gatewayd.config.addresses import parse_address
from gatewayd.config.effective import effective
from gatewayd.config.faults import ConfigFaults
from gatewayd.config.load import Loaded, load
from gatewayd.config.passwords import hash_password

DEFAULT_CONFIG = Path("/etc/gatewayd/gatewayd.toml")
REFUSED = 2

app = typer.Typer(
    name="gatewayd",
    help="A gateway between SMPP applications and the RCS and SMS carriers.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    pretty_exceptions_enable=False,  # a log wants a plain traceback, and no values in it
)
simulate = typer.Typer(
    help="Stand-ins for carriers, RCS platforms and applications, to try the gateway without any.",
    no_args_is_help=True,
)
app.add_typer(simulate, name="simulate")
app.add_typer(numbers, name="numbers")
app.add_typer(billing, name="billing")
app.add_typer(templates, name="template")


def _address(text: str) -> str:
    """Refuses what is no address while the option that holds it can still be named."""
    try:
        parse_address(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not an address; write 127.0.0.1:2775 or [::1]:2775") from None
    return text


def main() -> None:
    """The entry point of the console script."""
    app()


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = DEFAULT_CONFIG,
) -> None:
    """Run the gateway until SIGTERM or SIGINT, with daemon.workers processes that act as one.

    A stop takes no more messages, waits daemon.drain_timeout_s for answers under way, and keeps the rest on disk; a
    second SIGINT waits no longer. SIGHUP reads the configuration again: a faulty one changes nothing, see the log.

    Exit codes: 0 stopped as asked; 1 a failure while running, see the log; 2 the configuration, the command line or
    the installation is wrong, and nothing was started.
    """
    _insist_on_own_house()
    loaded = _load(config, credentials=None)
    _say_warnings(loaded.warnings)
    from gatewayd import supervisor

    raise typer.Exit(supervisor.run(loaded))


@app.command("worker", hidden=True)
def worker_command(
    control: Annotated[int, typer.Option(help="The descriptor of the channel to the supervisor.")],
) -> None:
    """Be one of the processes that `gatewayd run` starts. Of no use to anyone else.

    Exit codes: 0 the supervisor asked for it, or has gone; 1 a failure, which the supervisor was told.
    """
    from gatewayd import worker

    raise typer.Exit(worker.run_worker(control))


@app.command()
def check_config(
    path: Annotated[Path, typer.Argument(help="The configuration file.")] = DEFAULT_CONFIG,
    show: Annotated[
        bool, typer.Option("--effective", help="Print every key with the value in force; secrets show as ***.")
    ] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(help="Where to look for secret files first, as systemd does with its credentials."),
    ] = None,
) -> None:
    """Check a configuration and its secret files without starting anything.

    Every fault is printed on stderr, one a line, with its key and what to do. Warnings do not forbid a start. Run it
    as the user that the daemon runs as: others may not be able to read the secrets. Routes, and only they, have
    numbers instead of names: routes[1] is the first.

    Exit codes: 0 the gateway can start with it, warnings or not; 2 it can't.
    """
    _insist_on_own_house()
    loaded = _load(path, credentials)
    _say_warnings(loaded.warnings)
    if show:
        typer.echo(effective(loaded.config), nl=False)
        return
    config = loaded.config
    counts = ", ".join(
        (
            _counted(len(config.accounts), "account"),
            _counted(len(config.links), "link"),
            _counted(len(config.routes), "route"),
            _counted(len(loaded.warnings), "warning"),
        )
    )
    typer.echo(f"{path}: good ({counts})")


@app.command("hash-password")
def hash_password_command() -> None:
    """Turn an application's password into the hash that the configuration wants.

    Asks twice without showing it, or reads one line when stdin is not a terminal. There is no option for it: the
    arguments of a command can be read by every user of the machine.

    Exit codes: 0 the hash is on stdout; 2 the password cannot be used.
    """
    password = _ask_password() if _is_terminal() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        _refuse("the password is empty")
    verdict = forms.password(password)
    if verdict:
        _refuse("; ".join(verdict))
    typer.echo(hash_password(password, random.SystemRandom()))


@app.command()
def version() -> None:
    """Print the version of the gateway and of the Python that runs it."""
    typer.echo(f"gatewayd {__version__} (Python {platform.python_version()})")


@simulate.command("smsc")
def simulate_smsc(
    listen: Annotated[
        str, typer.Option(callback=_address, help="Where to listen, host:port. Port 0 takes a free one.")
    ] = "127.0.0.1:2776",
    rules: Annotated[Path | None, typer.Option(help="A TOML file that says how to behave, by destination.")] = None,
    system_id: Annotated[str, typer.Option(help="What it calls itself.")] = "smsc",
    password: Annotated[
        str, typer.Option(help="Whoever binds must give it. Use no real one: others can see it.")
    ] = "secret",
    message_ids: Annotated[
        str, typer.Option(help="decimal, hex, HEX or uuid; hex/decimal writes them otherwise in receipts.")
    ] = "",
    receipt_delay_s: Annotated[float, typer.Option(min=0, help="Seconds from a message to its receipt.")] = 0.0,
) -> None:
    """Be a carrier's SMSC: take binds and messages, send receipts.

    Prints one line when it listens, and what it saw when it is stopped by SIGINT or SIGTERM.

    Exit codes: 0 stopped as asked; 2 it could not start.
    """
    from gatewayd.simulate import smsc

    _simulated(lambda: smsc.run_command(listen, rules, system_id, password, message_ids, receipt_delay_s))


@simulate.command("rcs")
def simulate_rcs(
    listen: Annotated[
        str, typer.Option(callback=_address, help="Where to listen, host:port. Port 0 takes a free one.")
    ] = "127.0.0.1:8081",
    webhook: Annotated[
        str, typer.Option(help="Where to send receipts and replies: the gateway's webhooks address, /rcs/LINK.")
    ] = "http://127.0.0.1:8080/rcs/orange",
    webhook_token: Annotated[str, typer.Option(help="What to say in the Authorization header there.")] = "secret",
    client_id: Annotated[str, typer.Option(help="Who may fetch a token.")] = "gateway",
    client_secret: Annotated[str, typer.Option(help="Its secret. Use no real one: others can see it.")] = "secret",
    rules: Annotated[Path | None, typer.Option(help="A TOML file that says how to behave, by handset.")] = None,
    quota_per_minute: Annotated[int, typer.Option(min=0, help="Messages a minute before 429. 0 sets no quota.")] = 0,
    dialect: Annotated[str, typer.Option(help="standard, orange, dotgo or vi.")] = "standard",
    bot_key: Annotated[
        Path | None, typer.Option(help="orange: the key (PEM, public or private) with which bots sign who they are.")
    ] = None,
    bot_exchange: Annotated[
        bool, typer.Option(help="orange: what bots sign is exchanged at /oauth/bot/token, instead of sent in a header.")
    ] = False,
) -> None:
    """Be an operator's RCS platform (GSMA messaging API): tokens, messages, files, capabilities, webhooks.

    Prints one line when it listens; SIGINT or SIGTERM stops it.

    Exit codes: 0 stopped as asked; 2 it could not start.
    """
    from gatewayd.simulate import rcs

    _simulated(
        lambda: rcs.run_command(
            listen,
            webhook,
            webhook_token,
            client_id,
            client_secret,
            rules,
            quota_per_minute,
            dialect,
            bot_key,
            bot_exchange,
        )
    )


@simulate.command("rbm")
def simulate_rbm(
    listen: Annotated[
        str, typer.Option(callback=_address, help="Where to listen, host:port. Port 0 takes a free one.")
    ] = "127.0.0.1:8082",
    webhook: Annotated[
        str, typer.Option(help="Where to push events and replies: the gateway's webhooks address, /rcs/LINK.")
    ] = "http://127.0.0.1:8080/rcs/google",
    client_token: Annotated[str, typer.Option(help="What pushes are signed with.")] = "secret",
    key_file: Annotated[
        Path, typer.Option(help="The key of the gateway's service account; written when it is not there.")
    ] = Path("rbm-key.json"),
    rules: Annotated[Path | None, typer.Option(help="A TOML file that says how to behave, by handset.")] = None,
    quota_per_s: Annotated[int, typer.Option(min=0, help="Messages a second of an agent. 0 sets no quota.")] = 0,
) -> None:
    """Be Google's RCS platform (RBM API): tokens, messages, capabilities, files, webhooks.

    Prints one line when it listens; SIGINT or SIGTERM stops it.

    Exit codes: 0 stopped as asked; 2 it could not start.
    """
    from gatewayd.simulate import rbm

    _simulated(lambda: rbm.run_command(listen, webhook, client_token, key_file, rules, quota_per_s))


@simulate.command("esme")
def simulate_esme(
    to: Annotated[list[str], typer.Option(help="A handset's number; may be given several times.")],
    password_file: Annotated[Path, typer.Option(help="The file that holds the account's password.")],
    system_id: Annotated[str, typer.Option(help="The account to bind as.")] = "shop",
    connect: Annotated[
        str, typer.Option(callback=_address, help="The gateway's SMPP address, host:port.")
    ] = "127.0.0.1:2775",
    source: Annotated[str, typer.Option(help="The sender address: a name or a number.")] = "SHOP",
    text: Annotated[str, typer.Option(help="The text to send; a long one is sent in parts.")] = "Hello",
    count: Annotated[int, typer.Option(min=1, help="How many messages for each number.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second. 0 sends as fast as it can.")] = 0.0,
    wait_s: Annotated[float, typer.Option(min=0, help="How long to wait for receipts and replies.")] = 10.0,
) -> None:
    """Be an application: bind, send texts, and show the responses, receipts and replies that come back.

    Exit codes: 0 every message was accepted; 1 one was not, or it could not connect or bind; 2 the command line or the
    password file is wrong.
    """
    from gatewayd.simulate import esme

    _simulated(lambda: esme.run_command(connect, system_id, password_file, source, to, text, count, rate, wait_s))


def _simulated(work: Callable[[], None]) -> None:
    try:
        work()
    except (OSError, ValueError) as error:
        _refuse(str(error))


def _insist_on_own_house() -> None:
    sentence = house.stranger()
    if sentence:
        _refuse(sentence)


def _load(path: Path, credentials: Path | None) -> Loaded:
    try:
        return _with_rules(load(path, credentials))
    except ConfigFaults as refusal:
        _say_warnings(refusal.warnings)
        for fault in refusal.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{_counted(len(refusal.faults), 'fault')}: the gateway cannot start with this.", err=True)
        raise typer.Exit(REFUSED) from None


def _with_rules(loaded: Loaded) -> Loaded:
    """Refuses a rule set for billing that cannot be read, and a template that is wrong."""
    from gatewayd.billing import rule_files

    folder = loaded.config.billing.rules_dir
    try:
        named = {link.billing for link in loaded.config.links.values() if link.billing}
        rule_files.books(named, Path(folder) if folder else None)
    except rule_files.RulesFault as error:
        _refuse(str(error))
    if loaded.templates:
        from gatewayd.carriers.template_rules import read_all

        faults = read_all(loaded.templates, frozenset(loaded.config.accounts), loaded.media)[1]
        if faults:
            raise ConfigFaults(faults)
    return loaded


def _say_warnings(warnings: tuple[object, ...]) -> None:
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask_password() -> str:
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        _refuse("the two are not the same")
    return first


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"gatewayd: {sentence}", err=True)
    raise typer.Exit(REFUSED)
