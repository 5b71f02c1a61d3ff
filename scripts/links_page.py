"""Writes the table of statuses into docs/links.md, from the table by which links go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from made_page import keep

from gatewayd.config.carrier_statuses import OTHERWISE, RENAMED, STATUSES, WORDS

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "links.md"
BEGIN: Final = "<!-- made by scripts/links-page from gatewayd/config/carrier_statuses.py -->\n"
END: Final = "<!-- end -->\n"


def page(text: str) -> str:
    """The page with the table as it should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{chr(10).join(_lines())}\n{END}{tail}"


def _lines() -> Iterator[str]:
    yield from ("| action | means |", "|---|---|")
    yield from (f"| `{word}` | {meaning} |" for word, meaning in WORDS.items())
    yield from ("", "| status | name | since | action |", "|---|---|---|---|")
    other = {number: name for name, number in RENAMED.items()}
    for status in STATUSES:
        name = f"{status.name} (5.0: {other[status.number]})" if status.number in other else status.name
        yield f"| 0x{status.number:08X} | {name} | {status.since} | `{status.word}` |"
    yield f"| any other | carriers' own, 0x00000400 to 0x000004FF, and reserved ones | | `{OTHERWISE.word}` |"


if __name__ == "__main__":
    sys.exit(keep(PAGE, page))
