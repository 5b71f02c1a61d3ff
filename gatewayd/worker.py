"""The composition root of one process: builds every part from the configuration, runs them, takes them down in order.

Reads as the story of a start and of an end. Imports everything; nobody imports it but the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop

import gatewayd
from gatewayd.carriers.link import Link
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.config.load import Loaded
from gatewayd.flow.desk import Desk
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.outbound import Limits
from gatewayd.policy.pacing import UNLIMITED, Rate, rate_of
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.scrape import ScrapeServer
from gatewayd.runtime.shared_limits import SharedLimits, Slot
from gatewayd.runtime.tasks import cancel_all
from gatewayd.runtime.trail import Trail, configure_logging
from gatewayd.senders.accounts import Account
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.smpp_server import SmppServer
from gatewayd.senders.submit import SubmitDesk
from gatewayd.store.database import StoreFault
from gatewayd.store.journal import Journal, JournalTimes
from gatewayd.store.spool import Spool

log = logging.getLogger("gatewayd")

EXIT_OK, EXIT_FAILED = 0, 1
SPOOL_FILE, LIMITS_FILE = "worker-0.spool", "limits"

# The store's writer thread must get the interpreter soon after each fsync, although the loop is busy.
SWITCH_INTERVAL_S = 0.0005
# Messages are records without cycles: collecting more often finds nothing and costs much.
GC_THRESHOLDS = (50_000, 20, 50)


def main(loaded: Loaded) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    configure_logging(loaded.config.daemon.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        uvloop.run(_run(loaded))
    except StoreFault as fault:
        log.error("%s", fault)
        return EXIT_FAILED
    except OSError as error:
        log.error("cannot start: %s", error)
        return EXIT_FAILED
    return EXIT_OK


async def _run(loaded: Loaded) -> None:
    worker = Worker(loaded)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await worker.start()
        await stop.wait()
        log.info("= draining for up to %.0f s", loaded.config.daemon.drain_timeout_s)
    finally:
        await worker.stop()


class Worker:
    """A complete gateway on one event loop."""

    def __init__(self, loaded: Loaded) -> None:
        """Open what must be there before anything starts. Raises StoreFault or OSError."""
        config = self.config = loaded.config
        self._loaded = loaded
        self.metrics = Metrics(gatewayd.__version__)
        self.trail = Trail()
        Path(config.daemon.runtime_dir).mkdir(parents=True, exist_ok=True)
        self.shared = SharedLimits.open(Path(config.daemon.runtime_dir) / LIMITS_FILE)
        self.journal = Journal(
            Path(config.daemon.spool_dir) / SPOOL_FILE,
            group_wait_s=config.store.group_wait_ms / 1000,
            fold_entries=config.store.fold_entries,
            check=config.store.check_at_start,
            hooks=JournalTimes(self._on_commit, self._on_commit_failure),
        )
        self.spool = Spool(self.journal)
        self._build_flow()
        self._build_senders()
        self._build_carriers()
        listen = config.metrics.listen
        self.scrape = ScrapeServer(self.metrics, listen, self._complaints) if listen else None
        self._register_gauges()

    # -- building -----------------------------------------------------------------------------------------------

    def _build_flow(self) -> None:
        config = self.config
        self.desk = Desk(
            accounts=config.accounts,
            links=config.links,
            spool=self.spool,
            metrics=self.metrics,
            trail=self.trail,
        )
        depths = {name: (account.outbox_depth_max, account.window) for name, account in config.accounts.items()}
        self.outbox = self.desk.outbox = Outbox(self.spool, depths, self.metrics, self.trail)
        self.dispatcher = Dispatcher(
            self.desk,
            RouteTable([_rule(route) for route in config.routes]),
            {name: self._limits_of(name, link) for name, link in config.links.items()},
            session_window_h=config.sessions.window_h,
            join_timeout_s=config.parts.join_timeout_s,
            incomplete_max=config.parts.incomplete_max,
        )

    def _limits_of(self, name: str, link: schema.Link) -> Limits:
        own = self.shared.slot(f"link:{name}")
        slots: list[tuple[Slot, Rate]] = [(own, _rate(0, link.rate_per_s, link.burst))]
        if not link.provider:
            return Limits(slots, own)
        provider = self.config.providers[link.provider]
        shared = self.shared.slot(f"provider:{link.provider}")
        slots.append((shared, _rate(provider.per_minute, provider.rate_per_s, provider.burst)))
        return Limits(slots, shared)

    def _build_senders(self) -> None:
        config = self.config
        accounts = {
            name: Account(name, settings, self._loaded.password_hash(name), self.shared)
            for name, settings in config.accounts.items()
        }
        submits = SubmitDesk(self.spool, self.dispatcher, self.metrics, config.store.pending_max)
        self.server = SmppServer(config.smpp, accounts, submits, self.outbox, self.metrics)

    def _build_carriers(self) -> None:
        rcs: dict[str, RcsLink] = {}
        for name, settings in self.config.links.items():
            if settings.kind == "smpp":
                self.desk.links[name] = self._smpp_link(name, settings)
            else:
                self.desk.links[name] = rcs[name] = self._rcs_link(name, settings)
        self.webhooks: WebhookServer | None = None
        if self.config.webhooks.listen and rcs:
            self.webhooks = WebhookServer(
                self.config.webhooks, rcs, on_fault=self._count_fault("webhook"), on_ignored=lambda name: None
            )

    def _smpp_link(self, name: str, settings: schema.Link) -> Link:
        return SmppLink(
            name,
            settings,
            self._loaded.link_secret(name, "password_file"),
            self.dispatcher,
            rng=random.Random(),
            on_fault=self._link_fault(name),
        )

    def _rcs_link(self, name: str, settings: schema.Link) -> RcsLink:
        return RcsLink(
            name,
            settings,
            self.config.providers.get(settings.provider),
            self._loaded.link_secret(name, "client_secret_file"),
            self.dispatcher,
            webhook_token=self._loaded.link_secret(name, "webhook_token_file"),
            on_fault=self._link_fault(name),
        )

    # -- running ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what the last run left, connect south, then open the doors in the north."""
        await self.journal.fold()
        self.outbox.start()
        self.dispatcher.start()
        for link in self.desk.links.values():
            await link.start()
        if self.webhooks is not None:
            await self.webhooks.start()
        if self.scrape is not None:
            await self.scrape.start()
        await self.server.start()
        log.info("= gatewayd %s is ready: %s", gatewayd.__version__, "; ".join(self._doors()))

    def _doors(self) -> Iterator[str]:
        """Where it listens: the configuration may have left the port to the system."""
        yield "smpp on " + ", ".join(f"{host}:{port}" for host, port in self.server.addresses)
        if self.scrape is not None:
            yield f"metrics on {_at_port(self.config.metrics.listen, self.scrape.port)}"
        if self.webhooks is not None:
            yield f"webhooks on {_at_port(self.config.webhooks.listen, self.webhooks.port)}"

    async def stop(self) -> None:
        """Take nothing new, answer what is durable, unbind, and write down the rest."""
        deadline = time.monotonic() + self.config.daemon.drain_timeout_s
        self.server.close_listeners()
        self.dispatcher.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._left(deadline)):
                await self.journal.flush()
        if self.webhooks is not None:
            await self.webhooks.stop()
        links = [link.stop(self._left(deadline)) for link in self.desk.links.values()]
        await asyncio.gather(self.server.stop(self._left(deadline)), *links)
        self.outbox.stop()
        if self.scrape is not None:
            await self.scrape.stop()
        await self.journal.close()
        await cancel_all()
        self.shared.close()
        log.info("= stopped")

    @staticmethod
    def _left(deadline: float) -> float:
        return max(0.0, deadline - time.monotonic())

    # -- hooks --------------------------------------------------------------------------------------------------

    def _on_commit(self, seconds: float, records: int) -> None:
        self.metrics.store_commit.observe(seconds)
        self.metrics.store_group.observe(records)

    def _on_commit_failure(self, reason: str) -> None:
        self.metrics.store_commit_failures.value += 1

    def _count_fault(self, side: str) -> Callable[[str], None]:
        return lambda kind: self._fault(side, kind)

    def _fault(self, side: str, kind: str) -> None:
        self.metrics.faults.labels(side, kind).value += 1

    def _link_fault(self, name: str) -> Callable[[str], None]:
        def on_fault(kind: str) -> None:
            self._fault("carrier", kind)
            if kind == "receipt_unparsed":
                self.metrics.receipt_events.labels(name, "unparsed").value += 1

        return on_fault

    def _complaints(self) -> tuple[str, ...]:
        return ("the store cannot commit",) if self.journal.is_failing else ()

    # -- gauges -------------------------------------------------------------------------------------------------

    def _register_gauges(self) -> None:
        register = self.metrics.gauges.register
        register("gatewayd_queue_messages", self.dispatcher.queue_depths)
        register("gatewayd_queue_oldest_age_seconds", self.dispatcher.queue_ages)
        register("gatewayd_outbox_deliveries", self.outbox.depths)
        register("gatewayd_outbox_oldest_age_seconds", self.outbox.ages)
        register("gatewayd_binds", self._binds)
        register("gatewayd_window_used", self._windows_used)
        register("gatewayd_window_size", self._window_sizes)
        register("gatewayd_link_up", lambda: [((n,), float(link.is_up)) for n, link in self.desk.links.items()])
        register("gatewayd_limiter_paused_seconds", self._pauses)
        register("gatewayd_store_pending_records", lambda: [((), self.journal.pending)])

    def _binds(self) -> Iterator[tuple[tuple[str, ...], float]]:
        yield from self.server.binds()
        for name, link in self.desk.links.items():
            if isinstance(link, SmppLink):
                yield ("carrier", name), link.binds_up

    def _windows_used(self) -> Iterator[tuple[tuple[str, ...], float]]:
        yield from self.server.windows()
        for name, link in self.desk.links.items():
            yield ("carrier", name), link.window_used

    def _window_sizes(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for name, account in self.server.accounts.items():
            yield ("esme", name), account.settings.window * len(account.binds)
        for name, settings in self.config.links.items():
            yield ("carrier", name), settings.window * (settings.binds if settings.kind == "smpp" else 1)

    def _pauses(self) -> Iterator[tuple[tuple[str, ...], float]]:
        now = time.monotonic()
        for name in self.shared.names():
            yield (name,), max(0.0, self.shared.slot(name).paused_until - now)


def _at_port(listen: str, port: int) -> str:
    return f"{listen.rpartition(':')[0]}:{port}"


def _rate(per_minute: int, rate_per_s: float, burst: float) -> Rate:
    return rate_of(per_minute, rate_per_s, burst) if per_minute or rate_per_s else UNLIMITED


def _rule(route: schema.Route) -> Rule:
    return Rule(route.links, route.accounts, route.senders, route.prefixes, route.classes, route.on_unknown)
