"""The dashboards as Grafana reads them: their panels and queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = sorted((ROOT / "conf" / "grafana").glob("*.json"))


class Asked(NamedTuple):
    """One query of one panel."""

    board: str
    panel: str
    expr: str


def board_of(path: Path) -> dict[str, Any]:
    """One dashboard."""
    board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return board


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Asked]:
    """Everything that any panel asks."""
    for path in FILES:
        for panel in panels_of(board_of(path)):
            for target in panel["targets"]:
                yield Asked(path.stem, panel["title"], target["expr"])


def concrete(expr: str, interval: str) -> str:
    """A query as Grafana sends it, with all accounts and links chosen."""
    for variable in ("$instance", "$account", "$link"):
        expr = expr.replace(variable, ".*")
    return expr.replace("$__rate_interval", interval).replace("$__range", interval)
