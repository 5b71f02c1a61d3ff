"""The ways into and out of the daemon that a benchmark compares: SMPP or HTTP, one a call or many, webhooks or none.

Knows which processes that takes and what they leave; the measurement is `bench`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from bench_options import Options
from bench_processes import KEY, PASSWORD, Actor, Failure
from bench_wire import HANDSET_FIRST, moments, restore, save
from rich.console import Console
from rich.table import Table

BATCH: Final = 1_000
BATCH_CONNECTIONS: Final = 4
LOOK_S: Final = 0.05

# Front, messages a call, receipts.
WAYS: Final = (
    ("smpp", 1, "smpp"),
    ("smpp", 1, "none"),
    ("smpp", 1, "webhook"),
    ("http", 1, "none"),
    ("http", 1, "webhook"),
    ("http", BATCH, "none"),
    ("http", BATCH, "webhook"),
)
TOLD: Final = {"smpp": "over the bind", "none": "none", "webhook": "webhooks"}


def load_for(options: Options, shared: dict[str, Any], port: int) -> Actor:
    """Who sends the messages."""
    if options.front == "smpp":
        return Actor(
            "bench_load.py",
            port=port,
            password=PASSWORD,
            rate=options.rate,
            seconds=options.seconds,
            patience_s=options.patience,
            wants=options.receipts != "none",
            awaits=options.receipts == "smpp",
            shape=options.shape,
            binds=options.load_binds,
            is_scattered=options.is_scattered,
            **shared,
        )
    return Actor(
        "bench_http.py",
        port=port,
        key=KEY,
        batch=options.batch,
        connections=options.http_connections if options.batch == 1 else BATCH_CONNECTIONS,
        receipts=options.receipts != "none",
        patience_s=options.patience,
        **shared,
    )


def await_receipts(receiver: Actor, count: int, patience_s: float) -> None:
    """Until as many webhooks have come, or none comes any more."""
    seen, moved_at = 0, time.monotonic()
    while seen < count and time.monotonic() - moved_at < patience_s:
        time.sleep(LOOK_S)
        now = receiver.latest().get("receipts", 0)
        if now > seen:
            seen, moved_at = now, time.monotonic()


def read_receipts(place: Path, messages: int) -> dict[str, int]:
    """What a receiver took, once it has ended: its moments are left, and counts are told."""
    receipt_at = moments(messages)
    received = duplicates = damaged = 0
    ids = (place / "ids").read_text(encoding="ascii").split("\n")
    for line in (place / "taken").read_text(encoding="ascii").splitlines():
        at, _, kind, handset, _, message_id, state = line.split()
        if kind != "message.receipt":
            continue
        number = int(handset) - HANDSET_FIRST
        if receipt_at[number]:
            duplicates += 1
            continue
        receipt_at[number] = float(at)
        received += 1
        damaged += state != "DELIVRD" or message_id != ids[number]
    save(place / "receipt_at", receipt_at)
    return {"received": received, "duplicates": duplicates, "damaged": damaged}


def read_taken(place: Path, messages: int) -> dict[str, int]:
    """The same where nobody is told: what the carrier took counts."""
    submitted = restore(place / "submitted_at")
    save(place / "receipt_at", moments(messages))
    return {"received": sum(1 for at in submitted if at)}


def compare(
    options: Options, one: Callable[[Options], dict[str, Any]], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Each way's figures, measured one after the other."""
    rows = []
    for front, batch, receipts in WAYS:
        way = msgspec.structs.replace(options, front=front, batch=batch, receipts=receipts)
        say(name_of(front, batch, receipts))
        rows.append(one(way) | {"front": front, "batch": batch, "receipts": receipts})
    return rows


def name_of(front: str, batch: int, receipts: str) -> str:
    """A way, for people."""
    many = f", {batch:,} a call" if batch > 1 else ", one a call" if front == "http" else ""
    return f"{front.upper()}{many}; receipts: {TOLD[receipts]}"


def show_all(rows: list[dict[str, Any]], caption: str) -> None:
    """The table for people."""
    title = f"gatewayd: {rows[0]['messages']:,} messages each way, as fast as it goes"
    table = Table("", "a second", "µs each", "p50, ms", "p99, ms", title=title, caption=caption)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            name_of(row["front"], row["batch"], row["receipts"]),
            f"{row['messages_per_s']:,.0f}",
            f"{row['cpu_us_per_message']:,.0f}",
            f"{row['resp_p50_ms']:,.1f}",
            f"{row['resp_p99_ms']:,.1f}",
        )
    Console().print(table)


def checked(receiver: Actor | None, place: Path, messages: int) -> dict[str, int]:
    """What came of the receipts, when they did not come back over the bind."""
    if receiver is None:
        return read_taken(place, messages)
    receiver.process.terminate()
    if receiver.process.wait(30):
        raise Failure("the receiver of webhooks failed")
    return read_receipts(place, messages)
