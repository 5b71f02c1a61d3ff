"""Old figures against new ones: ratio, what got worse than its kind may, and whether the two can be compared at all.

Knows figures by their names and units; runs nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench_figures import WRONGS, figures_of, label_of, written
from bench_processes import Failure
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]

RATE: Final = "per_s"

# By what a figure is, the first that its name has: how many per cent it may be worse, and how much besides, since small
# figures jump. On two cores that others use too, rates move by a fifth without any reason of ours, and the slowest
# hundredth of the spans by a half.
TOLERANCES: Final = {
    "ratio": (10.0, 0.02),
    "instructions": (1.0, 0.0),
    "cpu": (10.0, 0.5),
    RATE: (20.0, 0.0),
    "ms": (50.0, 1.0),
    "mb": (10.0, 2.0),
    "kb": (10.0, 1.0),
    "bytes": (10.0, 16.0),
    "s": (20.0, 0.5),
}

FACTS: Final = ("cpu", "cores", "kernel", "python", "python_build", "protocol_build", "spool")
SAME: Final = ("messages", "seconds", "window", "workers", "binds", "esmes", "rate", "direct", "quick")
RATE_SLACK: Final = 1.1
BUSY_MORE_THAN: Final = 0.5
"""A machine with such a load average before the run measures others, too."""


class Line(NamedTuple):
    """One figure, old and new. ``tolerance`` is in per cent; None where neither way is better."""

    scenario: str
    case: str
    name: str
    old: float
    new: float
    tolerance: float | None
    is_worse: bool

    @property
    def ratio(self) -> float | None:
        """New to old."""
        return self.new / self.old if self.old else None


def read(path: Path) -> list[Row]:
    """The rows of a file that ``--json`` made."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise Failure(f"{path}: {fault}") from None
    rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "scenario" in row for row in rows):
        raise Failure(f"{path}: this is not what scripts/bench --json prints")
    return rows


def compared(old: list[Row], new: list[Row], tolerance: float = 0.0) -> list[Line]:
    """A line for each figure that both have; with a ``tolerance`` it is that of all of them."""
    return [
        _line(row, name, before[name], value, tolerance)
        for row, before in _pairs(old, new)
        for name, value in figures_of(row).items()
        if isinstance(before.get(name), int | float)
    ]


def doubts(old: list[Row], new: list[Row]) -> list[str]:
    """Why the two should be compared with care, or not at all."""
    found: list[str] = []
    for word, rows in (("old", old), ("new", new)):
        # Only the first: what a scenario does is the load before the next one.
        facts = rows[0].get("machine", {}) if rows else {}
        if facts.get("load_average", 0.0) > BUSY_MORE_THAN:
            found.append(f"the machine was busy before the {word} run: load {facts['load_average']}")
        if not facts.get("tree_is_clean", True):
            found.append(f"the {word} figures are of a tree with changes that are in no commit")
    for row, before in _pairs(old, new):
        was, now = before.get("machine", {}), row.get("machine", {})
        found += [
            f"{fact} was {_told(was, fact)}, is {_told(now, fact)}" for fact in FACTS if was.get(fact) != now.get(fact)
        ]
        found += [
            f"{_name_of(row)}: {setting} was {_told(before, setting)}, is {_told(row, setting)}"
            for setting in SAME
            if not _alike(setting, before, row)
        ]
    keys = {_key_of(row) for row in new}
    scenarios = {scenario for scenario, _ in keys}
    found += [f"{_name_of(row)}: only old" for row in old if row["scenario"] in scenarios and _key_of(row) not in keys]
    return list(dict.fromkeys(found))


def show(lines: list[Line], warnings: list[str], console: Console) -> None:
    """The table, and what speaks against it."""
    table = Table("", "old", "new", "ratio", "tolerance", "", title="old and new", min_width=78)
    for column in table.columns[1:5]:
        column.justify = "right"
    group = ("", "")
    for line in lines:
        if (line.scenario, line.case) != group:
            group = (line.scenario, line.case)
            table.add_section()
            table.add_row(f"[bold]{': '.join(filter(None, group))}[/bold]")
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        may = "" if line.tolerance is None else f"{line.tolerance:g} %"
        mark = "[red]worse[/red]" if line.is_worse else ""
        table.add_row(label_of(line.name), written(line.old), written(line.new), ratio, may, mark)
    console.print(table)
    for warning in warnings:
        console.print(f"not the same: {warning}", style="yellow", highlight=False)


def _pairs(old: list[Row], new: list[Row]) -> list[tuple[Row, Row]]:
    by_key = {_key_of(row): row for row in old}
    return [(row, by_key[_key_of(row)]) for row in new if _key_of(row) in by_key]


def _line(row: Row, name: str, old: float, new: float, tolerance: float) -> Line:
    scenario, case = _key_of(row)
    if name in WRONGS:
        return Line(scenario, case, name, old, new, 0.0, new > old)
    words = {*name.split("_"), name[-len(RATE) :]}
    for word, (percent, slack) in TOLERANCES.items():
        if word in words:
            may = tolerance or percent
            room = abs(old) * may / 100 + slack
            return Line(scenario, case, name, old, new, may, (old - new if word == RATE else new - old) > room)
    return Line(scenario, case, name, old, new, None, is_worse=False)


def _alike(setting: str, old: Row, new: Row) -> bool:
    was, now = old.get(setting, 0) or 0, new.get(setting, 0) or 0
    if setting == "messages" and (new.get("seconds") or old.get("seconds")):
        return True  # how many came in the time is a figure
    if setting == "rate" and was and now:
        return bool(max(was, now) <= min(was, now) * RATE_SLACK)
    return bool(was == now)


def _told(facts: Row, name: str) -> object:
    return facts.get(name, "unknown")


def _key_of(row: Row) -> tuple[str, str]:
    return str(row["scenario"]), str(row.get("case", ""))


def _name_of(row: Row) -> str:
    return ": ".join(filter(None, _key_of(row)))
