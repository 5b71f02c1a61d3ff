"""Writes the table of statuses into docs/links.md, from the table by which links go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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


def main() -> int:
    """Write the page, or only look whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when the page is not up to date"
    )
    is_check, text = parser.parse_args().check, PAGE.read_text(encoding="utf-8")
    if is_check and text != page(text):
        print("docs/links.md is not up to date; run scripts/links-page", file=sys.stderr)
        return 1
    if not is_check:
        PAGE.write_text(page(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
