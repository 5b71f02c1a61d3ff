"""What one message costs: the real daemon, with its real store, between a load generator and a carrier.

Each message is a submit_sm with a receipt: eight PDUs through the daemon. The generator and the carrier are
processes of their own, and so lean that the daemon is what is measured; `--direct` shows their ceiling. With `--rcs`
the carrier is a GSMA platform without a quota: one HTTP request a message to it, three webhooks back (sent,
delivered, displayed), of which the second becomes the receipt.

Messages per second leave out the carrier's fixed delay before a receipt. Processor time is that of all processes of
the daemon. Three latencies: submit_sm to its response; submit_sm to the carrier; a receipt from carrier to sender.
At full load the latter only say how long the queue is; a paced run (`--rate`) shows what the daemon adds.

`--http` measures one after the other what the same messages cost over SMPP and over the HTTP API, one a call and a
thousand a call, with their receipts as webhooks and without. `--front http` measures one of these ways alone.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench_compare
import bench_fronts
import bench_relay
from bench_facts import caption_of, machine
from bench_figures import is_red, show
from bench_options import RELAY_MESSAGES, Options, parsed
from bench_processes import Failure
from bench_scenarios import BY_NAME, Scenario, chosen, described
from rich.console import Console

INTERRUPTED = 130
EXITS = """
exit status:
  0  measured, and every message came as it should
  1  a message was lost, duplicated, damaged, refused or out of order
  2  something could not be measured (or the command line is wrong)
  3  --compare: a figure got worse than its tolerance
  130  interrupted; what was measured until then is told
"""


def main() -> int:
    """Measure and tell."""
    options = parsed(f"{__doc__}\n{described()}{EXITS}", list(BY_NAME))
    if options.lists:
        print(described())
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no daemon and no carrier may be left behind
    rows: list[dict[str, Any]] = []
    try:
        old = bench_compare.read(options.compare) if options.compare else []
        rows.extend(_kept(options) if options.figures else _rows(options))  # keeps those before an interruption
    except Failure as failure:
        _say(str(failure))
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        _print(rows, options)
        return INTERRUPTED
    _print(rows, options)
    is_worse = _tell_what_changed(old, rows, options) if options.compare else False
    if any("failure" in row for row in rows):
        return 2
    return 1 if any(map(is_red, rows)) else 3 if is_worse else 0


def _print(rows: list[dict[str, Any]], options: Options) -> None:
    """For programs, where they are who reads it."""
    if options.json:
        is_one = len(rows) == 1 and not options.scenarios
        print(json.dumps(rows[0] if is_one else rows))


def _rows(options: Options) -> Iterator[dict[str, Any]]:
    """The rows of all that is asked for; each scenario's table is shown when it is done."""
    if options.http:
        yield from _compared_ways(options)
        return
    if not options.scenarios:
        options.messages = options.messages or (0 if options.seconds else RELAY_MESSAGES)
    for scenario in chosen(options.scenarios or ["relay"]):
        rows = _measured(scenario, options)
        if not options.json and "failure" not in rows[0]:
            show(rows)
        if scenario.name == "relay" and not options.full_rate and not options.rate:
            # What was measured for minutes need not be measured again for seconds.
            options.full_rate = rows[0].get("messages_per_s", 0.0)
        yield from rows


def _kept(options: Options) -> list[dict[str, Any]]:
    """The rows of an earlier run, of the scenarios that are asked for."""
    assert options.figures is not None
    names = {scenario.name for scenario in chosen(options.scenarios or ["all"])}
    return [row for row in bench_compare.read(options.figures) if row["scenario"] in names]


def _tell_what_changed(old: list[dict[str, Any]], new: list[dict[str, Any]], options: Options) -> bool:
    """Show old against new; whether anything got worse."""
    lines = bench_compare.compared(old, new, options.tolerance)
    if not lines:
        _say(f"{options.compare} has none of these figures")
    bench_compare.show(lines, bench_compare.doubts(old, new), Console(stderr=options.json))
    return any(line.is_worse for line in lines)


def _measured(scenario: Scenario, options: Options) -> list[dict[str, Any]]:
    """One scenario's rows, or one that says why there are none."""
    seconds = scenario.quick_seconds if options.quick or options.messages else scenario.seconds
    if options.scenarios:
        _say(f"{scenario.name}: {scenario.measures}; about {seconds:g} s")
    try:
        with tempfile.TemporaryDirectory(prefix="gw-bench-", dir=options.dir) as name:
            facts = machine(Path(name))
            rows = scenario.run(options, Path(name))
    except (Failure, OSError) as failure:
        _say(str(failure))
        return [{"scenario": scenario.name, "failure": str(failure)}]
    size = {"quick": True} if options.quick else {}
    return [{"scenario": scenario.name} | row | size | {"machine": facts} for row in rows]


def _compared_ways(options: Options) -> list[dict[str, Any]]:
    """SMPP and HTTP, one way after the other."""

    def one(way: Options) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="gw-bench-", dir=way.dir) as name:
            facts = machine(Path(name))
            return bench_relay.measured(way, Path(name)) | {"machine": facts}

    options.messages = options.messages or RELAY_MESSAGES
    try:
        rows = bench_fronts.compare(options, one, _say)
    except (Failure, OSError) as failure:
        _say(str(failure))
        return [{"failure": str(failure)}]
    if not options.json:
        bench_fronts.show_all(rows, caption_of(rows[0]["machine"]))
    return rows


def _say(words: str) -> None:
    print(f"scripts/bench: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
