"""``gatewayd outbox dead``: what no endpoint of an application took in its time, and how to post it again.

What becomes a dead letter is the daemon's to say; here they are listed and asked for.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gatewayd.cli.calls import acted, daemon, listed, show_rows, tell_count
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, Limit, Reveal, Socket
from gatewayd.cli.tables import Column, moment

COLUMNS = (
    Column("delivery", "id"),
    Column("account", "account"),
    Column("kind", "kind"),
    Column("sink", "sink", is_spare=True),
    Column("handset", "handset"),
    Column("reason", "reason"),
    Column("since", "since"),
    Column("tries", "attempts", is_number=True),
    Column("message", "message", is_spare=True),
    Column("until", "until", is_spare=True),
)

app = typer.Typer(help="Dead letters: what no endpoint took in its time, or refused for good: list, replay.")


@app.command("list")
def list_command(
    account: Annotated[str, typer.Argument(help="The account; without it, all.")] = "",
    limit: Limit = 50,
    reveal: Reveal = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest first: why each is one, since when, and until when it is kept.

    Example: `gatewayd outbox dead list shop`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask, or may not see
    numbers; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        answer = listed(client, "dead", limit, reveal=reveal, account=account)
    show_rows(answer, COLUMNS, _row, limit, as_json=as_json)


def _row(dead: dict[str, Any]) -> dict[str, Any]:
    return dead | {"since": moment(dead["dead_at"]), "until": moment(dead["due"])}


@app.command()
def replay(
    account: Annotated[str, typer.Argument(help="The account.")],
    delivery: Annotated[str, typer.Option("--id", help="Only this one, as the list names it.")] = "",
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Owe an application its dead letters again, for as long as something new, and try its endpoint at once.

    Example: `gatewayd outbox dead replay shop`

    Exit codes: 0 done; 1 there was none; 2 an option is wrong; 3 the daemon is not running, or does not answer; 4 this
    user may not ask; 5 a worker did not answer.
    """
    with daemon(config, socket) as client:
        answer = acted(client, "revive", account=account, id=delivery)
    count = int(answer.get("changed", 0))
    tell_count(answer, count, "dead letter", "owed again", "replayed", as_json=as_json)
    if not count:
        raise typer.Exit(FAILED)
