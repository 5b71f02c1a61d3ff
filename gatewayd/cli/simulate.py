"""The commands that start a simulator: a carrier, a platform, an application.

Holds no logic of its own, and imports the simulators late.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gatewayd.cli.conventions import refuse
from gatewayd.config.addresses import parse_address

app = typer.Typer(
    help="Stand-ins for carriers, RCS platforms and applications, to try the gateway without any.",
    no_args_is_help=True,
)


def _address(text: str) -> str:
    """Refuses what is no address while the option that holds it can still be named."""
    try:
        parse_address(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not an address; write 127.0.0.1:2775 or [::1]:2775") from None
    return text


@app.command("smsc")
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

    Example: `gatewayd simulate smsc --rules handsets.toml`

    Exit codes: 0 stopped as asked; 2 it could not start.
    """
    from gatewayd.simulate import smsc

    _simulated(lambda: smsc.run_command(listen, rules, system_id, password, message_ids, receipt_delay_s))


@app.command("rcs")
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

    Example: `gatewayd simulate rcs --quota-per-minute 600`

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


@app.command("rbm")
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

    Example: `gatewayd simulate rbm --key-file rbm-key.json`

    Exit codes: 0 stopped as asked; 2 it could not start.
    """
    from gatewayd.simulate import rbm

    _simulated(lambda: rbm.run_command(listen, webhook, client_token, key_file, rules, quota_per_s))


@app.command("esme")
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

    Example: `gatewayd simulate esme --password-file secret --to 33612345678`

    Exit codes: 0 every message was accepted; 1 one was not, or it could not connect or bind; 2 the command line or the
    password file is wrong.
    """
    from gatewayd.simulate import esme

    _simulated(lambda: esme.run_command(connect, system_id, password_file, source, to, text, count, rate, wait_s))


def _simulated(work: Callable[[], None]) -> None:
    try:
        work()
    except (OSError, ValueError) as error:
        refuse(str(error))
