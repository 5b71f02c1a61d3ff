"""The gauges: read from the parts of a worker at the moment of a scrape. Decides and changes nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.limiting import quotas
from gatewayd.policy.ratio_guard import ratio
from gatewayd.runtime.certificates import Certificates
from gatewayd.runtime.instruments import Readings
from gatewayd.runtime.shared_ratio import Counts
from gatewayd.store.segments import files_of

if TYPE_CHECKING:
    from gatewayd.flow.guarding import Guard
    from gatewayd.measuring import Measuring
    from gatewayd.worker import Worker


def register(worker: Worker, measuring: Measuring) -> None:
    """Let the metrics of a worker read its gauges."""
    _register_traffic(worker)
    _register_store(worker, measuring)
    gauge, news = worker.metrics.gauges.register, measuring.news
    gauge("gatewayd_certificate_expiry_timestamp_seconds", CertificateEnds(lambda: worker.config).read)
    gauge("gatewayd_certificate_refused", worker.doors.tls.readings)
    gauge("gatewayd_workers_configured", lambda: [((), measuring.count)])
    gauge("gatewayd_workers_up", lambda: [((), 1)])
    gauge("gatewayd_worker_deaths", news.deaths)
    gauge("gatewayd_worker_beat_age_seconds", news.beat_ages)
    gauge("gatewayd_supervisor_beat_age_seconds", news.own_age)
    gauge("gatewayd_config_reload_failed", news.reload_failed)


def _register_traffic(worker: Worker) -> None:
    gauge = worker.metrics.gauges.register
    gauge("gatewayd_queue_messages", worker.dispatcher.queue_depths)
    gauge("gatewayd_queue_oldest_age_seconds", worker.dispatcher.queue_ages)
    gauge("gatewayd_waiting_messages", worker.dispatcher.aside_counts)
    gauge("gatewayd_outbox_deliveries", worker.outbox.depths)
    gauge("gatewayd_outbox_max_deliveries", _of(worker, _outbox_bounds))
    gauge("gatewayd_outbox_oldest_age_seconds", worker.outbox.ages)
    gauge("gatewayd_binds", _of(worker, _binds))
    gauge("gatewayd_binds_configured", _of(worker, _binds_configured))
    gauge("gatewayd_account_used_ratio", _of(worker, _allowances_used))
    gauge("gatewayd_window_used", _of(worker, _windows_used))
    gauge("gatewayd_window_size", _of(worker, _window_sizes))
    gauge("gatewayd_link_up", _of(worker, _links_up))
    gauge("gatewayd_link_pace_ratio", _of(worker, _paces))
    gauge("gatewayd_link_rate_per_second", _of(worker, _rates))
    gauge("gatewayd_link_host_binds", _of(worker, _hosts))
    gauge("gatewayd_limiter_paused_seconds", _of(worker, _pauses))
    gauge("gatewayd_limiter_quota_per_minute", _of(worker, _quotas))
    gauge("gatewayd_limiter_used_ratio", _of(worker, _quotas_used))
    gauge("gatewayd_guard_ratio", _of(worker, _guard_ratios))
    gauge("gatewayd_guard_threshold_ratio", _of(worker, _guard_thresholds))
    gauge("gatewayd_guard_state", _of(worker, _guard_states))
    gauge("gatewayd_guard_window_messages", _of(worker, _guard_windows))
    gauge("gatewayd_guard_open_messages", _of(worker, _guards_open))
    gauge("gatewayd_billing_open_conversations", worker.ledger.open_conversations)
    gauge("gatewayd_billing_unwritten_records", lambda: [((), worker.ledger.unwritten)])


def _register_store(worker: Worker, measuring: Measuring) -> None:
    gauge, journal = worker.metrics.gauges.register, worker.journal
    gauge("gatewayd_store_pending_records", lambda: [((), journal.pending)])
    gauge("gatewayd_store_pending_max_records", lambda: [((), worker.config.store.pending_max)])
    gauge("gatewayd_store_failing", lambda: [((), float(journal.is_failing))])
    gauge("gatewayd_store_journal_bytes", lambda: [((), journal.octets)])
    gauge("gatewayd_store_last_fold_duration_seconds", lambda: [((), measuring.last_fold_s)])
    gauge("gatewayd_store_file_bytes", lambda: [((), octets_of(journal.path))])
    gauge("gatewayd_store_disk_free_bytes", lambda: _disk(journal.path)[:1])
    gauge("gatewayd_store_disk_size_bytes", lambda: _disk(journal.path)[1:])


def _of(worker: Worker, read: Callable[[Worker], Readings]) -> Callable[[], Readings]:
    return lambda: read(worker)


def _binds(worker: Worker) -> Readings:
    yield from worker.server.binds()
    for name, link in worker.own_links.items():
        if isinstance(link, SmppLink):
            yield ("carrier", name), link.binds_up


def _binds_configured(worker: Worker) -> Readings:
    for name, account in worker.config.accounts.items():
        yield ("esme", name), account.binds_max
    for name, link in worker.config.links.items():
        if link.kind == "smpp":
            yield ("carrier", name), link.binds_wanted


def _outbox_bounds(worker: Worker) -> Readings:
    for name, account in worker.config.accounts.items():
        yield (name, "smpp"), account.outbox_depth_max


def _windows_used(worker: Worker) -> Readings:
    yield from worker.server.windows()
    for name, link in worker.own_links.items():
        yield ("carrier", name), link.window_used


def _allowances_used(worker: Worker) -> Readings:
    for name, account in worker.server.accounts.items():
        for span, share in account.allowance.used().items():
            yield (name, span), share


def _window_sizes(worker: Worker) -> Readings:
    for name, account in worker.server.accounts.items():
        yield ("esme", name), account.settings.window * len(account.binds)
    for name, link in worker.own_links.items():
        yield ("carrier", name), link.window_up


def _links_up(worker: Worker) -> Readings:
    for name, link in worker.own_links.items():
        yield (name,), float(link.is_up)


def _paces(worker: Worker) -> Readings:
    for name in worker.own_links:
        easing = worker.limiting.easing_of(worker.config, name)
        if easing is not None:
            yield (name,), easing.share()


def _rates(worker: Worker) -> Readings:
    for name in worker.own_links:
        link = worker.config.links.get(name)
        if link is not None and link.kind == "smpp" and link.rate_per_s:
            yield (name,), link.rate_per_s * worker.limiting.share_of(worker.config, name)


def _hosts(worker: Worker) -> Readings:
    for name, link in worker.own_links.items():
        if isinstance(link, SmppLink):
            for host, binds in link.hosts_up.items():
                yield (name, host), binds


def _pauses(worker: Worker) -> Readings:
    now = time.monotonic()
    for name in worker.shared.names():
        if not name.startswith("share:"):
            yield (name,), max(0.0, worker.shared.slot(name).paused_until - now)


def _quotas(worker: Worker) -> Readings:
    for name, per_minute in quotas(worker.config).items():
        yield (name,), per_minute


def _quotas_used(worker: Worker) -> Readings:
    now = time.monotonic()
    for name, per_minute in quotas(worker.config).items():
        yield (name,), worker.shared.slot(name).used(now) / per_minute


def _guard_ratios(worker: Worker) -> Readings:
    for name, _, counts in _guards(worker):
        yield (name,), ratio(counts)


def _guard_thresholds(worker: Worker) -> Readings:
    for name, guard, _ in _guards(worker):
        terms = guard.terms
        yield (name, "warn"), terms.warn
        yield (name, "known_only"), terms.known_only
        yield (name, "stop"), terms.stop
        yield (name, "max"), terms.ratio_max


def _guard_states(worker: Worker) -> Readings:
    for name, _, counts in _guards(worker):
        yield (name,), counts.state


def _guard_windows(worker: Worker) -> Readings:
    for name, _, counts in _guards(worker):
        yield (name,), counts.total


def _guards_open(worker: Worker) -> Readings:
    for name, _, counts in _guards(worker):
        yield (name,), counts.pending


def _guards(worker: Worker) -> Iterator[tuple[str, Guard, Counts]]:
    for name, guard in worker.desk.guards.all().items():
        yield name, guard, guard.slot.read(worker.desk.now())


def octets_of(spool: Path) -> int:
    """What a spool takes with its journal and its log, which are not there at all times."""
    octets = 0
    for file in (spool, spool.with_name(f"{spool.name}-wal"), *(path for _, path in files_of(spool))):
        with contextlib.suppress(OSError):
            octets += file.stat().st_size
    return octets


def _disk(path: Path) -> list[tuple[tuple[()], float]]:
    """Free for us, and in all, of the disk that a file lies on; nothing where it was taken away beneath us."""
    try:
        found = os.statvfs(path)
    except OSError:
        return []
    return [((), found.f_bavail * found.f_frsize), ((), found.f_blocks * found.f_frsize)]


class CertificateEnds:
    """When the certificates of a configuration end. Which there are is looked for once: it may hold many tables."""

    def __init__(self, config: Callable[[], schema.Config]) -> None:
        self._config = config
        self._certificates = Certificates()
        self._known: schema.Config | None = None
        self._files: list[tuple[str, Path, bool]] = []

    def read(self) -> Readings:
        """By the key that names the file; nothing of one that cannot be read."""
        config = self._config()
        if config is not self._known:
            self._known, self._files = config, list(certificate_files(config))
        for key, path, is_bundle in self._files:
            end = self._certificates.end_of(path, is_bundle=is_bundle)
            if end is not None:
                yield (key,), end


def certificate_files(table: msgspec.Struct, at: str = "") -> Iterator[tuple[str, Path, bool]]:
    """Each key of the configuration that names certificates, with the file, and whether it is one of authorities."""
    for name in table.__struct_fields__:
        value, key = getattr(table, name), f"{at}{name}"
        if isinstance(value, msgspec.Struct):
            yield from certificate_files(value, f"{key}.")
        elif isinstance(value, dict):
            for inner, entry in value.items():
                if isinstance(entry, msgspec.Struct):
                    yield from certificate_files(entry, f"{key}.{inner}.")
        elif name in ("tls_certificate", "tls_ca", "tls_client_ca") and value:
            yield key, Path(value), name != "tls_certificate"
