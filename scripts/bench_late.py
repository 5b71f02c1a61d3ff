"""Receipts that come late, under ids that nobody foresees: does a message cost more when millions have gone before?

The carrier gives random ids of sixteen hexadecimal digits and sends each receipt between a sixtieth of the time given
(a minute) and the whole of it later, so hundreds of thousands of messages wait for theirs at any time. The messages are
told in five parts: a part ends with a receipt. What is left of the fifth when the last message has been accepted is the
tail, in which there are receipts alone, fewer and fewer. The processor time of a part is shared by the mean of the
messages that were accepted and of those that were receipted in it, as in the first part more are accepted; both counts
are told, too. The fifth part is held against the first one, and a rate is told, only if the messages were so many that
receipts came for four fifths of them while the last ones were still accepted.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any, NamedTuple

from bench_numbered_run import Row, Stage, disk_mb, ended, per_s, wrongs
from bench_options import Options
from bench_processes import Daemon, Plan, Use, free_port

MESSAGES, QUICK_MESSAGES = 5_000_000, 30_000
WITHIN_S, QUICK_WITHIN_S = 60.0, 1.0
PARTS = 5
SENDER = "Bench"


class Mark(NamedTuple):
    """How far the messages were when a part ended, and what the daemon had used by then."""

    name: str
    at: float
    answered: int
    received: int
    use: Use


def run(options: Options, place: Path) -> list[Row]:
    """The scenario ``late``: a row for the whole, and one for each part."""
    messages = options.count(MESSAGES, QUICK_MESSAGES)
    within_s = options.within or (QUICK_WITHIN_S if options.quick else WITHIN_S)
    with contextlib.ExitStack() as stack:
        stage = Stage(options, place, stack)
        return _measured(stage, messages, within_s)


def _measured(stage: Stage, messages: int, within_s: float) -> list[Row]:
    options = stage.options
    shared = {"messages": messages, "handsets": messages}
    carrier = stage.carrier(senders=[SENDER], late_min_s=within_s / 60, late_max_s=within_s, **shared)
    port = free_port()
    stage.daemon = Daemon(
        stage.place,
        Plan(
            port=port,
            carrier_port=stage.hear(carrier)["port"],
            window=options.window,
            workers=options.workers,
            binds=options.binds,
        ),
    )
    patience_s = options.patience + within_s
    load = stage.load(
        port,
        account="bench",
        sender=SENDER,
        patience_s=patience_s,
        marks=[messages * part // PARTS for part in range(1, PARTS + 1)],
        **shared,
    )
    for actor in (load, carrier):
        stage.hear(actor)
    marks = [Mark("", 0.0, 0, 0, stage.look())]
    load.go()
    outcome: dict[str, Any] = {}
    for outcome in stage.follow(load, messages, patience_s):
        use = stage.look()
        if "mark" in outcome or ("accepted" in outcome and len(marks) == PARTS):
            name = f"part {len(marks)}" if len(marks) <= PARTS else "tail"
            marks.append(Mark(name, outcome["at"], outcome["answered"], outcome["received"], use))
    marks[0] = marks[0]._replace(at=outcome["started_at"])
    peak_mb, spool_mb = stage.daemon.memory_peak_mb(), disk_mb(stage.place)
    counts = ended(carrier, stage)
    parts = [_part(*pair) for pair in itertools.pairwise(marks)]
    accepting_s = outcome["accepted_at"] - outcome["started_at"]
    receipting_s = outcome["received_at"] - outcome["started_at"] - within_s
    whole: Row = {
        "case": "whole",
        "messages": messages,
        "accepted_per_s": per_s(outcome["answered"], accepting_s),
        "cpu_us_per_message": _part(marks[0], marks[-1])["cpu_us_per_message"],
        "waiting_max": counts["waiting_max"],
        "rss_mb": round(peak_mb, 1),
        "spool_mb": round(spool_mb, 1),
        "window": options.window,
        "workers": options.workers,
        "within_s": within_s,
    }
    if len(parts) > PARTS and parts[0]["cpu_us_per_message"]:
        ratio = parts[PARTS - 1]["cpu_us_per_message"] / parts[0]["cpu_us_per_message"]
        whole["last_part_to_first_ratio"] = round(ratio, 3)
        whole["messages_per_s"] = per_s(outcome["received"], max(accepting_s, receipting_s))
    return [whole | wrongs(outcome, counts["senders"][0]), *parts]


def _part(first: Mark, last: Mark) -> Row:
    """What one part took."""
    accepted, received = last.answered - first.answered, last.received - first.received
    used_s = last.use.processor_s - first.use.processor_s
    count = (accepted + received) / 2
    return {
        "case": last.name,
        "cpu_us_per_message": round(used_s * 1e6 / count, 2) if count else 0.0,
        "accepted_per_s": per_s(accepted, last.at - first.at),
        "receipted_per_s": per_s(received, last.at - first.at),
        "accepted": accepted,
        "receipted": received,
        "rss_after_mb": round(last.use.rss_mb, 1),
    }
