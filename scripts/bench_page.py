"""Writes the figures of `scripts/bench all --json > FILE.json` into BENCHMARKS.md, and keeps them beside it.

They are kept in docs/benchmarks.json. FILE.json may be of some scenarios alone: those are exchanged, the others stay.
Without it the page is written anew from what is kept. With --check nothing is written, and the exit status is 1 when
the page is not what the figures say. Figures of a run in which a message was lost, or anything else went wrong, are
refused.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import bench_compare
from bench_facts import ROOT, machine_of, run_of
from bench_figures import WRONGS, is_red, label_of, written
from bench_processes import Failure
from bench_scenarios import SCENARIOS, Scenario

Row = dict[str, Any]

PAGE: Final = ROOT / "BENCHMARKS.md"
KEPT: Final = ROOT / "docs" / "benchmarks.json"
BEGIN: Final = "<!-- figures -->\n"
END: Final = "<!-- end of figures -->\n"
NOT_MEASURED: Final = "Not measured yet."

# What the page shows of each scenario; docs/benchmarks.json has all of it.
COST: Final = ("messages_per_s", "cpu_us_per_message")
SHOWN: Final = {
    "relay": (*COST, "resp_p50_ms", "resp_p99_ms", "rss_mb"),
    "latency": ("messages_per_s", "resp_p50_ms", "resp_p99_ms", "forward_p99_ms", "receipt_p99_ms"),
    "workers": (*COST, "cpu_ratio"),
    "rcs": (*COST, "rss_mb"),
    "long": ("messages_per_s", "cpu_us_per_message", "cpu_us_per_part", "cpu_us_per_pdu"),
    "late": (*COST, "last_part_to_first_ratio", "waiting_max", "rss_mb", "rss_after_mb"),
    "backlog": ("accepted_per_s", "drained_per_s", "cpu_us_per_message", "memory_per_waiting_bytes", "rss_mb"),
    "fairness": ("idle_p99_ms", "queued_p99_ms", "queued_above_idle_p99_ms", "submitted_per_s"),
    "binds": (
        *("cpu_us_per_message", "bind_cpu_ms_per_esme", "binds_per_s", "rebind_cpu_ms_per_esme", "rebinds_per_s"),
        *("rss_kb_per_esme", "idle_cpu_ms_per_s"),
    ),
    "memory": (
        *("rss_idle_mb", "pss_idle_mb", "rss_kb_per_esme", "rss_bytes_per_message", "spool_bytes_per_message"),
        "history_bytes_per_message",
    ),
    "instructions": ("instructions_per_message",),
}


def main() -> int:
    """Write, or look."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench-page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE.json", help="new figures")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 when the page is out of date"
    )
    options = parser.parse_args()
    try:
        rows = merged(bench_compare.read(KEPT), bench_compare.read(options.file) if options.file else [])
    except Failure as failure:
        print(f"scripts/bench-page: {failure}", file=sys.stderr)
        return 2
    text = PAGE.read_text(encoding="utf-8")
    should_be = page(text, rows)
    if options.check:
        if text != should_be:
            print("BENCHMARKS.md is not what docs/benchmarks.json says; run scripts/bench-page", file=sys.stderr)
        return int(text != should_be)
    KEPT.write_text(kept(rows), encoding="utf-8")
    PAGE.write_text(should_be, encoding="utf-8")
    return 0


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """The new figures, and the old ones of scenarios that are not among them, in the order of the table."""
    wrong = sorted({str(row["scenario"]) for row in new if is_red(row)})
    if wrong:
        raise Failure(f"something went wrong in {', '.join(wrong)}: such figures are not shown")
    measured = {row["scenario"] for row in new}
    rows = [row for row in old if row["scenario"] not in measured] + new
    return [row for scenario in SCENARIOS for row in rows if row["scenario"] == scenario.name]


def kept(rows: list[Row]) -> str:
    """The figures as they are kept: a row a line, so that a difference can be read."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n" if rows else "[]\n"


def page(text: str, rows: list[Row]) -> str:
    """The page with the figures as they should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{chr(10).join(_lines(rows))}\n{END}{tail}"


def _lines(rows: list[Row]) -> Iterator[str]:
    machines = dict.fromkeys(machine_of(row["machine"]) for row in rows if "machine" in row)
    if len(machines) == 1:
        yield from ("", f"All of it on one machine: {next(iter(machines))}.")
    for scenario in SCENARIOS:
        some = [row for row in rows if row["scenario"] == scenario.name]
        yield from ("", f"### {scenario.name}", "", f"{scenario.measures[0].upper()}{scenario.measures[1:]}.", "")
        yield from _table(some, scenario) if some else (NOT_MEASURED,)
        if some and len(machines) > 1:
            yield f"On {machine_of(some[0].get('machine', {}))}."
    yield ""


def _table(rows: list[Row], scenario: Scenario) -> Iterator[str]:
    """A scenario's cases, and what their figures must be read with."""
    if any(row.get("quick") for row in rows):
        yield from ("**A quick run: it shows that it works, not what it costs.**", "")
    names = [name for name in SHOWN[scenario.name] if any(name in row for row in rows)]
    yield f"| |{'|'.join(f' {label_of(name)} ' for name in names)}|"
    yield f"|---|{'|'.join('---:' for _ in names)}|"
    for row in rows:
        cells = (f" {written(row[name])} " if name in row else " " for name in names)
        yield f"| {_case_of(row)} |{'|'.join(cells)}|"
    counted = sum(int(row.get(name, 0)) for row in rows for name in WRONGS)
    run = run_of(rows[0].get("machine", {}))
    yield from ("", f"Lost, duplicated, damaged, refused or out of order: {counted}. Measured {run}.")


def _case_of(row: Row) -> str:
    """What was run: the case, and how much of it."""
    size = (
        f"{row['seconds']:g} s"
        if row.get("seconds")
        else f"{row['messages']:,} messages"
        if row.get("messages")
        else ""
    )
    size = f"{row['esmes']:,} ESMEs" if row.get("esmes") and "messages" not in row else size
    return ", ".join(filter(None, (str(row.get("case", "")), size)))


if __name__ == "__main__":
    sys.exit(main())
