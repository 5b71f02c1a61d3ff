"""Applications of SMPP 3.3 and 5.0, and carriers too, over real sockets; and handsets that come back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatewayd.simulate.behaviour import Behaviour
from gatewayd.simulate.esme import Esme
from protocol.smpp.constants import ESM_UDHI, MessageState, Status, Tag
from protocol.smpp.destinations import Destination
from protocol.smpp.pdu import AlertNotification, CancelSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm, SubmitSmResp
from tests.gatewayd.senders.gateway import HANDSET, SENDER, Gateway

Open = Callable[..., Any]


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Gateway] = []

    async def open_one(**how: Any) -> Gateway:
        opened.append(Gateway(tmp_path, **how))
        await opened[-1].open()
        return opened[-1]

    yield open_one
    for gateway in opened:
        await gateway.close()


async def send(esme: Esme, **fields: Any) -> str:
    own: dict[str, Any] = {"registered_delivery": 1, "short_message": b"hello", "dest_addr_ton": 1}
    submitted = esme.submit(SubmitSm(source_addr=SENDER, destination_addr=HANDSET, **(own | fields)))
    await esme.wait_for(lambda: submitted.status is not None)
    assert submitted.status == 0
    return submitted.message_id


@pytest.mark.parametrize("version", [0x00, 0x33])
async def test_an_application_of_3_3_has_ids_of_eight_digits_and_no_tlvs(gateways: Open, version: int) -> None:
    gateway = await gateways(keys="results_h = 1")
    esme = await gateway.esme(version=version)
    await gateway.hold()
    ids = [await send(esme) for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(re.fullmatch("[0-9a-f]{8}", message_id) for message_id in ids)
    assert (await esme.answer_to(QuerySm(ids[0].upper(), source_addr=SENDER))).message_state == MessageState.ENROUTE
    assert (await esme.answer_to(CancelSm("", ids[1]))).status == 0
    assert (await esme.answer_to(ReplaceSm(ids[2], registered_delivery=1, short_message=b"other"))).status == 0
    gateway.let_go()
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 5)
    assert {receipt.message_id: receipt.state for receipt in esme.ledger.receipts} == {
        message_id: "DELETED" if message_id == ids[1] else "DELIVRD" for message_id in ids
    }
    assert all(receipt.pdu.tlvs == () for receipt in esme.ledger.receipts)
    assert (await esme.answer_to(QuerySm(ids[0]))).message_state == MessageState.DELIVERED
    assert b"other" in [submit.pdu.short_message for submit in gateway.smsc.ledger.submits]


async def test_a_submit_multi_of_3_3_has_one_short_id(gateways: Open) -> None:
    gateway = await gateways(keys="results_h = 1")
    esme = await gateway.esme(version=0x33)
    to = (Destination(1, 1, HANDSET), Destination(1, 1, "33612345679"))
    answer = await esme.answer_to(SubmitMulti("", 1, 1, SENDER, to, registered_delivery=1, short_message=b"hello"))
    assert re.fullmatch("[0-9a-f]{8}", answer.message_id)
    await esme.wait_for(lambda: len(esme.ledger.receipts_of(answer.message_id)) == 2)
    assert (await esme.answer_to(QuerySm(answer.message_id))).message_state == MessageState.DELIVERED


async def test_a_short_id_stays_what_it_is_on_other_binds_of_the_account(gateways: Open) -> None:
    gateway = await gateways()
    old, receiver = await gateway.esme(version=0x33, mode="transmitter"), await gateway.esme(mode="receiver")
    message_id = await send(old)
    await receiver.wait_for(lambda: bool(receiver.ledger.receipts_of(message_id)))
    assert receiver.ledger.receipts_of(message_id)[0].faults == ()
    assert dict(receiver.ledger.receipts[0].pdu.tlvs)[Tag.RECEIPTED_MESSAGE_ID] == message_id.encode() + b"\0"


async def test_a_long_answer_comes_to_3_3_in_parts(gateways: Open) -> None:
    gateway = await gateways()
    esme = await gateway.esme(version=0x33)
    text = "a long answer, " * 40
    gateway.smsc.send_mo(HANDSET, SENDER, text, long="payload")
    await esme.wait_for(lambda: bool(esme.ledger.texts))
    (told,) = esme.ledger.texts
    assert told.text == text
    assert len(told.pdus) == 4
    assert all(pdu.esm_class & ESM_UDHI and not pdu.tlvs for pdu in told.pdus)
    outbox = gateway.worker.outbox
    await esme.wait_for(lambda: outbox.box("shop") is not None and not outbox.box("shop").depth)


async def test_a_part_that_is_refused_brings_all_of_them_again(gateways: Open) -> None:
    gateway = await gateways()
    esme = await gateway.esme(version=0x33)
    esme.deliver_status = Status.ESME_RX_T_APPN
    gateway.smsc.send_mo(HANDSET, SENDER, "a long answer, " * 20, long="payload")
    await esme.wait_for(lambda: esme.ledger.counts["deliveries refused"] == 2)
    esme.deliver_status = 0
    gateway.worker.outbox.replay("shop")
    await esme.wait_for(lambda: bool(esme.ledger.texts))


async def test_an_account_is_spoken_to_as_its_table_says(gateways: Open) -> None:
    gateway = await gateways(keys='interface_version = "3.4"')
    esme = await gateway.esme(version=0x00)
    message_id = await send(esme)
    assert len(message_id) > 8
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)))
    assert esme.ledger.receipts_of(message_id)[0].pdu.tlvs


async def test_an_application_of_5_0_hears_how_full_we_are_and_what_is_scheduled(gateways: Open) -> None:
    gateway = await gateways()
    esme = await gateway.esme(version=0x50)
    assert (esme.connection.version, esme.connection.peer_version) == (0x50, 0x50)
    esme.connection.peer_congestion = 77
    message_id = await send(esme, schedule_delivery_time="000000010000000R")
    assert esme.connection.peer_congestion < 30, "an idle gateway says so"
    assert (await esme.answer_to(QuerySm(message_id))).message_state == MessageState.SCHEDULED
    gateway.worker.submits._pending_max = -1
    answer = await esme.answer_to(SubmitSm(source_addr=SENDER, destination_addr=HANDSET, dest_addr_ton=1))
    assert isinstance(answer, SubmitSmResp)
    assert answer.status == Status.ESME_RMSGQFUL


@pytest.mark.parametrize(
    ("ours", "theirs", "spoken", "asked"),
    [("3.3", "3.4", 0x33, 0x33), ("3.4", "3.3", 0x34, 0x34), ("5.0", "5.0", 0x50, 0x50), ("5.0", "3.4", 0x34, 0x50)],
)
async def test_a_link_and_its_carrier_agree(gateways: Open, ours: str, theirs: Any, spoken: int, asked: int) -> None:
    gateway = await gateways(
        link=f'interface_version = "{ours}"', carrier=Behaviour(interface_version=theirs, congestion=40)
    )
    (bind,) = gateway.smsc.binds()
    assert bind.connection.peer_version == asked
    (seat,) = gateway.worker.own_links["carrier"]._seats
    esme = await gateway.esme()
    await send(esme, tlvs=((0x1400, b"vendor"),))
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 1)
    (submit,) = gateway.smsc.ledger.submits
    assert seat.connection.version == spoken
    assert bool(submit.pdu.tlvs) == (spoken > 0x33)
    assert seat.connection.peer_congestion == (40 if spoken == 0x50 else 0)


async def test_a_handset_that_comes_back_is_told_to_whom_it_concerns(gateways: Open) -> None:
    gateway = await gateways()
    shop, bank = await gateway.esme(), await gateway.esme("bank")
    old = await gateway.esme("bank", version=0x33)
    gateway.smsc.alert(HANDSET, SENDER)
    await shop.wait_for(lambda: bool(shop.ledger.alerts))
    assert shop.ledger.alerts[0] == AlertNotification(
        1, 1, HANDSET, 1, 1, SENDER, ((Tag.MS_AVAILABILITY_STATUS, b"\0"),), sequence=shop.ledger.alerts[0].sequence
    )
    own = bank.submit(SubmitSm(source_addr="33700000002", source_addr_ton=1, destination_addr=HANDSET, dest_addr_ton=1))
    await bank.wait_for(lambda: own.status == 0)
    await gateway.smsc.ledger.wait_for(lambda: bool(gateway.smsc.ledger.submits), 10)
    gateway.smsc.alert(HANDSET, "33700000002", 2)
    await bank.wait_for(lambda: bool(bank.ledger.alerts))
    assert (len(shop.ledger.alerts), len(old.ledger.alerts)) == (1, 0)
    faults = gateway.worker.metrics.faults.labels("carrier", "alert_untold")
    gateway.smsc.alert(HANDSET, "33799999999")
    await gateway.smsc.ledger.wait_for(lambda: True, 1)
    gateway.smsc.send_mo(HANDSET, SENDER, "after it")
    await shop.wait_for(lambda: bool(shop.ledger.texts))
    assert faults.value == 1
