"""What a worker keeps for those who ask later: its history, and the job that takes away what is too old or too much.

Part of the composition of a worker; decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gatewayd.config import schema
from gatewayd.runtime.tasks import spawn
from gatewayd.store import history_files
from gatewayd.store.history import History
from gatewayd.store.history_files import Purged

if TYPE_CHECKING:
    from gatewayd.runtime.instruments import Readings
    from gatewayd.runtime.metrics import Metrics

log = logging.getLogger(__name__)

PURGE_INTERVAL_S: Final = 10.0
_HOUR_S: Final = 3_600.0


def history_of(config: schema.Config, slot: int) -> History | None:
    """The history of a worker, or None where none is kept."""
    wanted = config.history
    if not wanted.keep_h:
        return None
    folder = history_files.folder_of(Path(config.daemon.spool_dir), slot)
    return History(folder, keep_s=wanted.keep_h * _HOUR_S, text_s=wanted.text_h * _HOUR_S)


class Keeping:
    """The purge of all workers' history, which the first worker does, and the figures of this worker's own."""

    def __init__(
        self,
        config: schema.Config,
        slot: int,
        history: History | None,
        *,
        interval_s: float = PURGE_INTERVAL_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool_folder = Path(config.daemon.spool_dir)
        self._wanted = config.history
        self._history = history
        self._is_purging = slot == 0
        self._interval_s = interval_s
        self._clock = clock
        self._octets = 0
        self._is_failing = False

    def watch(self, metrics: Metrics) -> None:
        """Let the metrics read what is kept and what was lost; begin to purge, if it is this worker's job."""
        metrics.gauges.register("gatewayd_history_bytes", self._sizes)
        metrics.gauges.register("gatewayd_history_lost_groups", self._losses)
        if self._is_purging:
            spawn(self._purge_for_ever(metrics), name="purging history")

    def _sizes(self) -> Readings:
        yield (), self._octets

    def _losses(self) -> Readings:
        yield (), self._history.lost if self._history is not None else 0

    async def _purge_for_ever(self, metrics: Metrics) -> None:
        while True:
            try:
                purged = await asyncio.to_thread(self._purge)
            except OSError as error:
                if not self._is_failing:
                    log.error("= history cannot be purged: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False
                self._octets = purged.octets
                for reason in ("age", "size", "text"):
                    metrics.history_purged.labels(reason).value += getattr(purged, reason)
            await asyncio.sleep(self._interval_s)

    def _purge(self) -> Purged:
        return history_files.purge(
            self._spool_folder,
            self._clock(),
            keep_s=self._wanted.keep_h * _HOUR_S,
            text_s=self._wanted.text_h * _HOUR_S,
            size_max=self._wanted.size_max,
        )
