"""The composition root of one process: builds every part from the configuration, runs them, takes them down in order.

Reads as the story of a start and of an end. Imports everything; nobody imports it but ``gatewayd.serving``.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatewayd.billing import rule_files
from gatewayd.billing.outbox import CdrOutbox
from gatewayd.billing.record_files import RecordFiles
from gatewayd.billing.record_table import RecordTable
from gatewayd.carriers.link import LinkListener
from gatewayd.carriers.receipt_dialects import Dialect
from gatewayd.carriers.seat_keeper import SeatKeeper
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.carriers.smpp_reports import ReportReader
from gatewayd.carriers.unparsed import UnparsedReceipts
from gatewayd.config import schema
from gatewayd.config.faults import dotted
from gatewayd.config.load import Loaded
from gatewayd.doors import Doors
from gatewayd.enriching import Enriching
from gatewayd.flow.alerts import Alerts
from gatewayd.flow.aliases import alias_of
from gatewayd.flow.community import Community
from gatewayd.flow.desk import Desk
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.ledger import Ledger
from gatewayd.flow.limits import Limits
from gatewayd.fronting import Fronting
from gatewayd.keeping import Keeping, history_of
from gatewayd.limiting import Limiting
from gatewayd.measuring import Measuring
from gatewayd.policy.billing_rules import RuleBook
from gatewayd.policy.easing import FULL
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.policy.spread import share_of
from gatewayd.posting import Posting
from gatewayd.reaching import Reaching
from gatewayd.reloading import Reloading
from gatewayd.runtime.dealing import Dealing
from gatewayd.runtime.seats import SeatFile
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_ratio import SharedRatios
from gatewayd.runtime.steady import SteadyClock
from gatewayd.runtime.tasks import cancel_all
from gatewayd.runtime.trail import Trail
from gatewayd.senders.accounts import Account
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.esme_requests import RequestDesk
from gatewayd.senders.several import rename_shortly
from gatewayd.senders.sharing import Sharing
from gatewayd.senders.smpp_server import SmppServer
from gatewayd.senders.submit import SubmitDesk
from gatewayd.store.journal import Journal
from gatewayd.store.spool import Spool

if TYPE_CHECKING:  # what speaks HTTP or MQTT is read by those who use it: HTTP is 10 MB
    from gatewayd.brokering import Brokering
    from gatewayd.carriers.rcs_link import RcsLink
    from gatewayd.carriers.rcs_webhook import WebhookServer
    from gatewayd.runtime.scrape import ScrapeServer

log = logging.getLogger("gatewayd")

SPOOL_FILE, LIMITS_FILE, SEATS_FILE, RATIOS_FILE = "worker-{slot}.spool", "limits", "seats", "ratios"
APPLICATIONS_MAX = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a worker stands among all: its slot, how many there are, and the sockets that listen already."""

    slot: int = 0
    count: int = 1
    sockets: Mapping[str, Sequence[socket.socket]] = dataclasses.field(default_factory=dict)


class Worker:
    """A complete gateway on one event loop, alone or one of several that act as one."""

    def __init__(self, loaded: Loaded, place: Place | None = None) -> None:
        """Open what must be there before anything starts. Raises StoreFault or OSError."""
        self.loaded = loaded
        config = loaded.config
        self._place = place or Place()
        self._clock = SteadyClock()
        self.trail = Trail()
        self._runtime = Path(config.daemon.runtime_dir)
        self._runtime.mkdir(parents=True, exist_ok=True)
        self.measuring = Measuring(self._runtime, self._place.slot, self._place.count)
        self.metrics = self.measuring.metrics
        self.shared = SharedLimits.open(self._runtime / LIMITS_FILE)
        self._seats = SeatFile(self._runtime / SEATS_FILE, self._place.slot)
        history = history_of(config, self._place.slot)
        self.journal = Journal(
            Path(config.daemon.spool_dir) / SPOOL_FILE.format(slot=self._place.slot),
            group_wait_s=config.store.group_wait_ms / 1000,
            fold_entries=max(1, config.store.fold_entries // self._place.count),
            check=config.store.check_at_start,
            hooks=self.measuring.journal_times(),
            history=history,
        )
        self.spool = Spool(self.journal, slot=self._place.slot, workers=self._place.count, clock=self._clock)
        # Beside the spools: an operator goes on counting while the machine is started anew.
        self.ratios = SharedRatios.open(Path(config.daemon.spool_dir) / RATIOS_FILE, APPLICATIONS_MAX)
        self.limiting = Limiting(self.shared, self.ratios, self._place.slot, self._place.count)
        self._build_flow()
        self.doors = Doors(config, self.metrics, self._clock)
        self._build_senders()
        self._build_community()
        self.enriching = Enriching(self.journal, self.metrics, self._count_fault("carrier"))
        self.enriching.learn(loaded)
        self._build_carriers()
        self._build_doors()
        self.fronting = Fronting(self, self._place.sockets)
        self._take_requests()
        self.brokering: Brokering | None = None
        if config.mqtt.host:
            from gatewayd.brokering import Brokering

            self.brokering = Brokering(self, self._seats, self._place.slot, self._place.count)
        self.measuring.watch(self)
        Keeping(config, self._place.slot, history).watch(self.metrics)

    @property
    def slot(self) -> int:
        """This worker's number."""
        return self._place.slot

    @property
    def config(self) -> schema.Config:
        """The configuration in force."""
        return self.loaded.config

    # -- building -----------------------------------------------------------------------------------------------

    def _build_flow(self) -> None:
        config = self.config
        self.desk = Desk(
            accounts=config.accounts,
            links=config.links,
            spool=self.spool,
            metrics=self.metrics,
            trail=self.trail,
            clock=self._clock,
        )
        self.desk.ledger = self.ledger = self._build_ledger()
        bounds = self.outbox_bounds()
        self.outbox = Outbox(self.spool, bounds, self.metrics, self.trail, self._clock)
        self.posting = Posting(self.outbox, self.spool, self.metrics, self.trail, self._clock)
        self.posting.configure(self.loaded)
        self.desk.outbox = self.posting.sinks
        self.dispatcher = Dispatcher(
            self.desk,
            self.route_table(),
            {name: self.limits_of(name) for name in config.links},
            session_window_h=config.sessions.window_h,
            join_timeout_s=config.parts.join_timeout_s,
            incomplete_max=config.parts.incomplete_max,
        )
        folder, place = Path(config.daemon.spool_dir), self._place
        self.reaching = Reaching(self.dispatcher, folder, self._seats, place.slot, place.count)
        self.reaching.learn_numbers(config)

    def _build_ledger(self) -> Ledger:
        billing = self.config.billing
        folder = Path(billing.records_dir)
        files = RecordFiles(folder, billing.file_size_max)
        if any(link.billing for link in self.config.links.values()):
            files.prepare()
        outbox = CdrOutbox(self.journal, files, self._place.slot, RecordTable(folder) if billing.table else None)
        return Ledger(self.journal, self.desk.settings, self.rule_books(), outbox, self.metrics)

    def rule_books(self) -> dict[str, RuleBook]:
        """The rule sets of the links, and all that are shipped: something may still be open under one of them."""
        folder = self.config.billing.rules_dir
        named = {link.billing for link in self.config.links.values() if link.billing}
        return rule_files.books({*rule_files.names(), *named}, Path(folder) if folder else None)

    def route_table(self) -> RouteTable:
        """The routes in force."""
        return RouteTable([_rule(route) for route in self.config.routes])

    def outbox_bounds(self) -> dict[str, tuple[int, int]]:
        """Each account's depth and window."""
        return {name: (account.outbox_depth_max, account.window) for name, account in self.config.accounts.items()}

    def limits_of(self, name: str) -> Limits:
        """What paces a link."""
        return self.limiting.limits_of(self.config, name)

    def guard(self, name: str) -> None:
        """Watch over a link's error ratio as its provider's settings say."""
        self.desk.guards.set(name, self.limiting.guard_of(self.config, name))

    def _build_senders(self) -> None:
        config = self.config
        accounts = {name: self.account(name, settings) for name, settings in config.accounts.items()}
        self.submits = SubmitDesk(self.spool, self.dispatcher, self.metrics, config.store.pending_max, self._clock)
        self.submits.default_messages = config.smpp.default_messages
        tls, lockout = self.doors.tls.listeners.get("smpp"), self.doors.lockout
        self.server = SmppServer(config.smpp, accounts, self.submits, self.outbox, self.metrics, tls, lockout)
        self.doors.call_for(self.server, self.outbox, self._seats, self.metrics, self.loaded)

    def _take_requests(self) -> None:
        """What applications ask over their binds beside submit_sm."""
        questions = self.fronting.questions
        self.server.requests = RequestDesk(self.submits, questions, self.spool, self.metrics, self._clock)
        self.server.rename_shortly = rename_shortly(self.spool)
        self.alerts = Alerts(self.desk, questions, self.server.alert)

    def account(self, name: str, settings: schema.Account) -> Account:
        """An account, alive."""
        seats = self._seats.group(f"account:{name}", settings.binds_max)
        return Account(name, settings, self.loaded.password_hash(name), self.shared, seats, self.doors.budgets)

    def _build_community(self) -> None:
        """The other workers, where there are any."""
        self.community: Community | None = None
        if self._place.count > 1:
            self.community = Community(
                self._place.slot,
                self._place.count,
                self._runtime,
                self.dispatcher,
                self.spool,
                self.measuring.figures,
                self.measuring.ledger,
                pending_max=self.config.store.pending_max,
            )
            self.outbox.sharing = Sharing(self.outbox, self.community.crossing)
            self.community.crossing.outbox = self.outbox.sharing
            self.submits.elsewhere, self.community.crossing.submits = self.community.crossing, self.submits
            self.server.dealing = Dealing(self.shared, "smpp", self._place.slot, self._place.count)

    def _build_carriers(self) -> None:
        self.unparsed = UnparsedReceipts(Path(self.config.daemon.spool_dir), self._place.slot)
        self.own_links: dict[str, SmppLink | RcsLink] = {}
        self._rcs_links: dict[str, RcsLink] = {}
        self._keepers: dict[str, SeatKeeper] = {}
        self.unready_links: set[str] = set()
        for name, settings in self.config.links.items():
            self.add_link(name, settings)

    def add_link(self, name: str, settings: schema.Link) -> None:
        """Build a link and make it known; ``start_link`` connects it."""
        self.install_link(self.build_link(name, settings), settings)

    def build_link(self, name: str, settings: schema.Link) -> SmppLink | RcsLink:
        """A link that nobody knows yet."""
        listener: LinkListener = self.community.crossing if self.community is not None else self.dispatcher
        build = self._smpp_link if settings.kind == "smpp" else self._rcs_link
        link = build(name, settings, listener)
        if isinstance(link, SmppLink):
            link.on_alert = lambda alert: self.alerts.heard(name, alert)
        return link

    def install_link(self, link: SmppLink | RcsLink, settings: schema.Link) -> None:
        """Let messages go over it from now on, perhaps in the place of one that was stopped."""
        name = link.name
        if not isinstance(link, SmppLink):
            self._rcs_links[name] = link
        elif self.community is not None:
            # Of those that a carrier connects to, one worker listens, and has all of their binds.
            seats = self._seats.group(f"link:{name}", settings.berths)
            self._keepers[name] = SeatKeeper(link, seats, self._place.slot, self._place.count, self.community.alive)
        self.guard(name)
        self.own_links[name] = link
        self.reaching.offer(link, settings)
        self.desk.add_link(self.community.crossing.share(link) if self.community is not None else link, settings)

    async def start_link(self, name: str) -> None:
        """Connect it. Raises OSError when it cannot be got ready."""
        if name in self._keepers:
            await self._keepers[name].start()
        else:
            await self.own_links[name].start()

    async def reconnect(self, name: str) -> None:
        """Connect a link anew: a person wants it."""
        keeper = self._keepers.get(name)
        await (keeper.reconnect() if keeper is not None else self.own_links[name].reconnect())

    async def stop_link(self, name: str, drain_s: float) -> None:
        """Give it nothing more, let its answers come for a while, unbind; what waits for it stays in its queue.

        Its settings stay known: they are asked for as long as anything is heard over it.
        """
        self.desk.links.pop(name, None)
        self.reaching.withdraw(name)
        keeper = self._keepers.pop(name, None)
        if keeper is not None:
            await keeper.stop()
        await self.own_links[name].stop(drain_s)
        if keeper is not None:
            keeper.release()
        del self.own_links[name]
        self._rcs_links.pop(name, None)

    def forget_link(self, name: str) -> None:
        """It is no longer configured, and was stopped."""
        self.desk.remove_link(name)
        if self.community is not None:
            self.community.crossing.retire(name)

    def _smpp_link(self, name: str, settings: schema.Link, listener: LinkListener) -> SmppLink:
        return SmppLink(
            name,
            settings,
            self.loaded.link_secret(name, "password_file"),
            listener,
            rng=random.Random(),
            on_fault=self._link_fault(name),
            outbind_password=self.loaded.secrets.get(dotted("links", name, "outbind_password_file")),
            admission=self.limiting.admission_of(name, settings),
            width=lambda: self.limiting.width_of(self.config, name),
            on_congestion=lambda state: self._congested(name, state),
            reader=self.reader_of(name, settings),
        )

    def reader_of(self, name: str, settings: schema.Link) -> ReportReader:
        """What reads the reports of a link's carrier."""
        dialect = Dialect(self.loaded.receipts[settings.receipts]) if settings.receipts else None
        return ReportReader(settings, self._link_fault(name), dialect, partial(self.unparsed.keep, name))

    def _rcs_link(self, name: str, settings: schema.Link, listener: LinkListener) -> RcsLink:
        from gatewayd.carriers.rcs_link import RcsLink

        # To a platform each worker speaks itself, with its part of the window.
        share = share_of(self._place.slot, settings.window, self._place.count)
        own = msgspec.structs.replace(settings, window=max(1, share))
        return RcsLink(
            name,
            own,
            self.config.providers.get(settings.provider),
            self.loaded.link_secret(name, "service_account_file" if settings.kind == "rbm" else "client_secret_file"),
            listener,
            webhook_token=self.loaded.link_secret(name, "webhook_token_file"),
            bot_key=self.loaded.link_secret(name, "bot_key_file") if settings.bot_key_file else "",
            alias_of=partial(alias_of, self.journal, name),
            content_of=self.enriching.templates.content_of,
            files=self.enriching.filing(name),
            on_fault=self._link_fault(name),
        )

    def _build_doors(self) -> None:
        config, sockets = self.config, self._place.sockets
        self.webhooks: WebhookServer | None = None
        if config.webhooks.listen:
            from gatewayd.carriers.rcs_webhook import WebhookServer

            self.webhooks = WebhookServer(
                config.webhooks,
                self._rcs_links,
                on_fault=self._count_fault("webhook"),
                on_ignored=self.metrics.webhook_ignored.count,
                bots=lambda: {link.bot_id for link in self.config.links.values() if link.kind == "rbm"},
                sockets=sockets.get("webhooks", ()),
                tls=self.doors.tls.listeners.get("webhooks"),
            )
        self.scrape: ScrapeServer | None = None
        if config.metrics.listen:
            from gatewayd.runtime.scrape import ScrapeServer

            collect = self.community.collect if self.community is not None else self.measuring.collect
            listening = sockets.get("metrics", ())
            self.scrape = ScrapeServer(collect, config.metrics.listen, self._complaints, sockets=listening)

    # -- running ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what the last run left, connect south, then open the doors in the north."""
        await self.journal.fold()
        if self.community is not None:
            await self.community.start()
        self.outbox.start()
        self.posting.start()
        self.dispatcher.start()
        for name in self.own_links:
            await self.start_link(name)
        if self.webhooks is not None:
            await self.webhooks.start()
        if self.scrape is not None:
            await self.scrape.start()
        await self.fronting.start()
        await self.server.start(self._place.sockets.get("smpp", ()), self._place.sockets.get("smpp_tls", ()))
        self.doors.start()
        if self.brokering is not None:
            self.brokering.start()

    async def drain(self, drain_s: float) -> None:
        """Take nothing new, answer what is durable, let answers come for a while, and unbind."""
        deadline = time.monotonic() + drain_s
        self.server.close_listeners()
        self.doors.close()
        self.fronting.close_listeners()
        if self.brokering is not None:
            self.brokering.close()
        self.dispatcher.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_left(deadline)):
                await self.journal.flush()
        if self.webhooks is not None:
            await self.webhooks.stop()
        await self.fronting.stop(_left(deadline))
        for keeper in self._keepers.values():
            await keeper.stop()
        stops: list[Awaitable[None]] = [link.stop(_left(deadline)) for link in self.own_links.values()]
        await asyncio.gather(self.server.stop(_left(deadline)), self.posting.stop(_left(deadline)), *stops)
        if self.brokering is not None:
            await self.brokering.stop(_left(deadline))
        if self.community is not None:
            await self.community.crossing.settle(_left(deadline))
        self.outbox.stop()

    async def stop(self) -> None:
        """Write down the rest and be gone."""
        if self.scrape is not None:
            await self.scrape.stop()
        self.measuring.stop()
        await self.ledger.close()
        await self.journal.close()
        if self.community is not None:
            await self.community.stop()
        await cancel_all()
        self.reaching.close()
        self._seats.close()
        self.doors.stop()
        self.shared.close()
        self.ratios.close()

    async def reload(self, loaded: Loaded) -> list[str]:
        """Take up a new configuration; returns what could not be taken up."""
        return await Reloading(self).take_up(loaded)

    def beat(self) -> dict[str, float]:
        """What the supervisor tells systemd: a few numbers."""
        return {
            "binds": sum(len(account.binds) for account in self.server.accounts.values()),
            "carrier_binds": sum(link.binds_up for link in self.own_links.values() if isinstance(link, SmppLink)),
            "messages": self.submits.accepted,
        }

    # -- hooks --------------------------------------------------------------------------------------------------

    def _count_fault(self, side: str) -> Callable[[str], None]:
        return lambda kind: self._fault(side, kind)

    def _fault(self, side: str, kind: str) -> None:
        self.metrics.faults.labels(side, kind).value += 1

    def _congested(self, name: str, state: int) -> None:
        if self.limiting.congested(self.config, name, state):
            self.metrics.limiter_halvings.labels(name).value += state >= FULL

    def _link_fault(self, name: str) -> Callable[[str], None]:
        def on_fault(kind: str) -> None:
            self._fault("carrier", kind)
            if kind == "receipt_unparsed":
                self.metrics.receipt_events.labels(name, "unparsed").value += 1

        return on_fault

    def _complaints(self) -> tuple[str, ...]:
        return ("the store cannot commit",) if self.journal.is_failing else ()


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _rule(route: schema.Route) -> Rule:
    return Rule(route.links, route.accounts, route.senders, route.prefixes, route.classes, route.on_unknown)
