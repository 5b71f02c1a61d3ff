"""Messages that were read, as the application sees it that has a word for that: after the receipt, and once."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.simulate.esme import Esme
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33610000001"
READS: dict[str, Any] = {"accounts": {"shop": {"displayed_receipts": "READ"}}}


def told(esme: Esme, message_id: str) -> list[str]:
    """The words of a message's receipts, all of them sound."""
    receipts = esme.ledger.receipts_of(message_id)
    assert all(receipt.faults == () for receipt in receipts)
    assert [receipt.is_displayed for receipt in receipts] == [receipt.state == "READ" for receipt in receipts]
    return [receipt.state for receipt in receipts]


async def until_told(esme: Esme, message_id: str, *expected: str) -> None:
    await esme.wait_for(lambda: len(esme.ledger.receipts_of(message_id)) >= len(expected), WAIT_S)
    assert told(esme, message_id) == list(expected)


async def until_counted(scene: Scene, event: str, count: int) -> None:
    await scene.until_samples(lambda s: s.value("gatewayd_receipt_events_total", link="rcs", event=event) == count)


async def test_a_message_that_is_read_gets_one_more_receipt(stage: Stage) -> None:
    scene = await stage(READS)
    scene.tell_handsets(Rule(display_after_s=0.0, webhook_duplicates=2))
    shop, bank = await scene.esme("shop"), await scene.esme("bank")
    message_id = await scene.send(shop, HANDSET, "?")
    await until_told(shop, message_id, "DELIVRD", "READ")
    silent = await scene.send(bank, HANDSET, "?", source="33700000002")
    await until_counted(scene, "displayed", 6)
    assert (told(shop, message_id), told(bank, silent)) == (["DELIVRD", "READ"], ["DELIVRD"])
    samples = await scene.samples()
    assert samples.value("gatewayd_deliveries_total", account="shop", kind="receipt", outcome="delivered") == 2


async def test_the_news_that_it_was_read_may_come_alone(stage: Stage) -> None:
    scene = await stage(READS)
    scene.tell_handsets(Rule(display_after_s=0.0, webhook_lost=("sent", "delivered")))
    esme = await scene.esme()
    await until_told(esme, await scene.send(esme, HANDSET, "?"), "DELIVRD", "READ")


async def test_the_news_that_it_was_read_may_come_first(stage: Stage) -> None:
    scene = await stage(READS)
    scene.tell_handsets(Rule(delivery="never", on_expiry="ignore"))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    await scene.platform.ledger.wait_for(lambda ledger: bool(ledger.webhooks), WAIT_S)
    (record,) = scene.platform.ledger.to(HANDSET)
    scene.platform.report(record.id, "displayed")
    await until_told(esme, message_id, "DELIVRD", "READ")
    scene.platform.report(record.id, "delivered")
    await until_counted(scene, "late_delivered", 1)
    assert told(esme, message_id) == ["DELIVRD", "READ"]


@pytest.mark.long
async def test_it_is_told_after_a_restart_and_only_then(stage: Stage) -> None:
    scene = await stage(READS)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    await until_told(esme, message_id, "DELIVRD")
    (record,) = scene.platform.ledger.to(HANDSET)
    await scene.terminate()
    await scene.start()
    esme = await scene.esme()
    scene.platform.report(record.id, "displayed")
    await until_told(esme, message_id, "READ")
    await scene.terminate()
    await scene.start()
    again = await scene.esme()
    before = (await scene.samples()).value("gatewayd_receipt_events_total", link="rcs", event="displayed")
    scene.platform.report(record.id, "displayed")
    await until_counted(scene, "displayed", round(before) + 1)
    assert told(again, message_id) == []


async def test_each_part_of_a_long_message_is_read(stage: Stage) -> None:
    scene = await stage(READS)
    scene.tell_handsets(Rule(display_after_s=0.0))
    esme = await scene.esme()
    parts = esme.send("33700000001", HANDSET, "Très long " * 40)
    assert len(parts) > 2
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 2 * len(parts), WAIT_S)
    assert len(scene.platform.ledger.to(HANDSET)) == 1
    for part in parts:
        assert told(esme, part.message_id) == ["DELIVRD", "READ"]


@pytest.mark.timeout(120)
async def test_whichever_worker_hears_of_it(stage: Stage) -> None:
    scene = await stage(READS | {"daemon": {"workers": 2}})
    scene.tell_handsets(Rule(display_after_s=0.1, webhook_duplicates=1))
    esme = await scene.esme()
    ids = [await scene.send(esme, f"+3361000{number:04}", "?") for number in range(12)]
    await esme.wait_for(lambda: len(esme.ledger.receipts) >= 2 * len(ids), WAIT_S)
    await until_counted(scene, "displayed", 2 * len(ids))
    assert {tuple(told(esme, message_id)) for message_id in ids} == {("DELIVRD", "READ")}


async def test_an_application_that_is_slow_is_told_in_order(stage: Stage) -> None:
    """It was away when both came, and takes what it is owed one by one."""
    scene = await stage({"accounts": {"shop": {"displayed_receipts": "READ", "window": 1}}})
    scene.tell_handsets(Rule(display_after_s=0.0))
    writer = await scene.esme(mode="transmitter")
    ids = [await scene.send(writer, HANDSET, "?") for _ in range(3)]
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", account="shop") == 6)
    readers = [await scene.esme(mode="receiver") for _ in range(3)]
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", account="shop") == 0)
    receipts = sorted((receipt for esme in readers for receipt in esme.ledger.receipts), key=lambda receipt: receipt.at)
    assert len(receipts) == 6
    for message_id in ids:
        assert [each.state for each in receipts if each.message_id == message_id] == ["DELIVRD", "READ"]
