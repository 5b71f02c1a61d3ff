"""The scenario ``instructions``: how many of the processor's instructions a message costs, counted by valgrind.

No clock is in it: two runs of the same code differ by some thousandths, however busy the machine is, so what a change
of a hundredth does can be seen in one run of each. Receipts come at once, since what a worker does while it waits for
them is counted, too. What the kernel does for a message is left out, and what waiting for memory costs. The daemon
takes fifty times as long, so few messages are sent.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from bench_following import follow
from bench_options import Options
from bench_processes import Daemon, Failure
from bench_scene import Scene

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
    asked = msgspec.structs.replace(options, patience=PATIENCE_S, receipt_delay=0.0)
    under = (VALGRIND, "--tool=callgrind", f"--callgrind-out-file={place}/{_OUT}")
    with contextlib.ExitStack() as stack:
        scene = Scene(asked, place, stack, under, PATIENCE_S)
        load = scene.load(messages)
        _tell(scene.daemon, "--zero")
        load.go()
        scene.outcomes.append(follow(load, scene.daemon, messages, PATIENCE_S))
        _tell(scene.daemon, "--dump")
        instructions = _counted(place / f"{_OUT}.1")
        row = {"messages": messages, "instructions_per_message": round(instructions / messages)}
        return [row | scene.wrongs() | {"window": asked.window}]


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
