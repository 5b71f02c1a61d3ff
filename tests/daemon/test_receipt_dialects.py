"""From a carrier with columns for receipts to an application with wishes of its own, judged by smpplib."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.carriers import unparsed
from gatewayd.simulate.smsc import Smsc
from tests.daemon.conftest import Stage
from tests.daemon.test_another_esme import Application

pytestmark = pytest.mark.timeout(180)  # it starts several processes
HANDSET, LONG, ODD = "33620000001", "33620000002", "33620000003"
COLUMNS = "00,{done},{submitted},,+33620000001,33700000001,{id}"
WISHES: dict[str, Any] = {
    "message_id_base": "decimal",
    "receipt_dates": 12,
    "receipt_zone": "Asia/Tokyo",
    "receipt_text_chars": 10,
    "receipt_parts": "worst",
    "receipt_tlvs": ["message_state"],
    "receipt_errors": {"DELIVRD": "0A0"},
    "results_h": 1,
}
READ = re.compile(
    rb"id:(\d{17,20}) sub:001 dlvrd:001 submit date:(\d{12}) done date:\d{12} stat:DELIVRD err:0A0 text:(.*)", re.DOTALL
)


def write(smsc: Smsc, receipt_text: str) -> None:
    smsc.behaviour = msgspec.structs.replace(smsc.behaviour, receipt_text=receipt_text, receipt_tlvs=False)


def converse(port: int) -> Application:
    application = Application(port)
    application.bind()
    application.send(HANDSET, b"Your code is 4711")
    application.read_until(lambda: application.receipts)
    for number in (1, 2):
        application.send(LONG, bytes((5, 0, 3, 7, 2, number)) + b"a part", esm_class=0x40)
    application.read_until(lambda: len(application.ids) == 3 and len(application.receipts) == 2)
    for message_id in application.ids:
        application.query(message_id)
    application.read_until(lambda: len(application.states) == 3)
    application.end()
    return application


async def test_columns_in_and_wishes_out(stage: Stage, tmp_path: Path) -> None:
    scene = await stage({"accounts": {"shop": WISHES}, "links": {"carrier": {"receipts": "vodafone_csv"}}})
    write(scene.smsc, COLUMNS)
    await scene.carrier_is_bound()
    heard = await asyncio.to_thread(converse, scene.north.port)
    plain, parts = (READ.fullmatch(receipt.short_message) for receipt in heard.receipts)
    assert plain is not None
    assert parts is not None
    assert [plain[1].decode(), parts[1].decode()] == heard.ids[:2], "one receipt for both parts, under the first id"
    assert (plain[3], parts[3]) == (b"Your code ", b"a part")
    assert [receipt.receipted_message_id for receipt in heard.receipts] == [None, None]
    assert [receipt.message_state for receipt in heard.receipts] == [2, 2]
    assert [state.message_state for state in heard.states] == [2, 2, 2], "asked by their decimal ids"

    write(scene.smsc, "who knows what became of {id}")
    application = Application(scene.north.port)
    await asyncio.to_thread(application.bind)
    await asyncio.to_thread(application.send, ODD, b"Nobody will know")
    await scene.until_samples(lambda s: s.value("gatewayd_receipt_events_total", event="unparsed") == 1)
    await asyncio.to_thread(application.end)
    (kept,) = await asyncio.to_thread(lambda: list(unparsed.kept(next(tmp_path.rglob("*.unparsed")).parent)))
    assert kept.link == "carrier"
    assert b"who knows" in bytes.fromhex(kept.pdu)
    assert not heard.texts
    assert not application.texts, "never a message to anybody"
