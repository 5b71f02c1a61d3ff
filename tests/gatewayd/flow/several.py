"""Several workers in one process: each a whole flow on a store of its own, joined by real meshes.

Links are scripted, for a link is the boundary of flow, and so are the binds of applications; all between is real. Time
is the test's, but for the meshes, which need none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gatewayd.carriers.link import Report, Result
from gatewayd.carriers.smpp_reports import spelt_out
from gatewayd.config import schema
from gatewayd.flow.community import Community
from gatewayd.flow.desk import Desk
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.limits import Limits
from gatewayd.message import (
    Accepted,
    Channel,
    Deferred,
    Encoding,
    Inbound,
    Linked,
    Message,
    Outcome,
    Receipt,
    State,
    Unknown,
)
from gatewayd.policy.homes import home_of
from gatewayd.policy.journey import OnUnknown, Progress
from gatewayd.policy.pacing import UNLIMITED
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.snapshots import Ledger, ledger_path
from gatewayd.runtime.trail import Trail
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.sharing import Guest, Sharing
from gatewayd.senders.sinks import Sinks
from gatewayd.store.journal import Journal
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Spool
from protocol.smpp.errors import LocalFault
from protocol.smpp.pdu import DeliverSm
from tests.gatewayd.store.opening import kill

START = 1_790_000_000.0
PATIENCE_S = 20.0
ACCOUNTS = {"shop": schema.Account(numbers=("36179",)), "bank": schema.Account(numbers=("36180",))}
LINKS = {"carrier": schema.Link(kind="smpp"), "bot": schema.Link(kind="gsma", bot_id="shop-bot", capability="assume")}
PART_SIZE = 10


class Part:
    """One worker's part of a link, played by the test: it takes what fits its window and answers when told to."""

    def __init__(self, name: str, channel: Channel, worker: Worker, window: int) -> None:
        self.name = name
        self.channel = channel
        self.window = window
        self.is_up = True
        self.worker = worker
        self.sent: list[tuple[int, int]] = []
        self.in_flight: list[tuple[int, int]] = []
        self.texts: list[bytes] = []
        self.most = 0
        self.too_many = 0
        self.reported: list[object] = []
        self.acknowledged: list[tuple[object, bool]] = []
        self.revoked: list[str] = []

    @property
    def window_used(self) -> int:
        return len(self.in_flight)

    def capacity(self) -> int:
        return max(0, self.window - len(self.in_flight)) if self.is_up else 0

    def want(self, waiting: int, keep: int) -> None:
        raise AssertionError("the window is the others' too")

    def cost(self, message: Message) -> int:
        return 1 if self.channel is Channel.RCS else max(1, -(-len(message.payload) // PART_SIZE))

    def unseen(self, message: Message, error: str) -> Unknown:
        return Unknown(error)

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        for segment in range(self.cost(message)) if segments is None else segments:
            if not self.capacity():
                self.too_many += 1
                results = [Result(message.id, segment, Deferred("link_down", 1.0), 0.0)]
                asyncio.get_running_loop().call_soon(self.worker.listener.on_results, self, results)
                continue
            assert (message.id, segment) not in self.in_flight, "in flight already"
            self.in_flight.append((message.id, segment))
            self.sent.append((message.id, segment))
            self.texts.append(message.payload)
            self.most = max(self.most, len(self.in_flight))

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        for token in tokens:
            self.reported.remove(token)
            self.acknowledged.append((token, stored))

    def revoke(self, message_id: int, carrier_id: str) -> None:
        self.revoked.append(carrier_id)

    def spelt_out(self, receipt: Receipt) -> Receipt:
        return spelt_out(receipt)

    def check_capability(self, handset: str) -> None:
        raise AssertionError("assumed")

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self, drain_s: float) -> None:
        """Nothing to drain."""

    # what the test says

    def answer(self, *outcomes: Outcome) -> None:
        """Answer what is in flight, oldest first, all in one read."""
        assert len(outcomes) <= len(self.in_flight), "nothing is in flight"
        answered = self.in_flight[: len(outcomes)]
        del self.in_flight[: len(outcomes)]
        results = [Result(*sent, outcome, 0.1) for sent, outcome in zip(answered, outcomes, strict=True)]
        self.worker.listener.on_results(self, results)
        self.ready()

    def accept_all(self) -> list[tuple[int, str]]:
        """Take everything, under names made of what it is; (message, name) of each."""
        sent = list(self.in_flight)
        named = [(message_id, f"{message_id:x}.{segment}.{len(self.sent)}") for message_id, segment in sent]
        self.answer(*(Accepted(name) for _, name in named))
        return named

    def report(self, *contents: Receipt | Inbound | Linked) -> None:
        """Tell receipts and texts; each content is its own token, and is ``reported`` until it is acknowledged."""
        self.reported += contents
        self.worker.listener.on_reports(self, [Report(content, content) for content in contents])

    def ready(self) -> None:
        """There is room, perhaps."""
        self.worker.listener.on_ready(self)

    def up(self, is_up: bool = True, window: int | None = None) -> None:
        """Binds come and go."""
        self.is_up = is_up
        self.window = self.window if window is None else window
        if is_up:
            self.ready()


class Bind:
    """A bind of an application, played by the test."""

    def __init__(self, worker: Worker, account: str) -> None:
        self.account_name = account
        self.account_settings = ACCOUNTS[account]
        self.receipt_form = None
        self.pump = SimpleNamespace(peername="192.0.2.1")
        self.can_deliver = True
        self.worker = worker
        self.unanswered: list[tuple[DeliverSm, Delivery | Guest]] = []
        self.got: list[bytes] = []
        self.most = 0
        worker.outbox.join(self)  # type: ignore[arg-type]  # it has all that the outbox looks at

    @property
    def engine(self) -> SimpleNamespace:
        return SimpleNamespace(window_used=len(self.unanswered))

    def deliver(self, pdu: DeliverSm, context: Delivery | Guest) -> None:
        if not self.can_deliver:
            raise LocalFault("closed")
        self.unanswered.append((pdu, context))
        self.most = max(self.most, len(self.unanswered))

    def answer(self, status: int = 0, count: int = 1_000) -> None:
        """Answer the oldest."""
        answered, self.unanswered = self.unanswered[:count], self.unanswered[count:]
        for pdu, context in answered:
            if status == 0:
                self.got.append(pdu.short_message)
            self.worker.outbox.answered(self, context, status)  # type: ignore[arg-type]

    def cut(self) -> None:
        """The connection is lost."""
        self.can_deliver = False
        lost, self.unanswered = self.unanswered, []
        for _, context in lost:
            self.worker.outbox.unanswered(self, context, "lost")  # type: ignore[arg-type]
        self.worker.outbox.leave(self)  # type: ignore[arg-type]


class Submitted:
    """A submit_sm of an application: its answer is None as long as there is none."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.status: int | None = None
        self.kind = ""
        self.known = 0

    @property
    def id(self) -> int:
        return self.message.id

    def answer(self, status: int, kind: str, known: int = 0) -> None:
        assert self.status is None, "answered twice"
        self.status, self.kind, self.known = status, kind, known


class Worker:
    """One of several, as the composition root puts it together."""

    def __init__(self, city: City, slot: int) -> None:
        self.city = city
        self.slot = slot
        self.journal = Journal(city.folder / f"worker-{slot}.spool", group_wait_s=0.0)
        self.spool = Spool(self.journal, slot=slot, clock=city.clock)
        self.metrics = Metrics("test")
        self.desk = Desk(
            accounts=ACCOUNTS,
            links=city.links,
            spool=self.spool,
            metrics=self.metrics,
            trail=Trail(),
            clock=city.clock,
        )
        bounds = {name: (account.outbox_depth_max, city.bind_window) for name, account in ACCOUNTS.items()}
        self.outbox = Outbox(self.spool, bounds, self.metrics, Trail(), city.clock)
        self.desk.outbox = Sinks(self.outbox)
        self.dispatcher = Dispatcher(
            self.desk,
            city.routes(),
            {name: city.limits_of(name) for name in city.links},
            session_window_h=24.0,
            join_timeout_s=60.0,
            incomplete_max=100,
        )
        self.community = Community(
            slot,
            city.count,
            city.folder,
            self.dispatcher,
            self.spool,
            self.metrics.figures,
            Ledger(ledger_path(city.folder, slot)),
            pending_max=1_000,
        )
        self.crossing = self.listener = self.community.crossing
        self.sharing = self.outbox.sharing = self.crossing.outbox = Sharing(self.outbox, self.crossing)
        self.crossing.submits = self
        self.parts = {name: self.part(name) for name in city.links}

    def part(self, name: str) -> Part:
        """Make this worker's part of a link, and share it."""
        settings = self.city.links[name]
        channel = Channel.SMS if settings.kind == "smpp" else Channel.RCS
        part = Part(name, channel, self, self.city.window)
        self.desk.add_link(self.crossing.share(part), settings)
        return part

    @property
    def carrier(self) -> Part:
        return self.parts["carrier"]

    @property
    def bot(self) -> Part:
        return self.parts["bot"]

    async def start(self) -> None:
        await self.journal.fold()
        await self.community.start()
        self.outbox.start()
        self.dispatcher.start()

    def submit(self, text: str = "hello", destination: str = "33612345678", **facts: Any) -> Submitted:
        """As the submit desk does it."""
        message = self.message(text, destination, **facts)
        submitted = Submitted(message)
        home = self.crossing.home_of(destination)
        if home != self.slot:
            self.crossing.submit(home, message, submitted)
            return submitted
        progress = self.dispatcher.plan(message)
        assert progress is not None
        journey = self.spool.accept(message, progress)

        def stored(_: list[None]) -> None:
            submitted.answer(0, "")
            self.dispatcher.accepted([journey])

        self.journal.then(stored, None)
        return submitted

    def stored_elsewhere(self, waiting: Sequence[Submitted]) -> None:
        for submitted in waiting:
            submitted.answer(0, "")

    def answered_elsewhere(self, waiting: Submitted, status: int, kind: str, known: int = 0) -> None:
        waiting.answer(status, kind, known)

    def message(self, text: str, destination: str, **facts: Any) -> Message:
        return Message(
            id=self.spool.new_id(),
            account=facts.pop("account", "shop"),
            source_ton=1,
            source_npi=1,
            source=facts.pop("source", "36179"),
            destination_ton=1,
            destination_npi=1,
            destination=destination,
            payload=text.encode(),
            encoding=Encoding.GSM,
            accepted_at=self.city.now,
            registered_delivery=1,
            **facts,
        )

    def progress(self, message_id: int) -> Progress | None:
        journey = self.desk.journey(message_id)
        return journey.progress if journey is not None else None

    def counted(self, family: str, *labels: str) -> int:
        counters: Callable[..., Any] = getattr(self.metrics, family).labels
        count: int = counters(*labels).value
        return count

    async def die(self) -> None:
        """As a process that is killed: what was not handed to the disk or to the kernel is lost."""
        mesh = self.crossing.mesh
        mesh._is_stopping = True
        for connection in list(mesh._connections.values()):
            connection.cut()
        for waiting in mesh._waiting.values():
            waiting.clear()
        self.dispatcher.stop()
        self.outbox.stop()
        await self.community.stop()
        kill(self.journal)

    async def stop(self) -> None:
        self.dispatcher.stop()
        self.outbox.stop()
        await self.community.stop()
        await self.journal.close()


class City:
    """All workers."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *route: str,
        on_unknown: OnUnknown = "prefer_duplicate",
        window: int = 100,
        bind_window: int = 100,
        links: dict[str, schema.Link] | None = None,
    ) -> None:
        self.folder = folder
        self.count = count
        self.route = route or ("carrier",)
        self.on_unknown = on_unknown
        self.window = window
        self.bind_window = bind_window
        self.links = LINKS if links is None else links
        self.now = START
        self.workers: dict[int, Worker] = {}
        self._limits = SharedLimits.open(folder / "limits")

    def clock(self) -> float:
        return self.now

    def routes(self) -> RouteTable:
        return RouteTable([Rule(self.route, on_unknown=self.on_unknown)])

    def limits_of(self, name: str) -> Limits:
        slot = self._limits.slot(name)
        return Limits([(slot, UNLIMITED)], slot)

    def __getitem__(self, slot: int) -> Worker:
        return self.workers[slot]

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.workers.values())

    async def start(self) -> None:
        for slot in range(self.count):
            await self.begin(slot)
        await self.until_whole()

    async def begin(self, slot: int) -> Worker:
        """A worker starts, on what its last one left, and later than that one: ids come from the clock."""
        self.now += 0.01
        worker = self.workers[slot] = Worker(self, slot)
        await worker.start()
        return worker

    async def die(self, slot: int) -> None:
        """It is gone, and the others know."""
        await self.workers.pop(slot).die()
        await self.until(lambda: not any(worker.crossing.mesh.is_up(slot) for worker in self))

    async def close(self) -> None:
        for worker in list(self):
            await worker.stop()
        self._limits.close()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let everybody work until the condition holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  many parts move at once, and none of them knows of tests
                await asyncio.sleep(0)

    async def until_whole(self) -> None:
        await self.until(
            lambda: all(
                worker.crossing.mesh.is_up(peer) for worker in self for peer in self.workers if peer != worker.slot
            )
        )

    async def settle(self) -> None:
        """Let everybody work until there is nothing left to do: words cross, and are written down, and answered."""
        for _ in range(6):
            for _ in range(6):
                await asyncio.sleep(0)
            for worker in self:
                await worker.journal.flush()

    async def wait(self, seconds: float) -> None:
        """Time goes by, for flow."""
        self.now += seconds
        for worker in self:
            worker.dispatcher.tick()
        await self.settle()

    def handset(self, home: int, number: int = 0) -> str:
        """A handset whose home is this worker; others by other numbers."""
        found = (f"336{n:08}" for n in range(10_000_000) if home_of(f"336{n:08}", self.count) == home)
        for _ in range(number):
            next(found)
        return next(found)

    def fates(self, *binds: Bind) -> list[tuple[str, str]]:
        """(message id, state) of all receipts that applications confirmed."""
        texts = [text.decode() for bind in binds for text in bind.got if text.startswith(b"id:")]
        return [(text.split()[0].removeprefix("id:"), text.partition("stat:")[2].split()[0]) for text in texts]


def receipt(carrier_id: str, handset: str, state: State = State.DELIVRD, **facts: Any) -> Receipt:
    return Receipt(carrier_id, state, handset=handset, **facts)


def inbound(handset: str, text: str = "yes", destination: str = "36179", **facts: Any) -> Inbound:
    return Inbound(
        source_ton=facts.pop("source_ton", 1),
        source_npi=1,
        source=handset,
        destination_ton=1,
        destination_npi=1,
        destination=destination,
        payload=text.encode(),
        encoding=Encoding.GSM,
        **facts,
    )


@contextlib.asynccontextmanager
async def city_of(folder: Path, count: int, *route: str, **options: Any) -> AsyncIterator[City]:
    """A city that is closed in any case."""
    city = City(folder, count, *route, **options)
    try:
        await city.start()
        yield city
    finally:
        await city.close()
