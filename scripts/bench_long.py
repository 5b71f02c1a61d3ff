"""The scenario ``long``: texts of three parts, cut by their application or by us, against texts of one.

Cut by its application a text is three messages, with an id and a receipt each. In message_payload it is one message,
and the daemon cuts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from bench_options import Options
from bench_relay import measured
from bench_shapes import PARTS
from bench_wire import restore

MESSAGES, QUICK = 50_000, 600

CASES: Final = (
    # Name, shape, messages of ours a text, parts to the carrier a text, PDUs through the daemon a text.
    ("one part", "short", 1, 1, 8),
    ("three parts", "parted", PARTS, PARTS, 8 * PARTS),
    ("message_payload", "whole", 1, PARTS, 4 + 4 * PARTS),
)


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """A row for each way in which a text comes, told for each text, part and PDU."""
    texts = options.count(MESSAGES, QUICK)
    rows = []
    for name, shape, ours, parts, pdus in CASES:
        spot = place / shape
        spot.mkdir()
        asked = msgspec.structs.replace(options, shape=shape, messages=texts * ours, seconds=0.0)
        row = measured(asked, spot)
        arrived = sum(1 for at in restore(spot / "submitted_at", texts * parts) if at)
        cpu_us = row["cpu_us_per_message"] * ours
        rows.append(
            {"case": name}
            | row
            | {
                "messages": texts,
                "messages_per_s": round(row["messages_per_s"] / ours, 1),
                "cpu_us_per_message": round(cpu_us, 2),
                "cpu_us_per_part": round(cpu_us / parts, 2),
                "cpu_us_per_pdu": round(cpu_us / pdus, 2),
                "lost": max(row["lost"], texts * parts - arrived - row["refused"]),
            }
        )
    return rows
