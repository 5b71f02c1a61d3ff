"""What is published over MQTT, as applications see it, with a real Mosquitto that is killed and comes back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.daemon.conftest import Stage
from tests.daemon.crowd import by_handset, in_order, send_many
from tests.daemon.mqtt_scene import BINDS, LINK, MESSAGES, RECEIPTS, SESSIONS, processes, tables
from tests.daemon.scene import BOT, WAIT_S, Scene
from tests.support.mosquitto import Application, Mosquitto, needs_mosquitto

pytestmark = [pytest.mark.timeout(120), needs_mosquitto]
RCS_HANDSET = "+33610000001"


async def test_receipts_replies_and_sessions_are_published(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker))
    esme = await scene.esme()
    sent = await scene.send(esme, RCS_HANDSET, "Oui ou non ?", registered_delivery=1)
    await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)
    scene.platform.send_reply(RCS_HANDSET, "Oui 😀", "answer=yes", BOT)
    await application.watch.until(lambda: application.heard[MESSAGES], WAIT_S)

    (receipt,), (reply,), (opened,) = map(application.data, (RECEIPTS, MESSAGES, SESSIONS))
    assert {key: receipt[key] for key in ("message_id", "to", "state", "channel")} == {
        "message_id": sent, "to": RCS_HANDSET.removeprefix("+"), "state": "DELIVRD", "channel": "rcs",
    }  # fmt: skip
    assert {key: reply[key] for key in ("from", "text", "postback", "session")} == {
        "from": RCS_HANDSET.removeprefix("+"), "text": "Oui 😀", "postback": "answer=yes", "session": sent,
    }  # fmt: skip
    assert (opened["session"], opened["channel"]) == (sent, "rcs")
    assert application.heard[SESSIONS][0]["type"] == "session.opened"
    assert not esme.ledger.receipts
    assert not esme.ledger.texts


async def test_a_broker_that_is_restarted_under_load_loses_nothing(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker, window=40))
    sent = []
    for first in (0, 500, 1_000):
        await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
        sent += await send_many(scene, 300, first)
        await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)
        await broker.stop()
        sent += await send_many(scene, 200, first + 300)
        await broker.start()
    await all_came(scene, application, sent)
    samples = await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", sink="mqtt") == 0)
    assert samples.value("gatewayd_mqtt_connected", worker="0") == 1
    assert samples.value("gatewayd_mqtt_connections_total", outcome="lost") >= 2


async def test_a_broker_that_is_killed_under_load_loses_nothing(stage: Stage, broker: Mosquitto) -> None:
    """It forgets subscriptions and messages, so the application must be there before we come back."""
    application = Application(broker.port, "tap", RECEIPTS, qos=0)
    await application.start()
    scene = await stage(tables(broker, window=40))
    (worker,) = processes(scene).values()
    sent = await send_many(scene, 500)
    await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)
    await broker.kill()
    sent += await send_many(scene, 500, first=500)
    os.kill(worker, signal.SIGSTOP)
    await broker.start()
    await application.is_back()
    os.kill(worker, signal.SIGCONT)
    await all_came(scene, application, sent)
    await application.stop()


async def test_receipts_pile_up_without_a_broker_and_survive_a_kill(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker) | {"accounts": {"shop": {"sinks": ["mqtt", "smpp"], "events": ["receipt"]}}})
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
    await broker.stop()
    esme = await scene.esme()
    sent = await send_many(scene, 3_000)
    # The other sink of the account waits for nobody.
    await esme.wait_for(lambda: len(esme.ledger.receipts) == len(sent), 60.0)
    samples = await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", sink="mqtt") == len(sent))
    assert samples.value("gatewayd_mqtt_connected") == 0
    assert samples.value("gatewayd_posts_total", sink="mqtt") == 0
    await scene.kill()
    scene.esmes.clear()
    await scene.start()
    await broker.start()
    await all_came(scene, application, sent)


async def test_states_of_links_and_binds_are_retained(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker))
    await until(application, LINK, state="up", kind="smpp", binds=1, binds_max=1, workers=[0])
    await until(application, BINDS, binds=0, binds_max=4)
    esme = await scene.esme()
    await until(application, BINDS, binds=1)
    await esme.abort()
    await until(application, BINDS, binds=0)
    await scene.kill()
    await until(application, "gatewayd/workers/0", state="gone")
    await scene.start()
    await until(application, "gatewayd/workers/0", state="up")
    await until(application, LINK, state="up")
    await scene.terminate()
    await until(application, "gatewayd/workers/0", state="stopped")
    await until(application, LINK, state="down")


async def test_no_state_is_stale_when_a_worker_is_killed(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    """Whichever of them told of links and binds: the other one goes on."""
    scene = await stage(tables(broker, workers=2) | {"links": {"carrier": {"binds": 2}}})
    await until(application, LINK, state="up", binds=2, workers=[0, 1])
    for slot in (0, 1):
        begins_at = len(application.heard[f"gatewayd/workers/{slot}"])
        os.kill(processes(scene)[slot], signal.SIGKILL)
        await application.watch.until(
            lambda slot=slot, begins_at=begins_at: [  # type: ignore[misc]
                one["state"] for one in application.heard[f"gatewayd/workers/{slot}"][begins_at:]
            ][:2] == ["gone", "up"], WAIT_S,
        )  # fmt: skip
        await until(application, LINK, state="up", binds=2, workers=[0, 1])
    await scene.terminate()
    for slot in (0, 1):
        await until(application, f"gatewayd/workers/{slot}", state="stopped")
    await until(application, LINK, state="down", binds=0, workers=[])
    await until(application, BINDS, binds=0)
    scene.daemon.configure({"daemon": {"workers": 1}})
    await scene.start()
    await application.watch.until(lambda: application.retained["gatewayd/workers/1"] is None, WAIT_S)


async def all_came(scene: Scene, application: Application, sent: list[str]) -> None:
    """Wait until the application has the receipt of each message; in order for each handset."""
    try:
        await application.watch.until(lambda: len(application.data(RECEIPTS)) == len(sent), 60.0)
    except TimeoutError:
        came = {receipt["message_id"] for receipt in application.data(RECEIPTS)}
        owed = (await scene.samples()).value("gatewayd_outbox_deliveries", sink="mqtt")
        missing = [number for number, message_id in enumerate(sent) if message_id not in came]
        news = [line for line in scene.daemon.lines if "= mqtt" in line]
        raise AssertionError(f"{len(missing)} are missing ({missing[:5]} …), {owed:g} still owed: {news}") from None
    assert by_handset(application.data(RECEIPTS)) == in_order(sent)


async def until(application: Application, topic: str, **facts: Any) -> None:
    """Wait until the last word at a topic says this."""

    def says() -> bool:
        told = application.retained.get(topic) or {}
        return all(told.get(key) == value for key, value in facts.items())

    await application.watch.until(says, WAIT_S)
