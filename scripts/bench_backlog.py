"""A carrier that is away while messages come, and comes back: what accepting them costs, and draining the queue.

Several messages go to each handset, and must reach the carrier in the order in which they were handed in. Over several
binds there is none to keep, as nobody knows which of them the carrier reads first: then it is told, and is no fault.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from bench_numbered_run import Row, Stage, disk_mb, ended, per_s, wrongs
from bench_options import Options
from bench_processes import Daemon, Plan, free_port

MESSAGES, QUICK_MESSAGES = 200_000, 20_000
MESSAGES_A_HANDSET = 10
SENDER = "Bench"
# The carrier is asked for often, so that the drain begins when it comes back. It does not count as draining.
LINK_KEYS = "reconnect_min_s = 0.5\nreconnect_max_s = 1"


def run(options: Options, place: Path) -> list[Row]:
    """The scenario ``backlog``: one row."""
    messages = options.count(MESSAGES, QUICK_MESSAGES)
    with contextlib.ExitStack() as stack:
        return [_measured(Stage(options, place, stack), messages)]


def _measured(stage: Stage, messages: int) -> Row:
    options = stage.options
    port, carrier_port = free_port(), free_port()
    stage.daemon = Daemon(
        stage.place,
        Plan(
            port=port,
            carrier_port=carrier_port,
            window=options.window,
            workers=options.workers,
            binds=options.binds,
            link_keys=LINK_KEYS,
        ),
    )
    shared = {"messages": messages, "handsets": max(1, messages // MESSAGES_A_HANDSET)}
    load = stage.load(port, account="bench", sender=SENDER, patience_s=options.patience, **shared)
    stage.hear(load)
    idle = stage.settle()
    load.go()
    lines = stage.follow(load, messages, options.patience)
    outcome: dict[str, Any] = next(heard for heard in lines if heard["answered"] >= messages or "done" in heard)
    full, spool_mb = stage.settle(), disk_mb(stage.place)
    carrier = stage.carrier(senders=[SENDER], late_min_s=0.0, late_max_s=0.0, port=carrier_port, **shared)
    stage.resident_max_mb = 0.0
    for heard in lines:
        stage.look()
        outcome = heard
    drained = stage.settle()
    counts = ended(carrier, stage)
    received, arrived = outcome["received"], counts["senders"][0]
    order = "out_of_order" if options.binds == 1 else "reordered_over_binds"
    return (
        {
            "messages": messages,
            "accepted_per_s": per_s(messages, outcome["accepted_at"] - outcome["started_at"]),
            "cpu_us_per_accepted": _us_each(full.processor_s - idle.processor_s, messages),
            "drained_per_s": per_s(received, outcome["received_at"] - counts["first_at"]),
            "submitted_per_s": per_s(received, counts["last_at"] - counts["first_at"]),
            "cpu_us_per_drained": _us_each(drained.processor_s - full.processor_s, received),
            "cpu_us_per_message": _us_each(drained.processor_s - idle.processor_s, received),
            "rss_idle_mb": round(idle.rss_mb, 1),
            "rss_backlog_mb": round(full.rss_mb, 1),
            "rss_draining_mb": round(stage.resident_max_mb, 1),
            "rss_drained_mb": round(drained.rss_mb, 1),
            "rss_mb": round(stage.daemon.memory_peak_mb(), 1),
            "memory_per_waiting_bytes": round((full.rss_mb - idle.rss_mb) * 1024**2 / messages, 1),
            "spool_backlog_mb": round(spool_mb, 1),
            "window": options.window,
            "workers": options.workers,
            "binds": options.binds,
        }
        | wrongs(outcome, arrived)
        | {order: arrived["out_of_order"]}
    )


def _us_each(used_s: float, count: int) -> float:
    return round(used_s * 1e6 / count, 2) if count else 0.0
