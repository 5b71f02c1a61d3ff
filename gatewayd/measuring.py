"""What one worker measures and shows: its metrics, what its predecessors showed, and what the supervisor says of all.

Part of the composition of a worker; counts nothing of what passes through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gatewayd
from gatewayd import gauges
from gatewayd.config import house, schema
from gatewayd.flow.calling import CALLBACK
from gatewayd.runtime import snapshots
from gatewayd.runtime.instruments import Figure, Readings
from gatewayd.runtime.lag import LoopLag
from gatewayd.runtime.metrics import Metrics
from gatewayd.store.journal import JournalTimes

if TYPE_CHECKING:
    from gatewayd.worker import Worker


class Measuring:
    """The figures of one worker, ``slot`` of ``count``."""

    def __init__(self, runtime: Path, slot: int, count: int) -> None:
        self.metrics = Metrics(gatewayd.__version__, house.how_built())
        self.ledger = snapshots.Ledger(snapshots.ledger_path(runtime, slot))
        self.news = News()
        self.last_fold_s = 0.0
        self.count = count
        self._lag = LoopLag(self.metrics.loop_lag.labels(str(slot)))
        self._config: Callable[[], schema.Config] = schema.Config
        self._known: schema.Config | None = None

    def watch(self, worker: Worker) -> None:
        """Read the gauges of a worker from now on, and how late its loop is."""
        self._config = lambda: worker.config
        gauges.register(worker, self)
        self._lag.start()

    def stop(self) -> None:
        """Write down the last figures; the store must be open still, for some gauges look into it."""
        self._lag.stop()
        self.ledger.snapshot(self.figures())

    def figures(self) -> list[Figure]:
        """This worker's own, now. Whoever is configured is shown from the start: a rate needs a zero to begin at."""
        config = self._config()
        if config is not self._known:
            self._known = config
            begin(self.metrics, config)
        return self.metrics.figures()

    async def collect(self) -> list[Figure]:
        """What is shown of a worker that is alone."""
        return await self.ledger.show(self.figures)

    def journal_times(self) -> JournalTimes:
        """What the journal is to tell of its commits and folds."""
        return JournalTimes(self._on_commit, self._on_commit_failure, self._on_fold)

    def _on_commit(self, seconds: float, records: int) -> None:
        self.metrics.store_commit.observe(seconds)
        self.metrics.store_group.observe(records)

    def _on_commit_failure(self, reason: str) -> None:
        self.metrics.store_commit_failures.value += 1

    def _on_fold(self, seconds: float) -> None:
        self.metrics.store_folds.value += 1
        self.last_fold_s = seconds


class News:
    """What the supervisor last said: of the workers' beats and deaths, and whether its configuration is in force."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, Any] = {}
        self._heard_at = 0.0

    def take(self, said: dict[str, Any]) -> None:
        """It has spoken."""
        self._said, self._heard_at = said, self._clock()

    def deaths(self) -> Readings:
        """By worker and manner, since the daemon started."""
        for worker in self._said.get("workers", ()):
            for manner, times in worker["deaths"].items():
                yield (str(worker["slot"]), manner), times

    def beat_ages(self) -> Readings:
        """By worker, as it was when the supervisor spoke."""
        for worker in self._said.get("workers", ()):
            yield (str(worker["slot"]),), worker["silent_s"]

    def own_age(self) -> Readings:
        """For how long the supervisor has been silent; nothing as long as there is none."""
        if self._said:
            yield (), self._clock() - self._heard_at

    def reload_failed(self) -> Readings:
        """1 while a configuration could not be taken up wholly."""
        if self._said:
            yield (), float(self._said["reload_failed"])


def begin(metrics: Metrics, config: schema.Config) -> None:
    """Let the series of everybody who is configured begin, at zero: what begins at one has no increase."""
    for name, account in config.accounts.items():
        _begin_account(metrics, name, account)
    for name, link in config.links.items():
        _begin_link(metrics, name, link)
    for side in ("esme", "carrier", "webhook", "http", "mqtt"):
        metrics.faults.labels(side, "internal")
    metrics.faults.labels("metrics", "gauge")
    if config.mqtt.host:
        for outcome in ("connected", "lost"):
            metrics.mqtt_connections.labels(outcome)
    for status in ("ESME_RINVPASWD", "ESME_RINVSYSID", "ESME_RBINDFAIL", "ESME_RALYBND"):
        metrics.binds_refused.labels(status)
    for scope in ("bind", "address", "account"):
        metrics.lockouts.labels(scope)
    for reason in ("age", "size", "text"):
        metrics.history_purged.labels(reason)


def _begin_account(metrics: Metrics, name: str, account: schema.Account) -> None:
    for status in ("ESME_ROK", "ESME_RTHROTTLED", "ESME_RMSGQFUL"):
        metrics.submits.labels(name, status)
    metrics.requests.labels(name, "query_sm", "ESME_ROK")
    metrics.submit_response.labels(name)
    if account.outbind:
        for outcome in ("bound", "unreachable"):
            metrics.outbinds.labels(name, outcome)
    if account.throttle_delay_s:
        metrics.submits_delayed.labels(name)
    metrics.receipt_to_esme.labels(name)
    metrics.sessions_opened.labels(name, "sms")
    for sink in (*account.sinks, CALLBACK) if account.dlr_urls else account.sinks:
        for kind, outcome in product(("receipt", "mo"), ("delivered", "expired")):
            metrics.deliveries.labels(name, sink, kind, outcome)
        metrics.deliveries.labels(name, sink, "any", "overflow")


def _begin_link(metrics: Metrics, name: str, link: schema.Link) -> None:
    if link.kind != "smpp":
        metrics.uploads.labels(name, "stored")
        metrics.webhook_ignored.labels(name, "isTyping")
    metrics.link_results.labels(name, "accepted", "")
    metrics.link_unreachable.labels(name)
    metrics.link_errors.labels(name, "throttled")
    metrics.receipts.labels(name, "DELIVRD")
    metrics.mo.labels(name, "", "unrouted")
    metrics.accept_to_carrier.labels(name)
    metrics.carrier_receipt.labels(name)
    metrics.limiter_waits.labels(name)
    metrics.limiter_pauses.labels(name, "")
    if link.kind == "smpp":
        metrics.limiter_halvings.labels(name)
