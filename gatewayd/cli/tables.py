"""How values look on a terminal: tables that fit it, ages, amounts and colours.

Knows no command; prints nothing by itself but what it is told.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_GAP: Final = 2
PIPE_WIDTH: Final = 160
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3_600.0, 86_400.0
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


class Column(NamedTuple):
    """A column: its title, the key of its values, and whether it goes where there is little room."""

    title: str
    key: str
    is_number: bool = False
    is_spare: bool = False


def console(*, to_stderr: bool = False) -> Console:
    """Where tables go: as wide as the terminal, and wide where there is none."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    is_pipe = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=to_stderr, highlight=False, width=PIPE_WIDTH if is_pipe else None)


def table(columns: Sequence[Column], rows: Iterable[dict[str, Any]], width: int, title: str = "") -> Table:
    """Rows of words that are ready to be shown. Where they need more room, spare columns go, the last first."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    made = Table(
        box=None, pad_edge=False, padding=(0, _GAP, 0, 0), title=title or None, title_justify="left", title_style="bold"
    )
    shown = fitting(columns, rows, width)
    for column in shown:
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        made.add_column(column.title, justify=justify, header_style="dim", no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [row.get(column.key, "") for column in shown]
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
    return made


def fitting(columns: Sequence[Column], rows: Sequence[dict[str, Any]], width: int) -> list[Column]:
    """The columns for which there is room."""
    shown = list(columns)
    needed = {
        column: max([len(column.title), *(len(str(row.get(column.key, ""))) for row in rows)]) for column in shown
    }
    for column in reversed(columns):
        if sum(needed[one] + _GAP for one in shown) - _GAP <= width:
            break
        if column.is_spare:
            shown.remove(column)
    return shown


def note_more(answer: dict[str, Any], limit: int) -> None:
    """Say on stderr that a list goes on."""
    if answer["more"]:
        typer.echo(f"(the first {limit}; --limit shows more)", err=True)


def coloured(word: str, colour: str) -> Text:
    """A word in a colour."""
    from rich.text import Text

    return Text(word, style=colour)


def age(seconds: float) -> str:
    """``12 s``, ``3 min``, ``5 h 02``, ``4 d``; nothing for less than a second."""
    if seconds < 1.0:
        return ""
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    if seconds < _DAY_S:
        hours, rest = divmod(seconds, _HOUR_S)
        return f"{hours:.0f} h {rest / _MINUTE_S:02.0f}"
    return f"{seconds / _DAY_S:.0f} d"


def since(moment: float, now: float | None = None) -> str:
    """How long ago a moment in Unix seconds was."""
    return age((time.time() if now is None else now) - moment) or "now"


def moment(at: float) -> str:
    """A moment in Unix seconds, in local time; nothing for none."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""


def amount(number: float) -> str:
    """``1,234``; nothing for none."""
    return f"{number:,.0f}" if number else ""


def size(octets: float) -> str:
    """``12.3 MiB``."""
    for unit in _UNITS:
        if octets < 1024 or unit == _UNITS[-1]:
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1024
    raise AssertionError
