"""What the daemon survives, tried on demand: faults at random moments under load, and ledgers on both sides.

Every round is one fault: kill -9 of a worker, of the supervisor or of everything; a carrier that closes, resets, is
silent, answers half a PDU or too late, refuses binds or throttles; an application that never reads, reads a byte a
second, floods, dies within a PDU or holds idle connections. Meanwhile an honest application sends. Every message that
it was acknowledged must reach its carrier and get exactly one final receipt. A carrier may see again what was on its
way when something died, which is at most the windows: the bound.

Exit codes: 0 nothing was lost and the bound was kept; 1 it was not; 2 there is no verdict; 130 stopped before the end.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from chaos_backlog import Backlog
from chaos_limits import Limits, LimitsRun
from chaos_rounds import FAMILIES, Options, Rounds
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from trial import Figures, tried

BACKLOG_GROWTH_MAX_MB = 100.0
QUOTA_USED_MIN = 0.99

LABELS = (
    ("acknowledged", "messages acknowledged"),
    ("lost", "lost"),
    ("never_sent", "  never seen by a carrier"),
    ("without_receipt", "  without a final receipt"),
    ("two_ends", "given two different ends"),
    ("duplicated", "seen twice by a carrier"),
    ("in_flight_bound", "  of at most"),
    ("receipts_repeated", "receipts repeated"),
    ("receipts_damaged", "receipts damaged"),
    ("refused", "submits refused"),
    ("unanswered", "submits whose connection ended"),
    ("failures_logged", "failures of its own in the daemon's log"),
    ("starts_refused", "starts that had to be repeated"),
)


def is_good(figures: Figures) -> bool:
    """Whether the promises were kept."""
    if "backlog" in figures:
        in_order = not figures["out_of_order"] or figures["workers"] > 1  # several are in order for each handset only
        return in_order and not figures["lost"] and figures["growth_mb"] < BACKLOG_GROWTH_MAX_MB
    if "limits" in figures:
        is_used = min(figures["sms_used"], figures["rcs_used"]) >= QUOTA_USED_MIN
        return is_used and not figures["sms_over"] and not figures["rcs_over"]
    broken = ("lost", "two_ends", "receipts_damaged", "failures_logged")
    return not any(figures[word] for word in broken) and figures["duplicated"] <= figures["in_flight_bound"]


@contextlib.contextmanager
def progress_over(rounds: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal, silence elsewhere."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("starting", total=rounds)
        yield lambda number, name: progress.update(bar, completed=number, description=name)


async def run_rounds(options: Options, place: Path) -> Figures:
    """The figures of a run of rounds."""
    with progress_over(options.rounds) as on_round:
        return await Rounds(options, place).run(on_round)


def show(figures: Figures, verdict: bool) -> None:
    """The tables for people."""
    console = Console()
    if "faults" not in figures:
        table = Table("", "figure", title="good" if verdict else "NOT GOOD", min_width=60)
        for word, value in figures.items():
            table.add_row(word.replace("_", " "), f"{value:,}")
        table.columns[1].justify = "right"
        console.print(table)
        return
    faults = Table("fault", "rounds", title=f"seed {figures['seed']}, {figures['workers']} workers", min_width=60)
    for name, count in figures["faults"].items():
        faults.add_row(name, str(count))
    table = Table("", "count", title="good" if verdict else "NOT GOOD", min_width=60)
    for key, label in LABELS:
        table.add_row(label, f"{figures[key]:,}")
    for one in (faults, table):
        one.columns[1].justify = "right"
        console.print(one)
    console.print(
        f"Replay: scripts/chaos --rounds {figures['rounds']} --seed {figures['seed']} --workers {figures['workers']}"
    )


async def run_backlog(messages: int, workers: int, place: Path) -> Figures:
    """The figures of a backlog."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bars = {word: progress.add_task(word, total=messages) for word in ("answered", "received")}
        return await Backlog(
            messages, workers, place, lambda word, count: progress.update(bars[word], completed=count)
        ).run()


async def run_limits(seconds: float, seed: int, workers: int, place: Path) -> Figures:
    """The figures of a run against the quotas."""
    with progress_over(int(seconds)) as on_second:
        limits = Limits(seconds=seconds, seed=seed, workers=workers)
        return await LimitsRun(limits, place, lambda second: on_second(second, "seconds")).run()


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="how many faults (default 30)")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="replay a run (default: a new one)")
    parser.add_argument("--workers", type=int, default=2, metavar="W", help="the daemon's workers (default 2)")
    parser.add_argument(
        "--faults", choices=FAMILIES, nargs="+", default=list(FAMILIES), help="only faults of these families"
    )
    parser.add_argument(
        "--backlog", type=int, default=0, metavar="N", help="instead: N messages while the carrier is away"
    )
    parser.add_argument(
        "--limits", type=float, default=0.0, metavar="S", help="instead: shared quotas for S seconds while workers die"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the spool lies; a real disk is fair"
    )
    parser.add_argument("--keep", action="store_true", help="leave spool, configuration and log behind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    return parser.parse_args()


async def perform(asked: argparse.Namespace, seed: int, place: Path) -> Figures:
    """The run that was asked for."""
    if asked.backlog:
        return await run_backlog(asked.backlog, asked.workers, place)
    if asked.limits:
        return await run_limits(asked.limits, seed, asked.workers, place)
    return await run_rounds(Options(asked.rounds, seed, asked.workers, tuple(asked.faults)), place)


def main() -> int:
    """One run; see the exit codes above."""
    asked = parsed()
    return tried("chaos", asked, partial(perform, asked), is_good, show)


if __name__ == "__main__":
    sys.exit(main())
