"""The scenario ``workers``: what a message costs with one, two and four workers, and the ratio to one.

Handsets have their homes all over the workers, and so have the binds of the ESME, as the workers deal them out, and
those to the carrier: of a message's homes and binds few are at one worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from bench_options import Options
from bench_relay import measured

WORKERS: Final = (1, 2, 4)
LOAD_BINDS: Final = 8
LINK_BINDS: Final = 4
SECONDS, QUICK_SECONDS = 60.0, 2.0


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """A row for each number of workers."""
    rows: list[dict[str, Any]] = []
    for workers in WORKERS:
        spot = place / str(workers)  # short: sockets lie below, whose paths have a limit
        spot.mkdir()
        asked = msgspec.structs.replace(
            options,
            workers=workers,
            binds=max(options.binds, LINK_BINDS),
            load_binds=LOAD_BINDS,
            is_scattered=True,
            seconds=0.0 if options.messages else options.span_s(SECONDS, QUICK_SECONDS),
        )
        row = measured(asked, spot)
        alone = rows[0]["cpu_us_per_message"] if rows else row["cpu_us_per_message"]
        ratio = round(row["cpu_us_per_message"] / alone, 3) if alone else 0.0
        rows.append({"case": f"{workers} worker{'s' * (workers > 1)}", "workers": workers} | row | {"cpu_ratio": ratio})
    return rows
