"""The dashboards in conf/grafana: writes them, checks that they are up to date, or draws their layout as text.

Knows which there are; what stands in them is in the modules beside this one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dashboards_account import account
from dashboards_internals import internals
from dashboards_kit import COLUMNS, Board
from dashboards_link import link
from dashboards_overview import overview
from dashboards_rcs import rcs
from dashboards_sessions import sessions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

FOLDER: Final = Path(__file__).resolve().parent.parent / "conf" / "grafana"
BOARDS: Final[tuple[Callable[[], Board], ...]] = (overview, account, link, rcs, sessions, internals)


def texts() -> dict[Path, str]:
    """Each file with what belongs in it."""
    made = [make() for make in BOARDS]
    return {FOLDER / f"{board.uid}.json": _text(board.build()) for board in made}


def _text(board: Dashboard) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def drawing(board: Dashboard) -> Iterator[str]:
    """The layout, a line for each band of panels: a column is two characters wide."""
    yield f"{board.title}  [{board.uid}]"
    bands: dict[int, list[tuple[int, int, str]]] = {}
    for panel in board.panels or []:
        place = panel.grid_pos
        if place is not None:
            title = panel.title or ""
            kind = f" ({panel.type_val})" if isinstance(panel, Panel) else ""
            bands.setdefault(place.y, []).append((place.x, place.w, title + kind))
    for _, band in sorted(bands.items()):
        line = ""
        for x, width, title in sorted(band):
            line = (
                line.ljust(x * 5) + "|" + title[: width * 5 - 2].center(width * 5 - 1, "-" if width == COLUMNS else " ")
            )
        yield line + "|"


def main() -> int:
    """Write, check or draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a file is not up to date")
    parser.add_argument("--show", action="store_true", help="write nothing; draw the layout of each dashboard")
    asked = parser.parse_args()
    if asked.show:
        for make in BOARDS:
            print("\n".join(drawing(make().build())), end="\n\n")
        return 0
    made = texts()
    if asked.check:
        found = {path: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
        stale = sorted(path.name for path in made.keys() | found.keys() if made.get(path) != found.get(path))
        if stale:
            print(f"not up to date: {', '.join(stale)}; run scripts/dashboards", file=sys.stderr)
        return 1 if stale else 0
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
