"""Messages that are handed in over MQTT, with a real Mosquitto: acknowledged once durable, answered, taken once."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import Any

import pytest

from tests.daemon.conftest import Stage
from tests.daemon.crowd import handset
from tests.daemon.mqtt_scene import LINK, RECEIPTS, RESULTS, SEND, processes, tables
from tests.daemon.scene import WAIT_S, Scene
from tests.support.mosquitto import Application, Mosquitto, answered_at, needs_mosquitto

pytestmark = [pytest.mark.timeout(120), needs_mosquitto]
ANSWERS = f"{RESULTS}/me"
HEIRS = re.compile("worker 1 is no more, and the broker has nothing left for it")


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"to": f"+{handset(number)}", "from": "33700000001", "text": f"{number}"} | more


def texts(scene: Scene) -> list[str]:
    """What the carrier was handed, in order."""
    return [submit.pdu.short_message.decode() for submit in scene.smsc.ledger.submits if submit.status == 0]


async def subscribed(scene: Scene, workers: int = 1) -> None:
    """Wait until each worker takes messages."""
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == workers)


async def sent(scene: Scene, count: int) -> None:
    """Wait until the carrier has so many different texts."""
    await scene.smsc.ledger.wait_for(lambda: len(set(texts(scene))) == count, 60.0)


async def test_what_is_published_is_sent_and_answered_where_that_is_wanted(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker))
    await subscribed(scene)
    await application.publish(SEND, message(1))
    await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)
    assert not application.heard[RESULTS]
    await application.publish(SEND, message(2), properties=answered_at(ANSWERS, b"\x00\x01"))
    await application.watch.until(lambda: application.heard[ANSWERS], WAIT_S)
    (answer,) = application.heard[ANSWERS]
    assert answer["status"] == 202
    assert b"\x00\x01" in application.correlations
    await application.watch.until(lambda: len(application.data(RECEIPTS)) == 2, WAIT_S)
    assert application.data(RECEIPTS)[1]["message_id"] == answer["id"]
    await application.publish(SEND, message(3, want_result=True, correlation="three"))
    await application.watch.until(lambda: application.heard[RESULTS], WAIT_S)
    assert application.heard[RESULTS][0]["correlation"] == "three"
    assert application.heard[RESULTS][0]["status"] == 202


REFUSED: tuple[tuple[Any, int, str], ...] = (
    (b"{", 400, "bad-json"),
    (b'{"to": ' + b"[" * 100_000, 422, "bad-shape"),
    (b"\xff\xfe", 400, "bad-json"),
    ({"to": "+33612345678"}, 422, "bad-shape"),
    ({"to": "12", "from": "X", "text": "x"}, 422, "bad-shape"),
    ({"to": "+33612345678", "from": "AVERYLONGSENDER", "text": "x"}, 422, "invalid-sender"),
    ({"to": "+33612345678", "from": "X", "text": "x" * 19_000, "rcs_text": "y"}, 202, ""),
)


async def test_what_is_refused_is_told(stage: Stage, broker: Mosquitto, application: Application) -> None:
    scene = await stage(tables(broker))
    await subscribed(scene)
    for count, (content, status, kind) in enumerate(REFUSED, start=1):
        await application.publish(SEND, content, properties=answered_at(RESULTS, b"%d" % count))
        await application.watch.until(lambda count=count: len(application.heard[RESULTS]) == count, WAIT_S)  # type: ignore[misc]
        answer = application.heard[RESULTS][-1]
        assert answer["status"] == status
        assert answer.get("problem", {}).get("type", "").endswith(kind)
        assert b"%d" % count in application.correlations
    await application.publish(SEND, message(1))
    await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)


async def test_nobody_borrows_our_rights_nor_sends_unasked(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker))
    await subscribed(scene)
    await application.publish(SEND, message(1), properties=answered_at(LINK, b"x"))
    await application.watch.until(lambda: application.heard[RESULTS], WAIT_S)
    assert application.heard[RESULTS][0]["status"] == 202
    assert all("status" not in told for told in application.heard[LINK])
    for account in ("bank", "nobody"):
        await application.publish(f"gatewayd/accounts/{account}/send", message(2))
    await scene.until_samples(lambda s: s.value("gatewayd_faults_total", side="mqtt", kind="not_allowed") == 2)
    assert texts(scene) == ["1"]
    assert (await scene.samples()).value("gatewayd_faults_total", side="mqtt", kind="response_topic") == 1


async def test_a_message_is_acknowledged_only_once_it_is_durable(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    """A worker that is killed in the middle of it, again and again, loses none; those with a key are taken once."""
    scene = await stage(tables(broker, workers=2))
    await subscribed(scene, workers=2)
    for number in range(400):
        await application.publish(SEND, message(number, idempotency_key=f"key-{number}"))
        if number in (100, 300):
            os.kill(processes(scene)[number // 200], signal.SIGKILL)
    await sent(scene, 400)
    await application.watch.until(lambda: len(application.data(RECEIPTS)) >= 400, 60.0)
    ids = {receipt["message_id"] for receipt in application.data(RECEIPTS)}
    assert len(ids) == 400
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_unacknowledged_messages") == 0)


async def test_a_broker_that_is_restarted_under_load_loses_no_message(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker))
    await subscribed(scene)
    for number in range(300):
        await application.publish(SEND, message(number, idempotency_key=f"key-{number}"))
        if number in (100, 200):
            await broker.stop()
            await broker.start()
    await sent(scene, 300)


async def test_what_comes_while_we_are_away_is_taken_at_the_accounts_rate(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    made = tables(broker, receive_window=10)
    made["accounts"]["shop"] |= {"rate_per_s": 40.0, "burst": 5.0}
    scene = await stage(made)
    await subscribed(scene)
    await scene.terminate()
    for number in range(100):
        await application.publish(SEND, message(number % 10, text=f"{number}"))
    await scene.start()
    await sent(scene, 100)
    samples = await scene.samples()
    assert samples.value("gatewayd_submits_total", status="ESME_ROK") == 100
    assert not application.heard[RESULTS]
    for handset_number in range(10):
        own = [int(text) for text in texts(scene) if int(text) % 10 == handset_number]
        assert own == sorted(own)


async def test_who_publishes_faster_than_its_rate_is_refused_where_that_is_wanted(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    made = tables(broker, over_rate="refuse")
    made["accounts"]["shop"] |= {"rate_per_s": 1.0, "burst": 5.0}
    scene = await stage(made)
    await subscribed(scene)
    for number in range(50):
        await application.publish(SEND, message(number))
    await application.watch.until(lambda: len(application.heard[RESULTS]) >= 40, WAIT_S)
    assert {answer["status"] for answer in application.heard[RESULTS]} == {429}


@pytest.mark.long
async def test_fewer_workers_inherit_what_the_broker_has_for_the_others(
    stage: Stage, broker: Mosquitto, application: Application
) -> None:
    scene = await stage(tables(broker, workers=2))
    await subscribed(scene, workers=2)
    await scene.terminate()
    for number in range(40):
        await application.publish(SEND, message(number))
    scene.daemon.configure({"daemon": {"workers": 1}})
    await scene.start()
    await sent(scene, 40)
    await asyncio.to_thread(scene.daemon.hear, HEIRS, 30.0)
    for number in range(40, 60):
        await application.publish(SEND, message(number))
    await sent(scene, 60)


async def test_an_account_may_be_let_in_by_a_reload(stage: Stage, broker: Mosquitto, application: Application) -> None:
    made = tables(broker)
    made["accounts"]["shop"]["mqtt_send"] = False
    scene = await stage(made)
    await scene.until_samples(lambda s: s.value("gatewayd_mqtt_connected") == 1)
    scene.daemon.configure({"accounts": {"shop": {"mqtt_send": True}}})
    await asyncio.to_thread(scene.daemon.tell, signal.SIGHUP)
    await scene.until_samples(
        lambda s: (
            s.value("gatewayd_mqtt_connections_total", outcome="connected") == 2
            and s.value("gatewayd_mqtt_connected") == 1
        )
    )
    await application.publish(SEND, message(1))
    await application.watch.until(lambda: application.heard[RECEIPTS], WAIT_S)
