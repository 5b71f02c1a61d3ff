"""The sink of an outage that is an MQTT broker: a real Mosquitto, killed or hung, and an application behind it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from bench_processes import Actor, end
from chaos_gateway import HOST, ChaosFault, Gateway
from outage_run import ACCOUNT, Taken, taken_of

START_S = 20.0
LOOK_S = 0.05

# Debian puts it where only root looks.
BINARY = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

BROKER = """
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {place}/
# A killed one knows what it wrote down last: the application's session, below.
autosave_interval 0
queue_qos0_messages true
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_type error
user root
"""

TABLES = """
[mqtt]
host = "{host}"
port = {port}
"""


class MqttSink:
    """One broker."""

    name = "mqtt"
    troubles: ClassVar[tuple[str, ...]] = ("gone", "hung")
    account = 'sinks = ["mqtt"]\nevents = ["receipt"]\n'

    def __init__(self, place: Path) -> None:
        self._place = place / "broker"
        self._port = _free_port()
        self._broker: subprocess.Popen[bytes] | None = None
        self._subscriber: Actor | None = None
        self._is_hung = False

    @property
    def tables(self) -> str:
        """What the daemon's configuration says of it."""
        return TABLES.format(host=HOST, port=self._port)

    async def start(self) -> None:
        """Be well."""
        if BINARY is None:
            raise ChaosFault("there is no mosquitto; install it (on Debian: apt-get install mosquitto)")
        self._place.mkdir()
        self._place.chmod(0o777)  # started by root it may become another user
        settings = BROKER.format(host=HOST, port=self._port, place=self._place)
        (self._place / "mosquitto.conf").write_text(settings, encoding="ascii")
        await self._open()
        topic = f"gatewayd/accounts/{ACCOUNT}/receipts"
        self._subscriber = Actor("outage_subscriber.py", port=self._port, place=str(self._place), topic=topic)
        await asyncio.to_thread(self._subscriber.hear, START_S)
        self._signal(signal.SIGUSR1)

    async def fail(self, trouble: str) -> None:
        """Be in trouble: killed, or there but without a word."""
        self._is_hung = trouble == "hung"
        self._signal(signal.SIGSTOP if self._is_hung else signal.SIGKILL)
        if not self._is_hung:
            await self._close()

    async def recover(self, gateway: Gateway) -> None:
        """Be well again."""
        if self._is_hung:
            self._signal(signal.SIGCONT)
        else:
            await self._open()

    def count(self) -> int:
        """How many receipts have come by now."""
        assert self._subscriber is not None  # started before
        return int(self._subscriber.latest().get("receipts", 0))

    async def stop(self) -> list[Taken]:
        """End; what was taken, in its order."""
        if self._broker is not None:
            self._signal(signal.SIGCONT)
        if self._subscriber is not None:
            await asyncio.to_thread(end, self._subscriber.process)
        if self._broker is not None:
            self._signal(signal.SIGTERM)
            await self._close()
        return taken_of(self._place / "taken") if self._subscriber is not None else []

    async def _open(self) -> None:
        assert BINARY is not None
        command = [BINARY, "-c", str(self._place / "mosquitto.conf")]
        self._broker = await asyncio.to_thread(subprocess.Popen, command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not await self._listens():
            if self._broker.poll() is not None or time.monotonic() > until:
                raise ChaosFault("mosquitto does not start")
            await asyncio.sleep(LOOK_S)

    async def _close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            await asyncio.to_thread(broker.wait, START_S)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            return False
        writer.close()
        return True

    def _signal(self, number: signal.Signals) -> None:
        assert self._broker is not None  # started before
        self._broker.send_signal(number)


def _free_port() -> int:
    """Below those that connections get: one of those would be taken, or connect to itself, while the broker is away."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
