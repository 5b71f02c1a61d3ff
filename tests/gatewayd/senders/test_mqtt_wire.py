"""One connection, with a broker that is a script of octets (MQTT 3.1.1 sections 3.2 to 3.4)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from gatewayd.senders import mqtt_wire
from gatewayd.senders.mqtt_wire import Incoming, Terms, Wire, WireFault
from tests.support.watch import Watch

CONNACK = b"\x20\x02\x00\x00"
Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Script:
    """A broker for one connection after the other; ``acts`` say what each is answered."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.got: list[bytes] = []
        self.heard: list[Incoming] = []
        self.ends = 0
        self.watch = Watch()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        await self.acts.pop(0)(reader, writer)
        try:
            while True:
                self.got.append(await packet(reader))
                self.watch.ring()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    def on_message(self, wire: Wire, incoming: Incoming) -> None:
        self.heard.append(incoming)
        self.watch.ring()

    def on_end(self) -> None:
        self.ends += 1
        self.watch.ring()


async def packet(reader: asyncio.StreamReader) -> bytes:
    """One short packet."""
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1])


def publish(number: int, topic: bytes = b"t", retain: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + b"x"
    return bytes((0x32 | retain, len(body))) + body


def says(octets: bytes) -> Act:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        await writer.drain()

    return act


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    made = Script()
    yield made
    await made.stop()


async def wire_to(script: Script, version: str = "3.1.1", **terms: Any) -> Wire:
    usual = Terms(
        host="127.0.0.1", port=await script.start(), tls=None, username="", password="", client_id="x", keepalive_s=60,
        window=10, receive_max=10, size_max=1_000, session_s=0,
    )  # fmt: skip
    return Wire(msgspec.structs.replace(usual, **terms), version, script.on_message, script.on_end)


async def test_acknowledgements_leave_in_the_order_of_the_messages(script: Script) -> None:
    script.acts = [says(CONNACK + publish(1) + publish(2, retain=1) + publish(3))]
    wire = await wire_to(script)
    await wire.open()
    await script.watch.until(lambda: len(script.heard) == 3)
    assert script.heard[:2] == [Incoming("t", b"x", 1, "", b""), Incoming("t", b"x", 2, "", b"", is_old=True)]
    wire.acknowledge(3)
    wire.acknowledge(2)
    was_behind = wire.is_behind
    wire.acknowledge(1)
    assert (was_behind, wire.is_behind) == (True, False)
    await script.watch.until(lambda: len(script.got) == 3)
    assert script.got == [b"\x40\x02\x00\x01", b"\x40\x02\x00\x02", b"\x40\x02\x00\x03"]
    await wire.close()
    assert (wire.has_ended, script.ends) == (True, 1)


async def test_an_end_answers_those_who_wait(script: Script) -> None:
    script.acts = [says(CONNACK)]
    wire = await wire_to(script)
    await wire.open()
    answer = wire.publish("t", b"x")
    wire.drop()
    with pytest.raises(WireFault, match="disconnected"):
        await wire.settled(answer)
    with pytest.raises(WireFault, match="disconnected"):
        await wire.publish("t", b"x")
    wire.acknowledge(1)
    wire.drop()
    assert script.ends == 1


async def test_a_broker_that_ends_the_connection_is_noticed(script: Script) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK)
        await packet(reader)
        writer.close()

    script.acts = [act]
    wire = await wire_to(script)
    await wire.open()
    with pytest.raises(WireFault, match="disconnected"):
        await wire.settled(wire.publish("t", b"x"))
    assert script.ends == 1


async def test_a_publish_that_stays_unanswered_costs_the_connection(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_wire, "PUBLISH_TIMEOUT_S", 0.05)
    script.acts = [says(CONNACK)]
    wire = await wire_to(script)
    await wire.open()
    with pytest.raises(WireFault, match="timeout"):
        await wire.settled(wire.publish("t", b"x"))
    assert (wire.has_ended, script.ends) == (True, 1)


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (says(b"\x20\x02\x00\x01"), "unanswered"),  # of 3.1.1 there is no older one to fall back to
        (says(b"\x20\x02\x00\x05"), "refused"),
        (hangs_up, "unanswered"),
    ],
)
async def test_why_there_is_no_connection(script: Script, act: Act, word: str) -> None:
    script.acts = [act]
    wire = await wire_to(script)
    with pytest.raises(WireFault) as caught:
        await wire.open()
    assert (caught.value.word, script.ends) == (word, 0)
    assert ("may want mqtt.tls" in str(caught.value)) == (word == "unanswered")


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (says(b"\x20\x02\x00\x01"), "version_refused"),  # an old broker, in its own words
        (says(b"\x20\x03\x00\x84\x00"), "version_refused"),
        (hangs_up, "unanswered"),
    ],
)
async def test_how_brokers_refuse_mqtt_5(script: Script, act: Act, word: str) -> None:
    script.acts = [act]
    wire = await wire_to(script, "5")
    with pytest.raises(WireFault) as caught:
        await wire.open()
    assert caught.value.word == word


@pytest.mark.parametrize("host", ["127.0.0.1", "no..name"])
async def test_nobody_is_there(script: Script, host: str) -> None:
    wire = await wire_to(script, host=host)
    await script.stop()
    with pytest.raises(WireFault) as caught:
        await wire.open()
    assert caught.value.word == "unreachable"


async def test_what_tls_does_not_like_is_told_apart(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*terms: Any) -> None:
        raise ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    monkeypatch.setattr("paho.mqtt.client.Client.connect", connect)
    wire = await wire_to(script)
    with pytest.raises(WireFault, match="certificate verify failed") as caught:
        await wire.open()
    assert caught.value.word == "tls"
