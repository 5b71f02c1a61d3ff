"""What runs with numbered messages have in common: their processes, what the daemon uses, what went wrong.

Knows how to start and to follow; not what any scenario is about.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_options import Options
from bench_processes import PASSWORD, Actor, Daemon, Failure, Silence, Use, end, settled
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

START_PATIENCE_S = 30.0

Row = dict[str, Any]


class Stage:
    """The processes of a run; they end with it."""

    def __init__(self, options: Options, place: Path, stack: contextlib.ExitStack) -> None:
        self.options = options
        self.place = place
        self._stack = stack
        self._daemon: Daemon | None = None
        self.resident_max_mb = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bars = stack.enter_context(
            Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        )

    def carrier(self, **job: object) -> Actor:
        """The carrier; its first line is its port."""
        return self._actor("bench_late_carrier.py", place=str(self.place), window=self.options.window, **job)

    def load(self, port: int, **job: object) -> Actor:
        """A sender; it is bound once its first line has come."""
        shared = {"place": str(self.place), "port": port, "password": PASSWORD, "window": self.options.window}
        return self._actor("bench_numbered_load.py", **shared, **job)

    def _actor(self, script: str, **job: object) -> Actor:
        actor = Actor(script, **job)
        self._stack.callback(end, actor.process)
        return actor

    @property
    def daemon(self) -> Daemon:
        """What is measured."""
        assert self._daemon is not None
        return self._daemon

    @daemon.setter
    def daemon(self, daemon: Daemon) -> None:
        self._stack.callback(end, daemon.process)
        self._daemon = daemon

    def look(self) -> Use:
        """What it uses now; the most that it was seen to have is kept."""
        use = self.daemon.use()
        self.resident_max_mb = max(self.resident_max_mb, use.rss_mb)
        return use

    def settle(self) -> Use:
        """What it uses once it has done what it had put off."""
        return settled(self.look)

    def hear(self, actor: Actor, patience_s: float = START_PATIENCE_S) -> dict[str, Any]:
        """The next line of an actor; why the daemon ended, when that is why there is none."""
        give_up_at = time.monotonic() + patience_s
        while time.monotonic() < give_up_at:
            with contextlib.suppress(Silence):
                return actor.hear(1.0)
            self.look()
        raise Silence(f"nothing was heard for {patience_s:g} s")

    def follow(self, load: Actor, total: int, patience_s: float) -> Iterator[dict[str, Any]]:
        """Each line of a sender, up to its last one; the bars go with them."""
        answered = self.bars.add_task("answered", total=total)
        received = self.bars.add_task("receipts", total=total)
        while True:
            heard = self.hear(load, patience_s + START_PATIENCE_S)
            self.bars.update(answered, completed=heard["answered"])
            self.bars.update(received, completed=heard["received"])
            yield heard
            if "done" in heard:
                return


def wrongs(outcome: Row, arrived: Row) -> dict[str, int]:
    """What went wrong between a sender and the carrier, each message counted once on each side."""
    return {
        "lost": outcome["messages"] - outcome["received"] - outcome["refused"],
        "duplicated": outcome["duplicates"] + arrived["duplicates"],
        "damaged": outcome["damaged"] + arrived["damaged"],
        "refused": outcome["refused"],
        "throttled": outcome["throttled"],
    }


def disk_mb(place: Path) -> float:
    """What the spool occupies."""
    blocks = 0
    for path in (place / "spool").rglob("*"):
        with contextlib.suppress(OSError):  # files come and go
            blocks += path.stat().st_blocks
    return blocks * 512 / 1024**2


def per_s(count: float, span_s: float) -> float:
    """A rate, and 0 where there was none."""
    return round(count / span_s, 1) if span_s > 0 else 0.0


def ended(carrier: Actor, stage: Stage) -> dict[str, Any]:
    """Stop the carrier, and take what it counted."""
    carrier.process.terminate()
    while "senders" not in (heard := stage.hear(carrier)):
        pass
    if heard["strangers"] or heard["receipts_refused"]:
        raise Failure(f"{heard['strangers']} from strangers, {heard['receipts_refused']} receipts refused")
    return heard
