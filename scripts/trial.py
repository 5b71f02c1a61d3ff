"""A run whose end is a verdict: its seed, its place, the signals that end it, and its exit code.

Knows neither what is tried nor when it is good: `scripts/chaos` and `scripts/day` say so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from chaos_gateway import ChaosFault

EXIT_GOOD, EXIT_BAD, EXIT_NO_VERDICT, EXIT_INTERRUPTED = 0, 1, 2, 130

Figures = dict[str, Any]


def tried(
    name: str,
    asked: argparse.Namespace,
    run: Callable[[int, Path], Awaitable[Figures]],
    is_good: Callable[[Figures], bool],
    show: Callable[[Figures, bool], None],
) -> int:
    """One run, given its seed and an empty folder; returns the exit code.

    ``asked`` has ``seed`` (None for a new one), ``dir``, ``keep`` and ``json``.
    """
    seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
    print(f"scripts/{name}: seed {seed}", file=sys.stderr)
    place = Path()
    try:
        place = Path(tempfile.mkdtemp(prefix=f"gatewayd-{name}-", dir=asked.dir))
        figures = uvloop.run(_in_order(run(seed, place)))
    except (ChaosFault, OSError) as fault:
        print(f"scripts/{name}: seed {seed}: {fault}", file=sys.stderr)
        return EXIT_NO_VERDICT
    except asyncio.CancelledError:
        print(f"scripts/{name}: stopped before the end", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        if asked.keep:
            print(f"scripts/{name}: left in {place}", file=sys.stderr)
        elif place != Path():
            shutil.rmtree(place, ignore_errors=True)
    verdict = is_good(figures)
    if asked.json:
        print(json.dumps(figures))
    else:
        show(figures, verdict)
    return EXIT_GOOD if verdict else EXIT_BAD


async def _in_order(run: Awaitable[Figures]) -> Figures:
    """A signal ends it in order."""
    task = asyncio.current_task()
    assert task is not None  # this is one
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await run
