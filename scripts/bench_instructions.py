"""The scenario ``instructions``: how many of the processor's instructions a message costs, counted by valgrind.

No clock is in it: two runs of the same code differ by thousandths, however busy the machine is, so what a change of a
hundredth does can be seen in one run of each. What the kernel does for a message is left out, and what waiting for
memory costs. The daemon takes fifty times as long, so few messages are sent.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from bench_following import follow, hear_while_alive
from bench_fronts import load_for
from bench_options import Options
from bench_processes import Actor, Daemon, Failure, Plan, end, free_port

MESSAGES, QUICK = 3_000, 300
VALGRIND: Final = "valgrind"
PATIENCE_S: Final = 120.0
_CONTROL: Final = "callgrind_control"
_OUT: Final = "callgrind"
_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """One row: instructions a message, of all threads of a worker."""
    if shutil.which(VALGRIND) is None or shutil.which(_CONTROL) is None:
        raise Failure(
            "instructions are counted by valgrind, which is missing; install it (Debian: apt-get install valgrind)"
        )
    messages = options.count(MESSAGES, QUICK)
    asked = msgspec.structs.replace(options, messages=messages, receipts="smpp", patience=PATIENCE_S)
    shared = {"messages": messages, "window": asked.window, "place": str(place)}
    with contextlib.ExitStack() as stack:
        carrier = Actor("bench_carrier.py", receipt_delay_s=asked.receipt_delay, **shared)
        stack.callback(end, carrier.process)
        carrier_port, port = carrier.hear(PATIENCE_S)["port"], free_port()
        under = (VALGRIND, "--tool=callgrind", f"--callgrind-out-file={place}/{_OUT}")
        daemon = Daemon(place, Plan(port=port, carrier_port=carrier_port, window=asked.window), under)
        stack.callback(end, daemon.process)
        hear_while_alive(carrier, daemon, PATIENCE_S)  # it is bound
        load = load_for(asked, shared, port)
        stack.callback(end, load.process)
        hear_while_alive(load, daemon, PATIENCE_S)
        _tell(daemon, "--zero")
        load.go()
        seen = follow(load, daemon, messages, PATIENCE_S)
        _tell(daemon, "--dump")
        instructions = _counted(place / f"{_OUT}.1")
        carrier.process.terminate()
        counts = carrier.hear(PATIENCE_S)
    return [
        {
            "messages": messages,
            "instructions_per_message": round(instructions / messages),
            "lost": messages - seen["received"] - seen["refused"],
            "duplicated": seen["duplicates"] + counts["duplicates"],
            "damaged": seen["damaged"] + counts["damaged"],
            "refused": seen["refused"],
            "window": asked.window,
        }
    ]


def _tell(daemon: Daemon, order: str) -> None:
    """Let its count begin anew, or be written."""
    done = subprocess.run(
        [_CONTROL, order, str(daemon.process.pid)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    if done.returncode:
        raise Failure(f"{_CONTROL} {order}: {done.stderr.strip() or done.stdout.strip()}")


def _counted(path: Path) -> int:
    """What was counted until it was written."""
    try:
        found = _TOTAL.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}; valgrind did not write what it counted") from None
    if found is None:
        raise Failure(f"{path}: valgrind wrote no count")
    return int(found[1])
