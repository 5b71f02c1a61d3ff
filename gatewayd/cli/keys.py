"""``gatewayd accounts key``: a key for the HTTP API, shown once; what stays is its hash.

What a key may do is the configuration's to say; here it is made and written down.
"""

from __future__ import annotations

import json
import random
from typing import Annotated

import typer

from gatewayd.cli.accounts import accounts_in, append_table, heading_of
from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, refuse


def make_key_command(
    account: Annotated[str, typer.Argument(help="The account whose messages it sends.")],
    name: Annotated[str, typer.Argument(help="What the key is called, such as main or 2027.")] = "main",
    scope: Annotated[
        list[str] | None, typer.Option(help="send, query, cancel, sessions or capability; all, if left out.")
    ] = None,
    expires: Annotated[str, typer.Option(help="Its last day (2027-01-31), or the moment of its end.")] = "",
    append: Annotated[bool, typer.Option("--append", help="Append its table to the configuration.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make a key for the HTTP API: it is printed once, with the table that lets it in.

    The table holds the key's hash alone, so the key itself cannot be found again: make another one, and remove the
    first when nobody uses it any more. `gatewayd reload` puts either in force.

    Example: `gatewayd accounts key shop --scope send`

    Exit codes: 0 the key is on stdout; 1 the configuration cannot be written; 2 there is no such account, or such a
    key already, or an option cannot be used: nothing was changed.
    """
    from gatewayd.config import forms, schema
    from gatewayd.config.api_keys import hash_key, make_key

    path = config.resolve()
    found = accounts_in(path)
    if account not in found:
        refuse(f"there is no account {account} in {path}")
    if name in found[account].get("api_keys", {}):
        refuse(f"account {account} has a key {name} already: choose another name")
    known = schema.ApiKey().scopes
    wrong = [one for one in scope or () if one not in known]
    verdict = forms.name(name) or (forms.moment(expires) if expires else None)
    if wrong:
        verdict = f"{wrong[0]} is no scope", f"give some of {', '.join(known)}"
    if verdict:
        refuse("; ".join(verdict))
    key = make_key(random.SystemRandom())
    lines = [f"[accounts.{heading_of(account)}.api_keys.{name}]", f'hash = "{hash_key(key)}"']
    if scope:
        lines.append(f"scopes = {json.dumps(list(dict.fromkeys(scope)))}")
    if expires:
        lines.append(f'expires = "{expires}"')
    table = "\n".join(lines) + "\n"
    if append:
        try:
            append_table(path, table)
        except OSError as error:
            refuse(f"{error.filename}: {error.strerror}", 1)
    if as_json:
        print_json({"account": account, "name": name, "key": key, "table": table, "is_appended": append})
        return
    typer.echo(key)
    if append:
        typer.echo(f"{path}: key {name} of {account} added; put it in force with: gatewayd reload", err=True)
    else:
        typer.echo(f"# Add this to {path}, then: gatewayd reload\n{table}", nl=False, err=True)
