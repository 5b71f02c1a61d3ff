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

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any

from bench_fronts import await_receipts, checked, compare, load_for, show_all
from bench_processes import PASSWORD, Actor, Daemon, Failure, Plan, Silence, end, free_port
from bench_wire import restore
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

START_PATIENCE_S = 30.0

COLUMNS = (
    ("messages_per_s", "messages a second", "{:,.0f}"),
    ("cpu_us_per_message", "daemon's processor time a message, µs", "{:,.1f}"),
    ("resp_p50_ms", "submit_sm to response, median, ms", "{:,.1f}"),
    ("resp_p99_ms", "submit_sm to response, 99 %, ms", "{:,.1f}"),
    ("forward_p50_ms", "submit_sm to carrier, median, ms", "{:,.1f}"),
    ("forward_p99_ms", "submit_sm to carrier, 99 %, ms", "{:,.1f}"),
    ("receipt_p50_ms", "receipt from carrier to sender, median, ms", "{:,.1f}"),
    ("receipt_p99_ms", "receipt from carrier to sender, 99 %, ms", "{:,.1f}"),
    ("lost", "lost", "{:,}"),
    ("duplicated", "duplicated", "{:,}"),
    ("damaged", "damaged", "{:,}"),
    ("refused", "refused", "{:,}"),
    ("throttled", "throttled and sent again", "{:,}"),
    ("rss_mb", "daemon's memory at its peak, MB", "{:,.0f}"),
)


def measure(options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """One run, from three processes to one row of figures."""
    shared = {"messages": options.messages, "window": options.window, "place": str(place)}
    with contextlib.ExitStack() as stack:
        webhook_port = free_port() if options.rcs else 0
        carrier = _carrier(options, shared, webhook_port)
        stack.callback(end, carrier.process)
        carrier_port = carrier.hear(START_PATIENCE_S)["port"]
        port, daemon, receiver = carrier_port, None, None
        if options.receipts == "webhook":
            receiver = Actor("bench_receiver.py", place=str(place))
            stack.callback(end, receiver.process)
        if not options.direct:
            port = free_port()
            plan = Plan(
                port=free_port() if options.front == "http" else port,
                carrier_port=carrier_port,
                window=options.window,
                workers=options.workers,
                binds=options.binds,
                webhook_port=webhook_port,
                senders=options.senders,
                history_h=0 if options.no_history else 72,
                http_port=port if options.front == "http" else 0,
                receiver_port=receiver.hear(START_PATIENCE_S)["port"] if receiver is not None else 1,
                sink="webhook" if receiver is not None else "smpp",
            )
            daemon = Daemon(place, plan)
            stack.callback(end, daemon.process)
        load = load_for(options, shared, port)
        stack.callback(end, load.process)
        # The sender is bound, and the daemon at the carrier.
        for actor in (load, carrier):
            _hear_while_alive(actor, daemon, START_PATIENCE_S)
        before_s = daemon.processor_s() if daemon else 0.0
        load.go()
        seen = _follow(load, daemon, options)
        if options.rcs and seen["received"] == options.messages:
            # What a platform still has to tell belongs to the price, too.
            _hear_while_alive(carrier, daemon, START_PATIENCE_S)
        if options.receipts != "smpp":
            _hear_while_alive(carrier, daemon, options.patience + START_PATIENCE_S)  # it has sent the last receipt
        if receiver is not None:
            await_receipts(receiver, options.messages, options.patience)
        figures: dict[str, Any] = {"processor_s": 0.0, "rss_mb": 0.0}
        if daemon is not None:
            figures = {"processor_s": daemon.processor_s() - before_s, "rss_mb": daemon.memory_peak_mb()}
        carrier.process.terminate()
        counts = carrier.hear(START_PATIENCE_S)
        if options.receipts != "smpp":
            seen |= checked(receiver, place, options.messages)
        return figures | {"load": seen, "carrier": counts}


def _carrier(options: argparse.Namespace, shared: dict[str, Any], webhook_port: int) -> Actor:
    """Who takes the messages: an SMS carrier or an RCS platform."""
    if not options.rcs:
        tells_end = options.receipts != "smpp"
        return Actor("bench_carrier.py", receipt_delay_s=options.receipt_delay, tells_end=tells_end, **shared)
    return Actor(
        "bench_platform.py",
        receipt_delay_s=options.receipt_delay,
        webhook_port=webhook_port,
        webhook_token=PASSWORD,
        connections=options.webhook_connections,
        gather_s=options.webhook_gather,
        **shared,
    )


def _hear_while_alive(actor: Actor, daemon: Daemon | None, patience_s: float) -> dict[str, Any]:
    """The next line of an actor; why the daemon ended, when that is why there is none."""
    for _ in range(int(patience_s)):
        if daemon is not None:
            daemon.check()
        with contextlib.suppress(Silence):
            return actor.hear(1.0)
    return actor.hear(1.0)


def _follow(load: Actor, daemon: Daemon | None, options: argparse.Namespace) -> dict[str, Any]:
    """Show the progress until the load generator is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        answered = progress.add_task("answered", total=options.messages)
        received = progress.add_task("receipts", total=options.messages)
        while True:
            seen = _hear_while_alive(load, daemon, options.patience + START_PATIENCE_S)
            progress.update(answered, completed=seen["answered"])
            progress.update(received, completed=seen["received"])
            if "done" in seen:
                return seen


def report(options: argparse.Namespace, place: Path, run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run, under the names that `--json` prints."""
    names = ("sent_at", "answered_at", "receipt_at", "submitted_at", "receipt_sent_at")
    sent, answered, received, forwarded, receipt_sent = (restore(place / name) for name in names)
    last = forwarded if options.receipts == "none" else received
    began, ended = min(filter(None, sent), default=0.0), max(last, default=0.0)
    delay_s = 0.0 if options.receipts == "none" else options.receipt_delay
    span_s = max(ended - began - delay_s, 1e-9)
    count = run["load"]["received"]
    figures: dict[str, Any] = {
        "messages": options.messages,
        "messages_per_s": round(count / span_s, 1) if count else 0.0,
        "cpu_us_per_message": round(run["processor_s"] * 1e6 / count, 2) if count else 0.0,
    }
    for word, first, last in (
        ("resp", sent, answered),
        ("forward", sent, forwarded),
        ("receipt", receipt_sent, received),
    ):
        for share in (50, 99):
            figures[f"{word}_p{share}_ms"] = round(_percentile(first, last, share) * 1000, 3)
    return figures | {
        "lost": options.messages - count - run["load"]["refused"],
        "duplicated": run["load"]["duplicates"] + run["carrier"]["duplicates"],
        "damaged": run["load"]["damaged"] + run["carrier"]["damaged"],
        "refused": run["load"]["refused"],
        "throttled": run["load"]["throttled"],
        "rss_mb": round(run["rss_mb"], 1),
        "window": options.window,
        "rate": options.rate,
        "direct": options.direct,
        "rcs": options.rcs,
        "machine": machine(place),
    }


def _percentile(first: array[float], last: array[float], share: int) -> float:
    spans = sorted(end - start for start, end in zip(first, last, strict=True) if start and end)
    return spans[min(len(spans) - 1, len(spans) * share // 100)] if spans else 0.0


def machine(place: Path) -> dict[str, Any]:
    """What a figure must be read with."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "spool": _filesystem_of(place),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _filesystem_of(place: Path) -> str:
    best = ("", "")
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            mount, kind = line.split()[1:3]
            if place.is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def caption_of(facts: dict[str, Any]) -> str:
    """The machine, for people."""
    return (
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, Python {facts['python']},"
        f" spool on {facts['spool']}, load {facts['load_average']}"
    )


def show(figures: dict[str, Any]) -> None:
    """The table for people."""
    facts = figures["machine"]
    what = "the tools alone" if figures["direct"] else "gatewayd"
    pace = f"{figures['rate']:g} a second" if figures["rate"] else "as fast as it goes"
    kind = "messages over RCS" if figures["rcs"] else "messages"
    title = f"{what}: {figures['messages']:,} {kind}, window {figures['window']}, {pace}"
    table = Table("", "figure", title=title, caption=caption_of(facts), min_width=78)
    table.columns[1].justify = "right"
    for key, label, form in COLUMNS:
        table.add_row(label, form.format(figures[key]))
    Console().print(table)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=50_000, metavar="N", help="how many (default 50,000)")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="submit R a second (default: no pace)")
    parser.add_argument("--window", type=int, default=1_000, metavar="N", help="unanswered at most (default 1,000)")
    parser.add_argument(
        "--receipt-delay", type=float, default=0.2, metavar="S", help="the carrier's, in seconds (default 0.2)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=20.0,
        metavar="S",
        help="give up when nothing moves for S seconds (default 20)",
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the spool lies; a real disk is fair"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="the daemon's workers (default 1)")
    parser.add_argument("--binds", type=int, default=1, metavar="N", help="binds to the carrier (default 1)")
    parser.add_argument("--rcs", action="store_true", help="over RCS: a platform in place of the carrier")
    parser.add_argument(
        "--senders", type=int, default=64, metavar="N", help="RCS: requests unanswered at most (default 64)"
    )
    parser.add_argument(
        "--webhook-connections", type=int, default=16, metavar="N", help="RCS: the platform's to us (default 16)"
    )
    parser.add_argument(
        "--webhook-gather",
        type=float,
        default=0.0,
        metavar="S",
        help="RCS: webhooks leave in bunches, every S seconds (default 0: each when it is due)",
    )
    parser.add_argument("--http", action="store_true", help="compare SMPP and HTTP, one way after the other")
    parser.add_argument("--front", choices=("smpp", "http"), default="smpp", help="who takes them (default smpp)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="HTTP: messages a call (default 1)")
    parser.add_argument(
        "--http-connections", type=int, default=64, metavar="N", help="HTTP: kept, for single calls (default 64)"
    )
    parser.add_argument(
        "--receipts", choices=("smpp", "webhook", "none"), default="", help="how they come (default smpp; HTTP: none)"
    )
    parser.add_argument("--no-history", action="store_true", help="keep no history (history.keep_h = 0)")
    parser.add_argument("--direct", action="store_true", help="without the daemon: the ceiling of the tools themselves")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    options.receipts = options.receipts or ("none" if options.front == "http" else "smpp")
    if (options.direct or options.rcs) and (options.http or options.front == "http" or options.receipts != "smpp"):
        parser.error("--direct and --rcs are for SMPP")
    if options.front == "http" and (options.receipts == "smpp" or options.rate):
        parser.error("over HTTP there are neither receipts over a bind nor a pace")
    if options.rcs and options.direct:
        parser.error("--direct is for SMS: the load speaks SMPP, the platform does not")
    return options


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run, in a place of its own."""
    with tempfile.TemporaryDirectory(prefix="gatewayd-bench-", dir=options.dir) as name:
        place = Path(name)
        return report(options, place, measure(options, place))


def main() -> int:
    """Measure; 1 when a message was lost or damaged, 2 when nothing could be measured."""
    options = parsed()
    try:
        if options.http:
            rows = compare(options, measured, lambda name: print(f"scripts/bench: {name}", file=sys.stderr))
        else:
            rows = [measured(options)]
    except (Failure, OSError) as failure:
        print(f"scripts/bench: {failure}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(rows if options.http else rows[0]))
    elif options.http:
        show_all(rows, caption_of(rows[0]["machine"]))
    else:
        show(rows[0])
    return 1 if any(row["lost"] or row["damaged"] or row["refused"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
