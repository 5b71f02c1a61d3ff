"""A page of docs/ that a script makes: written anew, or only looked at.

Knows nothing of what stands in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def keep(page: Path, made: Callable[[str], str]) -> int:
    """What the page's script does when it is called; returns its exit code.

    ``made`` gives the page as it should be, for the text that it has now. With ``--check`` nothing is written, and the
    code is 1 when the two differ.
    """
    name = f"docs/{page.name}"
    script = f"scripts/{page.stem}-page"
    parser = argparse.ArgumentParser(prog=script, description=f"Writes {name}.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when the page is not up to date"
    )
    is_check, text = parser.parse_args().check, page.read_text(encoding="utf-8")
    should_be = made(text)
    if not is_check:
        page.write_text(should_be, encoding="utf-8")
    elif text != should_be:
        print(f"{name} is not up to date; run {script}", file=sys.stderr)
        return 1
    return 0
