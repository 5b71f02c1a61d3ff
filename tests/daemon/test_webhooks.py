"""Webhooks to applications, as a receiver sees them that is slow, wrong and gone; another's library checks them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.conftest import Stage
from tests.daemon.crowd import by_handset, handset, in_order, send_many
from tests.daemon.process import secret_file
from tests.daemon.scene import BOT, WAIT_S
from tests.daemon.test_control import ask, run
from tests.support.receiver import OTHER_SECRET, SECRET, Receiver

pytestmark = pytest.mark.timeout(120)
SMS_HANDSET, RCS_HANDSET = "33620000001", "+33610000001"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


def tables(folder: Path, receiver: Receiver, *sinks: str, **keys: Any) -> dict[str, Any]:
    secret = secret_file(folder / "hooks.secret", f"{SECRET}\n")
    endpoint = {"url": receiver.url, "secret_file": secret, "allow_private": True, "timeout_s": 2.0}
    account = {"sinks": sinks or ("webhook",), "endpoint": "crm"}
    return {"accounts": {"shop": account}, "endpoints": {"crm": endpoint | keys}}


async def test_receipts_replies_and_sessions_come_signed(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    scene = await stage(tables(tmp_path, receiver))
    esme = await scene.esme()
    sent = await scene.send(esme, RCS_HANDSET, "Oui ou non ?", registered_delivery=1)
    await receiver.watch.until(lambda: receiver.data("message.receipt"), WAIT_S)
    scene.platform.send_reply(RCS_HANDSET, "Oui 😀", "answer=yes", BOT)
    await receiver.watch.until(lambda: receiver.data("message.received"), WAIT_S)

    (receipt,), (reply,), (opened,) = map(receiver.data, ("message.receipt", "message.received", "session.opened"))
    assert {key: receipt[key] for key in ("message_id", "to", "from", "state", "error", "channel")} == {
        "message_id": sent, "to": RCS_HANDSET.removeprefix("+"), "from": "33700000001", "state": "DELIVRD",
        "error": "000", "channel": "rcs",
    }  # fmt: skip
    assert {key: reply[key] for key in ("from", "to", "text", "postback", "session", "channel")} == {
        "from": RCS_HANDSET.removeprefix("+"), "to": "33700000001", "text": "Oui 😀", "postback": "answer=yes",
        "session": sent, "channel": "rcs",
    }  # fmt: skip
    assert (opened["session"], opened["channel"], opened["replies"]) == (sent, "rcs", 0)
    assert receiver.taken[0]["type"] == "session.opened"
    assert not esme.ledger.receipts
    assert not esme.ledger.texts


async def test_one_sink_that_is_away_holds_up_no_other(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    scene = await stage(tables(tmp_path, receiver, "smpp", "webhook"))
    esme = await scene.esme()
    receiver.hold()
    sent = await send_many(scene, 20)
    for message_id in sent:
        assert await scene.final(esme, message_id) == "DELIVRD"
    assert not receiver.taken
    receiver.release()
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 20, WAIT_S)

    esme.deliver_status = None  # the bind takes nothing any more
    again = await send_many(scene, 20)
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 40, WAIT_S)
    assert {receipt["message_id"] for receipt in receiver.data("message.receipt")} == {*sent, *again}
    samples = await scene.samples()
    assert samples.value("gatewayd_outbox_deliveries", account="shop", sink="webhook") == 0
    assert samples.value("gatewayd_deliveries_total", account="shop", sink="webhook", outcome="delivered") >= 40
    await esme.abort()


async def test_an_outage_with_a_kill_in_it_loses_nothing_and_keeps_the_order(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    scene = await stage(tables(tmp_path, receiver))
    sent = await send_many(scene, 300)
    await receiver.stop()
    sent += await send_many(scene, 700, first=300)
    await scene.until_samples(lambda s: s.value("gatewayd_endpoint_state", endpoint="crm") == 2)
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", outcome="DELIVRD") == len(sent))
    await scene.kill()
    scene.esmes.clear()
    await scene.start()
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", account="shop", sink="webhook") >= 700)
    await receiver.start()
    sent += await send_many(scene, 100, first=1_000)
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == len(sent), 60.0)
    assert by_handset(receiver.data("message.receipt")) == in_order(sent)
    assert receiver.at_once_max <= 8


async def test_one_handset_that_fails_holds_up_itself_alone(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    scene = await stage(tables(tmp_path, receiver))
    receiver.refuses = lambda event: 500 if event["data"]["to"] == handset(0) else 0
    await send_many(scene, 30, handsets=3)
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 20, WAIT_S)
    assert set(by_handset(receiver.data("message.receipt"))) == {handset(1), handset(2)}
    samples = await scene.samples()
    assert samples.value("gatewayd_endpoint_state", endpoint="crm") == 0
    assert samples.value("gatewayd_posts_total", endpoint="crm", outcome="500") >= 1


async def test_an_endpoint_that_is_gone_is_left_alone_until_a_reload(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    scene = await stage(tables(tmp_path, receiver))
    receiver.status = 410
    await send_many(scene, 10)
    await scene.until_samples(lambda s: s.value("gatewayd_endpoint_state", endpoint="crm") == 3)
    tries = len(receiver.tries)
    assert tries <= 10
    receiver.status = 200
    await send_many(scene, 10)
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", outcome="DELIVRD") == 20)
    assert (len(receiver.tries), receiver.taken) == (tries, [])
    # What waits there is seen and dropped by its sink.
    sinks = (await ask(scene, "outbox"))["accounts"]["shop"]["sinks"]
    sessions = [row["id"] for row in (await ask(scene, "outbox", "list", "--kind", "session"))["rows"]]
    assert sinks["webhook"]["depth"] == 20 + len(sessions)
    assert (await ask(scene, "outbox", "list", "--sink", "smpp"))["rows"] == []
    assert (await run(scene, "outbox", "drop", "shop", "--sink", "mqtt", "--yes")).code == 1
    assert "fax is no sink: smpp, webhook" in (await run(scene, "outbox", "drop", "shop", "--sink", "fax", "-y")).err
    dropped = await ask(scene, "outbox", "drop", "shop", "--sink", "webhook", "--kind", "session", "--yes")
    assert dropped["dropped"] == len(sessions) > 0
    assert (await ask(scene, "outbox"))["accounts"]["shop"]["depth"] == 20
    await asyncio.to_thread(scene.daemon.tell, signal.SIGHUP)
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 20, WAIT_S)


async def test_who_asks_for_silence_has_it(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    scene = await stage(tables(tmp_path, receiver, concurrency=1))
    receiver.status, receiver.headers = 429, {"Retry-After": "2"}
    await send_many(scene, 5)
    await receiver.watch.until(lambda: receiver.tries, WAIT_S)
    receiver.status = 200
    began = asyncio.get_running_loop().time()
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 5, WAIT_S)
    assert asyncio.get_running_loop().time() - began > 1.5


async def test_a_private_address_is_no_endpoint_unless_it_is_meant(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    """The name is harmless; what it resolves to is the machine itself."""
    name = f"http://localhost.:{receiver.port}/hooks"
    scene = await stage(tables(tmp_path, receiver, allow_private=False, url=name))
    await send_many(scene, 1)
    refused = {"endpoint": "crm", "outcome": "private_address"}
    await scene.until_samples(
        lambda s: s.value("gatewayd_posts_total", **refused) or s.value("gatewayd_posts_total", outcome="unreachable")
    )
    assert receiver.tries == []


async def test_redirects_are_not_followed(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    scene = await stage(tables(tmp_path, receiver))
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    await send_many(scene, 1)
    await scene.until_samples(lambda s: s.value("gatewayd_posts_total", endpoint="crm", outcome="307") == 1)
    assert len(receiver.tries) == 1


async def test_two_secrets_sign_while_they_are_exchanged(stage: Stage, tmp_path: Path) -> None:
    old, new = Receiver(SECRET), Receiver(OTHER_SECRET)
    for receiver in (old, new):
        await receiver.start()
    try:
        made = tables(tmp_path, old)
        made["endpoints"]["bank"] = {**made["endpoints"]["crm"], "url": new.url}
        made["accounts"]["bank"] = {"sinks": ["webhook"], "endpoint": "bank"}
        secret_file(tmp_path / "hooks.secret", f"{SECRET}\n{OTHER_SECRET}\n")
        scene = await stage(made)
        await send_many(scene, 1)
        bank = await scene.esme("bank")
        await scene.send(bank, SMS_HANDSET, "x", source="33700000002", registered_delivery=1)
        for receiver in (old, new):
            await receiver.watch.until(partial(receiver.data, "message.receipt"), WAIT_S)
    finally:
        for receiver in (old, new):
            await receiver.stop()


@pytest.mark.long
async def test_other_numbers_of_workers_keep_what_each_sink_is_owed(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    """Two workers post what is theirs; then one has it all, and nothing was lost on the way."""
    scene = await stage(tables(tmp_path, receiver, "smpp", "webhook") | {"daemon": {"workers": 2}})
    sent = await send_many(scene, 40)
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 40, WAIT_S)
    await receiver.stop()
    sent += await send_many(scene, 60, first=40)
    sessions = 10
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", sink="webhook") == 60 + sessions)
    await scene.terminate()
    scene.esmes.clear()
    scene.daemon.configure({"daemon": {"workers": 1}})
    await scene.start()
    await receiver.start()
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 100, 30.0)
    assert {receipt["message_id"] for receipt in receiver.data("message.receipt")} == set(sent)


async def test_dead_letters_are_listed_and_replayed(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    made = tables(tmp_path, receiver)
    made["accounts"]["shop"]["outbox_ttl_h"] = 0.001  # 3.6 s
    scene = await stage(made | {"daemon": {"workers": 2}})
    receiver.status = 500
    sent = await send_many(scene, 4)
    await scene.until_samples(
        lambda s: s.value("gatewayd_outbox_dead_letters", account="shop", sink="webhook") == 8, 40
    )
    rows = (await ask(scene, "outbox", "dead", "list", "shop"))["rows"]
    assert {(row["kind"], row["sink"]) for row in rows} == {("receipt", "webhook"), ("session", "webhook")}
    assert {row["message"] for row in rows if row["kind"] == "receipt"} == set(sent)
    assert all("*" in row["handset"] and row["reason"] == "expired" for row in rows)
    receiver.status = 200
    (first, *_) = [row["id"] for row in rows if row["message"] == sent[0] and row["kind"] == "receipt"]
    assert (await ask(scene, "outbox", "dead", "replay", "shop", "--id", first))["replayed"] == 1
    await receiver.watch.until(lambda: receiver.data("message.receipt"), WAIT_S)
    assert [receipt["message_id"] for receipt in receiver.data("message.receipt")] == [sent[0]]
    assert (await ask(scene, "outbox", "dead", "replay", "shop"))["replayed"] == 7
    await receiver.watch.until(lambda: len(receiver.data("message.receipt")) == 4, WAIT_S)
    assert (await ask(scene, "outbox", "dead", "list"))["rows"] == []
