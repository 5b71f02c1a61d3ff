"""The gauges: read from the parts of a worker at the moment of a scrape. Decides and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.limiting import quotas
from gatewayd.policy.ratio_guard import ratio
from gatewayd.runtime.shared_ratio import Counts

if TYPE_CHECKING:
    from gatewayd.worker import Worker

_Readings = Iterator[tuple[tuple[str, ...], float]]


def register(worker: Worker) -> None:
    """Let the metrics of a worker read its gauges."""
    gauge = worker.metrics.gauges.register
    gauge("gatewayd_queue_messages", worker.dispatcher.queue_depths)
    gauge("gatewayd_queue_oldest_age_seconds", worker.dispatcher.queue_ages)
    gauge("gatewayd_outbox_deliveries", worker.outbox.depths)
    gauge("gatewayd_outbox_oldest_age_seconds", worker.outbox.ages)
    gauge("gatewayd_binds", _of(worker, _binds))
    gauge("gatewayd_window_used", _of(worker, _windows_used))
    gauge("gatewayd_window_size", _of(worker, _window_sizes))
    gauge("gatewayd_link_up", _of(worker, _links_up))
    gauge("gatewayd_limiter_paused_seconds", _of(worker, _pauses))
    gauge("gatewayd_limiter_used_ratio", _of(worker, _quotas_used))
    gauge("gatewayd_guard_ratio", _of(worker, _guard_ratios))
    gauge("gatewayd_guard_state", _of(worker, _guard_states))
    gauge("gatewayd_guard_open_messages", _of(worker, _guards_open))
    gauge("gatewayd_billing_open_conversations", worker.ledger.open_conversations)
    gauge("gatewayd_billing_unwritten_records", lambda: [((), worker.ledger.unwritten)])
    gauge("gatewayd_store_pending_records", lambda: [((), worker.journal.pending)])


def _of(worker: Worker, read: Callable[[Worker], _Readings]) -> Callable[[], _Readings]:
    return lambda: read(worker)


def _binds(worker: Worker) -> _Readings:
    yield from worker.server.binds()
    for name, link in worker.own_links.items():
        if isinstance(link, SmppLink):
            yield ("carrier", name), link.binds_up


def _windows_used(worker: Worker) -> _Readings:
    yield from worker.server.windows()
    for name, link in worker.own_links.items():
        yield ("carrier", name), link.window_used


def _window_sizes(worker: Worker) -> _Readings:
    for name, account in worker.server.accounts.items():
        yield ("esme", name), account.settings.window * len(account.binds)
    for name, link in worker.own_links.items():
        yield ("carrier", name), link.window_up


def _links_up(worker: Worker) -> _Readings:
    for name, link in worker.own_links.items():
        yield (name,), float(link.is_up)


def _pauses(worker: Worker) -> _Readings:
    now = time.monotonic()
    for name in worker.shared.names():
        yield (name,), max(0.0, worker.shared.slot(name).paused_until - now)


def _quotas_used(worker: Worker) -> _Readings:
    now = time.monotonic()
    for name, per_minute in quotas(worker.config).items():
        yield (name,), worker.shared.slot(name).used(now) / per_minute


def _guard_ratios(worker: Worker) -> _Readings:
    for name, counts in _guards(worker):
        yield (name,), ratio(counts)


def _guard_states(worker: Worker) -> _Readings:
    for name, counts in _guards(worker):
        yield (name,), counts.state


def _guards_open(worker: Worker) -> _Readings:
    for name, counts in _guards(worker):
        yield (name,), counts.pending


def _guards(worker: Worker) -> Iterator[tuple[str, Counts]]:
    for name, guard in worker.desk.guards.all().items():
        yield name, guard.slot.read(worker.desk.now())
