"""Watching over a run: what an actor says while the daemon lives, and a bar on a terminal for what has come so far.

Knows the words in which a load generator tells its progress, and nothing of what it sends.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench_processes import Actor, Daemon, Silence
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

START_PATIENCE_S = 30.0
COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def hear_while_alive(actor: Actor, daemon: Daemon | None, patience_s: float = START_PATIENCE_S) -> dict[str, Any]:
    """The next line of an actor; why the daemon ended, when that is why there is none."""
    for _ in range(int(patience_s)):
        if daemon is not None:
            daemon.check()
        with contextlib.suppress(Silence):
            return actor.hear(1.0)
    return actor.hear(1.0)


def follow(load: Actor, daemon: Daemon | None, messages: int, patience_s: float) -> dict[str, Any]:
    """Show the progress until the load generator is done.

    How many messages there will be in a time is not known; with ``messages`` 0 the bars only move.
    """
    with _progress() as progress:
        answered = progress.add_task("answered", total=messages or None)
        received = progress.add_task("receipts", total=messages or None)
        while True:
            seen = hear_while_alive(load, daemon, patience_s + START_PATIENCE_S)
            progress.update(answered, completed=seen["answered"])
            progress.update(received, completed=seen["received"])
            if "done" in seen:
                return seen


@contextlib.contextmanager
def bar(word: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of its own; what it gives is told how far it is."""
    with _progress() as progress:
        task = progress.add_task(word, total=total)
        yield lambda count: progress.update(task, completed=count)


def _progress() -> Progress:
    return Progress(*COLUMNS, console=Console(stderr=True), disable=not sys.stderr.isatty())
