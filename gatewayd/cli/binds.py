"""``gatewayd binds``: the standing binds of applications, and how to be rid of one.

What unbinding means is the daemon's; here it is asked for and told.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatewayd.cli.calls import daemon, listed, show_rows, tell_count
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, Limit, Socket, refuse
from gatewayd.cli.tables import Column, since

COLUMNS = (
    Column("bind", "id"),
    Column("account", "account"),
    Column("from", "peer"),
    Column("mode", "mode"),
    Column("version", "SMPP"),
    Column("since", "since", is_number=True),
    Column("unanswered", "window_used", is_number=True),
    Column("to answer", "owed", is_number=True, is_spare=True),
    Column("worker", "worker", is_number=True, is_spare=True),
)

app = typer.Typer()

Account = Annotated[str, typer.Option("--account", "-a", help="Only those of this account.")]


@app.callback(invoke_without_command=True)
def binds(
    context: typer.Context,
    account: Account = "",
    limit: Limit = 200,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """List the binds: whose, from where, in which mode, since when, and how many PDUs wait for an answer.

    "unanswered" are deliveries that the application has not answered, "to answer" what it waits for from us.

    Example: `gatewayd binds --account shop`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not
    answer.
    """
    if context.invoked_subcommand is not None:
        return
    with daemon(config, socket) as client:
        answer = listed(client, "binds", limit, account=account)
    show_rows(answer, COLUMNS, _row, limit, as_json=as_json)


def _row(bind: dict[str, Any]) -> dict[str, Any]:
    return bind | {"since": since(bind["since"])}


@app.command()
def kick(
    bind: Annotated[str, typer.Argument(help="The bind, as the list names it: 0-17.")] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="All binds of this account instead.")] = "",
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Unbind an application, politely. It may bind again at once: to keep it out, change its account and reload.

    Example: `gatewayd binds kick 0-12`

    Exit codes: 0 done; 1 there was no such bind; 2 neither a bind nor an account was named; 3 the daemon is not
    running, or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    if bool(bind) == bool(account):
        refuse("name a bind, or an account with --account")
    with daemon(config, socket) as client:
        answer = client.ask("kick", bind=bind, account=account)
    count = int(answer["answer"].get("changed", 0))
    tell_count(answer, count, "bind", "ended", "kicked", as_json=as_json)
    if not count:
        raise typer.Exit(FAILED)
