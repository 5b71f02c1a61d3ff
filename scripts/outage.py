"""A sink fails while an application sends: the real daemon between an application, a carrier and what takes the news.

First all is well, then the sink is in trouble for as long as you say, then it is well again, and the load goes on until
everything that was owed has come. Every receipt must come, those of one handset in the order of its messages, and what
waits must cost disk, not memory.

Exit codes: 0 it was so; 1 it was not; 2 there is no verdict; 130 stopped before the end.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from outage_mqtt import MqttSink
from outage_run import Outage, Plan, is_good
from outage_webhook import WebhookSink
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from trial import Figures, tried

SINKS: dict[str, type[WebhookSink | MqttSink]] = {"webhook": WebhookSink, "mqtt": MqttSink}

LABELS = (
    ("acknowledged", "messages acknowledged"),
    ("refused", "refused or unanswered"),
    ("lost", "receipts that never came"),
    ("doubled", "receipts that came twice"),
    ("out_of_order", "receipts before an earlier one of their handset"),
    ("dead_letters", "dead letters, replayed at the end"),
    ("backlog_peak", "receipts owed, at the most"),
    ("caught_up_s", "seconds until nothing was owed, the load going on"),
    ("drained_per_s", "receipts a second meanwhile"),
    ("memory_before_mb", "workers' memory before, MB"),
    ("memory_peak_mb", "workers' memory at its peak, MB"),
    ("growth_mb", "growth in the outage, MB"),
    ("spool_peak_mb", "spool on disk at its peak, MB"),
)


def show(figures: Figures, verdict: bool) -> None:
    """The tables for people."""
    console = Console()
    what = f"{figures['sink']}: {figures['trouble']} for {figures['seconds']:g} s at {figures['rate']:g} a second"
    course = Table("s", "phase", "owed", "taken a second", "memory, MB", "spool, MB", title=what, min_width=60)
    for row in figures["course"]:
        course.add_row(
            f"{row['at_s']:.0f}", row["phase"], f"{row['owed']:,}", f"{row['per_s']:,.0f}", f"{row['memory_mb']:.0f}",
            f"{row['spool_mb']:.0f}",
        )  # fmt: skip
    table = Table("", "figure", title="good" if verdict else "NOT GOOD", min_width=60)
    for key, label in LABELS:
        table.add_row(label, f"{figures[key]:,}")
    for number in (0, 2, 3, 4, 5):
        course.columns[number].justify = "right"
    table.columns[1].justify = "right"
    console.print(course, table)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/outage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    troubles = sorted({trouble for sink in SINKS.values() for trouble in sink.troubles})
    parser.add_argument("--sink", choices=SINKS, default="webhook", help="which one fails (default webhook)")
    parser.add_argument("--trouble", choices=troubles, default="gone", help="how it fails (default gone)")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="how long it does (default 10)")
    parser.add_argument("--rate", type=float, default=500.0, metavar="R", help="messages a second (default 500)")
    parser.add_argument("--workers", type=int, default=2, metavar="W", help="the daemon's workers (default 2)")
    parser.add_argument("--handsets", type=int, default=5_000, metavar="N", help="how many there are (default 5,000)")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the spool lies; a real disk is fair"
    )
    parser.add_argument("--keep", action="store_true", help="leave spool, configuration and log behind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    asked = parser.parse_args()
    if asked.trouble not in SINKS[asked.sink].troubles:
        parser.error(f"a {asked.sink} knows these troubles: {', '.join(SINKS[asked.sink].troubles)}")
    return asked


async def perform(asked: argparse.Namespace, seed: int, place: Path) -> Figures:
    """The run that was asked for."""
    plan = Plan(
        sink=asked.sink,
        trouble=asked.trouble,
        seconds=asked.minutes * 60,
        rate=asked.rate,
        workers=asked.workers,
        handsets=asked.handsets,
    )
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        line = progress.add_task("starting", total=None)
        outage = Outage(plan, SINKS[asked.sink](place), place, lambda words: progress.update(line, description=words))
        return await outage.run()


def main() -> int:
    """One run; see the exit codes above."""
    asked = parsed()
    return tried("outage", asked, partial(perform, asked), is_good, show)


if __name__ == "__main__":
    sys.exit(main())
