"""The scenarios of the benchmark: what each measures, how long it takes, and which function does it.

A scenario is a function of the options and of a directory of its own on the disk that is measured. It returns rows of
figures under names whose units come last, each with a ``case`` where there are several, and with what went wrong in
numbers (``WRONGS``). The machine's facts are added to them. It raises ``Failure`` when nothing could be measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import bench_backlog
import bench_binds
import bench_fairness
import bench_instructions
import bench_late
import bench_latency
import bench_long
import bench_memory
import bench_relay
import bench_workers
from bench_options import Options

Row = dict[str, Any]
Run = Callable[[Options, Path], list[Row]]


class Scenario(NamedTuple):
    """One line of the table; the times are those of a machine of two cores."""

    name: str
    measures: str
    seconds: float
    quick_seconds: float
    run: Run
    needs: str = ""
    """A command that need not be there: without it ``all`` leaves this one out."""


SCENARIOS: Final = (
    Scenario(
        "relay", "SMPP to SMPP as fast as it goes, for five minutes: rate, CPU, latencies", 320, 12, bench_relay.run
    ),
    Scenario(
        "latency",
        "at 40 and 500 a second and at half of what it can: response, forward, receipt",
        240,
        15,
        bench_latency.run,
    ),
    Scenario(
        "workers",
        "1, 2 and 4 workers, binds and handsets at random: CPU of each, ratio to one",
        220,
        20,
        bench_workers.run,
    ),
    Scenario("rcs", "SMPP to a GSMA platform, webhooks back: rate, CPU, latencies", 60, 6, bench_relay.run_rcs),
    Scenario(
        "long",
        "texts of three parts, cut by their application and by us: CPU a text, part and PDU",
        60,
        8,
        bench_long.run,
    ),
    Scenario(
        "late",
        "receipts 1 to 60 s late, random ids, five millions: CPU a message, from part to part",
        540,
        12,
        bench_late.run,
    ),
    Scenario(
        "backlog", "the carrier away while 200,000 come, then the drain: rates, CPU, memory", 60, 10, bench_backlog.run
    ),
    Scenario(
        "fairness", "codes beside a campaign of 200,000: how much longer to the carrier", 240, 15, bench_fairness.run
    ),
    Scenario(
        "binds",
        "1,000 idle ESMEs beside one that works: memory and CPU of each, binds a second",
        260,
        20,
        bench_binds.run,
    ),
    Scenario(
        "memory",
        "idle; each idle ESME; each of 200,000 messages that wait for receipts; disk",
        120,
        20,
        bench_memory.run,
    ),
    Scenario(
        "instructions",
        "instructions of the processor a message, by valgrind: the same on a busy machine",
        40,
        30,
        bench_instructions.run,
        bench_instructions.VALGRIND,
    ),
)
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}


def chosen(names: list[str]) -> list[Scenario]:
    """Those that are asked for, in the order of the table, each once."""
    return [
        scenario
        for scenario in SCENARIOS
        if scenario.name in names or ("all" in names and (not scenario.needs or shutil.which(scenario.needs)))
    ]


def described() -> str:
    """The table, as plain text for a help page."""
    width = max(len(scenario.name) for scenario in SCENARIOS)
    lines = ["scenarios (about so long; with --quick so long):"]
    lines += [
        f"  {one.name:{width}}  {_span(one.seconds):>6} {_span(one.quick_seconds):>6}  {one.measures}"
        for one in SCENARIOS
    ]
    return "\n".join([*lines, f"  {'all':{width}}  one after the other"]) + "\n"


def _span(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.0f} min"
