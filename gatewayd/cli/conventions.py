"""What all commands share: exit codes, the option that names the configuration, and how a refusal is said.

Knows no command.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gatewayd import starting

if TYPE_CHECKING:
    from gatewayd.config.load import Loaded

# What a command ends with; its help says what each means there, and docs/commands.md what they mean everywhere.
OK: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
NOT_RUNNING: Final = 3
DENIED: Final = 4
INCOMPLETE: Final = 5

DEFAULT_CONFIG: Final = starting.DEFAULT_CONFIG

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]

Socket = Annotated[
    Path | None, typer.Option("--socket", help="The control socket, instead of looking it up in the configuration.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reveal = Annotated[
    bool,
    typer.Option("--reveal", help="Show whole numbers; for root and the daemon's user, where [log] reveal is true."),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many rows at most.")]


def refuse(sentence: str, code: int = REFUSED) -> NoReturn:
    """End with a sentence on stderr that says what to do."""
    typer.echo(f"gatewayd: {sentence}", err=True)
    raise typer.Exit(code)


def confirm(question: str) -> None:
    """Go on only if somebody at a terminal says yes."""
    try:
        is_meant = typer.confirm(question)
    except typer.Abort:
        is_meant = False
    if not is_meant:
        refuse("nothing was done")


def load_config(path: Path) -> Loaded:
    """The configuration; its faults end the command."""
    from gatewayd.config.faults import ConfigFaults
    from gatewayd.config.load import load

    try:
        return load(path)
    except ConfigFaults as refusal:
        for fault in refusal.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(REFUSED) from None


def counted(number: int, noun: str) -> str:
    """``1 link``, ``2 links``."""
    return (
        f"{number} {noun}" if number == 1 else f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
    )
