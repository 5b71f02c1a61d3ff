"""How commands ask the running daemon, and what becomes of a refusal, a silence or an empty socket.

Knows no question; what is printed goes to stdout, what is wrong to stderr.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from gatewayd.cli.conventions import DENIED, FAILED, INCOMPLETE, NOT_RUNNING, REFUSED, counted, refuse
from gatewayd.cli.tables import Column, console, note_more, table

if TYPE_CHECKING:
    from gatewayd.control.client import Answer, Client

Row = dict[str, Any]

PAGE: Final = 500
LONG_S: Final = 60.0
FAULT_CODES: Final = {"usage": REFUSED, "denied": DENIED}


@contextlib.contextmanager
def daemon(config: Path, socket: Path | None) -> Iterator[Client]:
    """A connection to the daemon; whatever goes wrong with it ends the command with its exit code."""
    from gatewayd.control.client import Client, Denied, NotRunning, Refused, Silent, socket_of

    try:
        with Client(socket or socket_of(config)) as client:
            yield client
    except (NotRunning, Silent) as error:
        refuse(str(error), NOT_RUNNING)
    except Denied as error:
        refuse(str(error), DENIED)
    except Refused as error:
        refuse(str(error), FAULT_CODES.get(error.kind, FAILED))


def listed(client: Client, what: str, limit: int, **args: Any) -> Answer:
    """Rows from as many pages as it takes: ``{"rows": …, "more": bool, "silent": […]}``."""
    rows: list[dict[str, Any]] = []
    silent: set[int] = set()
    after = None
    while True:
        answer = client.ask(what, limit=min(PAGE, limit - len(rows)), after=after, **args)
        rows += answer["answer"].get("rows", [])
        silent.update(answer["silent"])
        after = answer["answer"].get("next")
        if after is None or len(rows) >= limit:
            more = after is not None or len(rows) > limit
            for row in rows:
                row.pop("key", None)
            return {"rows": rows[:limit], "more": more, "silent": sorted(silent)}


def acted(client: Client, what: str, **args: Any) -> Answer:
    """The sums of an act that may take several rounds: ``{"changed": n, …, "silent": […]}``."""
    sums: dict[str, int] = {}
    silent: set[int] = set()
    after = None
    while True:
        answer = client.ask(what, timeout_s=LONG_S, after=after, **args)
        for key, value in answer["answer"].items():
            if isinstance(value, int):
                sums[key] = sums.get(key, 0) + value
        silent.update(answer["silent"])
        after = answer["answer"].get("cursor") or None
        if after is None:
            return {**sums, "silent": sorted(silent)}


def show_rows(
    answer: Answer, columns: Sequence[Column], row: Callable[[Row], Row], limit: int, *, as_json: bool
) -> None:
    """What ``listed`` brought, as JSON or as a table of what ``row`` makes of each; not whole, it ends the command."""
    if as_json:
        print_json(answer)
    else:
        out = console()
        out.print(table(columns, map(row, answer["rows"]), out.width))
        note_more(answer, limit)
    mind_silent(answer)


def tell_count(answer: Answer, count: int, noun: str, what: str, key: str, *, as_json: bool) -> None:
    """How many were dealt with: ``3 binds ended``, or ``key`` in JSON; an answer that is not whole ends the command."""
    if as_json:
        print_json({key: count, "silent": answer["silent"]})
    else:
        typer.echo(f"{counted(count, noun)} {what}")
    mind_silent(answer)


def print_json(value: object) -> None:
    """For programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def mind_silent(answer: Answer) -> None:
    """Say which workers did not answer, and end with the code for an answer that is not whole."""
    silent = answer.get("silent", [])
    if silent:
        names = ", ".join(map(str, silent))
        noun = "worker" if len(silent) == 1 else "workers"
        typer.echo(f"gatewayd: no answer from {noun} {names}: what is theirs is missing here", err=True)
        raise typer.Exit(INCOMPLETE)
