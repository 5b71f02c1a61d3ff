"""``gatewayd accounts locked`` and ``unlock``: who may not bind for a while, and how to let them.

Who is locked out, and when, is the daemon's business; here it is asked for and told.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gatewayd.cli.calls import daemon, mind_silent, print_json, tell_count
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, Socket, refuse
from gatewayd.cli.tables import Column, console, table

COLUMNS = (
    Column("account", "account"),
    Column("from", "address"),
    Column("for another", "left", is_number=True),
)


def locked(config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """List who is locked out for binding wrongly: an account from an address, an address, or an account.

    An empty account is every account; an empty address is every address from which the account never bound. Binds that
    stand are not touched by any of it.

    Example: `gatewayd accounts locked --json`

    Exit codes: 0 shown; 3 the daemon is not running, or does not answer; 4 this user may not ask; 5 a worker did not
    answer.
    """
    with daemon(config, socket) as client:
        answer = client.ask("locked")
    rows = sorted(answer["answer"].get("locked", {}).values(), key=lambda row: (row["account"], row["address"]))
    if as_json:
        print_json({"rows": rows, "silent": answer["silent"]})
    else:
        out = console()
        shown = ({**row, "left": f"{row['left_s']:.0f} s"} for row in rows)
        out.print(table(COLUMNS, shown, out.width))
    mind_silent(answer)


def unlock(
    account: Annotated[str, typer.Argument(help="The account that may be tried again.")] = "",
    address: Annotated[str, typer.Option("--address", help="The address that may try again.")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Everybody may try again.")] = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let an account be tried again, an address try again, or with both that account from that address.

    What was wrong so far is forgotten; whoever goes on being wrong is locked out again.

    Example: `gatewayd accounts unlock shop --address 192.0.2.7`

    Exit codes: 0 done; 1 nothing was known of them; 2 neither account nor address was named; 3 the daemon is not
    running, or does not answer; 4 this user may not ask; 5 a worker did not answer.
    """
    if everybody == bool(account or address):
        refuse("name an account, an address with --address, or both; or everybody with --all")
    with daemon(config, socket) as client:
        answer = client.ask("unlock", account=account, address=address)
    count = int(answer["answer"].get("changed", 0))
    tell_count(answer, count, "mark", "forgotten", "forgotten", as_json=as_json)
    if not count:
        raise typer.Exit(FAILED)
