"""The relation with the broker: how it is made again, in which version, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from gatewayd.runtime.metrics import Metrics
from gatewayd.senders import mqtt_broker
from gatewayd.senders.mqtt_broker import SILENCES_MAX, Broker
from gatewayd.senders.mqtt_wire import Incoming, Terms, Wire, WireFault
from tests.support.fake_wire import FakeWire
from tests.support.watch import Watch

TERMS = Terms(
    host="broker.example", port=1883, tls=None, username="", password="", client_id="x", keepalive_s=60, window=10,
    receive_max=10, size_max=1_000, session_s=0,
)  # fmt: skip


class Guest:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.faults: list[Exception] = []
        self.watch = Watch()

    async def connected(self, wire: Wire) -> None:
        self._say("connected")
        if self.faults:
            raise self.faults.pop(0)

    def disconnected(self) -> None:
        self._say("disconnected")

    def received(self, wire: Wire, incoming: Incoming) -> bool:
        return incoming.topic == "mine"

    async def leave(self, wire: Wire) -> None:
        self._say("leave")

    def _say(self, word: str) -> None:
        self.told.append(word)
        self.watch.ring()


class Line:
    """Makes the connections: each fails as ``faults`` say, for as long as there are any."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.faults: list[str] = []
        self.versions: list[str] = []
        self.waits: list[int] = []
        self.wires: list[Any] = []
        line = self

        class Made(FakeWire):
            def __init__(
                self, terms: Terms, version: str, on_message: Callable[..., None], on_end: Callable[[], None]
            ) -> None:
                super().__init__()
                self.version, self.terms = version, terms
                self.take, self._on_end = on_message, on_end
                line.versions.append(version)
                line.wires.append(self)

            async def open(self) -> None:
                if line.faults:
                    raise WireFault(line.faults.pop(0))

            def drop(self) -> None:
                if not self.has_ended:
                    self.has_ended = True
                    self._on_end()

            async def close(self) -> None:
                self.drop()

        def delay(failures: int, share: float) -> float:
            self.waits.append(failures)
            return 0.0

        monkeypatch.setattr(mqtt_broker, "Wire", Made)
        monkeypatch.setattr(mqtt_broker, "reconnect_delay_s", delay)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


@pytest.fixture
async def guest() -> Guest:
    return Guest()


async def met(guest: Guest, times: int = 1) -> None:
    await guest.watch.until(lambda: guest.told.count("connected") == times)


async def test_everybody_hears_of_it_and_what_is_nobodys_is_acknowledged(line: Line, guest: Guest) -> None:
    broker = Broker(TERMS, "5", Metrics("0"))
    assert broker.wire is None
    broker.start([guest])
    await met(guest)
    (wire,) = line.wires
    assert broker.wire is cast("Any", wire)
    for number, topic in enumerate(("mine", "other"), 1):
        wire.take(wire, Incoming(topic, b"", number, "", b""))
    assert wire.acknowledged == [2]
    await broker.stop(1.0)
    assert guest.told == ["connected", "leave", "disconnected"]


async def test_it_comes_back_with_longer_and_longer_waits(line: Line, guest: Guest) -> None:
    broker = Broker(TERMS, "5", Metrics("0"))
    line.faults = ["unreachable"] * 4
    broker.start([guest])
    await met(guest)
    assert (line.waits, line.versions) == ([1, 2, 3, 4], ["5"] * 5)
    line.wires[-1].drop()
    await met(guest, 2)
    assert line.waits == [1, 2, 3, 4, 5]  # it did not hold for long enough to start anew
    assert guest.told == ["connected", "disconnected", "connected"]
    await broker.stop(1.0)


@pytest.mark.parametrize(
    ("fault", "word"), [(WireFault("subscription_refused"), "subscription_refused"), (ValueError("ours"), "internal")]
)
async def test_a_guest_that_fails_costs_the_connection_alone(
    line: Line, guest: Guest, fault: Exception, word: str
) -> None:
    metrics = Metrics("0")
    broker = Broker(TERMS, "5", metrics)
    guest.faults = [fault]
    broker.start([guest])
    await met(guest, 2)
    assert metrics.mqtt_connections.labels(word).value == 1
    assert line.wires[0].has_ended
    await broker.stop(1.0)


@pytest.mark.parametrize(
    ("faults", "versions"),
    [
        (["version_refused"], ["5", "3.1.1"]),
        (["unanswered"] * SILENCES_MAX, ["5"] * SILENCES_MAX + ["3.1.1"]),
        (["unanswered", "unreachable", "unanswered"], ["5"] * 4),
        (["version_refused", "refused"], ["5", "3.1.1", "5"]),
    ],
)
async def test_versions(line: Line, guest: Guest, faults: list[str], versions: list[str]) -> None:
    broker = Broker(TERMS, "auto", Metrics("0"))
    line.faults = faults
    broker.start([guest])
    await met(guest)
    assert line.versions == versions
    line.wires[-1].drop()
    await met(guest, 2)
    assert line.versions[-1] == "5"
    await broker.stop(1.0)


async def test_another_session_is_another_connection(line: Line, guest: Guest) -> None:
    broker = Broker(TERMS, "5", Metrics("0"))
    broker.start([guest])
    await met(guest)
    broker.renew(0)
    broker.renew(3_600)
    await met(guest, 2)
    assert [wire.terms.session_s for wire in line.wires] == [0, 3_600]
    await broker.stop(1.0)
