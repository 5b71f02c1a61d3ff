"""A day in real time: the real daemon between applications, an RCS platform with a quota, and an SMS carrier.

Handsets are of every kind: most take RCS, some cannot be reached, some fail, answer late, never, twice or out of
order. In the middle the platform answers 503, then 429, is away, and each of two workers is killed once. In the end
the platform's ledger, the billing records and the applications' receipts are held side by side, message by message,
and quota and error ratio are looked at in every window.

Exit codes: 0 all agree; 1 they do not; 2 there is no verdict; 130 stopped before the end.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from day_run import Day, Options, is_good
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from trial import Figures, tried


@contextlib.contextmanager
def progress_over(messages: int) -> Iterator[Callable[[int, int, str], None]]:
    """Two bars on a terminal, silence elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        sent = progress.add_task("submitted", total=messages)
        ended = progress.add_task("ended", total=messages)

        def show(submitted: int, received: int, happening: str) -> None:
            progress.update(sent, completed=submitted, description=f"submitted: {happening}")
            progress.update(ended, completed=received)

        yield show


def show(figures: Figures, verdict: bool) -> None:
    """The tables for people."""
    console = Console()
    title = f"{figures['messages']:,} messages, seed {figures['seed']}, {figures['workers']} workers"
    table = Table("question", "wrong", title=title, min_width=70)
    for question, wrong in figures["checks"].items():
        table.add_row(question, f"{wrong:g}", style="bold red" if wrong else "")
    facts = Table("", "figure", title="good" if verdict else "NOT GOOD", min_width=70)
    for word, value in figures["figures"].items():
        facts.add_row(word.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    for one in (table, facts):
        one.columns[1].justify = "right"
        console.print(one)
    for question, few in figures["examples"].items():
        console.print(f"{question}: {few}", markup=False)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/day", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2_000, metavar="N", help="how many (default 2,000)")
    parser.add_argument(
        "--rate", type=float, default=30.0, metavar="R", help="on average R a second, in campaigns (default 30)"
    )
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="the same traffic again (default: new)")
    parser.add_argument("--workers", type=int, default=2, metavar="W", help="the daemon's workers (default 2)")
    parser.add_argument(
        "--brief", action="store_true", help="deadlines, pauses and late webhooks of seconds, not of minutes"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the spool lies; a real disk is fair"
    )
    parser.add_argument("--keep", action="store_true", help="leave spool, records, configuration and log behind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    return parser.parse_args()


async def perform(asked: argparse.Namespace, seed: int, place: Path) -> Figures:
    """The day that was asked for."""
    options = Options(asked.messages, asked.rate, seed, asked.workers, asked.brief)
    with progress_over(asked.messages) as on_progress:
        return await Day(options, place, on_progress).run()


def main() -> int:
    """One run; see the exit codes above."""
    asked = parsed()
    return tried("day", asked, partial(perform, asked), is_good, show)


if __name__ == "__main__":
    sys.exit(main())
