"""How the broker is reached: TLS, passwords and its ACL, older versions, and what people see of it."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.daemon.conftest import Stage
from tests.daemon.crowd import handset, send_many
from tests.daemon.mqtt_scene import LINK, RECEIPTS, RESULTS, SEND, SHOP, tables
from tests.daemon.process import secret_file
from tests.daemon.scene import WAIT_S
from tests.daemon.test_control import ask, run
from tests.daemon.test_tls import certificate
from tests.support.mosquitto import Application, Mosquitto, needs_mosquitto

pytestmark = [pytest.mark.timeout(120), needs_mosquitto]
ACL = f"""user gatewayd
topic readwrite gatewayd/#
user shop-app
topic read {SHOP}/+
topic read {SHOP}/results/#
topic write {SEND}
topic read gatewayd/links/#
"""


class Locked(Mosquitto):
    """A broker with TLS, passwords and an ACL."""

    def __init__(self, folder: Path, acl: str) -> None:
        folder.mkdir()
        self.certificate, key = certificate(folder)
        passwords = folder / "passwords"
        passwords.touch()
        for name in ("gatewayd", "shop-app"):
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, f"{name}-pass"], check=True)
        (folder / "acl").write_text(acl, encoding="ascii")
        super().__init__(
            folder,
            f"certfile {self.certificate}\nkeyfile {key}\nallow_anonymous false\npassword_file {passwords}\n"
            f"acl_file {folder}/acl",
        )


def locked_tables(broker: Locked, folder: Path, password: str = "gatewayd-pass") -> dict[str, Any]:
    secret = secret_file(folder / "mqtt.password", f"{password}\n")
    return tables(broker, tls=True, tls_ca=broker.certificate, username="gatewayd", password_file=secret)


def locked_application(broker: Locked) -> Application:
    return Application(
        broker.port, "app", RECEIPTS, RESULTS, "gatewayd/links/+", username="shop-app", password="shop-app-pass",
        tls_context=ssl.create_default_context(cafile=broker.certificate),
    )  # fmt: skip


async def test_tls_a_password_and_the_acl_that_is_documented(stage: Stage, tmp_path: Path) -> None:
    broker = Locked(tmp_path / "mosquitto", ACL)
    await broker.start()
    application = locked_application(broker)
    await application.start()
    scene = await stage(locked_tables(broker, tmp_path))
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
    await application.watch.until(lambda: application.heard[LINK], WAIT_S)
    await application.publish(SEND, {"to": f"+{handset(1)}", "from": "33700000001", "text": "x", "want_result": True})
    await application.watch.until(lambda: application.heard[RECEIPTS] and application.heard[RESULTS], WAIT_S)
    # What it may not publish leads nowhere, whoever the account is.
    await application.publish("gatewayd/accounts/bank/send", {"to": f"+{handset(2)}", "from": "X", "text": "x"})
    await send_many(scene, 1)
    await application.watch.until(lambda: len(application.data(RECEIPTS)) == 2, WAIT_S)
    assert (await scene.samples()).value("gatewayd_faults_total", side="mqtt") == 0
    assert "gatewayd-pass" not in scene.daemon.log
    await application.stop()
    await broker.stop()


async def test_a_wrong_password_is_told_and_costs_no_storm(stage: Stage, tmp_path: Path) -> None:
    broker = Locked(tmp_path / "mosquitto", ACL)
    await broker.start()
    scene = await stage(locked_tables(broker, tmp_path, "wrong"))
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connections_total", outcome="refused") >= 2)
    (worker,) = (await ask(scene, "status"))["mqtt"].values()
    assert not worker["connected"]
    assert "authorized" in worker["trouble"].lower()
    shown = await run(scene, "status")
    assert re.search(r"MQTT worker", shown.out)
    await broker.stop()


async def test_a_publish_that_the_acl_forbids_is_kept_and_tried_again(stage: Stage, tmp_path: Path) -> None:
    """MQTT 5 tells it in the PUBACK; to a client that does not look, it would look like success."""
    broker = Locked(tmp_path / "mosquitto", ACL.replace("readwrite gatewayd/#", "readwrite gatewayd/links/#"))
    await broker.start()
    scene = await stage(locked_tables(broker, tmp_path) | {"accounts": {"shop": {"sinks": ["mqtt"]}}})
    await send_many(scene, 3)
    await scene.until_samples(lambda s: s.value("gatewayd_posts_total", sink="mqtt", outcome="0x87") >= 1)
    samples = await scene.samples()
    assert samples.value("gatewayd_deliveries_total", sink="mqtt", outcome="delivered") == 0
    await broker.stop()


async def test_mqtt_3_1_1(stage: Stage, broker: Mosquitto) -> None:
    application = Application(
        broker.port, "old", RECEIPTS, RESULTS, protocol=aiomqtt.ProtocolVersion.V311, clean_session=False,
        clean_start=3, properties=None,
    )  # fmt: skip
    await application.start()
    scene = await stage(tables(broker, version="3.1.1"))
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
    await speaks(application)
    await broker.stop()
    sent = await send_many(scene, 20)
    await broker.start()
    await application.watch.until(lambda: len(application.data(RECEIPTS)) == len(sent) + 1, WAIT_S)
    await application.stop()


async def speaks(application: Application) -> None:
    """A message goes in, its result and its receipt come out."""
    await application.publish(
        SEND, {"to": f"+{handset(1)}", "from": "33700000001", "text": "x", "want_result": True, "correlation": "c"}
    )
    await application.watch.until(lambda: application.heard[RECEIPTS] and application.heard[RESULTS], WAIT_S)
    assert {key: application.heard[RESULTS][0][key] for key in ("status", "correlation")} == {
        "status": 202, "correlation": "c",
    }  # fmt: skip


class OldBroker:
    """In front of a broker: whoever comes with MQTT 5 is turned away, in the words of 3.1.1."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self.refused = 0

    async def start(self) -> int:
        """Listen; gives the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Be gone."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(4_096)
        if first[first.index(b"MQTT") + 4] == 5:
            self.refused += 1
            writer.write(b"\x20\x02\x00\x01")
            writer.close()
            return
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        their_writer.write(first)
        await asyncio.gather(_pipe(reader, their_writer), _pipe(their_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(65_536):
            writer.write(octets)
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def old(broker: Mosquitto) -> AsyncIterator[OldBroker]:
    made = OldBroker(broker.port)
    yield made
    await made.stop()


async def test_where_mqtt_5_is_refused_3_1_1_is_spoken(
    stage: Stage, broker: Mosquitto, application: Application, old: OldBroker
) -> None:
    scene = await stage(tables(broker, port=await old.start()))
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
    (worker,) = (await ask(scene, "status"))["mqtt"].values()
    assert (worker["version"], old.refused >= 1) == ("3.1.1", True)
    await speaks(application)
