"""Flow on a stage: a real store and real queues between a scripted link and an outbox that writes down.

A link is the boundary of flow, so one that plays its contract is the right partner; everything else is real. Time is
the test's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gatewayd.carriers.link import Capability, Link, Report, Result, Revocation
from gatewayd.carriers.smpp_reports import spelt_out
from gatewayd.config import schema
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
from gatewayd.policy.journey import OnUnknown, Progress, Stage
from gatewayd.policy.pacing import UNLIMITED, Rate
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.trail import Trail
from gatewayd.store.journal import Journal
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Journey, Spool
from tests.gatewayd.store.opening import kill

START = 1_790_000_000.0
HANDSET = "33612345678"
PART_SIZE = 10

ACCOUNTS = {
    "shop": schema.Account(numbers=("36179",)),
    "bank": schema.Account(numbers=("+33700000000",)),
    "otp": schema.Account(traffic_class="otp"),
    "reader": schema.Account(displayed_receipts="READ", displayed_wait_h=72.0),
}
LINKS = {
    "bot": schema.Link(kind="gsma", bot_id="shop-bot", capability="assume"),
    "asked": schema.Link(kind="gsma", bot_id="asked-bot", capability="query"),
    "carrier": schema.Link(kind="smpp"),
    "backup": schema.Link(kind="smpp"),
}


class ScriptedLink:
    """Plays the contract of a link: takes what fits its window, and answers when the test says so."""

    def __init__(self, name: str, channel: Channel, scene: Scene) -> None:
        self.name = name
        self.channel = channel
        self.window = 100
        self.is_up = True
        self.sent: list[tuple[int, int]] = []
        self.texts: list[bytes] = []
        self.messages: list[Message] = []
        self.expiries: list[float] = []
        self.in_flight: list[tuple[int, int]] = []
        self.revoked: list[str] = []
        self.checked: list[str] = []
        self.wanted = (0, 0)
        self.acknowledged: list[tuple[object, bool]] = []
        self._scene = scene

    # what flow asks

    @property
    def window_used(self) -> int:
        return len(self.in_flight)

    def capacity(self) -> int:
        return max(0, self.window - len(self.in_flight)) if self.is_up else 0

    def want(self, waiting: int, keep: int) -> None:
        self.wanted = (waiting, keep)

    def cost(self, message: Message) -> int:
        return 1 if self.channel is Channel.RCS else max(1, math.ceil(len(message.payload) / PART_SIZE))

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        for segment in range(self.cost(message)) if segments is None else segments:
            assert self.capacity() > 0, "more than the window takes"
            assert (message.id, segment) not in self.in_flight, "in flight already"
            self.in_flight.append((message.id, segment))
            self.sent.append((message.id, segment))
            self.texts.append(message.payload)
            self.messages.append(message)
            self.expiries.append(expires_at)

    def unseen(self, message: Message, error: str) -> Unknown:
        names = self._scene.settings[self.name].kind == "rbm"
        return Unknown(error, f"name-{message.id:x}" if names else "")

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        self.acknowledged += [(token, stored) for token in tokens]

    def revoke(self, message_id: int, carrier_id: str) -> None:
        assert self.capacity() > 0, "more than the window takes"
        self.revoked.append(carrier_id)

    def spelt_out(self, receipt: Receipt) -> Receipt:
        return spelt_out(receipt)

    def check_capability(self, handset: str) -> None:
        self.checked.append(handset)

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self, drain_s: float) -> None:
        """Nothing to drain."""

    # what the test says

    def answer(self, *outcomes: Outcome, first: int = 0) -> None:
        """Answer what is in flight, oldest first, all in one read."""
        answered = self.in_flight[first : first + len(outcomes)]
        assert len(answered) == len(outcomes), "nothing is in flight"
        del self.in_flight[first : first + len(outcomes)]
        results = [
            Result(message_id, segment, outcome, 0.1)
            for (message_id, segment), outcome in zip(answered, outcomes, strict=True)
        ]
        self._scene.dispatcher.on_results(self, results)

    def accept(self, *carrier_ids: str) -> None:
        self.answer(*(Accepted(carrier_id) for carrier_id in carrier_ids))

    def report(self, *contents: Receipt | Inbound | Linked) -> None:
        """Tell receipts and texts; each content is its own token."""
        self._scene.dispatcher.on_reports(self, [Report(content, content) for content in contents])

    def receipt(self, carrier_id: str, state: State = State.DELIVRD, **facts: Any) -> None:
        self.report(Receipt(carrier_id, state, **facts))

    def say_revoked(self, carrier_id: str, revoked: bool | None, throttled: Deferred | None = None) -> None:
        message_id = self._scene.named[carrier_id]
        self._scene.dispatcher.on_revoked(self, Revocation(message_id, carrier_id, revoked, "", throttled))

    def say_capable(
        self, capable: bool | None, handset: str = HANDSET, reason: str = "", throttled: Deferred | None = None
    ) -> None:
        self._scene.dispatcher.on_capability(self, Capability(handset, capable, reason, throttled))

    def ready(self) -> None:
        self._scene.dispatcher.on_ready(self)


class Notebook:
    """The outbox: what was owed, in order."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.full: set[str] = set()
        self.dropped: list[str] = []

    def add(self, deliveries: list[Delivery]) -> None:
        self.deliveries += deliveries

    def has_room(self, account: str, sink: str = "") -> bool:
        return (f"{account}/{sink}" if sink else account) not in self.full

    def make_room(self, account: str, sink: str = "") -> None:
        self.dropped.append(f"{account}/{sink}" if sink else account)

    @property
    def fates(self) -> list[tuple[int, str]]:
        """Message and state of each receipt."""
        return [(owed.message_id, owed.state.value) for owed in self.deliveries if owed.kind == "receipt"]


class Scene:
    """All of flow on one spool."""

    def __init__(
        self,
        folder: Path,
        *route: str,
        on_unknown: OnUnknown = "prefer_duplicate",
        rates: dict[str, Rate] | None = None,
        links: dict[str, schema.Link] | None = None,
        incomplete_max: int = 100,
    ) -> None:
        self.folder = folder
        self.now = START
        self.route = route or ("carrier",)
        self.on_unknown = on_unknown
        self.rates = rates or {}
        self.settings = LINKS if links is None else links
        self.incomplete_max = incomplete_max
        self.outbox = Notebook()
        self.limits_file = SharedLimits.open(folder / "limits")
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder / "a.spool", group_wait_s=0.0)
        self.spool = Spool(self.journal, clock=self.clock)
        self.metrics = Metrics("test")
        self.desk = Desk(
            accounts=ACCOUNTS,
            links=self.settings,
            spool=self.spool,
            metrics=self.metrics,
            trail=Trail(),
            clock=self.clock,
        )
        self.desk.outbox = self.outbox
        self.dispatcher = Dispatcher(
            self.desk,
            RouteTable([Rule(self.route, on_unknown=self.on_unknown)]),
            {name: self.limits_of(name) for name in self.settings},
            session_window_h=24.0,
            join_timeout_s=60.0,
            incomplete_max=self.incomplete_max,
        )
        self.links = {name: ScriptedLink(name, self.desk.channels[name], self) for name in self.settings}
        self.desk.links.update(self.links)

    def limits_of(self, name: str) -> Limits:
        slot = self.limits_file.slot(name)
        # A monotonic clock that goes with the scene's.
        return Limits([(slot, self.rates.get(name, UNLIMITED))], slot, lambda: self.now - START + 1_000.0)

    def clock(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> ScriptedLink:
        """A link by its name."""
        links: dict[str, ScriptedLink] = self.__dict__.get("links", {})
        if name not in links:
            raise AttributeError(name)
        return links[name]

    @property
    def named(self) -> dict[str, int]:
        """Carrier ids of messages on RCS."""
        return {
            journey.progress.rcs_id: journey.message.id
            for journey in self.spool._hot.values()
            if journey.progress.rcs_id
        }

    # -- what happens -------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Let the loop run until all that was asked for is done."""
        for _ in range(5):
            await asyncio.sleep(0)
            await self.journal.flush()
        await asyncio.sleep(0)

    def message(self, text: str = "hello", **facts: Any) -> Message:
        return Message(
            id=self.spool.new_id(),
            account=facts.pop("account", "shop"),
            source_ton=facts.pop("source_ton", 1),
            source_npi=1,
            source=facts.pop("source", "36179"),
            destination_ton=1,
            destination_npi=1,
            destination=facts.pop("destination", HANDSET),
            payload=text.encode(),
            encoding=facts.pop("encoding", Encoding.GSM),
            accepted_at=self.now,
            registered_delivery=facts.pop("registered_delivery", 1),
            **facts,
        )

    async def submit(self, *texts: str, **facts: Any) -> list[int]:
        """Hand messages in as a sender does, and wait until they are on their way; their ids."""
        messages = [self.message(text, **facts) for text in texts or ("hello",)]
        for message in messages:
            progress = self.dispatcher.plan(message)
            assert progress is not None
            if message.is_replaceable:
                self.dispatcher.supersede(message)
            self.journal.then(self.dispatcher.accepted, self.spool.accept(message, progress))
        await self.settle()
        return [message.id for message in messages]

    async def wait(self, seconds: float) -> None:
        """Time goes by."""
        await self.journal.fold()
        self.now += seconds
        await self.tick()

    async def tick(self) -> None:
        """The clock looks, as it does several times a second, and as it does several times a minute."""
        self.dispatcher._looked_at = self.dispatcher._purged_at = -math.inf
        self.dispatcher.tick()
        for link in self.links.values():
            link.ready()
        await self.settle()

    async def crash(self, *, links: dict[str, schema.Link] | None = None) -> None:
        """The process is gone at this moment, and another starts on the same spool."""
        self.dispatcher.stop()
        kill(self.journal)
        if links is not None:
            self.settings = links
        self.open()
        await self.journal.fold()
        self.dispatcher.start()
        await self.settle()

    async def close(self) -> None:
        self.dispatcher.stop()
        await self.journal.close()
        self.limits_file.close()

    # -- what is seen -------------------------------------------------------------------------------------------------

    def progress(self, message_id: int) -> Progress:
        journey = self.desk.journey(message_id)
        assert journey is not None
        return journey.progress

    def stage(self, message_id: int) -> Stage | None:
        """Where it is; None when it has come to its end."""
        journey: Journey | None = self.desk.journey(message_id)
        return journey.progress.stage if journey is not None else None

    def counted(self, family: str, *labels: str) -> int:
        counters: Callable[..., Any] = getattr(self.metrics, family).labels
        count: int = counters(*labels).value
        return count


def is_a_link(link: ScriptedLink) -> Link:
    """Checked by the type checker: the script keeps the contract."""
    return link
