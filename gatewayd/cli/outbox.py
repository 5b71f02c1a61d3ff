"""``gatewayd outbox``: what applications are owed, and how to offer it again or drop it.

What an outbox does is the daemon's; here it is chosen, asked for and counted.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from gatewayd.cli.calls import acted, daemon, listed, mind_silent, print_json, show_rows, tell_count
from gatewayd.cli.conventions import (
    DEFAULT_CONFIG,
    FAILED,
    AsJson,
    Config,
    Limit,
    Reveal,
    Socket,
    confirm,
    refuse,
)
from gatewayd.cli.tables import Column, age, amount, console, moment, table

SUMMARY = (
    Column("account", "name"),
    Column("binds", "binds", is_number=True),
    Column("owed", "owed", is_number=True),
    Column("at most", "depth_max", is_number=True),
    Column("oldest", "oldest", is_number=True),
    Column("sink", "sink"),
    Column("dead letters", "dead", is_number=True, is_spare=True),
)
COLUMNS = (
    Column("delivery", "id"),
    Column("account", "account"),
    Column("kind", "kind"),
    Column("sink", "sink", is_spare=True),
    Column("handset", "handset"),
    Column("state", "state"),
    Column("age", "age", is_number=True),
    Column("tries", "attempts", is_number=True),
    Column("message", "message", is_spare=True),
    Column("until", "until", is_spare=True),
)
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="The account.")]
Sink = Annotated[str, typer.Option("--sink", help="Only what is owed at this one: smpp, webhook, mqtt or callback.")]
Older = Annotated[str, typer.Option(help="Only what is older than this: 30min, 2h, 1d.")]
Kind = Annotated[str, typer.Option(help="Only these: receipt, mo or session.")]


@app.callback(invoke_without_command=True)
def outbox(
    context: typer.Context, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False
) -> None:
    """Show how much each application is owed at each of its sinks, and for how long. One that is bound and owed much is
    slow or refuses.

    Example: `gatewayd outbox`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not
    answer.
    """
    if context.invoked_subcommand is not None:
        return
    with daemon(config, socket) as client:
        answer = client.ask("status")
    accounts = answer["answer"]["accounts"]
    if as_json:
        keys = ("binds_up", "depth", "depth_max", "outbox_age_s", "sinks")
        print_json(
            {"accounts": {n: {k: one[k] for k in keys} for n, one in accounts.items()}, "silent": answer["silent"]}
        )
    else:
        out = console()
        rows = [
            _sink_row(name, one, sink, of_sink)
            for name, one in sorted(accounts.items())
            for sink, of_sink in one["sinks"].items()
        ]
        out.print(table(SUMMARY, rows, out.width))
    mind_silent(answer)


def _sink_row(name: str, account: dict[str, Any], sink: str, of_sink: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "sink": sink,
        "binds": account["binds_up"] if sink == "smpp" else "",
        "owed": amount(of_sink["depth"]),
        "depth_max": amount(account["depth_max"]),
        "oldest": age(of_sink["outbox_age_s"]),
        "dead": amount(of_sink["dead"]),
    }


@app.command("list")
def list_command(
    account: Annotated[str, typer.Argument(help="The account; without it, all.")] = "",
    sink: Sink = "",
    kind: Kind = "",
    older: Older = "",
    limit: Limit = 50,
    reveal: Reveal = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """List what is owed, the oldest first: receipts and replies, how old, how often tried, and until when it is kept.

    Example: `gatewayd outbox list shop --older 30min`

    Exit codes: 0 shown; 2 an option is wrong; 3 the daemon is not running, or does not answer; 4 this user may not
    ask, or may not see numbers; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        filters = {"account": account, "sink": sink, "kind": kind, "older_s": seconds_of(older)}
        answer = listed(client, "outbox", limit, reveal=reveal, **filters)
    show_rows(answer, COLUMNS, _row, limit, as_json=as_json)


def _row(delivery: dict[str, Any]) -> dict[str, Any]:
    return delivery | {"age": age(delivery["age_s"]), "until": moment(delivery["due"])}


@app.command()
def replay(
    account: Name,
    sink: Sink = "",
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Offer at once what an application refused for now, instead of when its next try is due.

    Example: `gatewayd outbox replay shop`

    Exit codes: 0 done, also when nothing waited for another try; 1 there is no such account; 2 there is no such sink;
    3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        answer = client.ask("replay", account=account, sink=sink)
    count = int(answer["answer"].get("offered", 0))
    tell_count(answer, count, "delivery", "offered again", "offered", as_json=as_json)


@app.command()
def drop(
    account: Name,
    sink: Sink = "",
    kind: Kind = "",
    older: Older = "",
    delivery: Annotated[str, typer.Option("--id", help="Only this one, as the list names it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")] = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Drop what an application is owed, for good: it will never hear of these receipts, replies and news.

    Without --sink, that is what it is owed at all of them. What was just written to a bind or posted, and is not
    answered, stays; so do dead letters.

    Example: `gatewayd outbox drop shop --sink webhook --older 1d`

    Exit codes: 0 done; 1 there was nothing to drop, or no such account; 2 an option is wrong, or you said no; 3 the
    daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    older_s = seconds_of(older)
    if not yes:
        confirm(f"Drop for good what {account} is owed{f' at its sink {sink}' if sink else ''}?")
    with daemon(config, socket) as client:
        answer = acted(client, "drop", account=account, sink=sink, kind=kind, older_s=older_s, id=delivery)
    count = int(answer.get("changed", 0))
    tell_count(answer, count, "delivery", "dropped", "dropped", as_json=as_json)
    if not count:
        raise typer.Exit(FAILED)


def seconds_of(text: str) -> float:
    """``2h`` in seconds; 0 for nothing."""
    if not text:
        return 0.0
    match = _AGE.fullmatch(text)
    if match is None:
        refuse(f"{text} is no age: write 90s, 30min, 2h or 1d")
    return float(match[1]) * _UNITS_S[match[2]]
