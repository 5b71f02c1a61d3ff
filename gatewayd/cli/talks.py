"""``gatewayd sessions``: the open conversations between senders and handsets.

Shows numbers as the daemon gives them: masked, unless they may be shown.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatewayd.cli.calls import daemon, listed, show_rows
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, Limit, Reveal, Socket
from gatewayd.cli.tables import Column, moment, since

COLUMNS = (
    Column("session", "id"),
    Column("account", "account"),
    Column("sender", "sender"),
    Column("handset", "handset"),
    Column("open for", "since", is_number=True),
    Column("replies", "replies", is_number=True),
    Column("until", "until", is_spare=True),
)


def sessions(
    number: Annotated[str, typer.Argument(help="A handset's number; without it, all.")] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="Only those of this account.")] = "",
    limit: Limit = 50,
    reveal: Reveal = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """List the open conversations: of a number, of an account, or all. A reply goes to the application that has one.

    Example: `gatewayd sessions +33612345678`

    Exit codes: 0 shown; 2 the command line is wrong; 3 the daemon is not running, or does not answer; 4 this user may
    not ask, or may not see numbers; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        answer = listed(client, "sessions", limit, number=number, account=account, reveal=reveal)
    show_rows(answer, COLUMNS, _row, limit, as_json=as_json)


def _row(session: dict[str, Any]) -> dict[str, Any]:
    return session | {"since": since(session["since"]), "until": moment(session["until"])}
