"""A backlog: the carrier is away while an application submits, then it comes back. Measures memory, order and speed.

Uses the lean actors of the benchmark, so that the daemon is what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench_processes import Actor, Failure, Silence
from bench_wire import restore
from chaos_gateway import PASSWORD, ChaosFault, Gateway, LinkPlan, Plan, free_port

WINDOW = 1_000
PATIENCE_S = 60.0
LOOK_S = 0.25

OnProgress = Callable[[str, int], None]


class Backlog:
    """One run."""

    def __init__(self, messages: int, workers: int, place: Path, on_progress: OnProgress) -> None:
        self._messages = messages
        self._workers = workers
        self._place = place
        self._on_progress = on_progress
        self._carrier_port = free_port()
        self._gateway: Gateway
        self.peak_mb = 0.0

    async def run(self) -> dict[str, Any]:
        """Fill, wait for the carrier, drain, and reckon."""
        link = LinkPlan("carrier", self._carrier_port, "336", WINDOW, self._workers)
        plan = Plan(self._workers, (link,), accounts=("bench",), window=WINDOW)
        self._gateway = Gateway(self._place, plan)
        actors: list[Actor] = []
        try:
            await self._gateway.start()
            return await self._measure(actors)
        finally:
            for actor in actors:
                actor.process.kill()
                actor.process.wait()
            await self._gateway.stop()

    async def _measure(self, actors: list[Actor]) -> dict[str, Any]:
        shared = {"messages": self._messages, "window": WINDOW, "place": str(self._place)}
        load = Actor(
            "bench_load.py", port=self._gateway.port, password=PASSWORD, rate=0.0, patience_s=3_600.0, **shared
        )
        actors.append(load)
        await _hear(load)
        empty_mb = self._gateway.memory_mb()
        began = time.monotonic()
        load.go()
        await self._follow(load, "answered")
        filled_s = time.monotonic() - began
        full_mb, filling_peak_mb = self._gateway.memory_mb(), self.peak_mb
        carrier = Actor("bench_carrier.py", receipt_delay_s=0.0, port=self._carrier_port, **shared)
        actors.append(carrier)
        seen = await self._follow(load, "received")
        await asyncio.to_thread(load.process.wait, PATIENCE_S)
        carrier.process.terminate()
        await asyncio.to_thread(carrier.process.wait, PATIENCE_S)
        return {
            "backlog": self._messages,
            "workers": self._workers,
            "empty_mb": round(empty_mb, 1),
            "growth_mb": round(full_mb - empty_mb, 1),
            "growth_peak_mb": round(filling_peak_mb - empty_mb, 1),
            "growth_drain_mb": round(self.peak_mb - empty_mb, 1),
            "accepted_per_s": round(self._messages / filled_s),
            "refused": seen["refused"],
            "lost": self._messages - seen["received"] - seen["refused"],
            "receipts_repeated": seen["duplicates"],
        } | self._order()

    def _order(self) -> dict[str, Any]:
        """How the carrier saw them: each message's place is its number."""
        moments = restore(self._place / "submitted_at")
        inversions = sum(after < before for before, after in pairwise(moments))
        span_s = max(moments) - min(filter(None, moments), default=0.0)
        return {"out_of_order": inversions, "drained_per_s": round(self._messages / max(span_s, 1e-9))}

    async def _follow(self, load: Actor, word: str) -> dict[str, Any]:
        """Until all messages have come so far; memory is looked at meanwhile."""
        count, moved_at = 0, time.monotonic()
        while True:
            heard = await _hear(load)
            self.peak_mb = max(self.peak_mb, self._gateway.memory_mb())
            self._on_progress(word, heard[word])
            if heard[word] >= self._messages or "done" in heard:
                return heard
            if heard[word] > count:
                count, moved_at = heard[word], time.monotonic()
            if time.monotonic() - moved_at > PATIENCE_S:
                raise ChaosFault(f"{word}: {count} of {self._messages}, and nothing moves")


async def _hear(actor: Actor) -> dict[str, Any]:
    try:
        return await asyncio.to_thread(actor.hear, PATIENCE_S)
    except (Silence, Failure) as failure:
        raise ChaosFault(str(failure)) from failure
