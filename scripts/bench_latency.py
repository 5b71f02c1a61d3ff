"""The scenario ``latency``: what the daemon adds at a pace: 40 and 500 a second, and a share of all it can.

At full load a latency only says how long the queue is. Each pace has a daemon of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from bench_options import Options
from bench_relay import measured

PACES: Final = (40.0, 500.0)
SECONDS, QUICK_SECONDS = 60.0, 2.0
FULL_SECONDS, FULL_QUICK_SECONDS = 20.0, 2.0


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """A row for each pace, and one for the full rate where it has to be measured."""
    rows = []
    full_rate = options.full_rate
    if not full_rate:
        full = _at(options, place, 0.0, FULL_QUICK_SECONDS if options.quick else FULL_SECONDS)
        full_rate = full["messages_per_s"]
        rows.append({"case": "full rate"} | full)
    seconds = options.span_s(SECONDS, QUICK_SECONDS)
    rows += [{"case": f"{pace:g} a second"} | _at(options, place, pace, seconds) for pace in PACES]
    pace = max(round(full_rate * options.share / 100, 1), 1.0)
    rows.append({"case": f"{options.share:g} % of the full rate"} | _at(options, place, pace, seconds))
    return rows


def _at(options: Options, place: Path, pace: float, seconds: float) -> dict[str, Any]:
    """One pace's figures."""
    spot = place / f"pace-{pace:g}"
    spot.mkdir()
    messages = options.messages if pace else 0
    asked = msgspec.structs.replace(options, rate=pace, seconds=0.0 if messages else seconds, messages=messages)
    return measured(asked, spot)
