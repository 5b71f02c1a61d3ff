"""How figures are read: their labels, which way is better, tables for people, and what went wrong.

Knows names and units, and nothing of how anything is measured.
"""

from __future__ import annotations

from typing import Any, Final

from bench_facts import caption_of
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]

WRONGS: Final = ("lost", "duplicated", "damaged", "refused", "out_of_order", "cut")
"""What must be 0, wherever it is told."""

SETTINGS: Final = frozenset(
    {"scenario", "case", "machine", "messages", "window", "rate", "direct", "rcs", "workers", "binds", "esmes"}
    | {"front", "batch", "receipts", "seconds", "failure", "within_s", "enquiries", "quick"}
)
"""What was asked for, and no figure."""

LABELS: Final = {
    "messages_per_s": "messages a second",
    "cpu_us_per_message": "daemon's processor time a message, µs",
    "instructions_per_message": "instructions a message",
    "resp_p50_ms": "submit_sm to response, median, ms",
    "resp_p99_ms": "submit_sm to response, 99 %, ms",
    "forward_p50_ms": "submit_sm to carrier, median, ms",
    "forward_p99_ms": "submit_sm to carrier, 99 %, ms",
    "receipt_p50_ms": "receipt from carrier to sender, median, ms",
    "receipt_p99_ms": "receipt from carrier to sender, 99 %, ms",
    "last_part_to_first_ratio": "processor time, the last part to the first",
    "waiting_max": "messages waiting for receipts, at most",
    "rss_after_mb": "daemon's memory afterwards, MB",
    "rss_idle_mb": "daemon's memory, idle, MB",
    "rss_backlog_mb": "daemon's memory with the backlog, MB",
    "rss_draining_mb": "daemon's memory while draining, at most, MB",
    "pss_idle_mb": "daemon's memory, idle, shared pages once, MB",
    "rss_kb_per_esme": "memory an idle ESME, KB",
    "pss_kb_per_esme": "memory an idle ESME, shared pages once, KB",
    "rss_bytes_per_message": "memory a message that waits for its receipt, bytes",
    "pss_bytes_per_message": "the same, shared pages once, bytes",
    "spool_bytes_per_message": "spool on disk a message that waits, bytes",
    "history_bytes_per_message": "history on disk a message that waits, bytes",
    "rss_waiting_mb": "daemon's memory with them, MB",
    "spool_drained_mb": "spool on disk when drained, MB",
    "idle_cpu_ms_per_s": "processor time of a second without messages, ms",
    "bind_cpu_ms_per_esme": "processor time of an ESME's first bind, ms",
    "binds_per_s": "first binds a second",
    "rebind_cpu_ms_per_esme": "processor time of a bind after that, ms",
    "rebinds_per_s": "binds after that a second",
    "cut": "sessions of idle ESMEs that broke",
    "cpu_us_per_part": "processor time a part, µs",
    "cpu_us_per_pdu": "processor time a PDU through the daemon, µs",
    "cpu_ratio": "processor time to one worker's",
    "rss_drained_mb": "daemon's memory when drained, MB",
    "memory_per_waiting_bytes": "memory a message in the backlog, bytes",
    "spool_mb": "spool on disk, MB",
    "spool_backlog_mb": "spool on disk with the backlog, MB",
    "cpu_us_per_accepted": "processor time to accept a message, µs",
    "cpu_us_per_drained": "processor time to drain a message, µs",
    "drained_per_s": "drained a second, receipts included",
    "submitted_per_s": "submitted to the carrier a second",
    "accepted_per_s": "accepted a second",
    "idle_p50_ms": "to the carrier on an idle gateway, median, ms",
    "idle_p99_ms": "to the carrier on an idle gateway, 99 %, ms",
    "filling_p50_ms": "while the campaign is handed in, median, ms",
    "filling_p99_ms": "while the campaign is handed in, 99 %, ms",
    "queued_p50_ms": "beside the campaign, median, ms",
    "queued_p99_ms": "beside the campaign, 99 %, ms",
    "queued_above_idle_p50_ms": "beside the campaign above idle, median, ms",
    "queued_above_idle_p99_ms": "beside the campaign above idle, 99 %, ms",
    "codes": "codes sent beside the queue",
    "throttled": "throttled and sent again",
    "out_of_order": "out of order",
    "rss_mb": "daemon's memory at its peak, MB",
}


def label_of(name: str) -> str:
    """A figure's name, for people."""
    return LABELS.get(name) or name.replace("_per_", " a ").replace("_", " ").replace(" us ", " µs ")


def written(value: object) -> str:
    """A figure, as long as it needs to be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3g}"


def figures_of(row: Row) -> dict[str, float]:
    """What was measured, in the order in which it is told."""
    return {name: value for name, value in row.items() if name not in SETTINGS and isinstance(value, int | float)}


def is_red(row: Row) -> bool:
    """Whether a message was lost, duplicated, damaged or refused, or nothing came of it."""
    return "failure" in row or any(row.get(name) for name in WRONGS)


def show(rows: list[Row]) -> None:
    """A scenario's table: a figure a line, a case a column."""
    first = rows[0]
    facts = first.get("machine")
    table = Table("", title=title_of(first), caption=caption_of(facts) if facts else None, min_width=78)
    for number, row in enumerate(rows, 1):
        table.add_column(str(row.get("case", "figure" if len(rows) == 1 else number)), justify="right")
    names = dict.fromkeys(name for row in rows for name in figures_of(row))
    for name in names:
        table.add_row(label_of(name), *(written(row[name]) if name in row else "" for row in rows))
    Console().print(table)


def title_of(row: Row) -> str:
    """What was measured, in a line."""
    words = [f"{row['messages']:,} messages"] if row.get("messages") else []
    words += [f"{row['seconds']:g} s"] if row.get("seconds") else []
    words += [f"window {row['window']:,}"] if row.get("window") else []
    words += ["the tools alone"] if row.get("direct") else []
    words += [f"{row['rate']:g} a second"] if row.get("rate") else []
    return ": ".join([str(row.get("scenario", "gatewayd")), *([", ".join(words)] if words else [])])
