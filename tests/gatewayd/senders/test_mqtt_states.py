"""What is told of links and binds, by two workers over a broker that a test has in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gatewayd.runtime.seats import SeatFile
from gatewayd.senders import mqtt_states
from gatewayd.senders.mqtt_states import States
from gatewayd.senders.mqtt_topics import Link, Own, Topics, Wanted
from gatewayd.senders.mqtt_wire import Incoming, Wire
from tests.support.fake_wire import FakeWire
from tests.support.watch import Watch

TOPICS = Topics("gatewayd")
CARRIER, SHOP = "gatewayd/links/carrier", "gatewayd/accounts/shop/binds"


class Bus:
    """A broker: retained messages, and whoever subscribed."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.members: list[Member] = []
        self.watch = Watch()

    def put(self, topic: str, payload: bytes) -> None:
        self.retained[topic] = payload
        if not payload:
            del self.retained[topic]
        for member in self.members:
            member.hear(topic, payload)
        self.watch.ring()

    def said(self, topic: str) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.retained.get(topic, b"{}"))
        return found

    async def until(self, topic: str, **facts: Any) -> None:
        await self.watch.until(lambda: facts.items() <= {k: str(v) for k, v in self.said(topic).items()}.items(), 5.0)


class Member(FakeWire):
    """One worker's connection to it, and the worker."""

    def __init__(self, bus: Bus, slot: int, folder: Path) -> None:
        super().__init__()
        self.bus = bus
        self.own = Own(slot, "up", links={"carrier": Link(True, 1)}, accounts={"shop": 1})
        self.wanted = Wanted({"carrier": ("smpp", 2)}, {"shop": 4}, 2)
        self.filters: set[str] = set()
        self.seats = SeatFile(folder / "seats", slot)
        group = self.seats.group("mqtt", 1)
        self.states = States(TOPICS, slot, group, lambda: self.own, lambda: self.wanted)

    @property
    def wire(self) -> Wire:
        return cast("Wire", self)

    async def begin(self) -> None:
        self.bus.members.append(self)
        await self.states.connected(self.wire)

    def die(self) -> None:
        """SIGKILL: the kernel gives its seat back, the broker tells its will."""
        self.bus.members.remove(self)
        self.states.disconnected()
        self.bus.put(TOPICS.worker(self.own.worker), States.will(self.own.worker))

    def publish(self, topic: str, payload: bytes, correlation: bytes = b"", **how: Any) -> asyncio.Future[int]:
        self.bus.put(topic, payload)
        return super().publish(topic, payload, correlation, **how)

    async def subscribe(self, topic: str, qos: int = 1) -> None:
        assert qos == 0
        self.filters.add(topic)
        for known, payload in list(self.bus.retained.items()):
            self.hear(known, payload)

    async def unsubscribe(self, topic: str) -> None:
        self.filters.discard(topic)

    def hear(self, topic: str, payload: bytes) -> None:
        if any(matches(one, topic) for one in self.filters):
            self.states.received(self.wire, Incoming(topic, payload, 0, "", b""))


def matches(pattern: str, topic: str) -> bool:
    wanted, levels = pattern.split("/"), topic.split("/")
    return len(wanted) == len(levels) and all(a in ("+", b) for a, b in zip(wanted, levels, strict=True))


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_states, "LOOK_S", 0.01)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Member, Member]]:
    bus = Bus()
    members = Member(bus, 0, tmp_path), Member(bus, 1, tmp_path)
    yield members
    for member in members:
        member.states.disconnected()
        member.seats.close()


async def test_one_tells_for_all(pair: tuple[Member, Member]) -> None:
    for member in pair:
        await member.begin()
    bus = pair[0].bus
    await bus.until(CARRIER, state="up", binds="2", workers="[0, 1]")
    await bus.until(SHOP, binds="2", binds_max="4")
    assert [member.states.leads for member in pair] == [True, False]
    pair[1].own = Own(1, "up")
    await bus.until(CARRIER, binds="1", workers="[0]")
    await bus.until(SHOP, binds="1")


@pytest.mark.parametrize("victim", [0, 1])
async def test_the_other_one_goes_on(pair: tuple[Member, Member], victim: int) -> None:
    for member in pair:
        await member.begin()
    bus = pair[0].bus
    await bus.until(CARRIER, workers="[0, 1]")
    pair[victim].die()
    await bus.until(CARRIER, binds="1", workers=f"[{1 - victim}]")
    await bus.until(SHOP, workers=f"[{1 - victim}]")
    assert pair[1 - victim].states.leads
    assert bus.said(TOPICS.worker(victim))["state"] == "gone"


async def test_the_last_one_says_that_there_is_nothing(pair: tuple[Member, Member]) -> None:
    for member in pair:
        await member.begin()
    bus = pair[0].bus
    await bus.until(CARRIER, workers="[0, 1]")
    async with asyncio.TaskGroup() as group:
        for member in pair:
            group.create_task(member.states.leave(member.wire))
    assert (bus.said(CARRIER)["state"], bus.said(SHOP)["binds"]) == ("down", 0)
    assert [bus.said(TOPICS.worker(slot))["state"] for slot in (0, 1)] == ["stopped", "stopped"]


async def test_what_is_of_nobody_any_more_is_taken_back(pair: tuple[Member, Member]) -> None:
    member = pair[0]
    bus = member.bus
    for topic in ("gatewayd/links/old", "gatewayd/accounts/left/binds", "gatewayd/workers/7"):
        bus.put(topic, b'{"worker":7,"state":"gone"}')
    bus.put("gatewayd/workers/junk", b"{}")
    bus.put("gatewayd/workers/5", b"not ours")
    await member.begin()
    await bus.until(CARRIER, state="up")
    kept = {"gatewayd/workers/0", CARRIER, SHOP, "gatewayd/workers/junk", "gatewayd/workers/5"}
    await bus.watch.until(lambda: set(bus.retained) == kept)
    member.wanted = Wanted({}, {"shop": 4})
    await bus.watch.until(lambda: CARRIER not in bus.retained)


async def test_only_what_has_changed_is_told_again(pair: tuple[Member, Member]) -> None:
    member = pair[0]
    await member.begin()
    await member.bus.until(CARRIER, state="up")
    await member.bus.until(SHOP, binds="1")
    told = len(member.published)
    member.own = Own(0, "up", links={"carrier": Link(True, 1)}, accounts={"shop": 3})
    await member.bus.until(SHOP, binds="3")
    assert [topic for topic, _ in member.published[told:]] == ["gatewayd/workers/0", SHOP]
