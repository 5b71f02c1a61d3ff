"""The relay: the real daemon, with its real store, between a load generator and a carrier, from start to figures.

Knows the three processes and what they leave; other scenarios are made of it. Not which figures are good.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec
from bench_following import START_PATIENCE_S, follow, hear_while_alive
from bench_fronts import await_receipts, checked, load_for
from bench_options import RELAY_MESSAGES, Options
from bench_processes import PASSWORD, Actor, Daemon, Plan, end, free_port
from bench_shapes import PIECES
from bench_wire import restore

SECONDS, QUICK_SECONDS = 300.0, 5.0
RCS_MESSAGES, RCS_QUICK = 50_000, 2_000


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """The scenario ``relay``: sustained, unless a number of messages is given."""
    asked = msgspec.structs.replace(options)
    if not asked.messages and asked.is_plain:
        asked.seconds = options.span_s(SECONDS, QUICK_SECONDS)
    elif not asked.messages:
        asked.messages = options.count(RELAY_MESSAGES, RCS_QUICK)
    return [measured(asked, place)]


def run_rcs(options: Options, place: Path) -> list[dict[str, Any]]:
    """The scenario ``rcs``: the same messages over a GSMA platform."""
    messages = options.count(RCS_MESSAGES, RCS_QUICK)
    return [measured(msgspec.structs.replace(options, rcs=True, messages=messages, seconds=0.0), place)]


def measured(options: Options, place: Path) -> dict[str, Any]:
    """The figures of one run, whose files lie in ``place``."""
    return report(options, place, measure(options, place))


def measure(options: Options, place: Path) -> dict[str, Any]:
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
                account_keys=f"binds_max = {options.load_binds}\n" if options.load_binds > 1 else "",
            )
            daemon = Daemon(place, plan)
            stack.callback(end, daemon.process)
        load = load_for(options, shared, port)
        stack.callback(end, load.process)
        # The sender is bound, and the daemon at the carrier.
        for actor in (load, carrier):
            hear_while_alive(actor, daemon, START_PATIENCE_S)
        before_s = daemon.processor_s() if daemon else 0.0
        load.go()
        seen = follow(load, daemon, 0 if options.seconds else options.messages, options.patience)
        if daemon is not None:
            daemon.check()
        if options.rcs and seen["received"] == options.messages:
            # What a platform still has to tell belongs to the price, too.
            hear_while_alive(carrier, daemon, START_PATIENCE_S)
        if options.receipts != "smpp":
            hear_while_alive(carrier, daemon, options.patience + START_PATIENCE_S)  # it has sent the last receipt
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


def _carrier(options: Options, shared: dict[str, Any], webhook_port: int) -> Actor:
    """Who takes the messages: an SMS carrier or an RCS platform."""
    if not options.rcs:
        tells_end = options.receipts != "smpp"
        return Actor(
            "bench_carrier.py",
            receipt_delay_s=options.receipt_delay,
            tells_end=tells_end,
            binds=options.binds,
            shape=options.shape,
            is_scattered=options.is_scattered,
            **shared,
        )
    return Actor(
        "bench_platform.py",
        receipt_delay_s=options.receipt_delay,
        webhook_port=webhook_port,
        webhook_token=PASSWORD,
        connections=options.webhook_connections,
        gather_s=options.webhook_gather,
        **shared,
    )


def report(options: Options, place: Path, run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run, under the names that `--json` prints."""
    messages = run["load"].get("messages", options.messages)
    sent, answered, received = (restore(place / name, messages) for name in ("sent_at", "answered_at", "receipt_at"))
    # A text that the daemon cuts is with the carrier when its last piece is.
    pieces = PIECES[options.shape]
    forwarded, receipt_sent = (
        restore(place / name, messages * pieces)[pieces - 1 :: pieces] for name in ("submitted_at", "receipt_sent_at")
    )
    last = forwarded if options.receipts == "none" else received
    began, ended = min(filter(None, sent), default=0.0), max(last, default=0.0)
    delay_s = 0.0 if options.receipts == "none" else options.receipt_delay
    span_s = max(ended - began - delay_s, 1e-9)
    count = run["load"]["received"]
    figures: dict[str, Any] = {
        "messages": messages,
        "messages_per_s": round(count / span_s, 1) if count else 0.0,
        "cpu_us_per_message": round(run["processor_s"] * 1e6 / count, 2) if count else 0.0,
    }
    for word, first, last in (
        ("resp", sent, answered),
        ("forward", sent, forwarded),
        ("receipt", receipt_sent, received),
    ):
        spans_ms = sorted((end - start) * 1e3 for start, end in zip(first, last, strict=True) if start and end)
        for share in (50, 99):
            figures[f"{word}_p{share}_ms"] = round(percentile(spans_ms, share), 3)
    return figures | {
        "lost": messages - count - run["load"]["refused"],
        "duplicated": run["load"]["duplicates"] + run["carrier"]["duplicates"],
        "damaged": run["load"]["damaged"] + run["carrier"]["damaged"],
        "refused": run["load"]["refused"],
        "throttled": run["load"]["throttled"],
        "rss_mb": round(run["rss_mb"], 1),
        "window": options.window,
        "seconds": options.seconds,
        "rate": options.rate,
        "direct": options.direct,
        "rcs": options.rcs,
    }


def percentile(spans: list[float], share: int) -> float:
    """The least of the sorted values that so many per cent do not exceed."""
    return spans[min(len(spans) - 1, len(spans) * share // 100)] if spans else 0.0
