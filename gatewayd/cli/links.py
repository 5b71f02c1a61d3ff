"""``gatewayd links``: the links to carriers and platforms, and what a person may want of one.

What a pause or a reconnection does is the daemon's; here it is asked for and told.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewayd.cli.calls import daemon, mind_silent, print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, Socket
from gatewayd.cli.tables import Column, console, table

if TYPE_CHECKING:
    from gatewayd.control.client import Client

COLUMNS = (
    Column("link", "name"),
    Column("kind", "kind", is_spare=True),
    Column("state", "state"),
    Column("binds", "binds", is_number=True),
    Column("window", "window", is_number=True),
    Column("last min", "rate", is_number=True),
    Column("queue", "queue", is_number=True),
    Column("oldest", "oldest", is_number=True),
    Column("sent", "sent", is_number=True, is_spare=True),
    Column("refused", "refused", is_number=True, is_spare=True),
    Column("deferred", "deferred", is_number=True, is_spare=True),
    Column("unknown", "unknown", is_number=True, is_spare=True),
    Column("receipt ids", "ids", is_spare=True),
    Column("unread", "unread", is_number=True, is_spare=True),
    Column("unmatched", "unmatched", is_number=True, is_spare=True),
    Column("provider", "provider", is_spare=True),
)
POLL_S = 0.2

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="The link, as the configuration names it.")]


@app.callback(invoke_without_command=True)
def links(
    context: typer.Context, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False
) -> None:
    """List the links: state, binds, window, messages in the last minute, what waits, and how attempts ended.

    "receipt ids" is how the carrier spells message ids in receipts: as it was found out, or as it is configured.
    "unread" receipts nobody could read (gatewayd receipts unparsed), "unmatched" ones name no message under way.

    Example: `gatewayd links`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not
    answer.
    """
    if context.invoked_subcommand is not None:
        return
    from gatewayd.cli.status import link_row

    with daemon(config, socket) as client:
        answer = client.ask("status")
    facts = answer["answer"]
    if as_json:
        print_json({"links": facts["links"], "paused": facts["paused"], "silent": answer["silent"]})
    else:
        out = console()
        rows = [link_row(name, one, facts["paused"].get(name)) for name, one in sorted(facts["links"].items())]
        out.print(table(COLUMNS, rows, out.width))
    mind_silent(answer)


@app.command()
def pause(name: Name, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Let nothing new go over a link until it is resumed: what waits for it waits, and answers still come.

    A pause outlives reloads, deaths of workers and restarts of the daemon. Messages with a deadline for RCS go on by
    SMS when it has passed, and validity periods run.

    Example: `gatewayd links pause carrier`

    Exit codes: 0 done; 1 there is no such link; 3 the daemon is not running, or does not answer; 4 this user may not
    ask; 5 done, but a worker did not answer yet.
    """
    _tell("pause", name, config, socket, as_json)


@app.command()
def resume(name: Name, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Let messages go over a paused link again.

    Example: `gatewayd links resume carrier`

    Exit codes: 0 done; 1 there is no such link; 3 the daemon is not running, or does not answer; 4 this user may not
    ask; 5 done, but a worker did not answer yet.
    """
    _tell("resume", name, config, socket, as_json)


@app.command()
def reconnect(name: Name, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Unbind from a carrier and bind anew, one bind after the other, once its answers have come; for RCS: a new token.

    Example: `gatewayd links reconnect carrier`

    Exit codes: 0 begun; 1 there is no such link; 3 the daemon is not running, or does not answer; 4 this user may not
    ask; 5 a worker did not answer.
    """
    _tell("reconnect", name, config, socket, as_json)


@app.command()
def drain(
    name: Name,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0, help="How many seconds to wait at most.")] = 60.0,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Pause a link and wait until nothing sent over it is without its answer, as before a carrier's maintenance.

    Example: `gatewayd links drain carrier --timeout 120`

    Exit codes: 0 nothing is under way any more; 1 something still is, or there is no such link; 3 the daemon is not
    running, or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        client.ask("pause", link=name)
        answer, left = _wait_for_answers(client, name, time.monotonic() + timeout_s)
    if as_json:
        print_json({"link": name, "unanswered": left, "silent": answer})
    else:
        typer.echo(f"{name} is paused, {left} unanswered")
    mind_silent({"silent": answer})
    if left:
        raise typer.Exit(FAILED)


def _wait_for_answers(client: Client, name: str, until: float) -> tuple[list[int], int]:
    from threading import Event

    pause_between = Event()
    while True:
        answer = client.ask("status")
        left = int(answer["answer"]["links"].get(name, {}).get("window_used", 0))
        if not left or time.monotonic() >= until:
            return answer["silent"], left
        pause_between.wait(POLL_S)


def _tell(what: str, name: str, config: Path, socket: Path | None, as_json: bool) -> None:
    with daemon(config, socket) as client:
        answer = client.ask(what, link=name)
    if as_json:
        print_json({"link": name, "done": what, "silent": answer["silent"]})
    else:
        typer.echo({"pause": f"{name} is paused", "resume": f"{name} goes on"}.get(what, f"{name} connects anew"))
    mind_silent(answer)
