"""One connection, with a broker that is a script of octets (MQTT 3.1.1 sections 3.2 to 3.4)."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest
import uvloop

from gatewayd.runtime.tasks import spawn
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
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        await packet(reader)
        await self.acts.pop(0)(reader, writer)
        try:
            while True:
                self.got.append(await packet(reader))
                self.watch.ring()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    def say(self, octets: bytes) -> None:
        assert self._writer is not None
        self._writer.write(octets)

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


USUAL = Terms(
    host="127.0.0.1", port=0, tls=None, username="", password="", client_id="x", keepalive_s=60, window=10,
    receive_max=10, size_max=1_000, session_s=0,
)  # fmt: skip


async def wire_to(script: Script, version: str = "3.1.1", **terms: Any) -> Wire:
    wanted = {"port": await script.start()} | terms
    return Wire(msgspec.structs.replace(USUAL, **wanted), version, script.on_message, script.on_end)


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


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_reset_is_noticed_behind_all_that_came_before_it(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        script, loop = Script(), asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            terms = msgspec.structs.replace(USUAL, port=server.getsockname()[1])
            wire = Wire(terms, "3.1.1", script.on_message, script.on_end)
            opening = spawn(wire.open(), name="opening")
            peer, _ = await loop.sock_accept(server)
            await loop.sock_recv(peer, 1_000)
            await loop.sock_sendall(peer, CONNACK)
            await opening
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.setblocking(True)
            peer.sendall(b"".join(publish(number) for number in range(1, 61)))
            peer.close()
            await script.watch.until(lambda: script.ends == 1)
            assert len(script.heard) == 60

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


async def test_what_is_no_packet_ends_the_connection(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.acts = [says(CONNACK)]
    wire = await wire_to(script)
    await wire.open()
    answer = wire.publish("t", b"x")

    def loop_read() -> None:
        raise ValueError("no packet")

    monkeypatch.setattr(wire._paho, "loop_read", loop_read)
    await script.watch.until(lambda: script.got)
    script.say(b"\xff\xff\xff\xff\xff")
    with pytest.raises(WireFault, match="disconnected"):
        await wire.settled(answer)
    assert script.ends == 1


async def test_a_socket_that_the_loop_watches_no_longer_ends_the_connection(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_writer(*terms: Any) -> None:
        raise RuntimeError("the handler is closed")

    script.acts = [says(CONNACK)]
    wire = await wire_to(script)
    await wire.open()
    monkeypatch.setattr(asyncio.get_running_loop(), "add_writer", add_writer)
    monkeypatch.setattr(wire._paho, "want_write", lambda: True)
    wire._watch_writes(cast("Any", wire._paho.socket()))
    assert (wire.has_ended, script.ends) == (True, 1)


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
