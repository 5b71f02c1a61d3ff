"""One worker in virtual time, of the parts that the composition root uses: it starts on its files, and dies.

Sockets are left out: the application's side is a list, the platform's and the carrier's are objects.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gatewayd.billing import rule_files
from gatewayd.billing.outbox import CdrOutbox
from gatewayd.billing.record_files import RecordFiles
from gatewayd.billing.record_table import RecordTable
from gatewayd.carriers.link import Capability, Link, LinkListener, Report, Result, Revocation
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.config import schema
from gatewayd.flow.aliases import alias_of
from gatewayd.flow.desk import Desk
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.ledger import Ledger
from gatewayd.limiting import Limiting
from gatewayd.message import Encoding, Message
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_ratio import SharedRatios
from gatewayd.runtime.trail import Trail
from gatewayd.store.journal import Journal
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Journey, Spool
from tests.day.carrier import Carrier, CarrierPart
from tests.day.wires import Caller, PlatformWire
from tests.gatewayd.store.opening import kill

WORKERS = 2
HOOK_TOKEN = "hook-token"
SECRET = "platform"
SOURCE = "36179"
RECORDS_SIZE_MAX = 100_000
GROUP_WAIT_S = 0.01
FRESH_S = 0.1
"""What a link answered so shortly before a death may not have been written down."""


class Ear:
    """The listener of a worker's links: a dead one hears nothing."""

    def __init__(self) -> None:
        self.is_dead = False
        self.listener: LinkListener | None = None
        self.answered: deque[tuple[float, int]] = deque(maxlen=500)

    @property
    def _alive(self) -> LinkListener | None:
        return None if self.is_dead else self.listener

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        if self._alive:
            now = asyncio.get_running_loop().time()
            self.answered.extend((now, result.message_id) for result in results)
            self._alive.on_results(link, results)

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        if self._alive:
            self._alive.on_reports(link, reports)

    def on_ready(self, link: Link) -> None:
        if self._alive:
            self._alive.on_ready(link)

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        if self._alive:
            self._alive.on_revoked(link, revocation)

    def on_capability(self, link: Link, capability: Capability) -> None:
        if self._alive:
            self._alive.on_capability(link, capability)


class Application:
    """What applications were answered and given, over all crashes. A delivery may come twice, and has one id."""

    def __init__(self) -> None:
        self.answered: set[int] = set()
        self.receipts: dict[int, dict[int, str]] = {}
        self.texts: dict[int, str] = {}
        self.given = 0

    def take(self, owed: Delivery) -> None:
        self.given += 1
        if owed.kind == "receipt":
            self.receipts.setdefault(owed.message_id, {})[owed.id] = owed.state.value
        else:
            self.texts[owed.id] = owed.payload.decode()


class Mailbox:
    """The outbox of one worker: whoever is owed something has it at once."""

    def __init__(self, application: Application, spool: Spool) -> None:
        self._application = application
        self._spool = spool

    def start(self) -> None:
        """Bring again what the last run did not get confirmed."""
        self.add(self._spool.deliveries([delivery_id for delivery_id, _ in self._spool.owed()]))

    def add(self, deliveries: list[Delivery]) -> None:
        for owed in deliveries:
            self._application.take(owed)
            self._spool.settle_delivery(owed.id)

    def has_room(self, account: str, sink: str = "") -> bool:
        return True

    def make_room(self, account: str, sink: str = "") -> None:
        raise AssertionError("there is room")


class Town:
    """What outlives workers: files, the platform, the carrier, the applications."""

    def __init__(self, folder: Path, config: schema.Config, wire: PlatformWire, wall: Callable[[], float]) -> None:
        self.folder = folder
        self.config = config
        self.wire = wire
        self.wall = wall
        self.carrier = Carrier()
        self.application = Application()
        self.interrupted: set[int] = set()


class Station:
    """One worker."""

    def __init__(self, town: Town, slot: int) -> None:
        self.town, self.slot = town, slot
        self.loop = asyncio.get_running_loop()
        self.ear = Ear()
        config, folder = town.config, town.folder
        self.limits = SharedLimits.open(folder / "limits")
        self.ratios = SharedRatios.open(folder / "ratios", 8)
        self.journal = Journal(folder / f"worker-{slot}.spool", group_wait_s=GROUP_WAIT_S)
        self.spool = Spool(self.journal, slot=slot, workers=WORKERS, clock=town.wall)
        self.metrics = Metrics("day")
        self.desk = Desk(
            accounts=config.accounts,
            links=config.links,
            spool=self.spool,
            metrics=self.metrics,
            trail=Trail(),
            clock=town.wall,
        )
        self.records = self._records()
        limiting = Limiting(self.limits, self.ratios, slot, WORKERS, self.loop.time)
        self.dispatcher = self.ear.listener = Dispatcher(
            self.desk,
            RouteTable([Rule(route.links, prefixes=route.prefixes) for route in config.routes]),
            {name: limiting.limits_of(config, name) for name in config.links},
            session_window_h=config.sessions.window_h,
            join_timeout_s=60.0,
            incomplete_max=100,
        )
        self.mailbox = self.desk.outbox = Mailbox(town.application, self.spool)
        self.bots: dict[str, RcsLink] = {}
        for name, settings in config.links.items():
            self.desk.guards.set(name, limiting.guard_of(config, name))
            self.desk.add_link(self._link(name, settings), settings)
        self.hooks = WebhookServer(schema.Webhooks(), self.bots)

    def _records(self) -> CdrOutbox:
        files = RecordFiles(self.town.folder / "cdr", RECORDS_SIZE_MAX)
        files.prepare()
        records = CdrOutbox(self.journal, files, self.slot, RecordTable(self.town.folder / "cdr"))
        books = rule_files.books(rule_files.names())
        self.desk.ledger = Ledger(self.journal, self.desk.settings, books, records, self.metrics, self.town.wall)
        return records

    def _link(self, name: str, settings: schema.Link) -> Link:
        if settings.kind == "smpp":
            return CarrierPart(self.town.carrier, self.slot, self.ear)
        bot = self.bots[name] = RcsLink(
            name,
            settings,
            self.town.config.providers[settings.provider],
            SECRET,
            self.ear,
            webhook_token=HOOK_TOKEN,
            alias_of=partial(alias_of, self.journal, name),
            clock=self.loop.time,
            wall=self.town.wall,
            rng=random.Random(self.slot),
        )
        bot._http = Caller(self.town.wire)  # the same door, without a socket
        return bot

    @property
    def is_busy(self) -> bool:
        """Whether a thread works for it."""
        journal = self.journal
        return journal._in_flight is not None or journal._is_folding or self.records._writing is not None

    async def start(self) -> None:
        """Go on where the last run ended."""
        await self.journal.fold()
        self.town.interrupted.update(journey.message.id for journey in self.spool.interrupted())
        self.mailbox.start()
        self.dispatcher.start()
        for bot in self.bots.values():
            await bot.start()

    def submit(self, account: str, handset: str) -> None:
        """As the submit desk does it. The text names the message, so that all ledgers can be compared."""
        message_id = self.spool.new_id()
        message = Message(
            id=message_id,
            account=account,
            source_ton=1,
            source_npi=1,
            source=SOURCE,
            destination_ton=1,
            destination_npi=1,
            destination=handset,
            payload=f"{message_id:x}".encode(),
            encoding=Encoding.GSM,
            accepted_at=self.town.wall(),
            registered_delivery=1,
            traffic_class=self.town.config.accounts[account].traffic_class,
        )
        progress = self.dispatcher.plan(message)
        assert progress is not None
        self.journal.then(self._stored, self.spool.accept(message, progress))

    def _stored(self, journeys: list[Journey]) -> None:
        self.town.application.answered.update(journey.message.id for journey in journeys)
        self.dispatcher.accepted(journeys)

    async def die(self) -> None:
        """As a process that is killed: what was not handed to the disk, to the platform or to the carrier is lost."""
        self.ear.is_dead = True
        self.town.interrupted.update(self.desk.flying)
        fresh_from = self.loop.time() - FRESH_S
        self.town.interrupted.update(message_id for at, message_id in self.ear.answered if at >= fresh_from)
        self.dispatcher.stop()
        tasks = [task for bot in self.bots.values() for task in bot._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if self.records._writing is not None:
            await asyncio.wait([self.records._writing])
        self.journal._on_written = lambda event, detail: None  # type: ignore[method-assign]
        kill(self.journal)
        self._close()

    async def stop(self) -> None:
        """An orderly end."""
        for bot in self.bots.values():
            await bot.stop(5.0)
        self.dispatcher.stop()
        await self.journal.flush()
        assert self.desk.ledger is not None
        await self.desk.ledger.close()
        await self.journal.close()
        self._close()

    def _close(self) -> None:
        self.limits.close()
        self.ratios.close()
