"""A real Mosquitto of a test's own, that can be stopped, killed and started again; and an application that uses it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import signal
import socket
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gatewayd.runtime.tasks import spawn
from tests.support.watch import Watch

# Debian puts it where only root looks.
BINARY = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_mosquitto = pytest.mark.skipif(BINARY is None, reason="mosquitto is not installed")
QUIET = "connection_messages false\nlog_type error\nlog_type warning\n"
START_S = 10.0


class Mosquitto:
    """One broker with its files. ``lines`` are further lines of its configuration, the listener's first."""

    def __init__(self, folder: Path, lines: str = "allow_anonymous true") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # started by root it becomes another user
        self.folder = folder
        self.port = _free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n{lines}\n{QUIET}persistence true\npersistence_location {folder}/\n"
            "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nuser root\n",
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and return once it listens."""
        assert BINARY is not None
        command = [BINARY, "-c", str(self._config)]
        process = self._process = await asyncio.to_thread(subprocess.Popen, command, stdin=subprocess.DEVNULL)
        async with asyncio.timeout(START_S):
            while not await self._listens():
                assert process.poll() is None, "mosquitto has ended"

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: in order, in which case it writes down what it has, or not."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            await asyncio.to_thread(process.wait, START_S)

    async def kill(self) -> None:
        """End it at once."""
        await self.stop(signal.SIGKILL)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


class Application:
    """A client that subscribes once, keeps its session, and comes back whenever the connection is lost."""

    def __init__(self, port: int, name: str, *topics: str, qos: int = 1, **how: Any) -> None:
        """With QoS 0 it acknowledges nothing, and so reads all that a broker wrote before it was killed."""
        self.heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.correlations: list[bytes] = []
        self.retained: dict[str, dict[str, Any] | None] = {}
        self.watch = Watch()
        self._topics = topics
        self._qos = qos
        self._how: dict[str, Any] = {
            "hostname": "127.0.0.1",
            "port": port,
            "identifier": name,
            "protocol": aiomqtt.ProtocolVersion.V5,
            "clean_start": False,
            "properties": _lasting(),
            "keepalive": 10,
        } | how
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; returns once it is subscribed."""
        self._task = spawn(self._keep(), name="application")
        await self.is_back()

    async def is_back(self) -> None:
        """Wait until it is connected."""
        await self.watch.until(lambda: self._client is not None, START_S)

    async def stop(self) -> None:
        """Be gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await self._task

    async def publish(self, topic: str, content: Any, **how: Any) -> None:
        """Publish JSON with QoS 1; returns once the broker has it, however long that takes."""
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        while True:
            await self.watch.until(lambda: self._client is not None, 30.0)
            client = self._client
            assert client is not None
            with contextlib.suppress(aiomqtt.MqttError):
                await client.publish(topic, payload, qos=1, **how)
                return
            if self._client is client:
                self._client = None

    def data(self, topic: str) -> list[dict[str, Any]]:
        """What the events of a topic said, repetitions left out."""
        return list({event["id"]: event["data"] for event in self.heard[topic]}.values())

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                made = _patient(aiomqtt.Client(**self._how))
                made._client.on_message = self._take
                async with made as client:
                    for topic in self._topics:
                        await client.subscribe(topic, qos=self._qos)
                    self._client = client
                    self.watch.ring()
                    await asyncio.shield(client._disconnected)
            self._client = None
            await asyncio.sleep(0)

    def _take(self, client: Any, userdata: Any, message: Any) -> None:
        """Before it is acknowledged: what lies in aiomqtt's queue is acknowledged already, and lost with a connection
        that ends before anybody has read it, as between the subscriptions."""
        topic = str(message.topic)
        content = json.loads(message.payload) if message.payload else None
        self.retained[topic] = content
        if content is not None:
            self.heard[topic].append(content)
            self.correlations.append(getattr(message.properties, "CorrelationData", b""))
        self.watch.ring()


def _patient(client: aiomqtt.Client) -> aiomqtt.Client:
    """The same, but it never watches a socket that was closed a moment ago, as aiomqtt may: that one hears no more."""
    paho, loop = client._client, asyncio.get_running_loop()

    def watch(full: Any) -> None:
        if full.fileno() >= 0 and paho.want_write():
            loop.add_writer(full.fileno(), paho.loop_write)

    def is_full(client: Any, userdata: Any, full: Any) -> None:
        loop.call_soon_threadsafe(watch, full)

    paho.on_socket_register_write = is_full
    return client


def answered_at(topic: str, correlation: bytes) -> Properties:
    """The properties of a publish that wants an answer."""
    properties: Properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic = topic
    properties.CorrelationData = correlation
    return properties


def _lasting() -> Properties:
    properties: Properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3_600
    return properties


def _free_port() -> int:
    """Below those that connections get: one of those would be taken, or connect to itself, while the broker is away."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
