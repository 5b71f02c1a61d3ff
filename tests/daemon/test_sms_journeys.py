"""What becomes of messages that go by SMS, seen from both ends of the real daemon."""

from __future__ import annotations

from gatewayd.simulate.behaviour import Rule
from protocol.smpp.constants import Tag
from protocol.smpp.records import SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33620000001"


async def test_an_sms_is_delivered_and_its_receipt_comes_back(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "Il a été payé 5 €")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (submit,) = scene.smsc.ledger.submits
    assert (submit.pdu.source_addr, submit.pdu.destination_addr) == ("33700000001", HANDSET.removeprefix("+"))
    assert submit.pdu.short_message == b"Il a \x05t\x05 pay\x05 5 \x1be"
    (receipt,) = esme.ledger.receipts
    assert (receipt.pdu.source_addr, receipt.pdu.destination_addr) == (HANDSET.removeprefix("+"), "33700000001")
    assert receipt.error == "000"
    assert dict(receipt.pdu.tlvs)[Tag.RECEIPTED_MESSAGE_ID] == message_id.encode() + b"\0"


async def test_a_name_can_be_the_sender(stage: Stage) -> None:
    scene = await stage({"accounts": {"shop": {"senders": ["SHOP"]}}})
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "Bonjour", source="SHOP")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (submit,) = scene.smsc.ledger.submits
    assert (submit.pdu.source_addr_ton, submit.pdu.source_addr) == (5, "SHOP")
    (receipt,) = esme.ledger.receipts
    assert (receipt.pdu.dest_addr_ton, receipt.pdu.destination_addr) == (5, "SHOP")


async def test_receipts_come_to_those_who_asked(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(Rule(destination=".*9", receipt_state="UNDELIV", receipt_error="042"))
    esme = await scene.esme()
    ids = {
        (wanted, handset): await scene.send(esme, f"+3362000000{handset}", "?", registered_delivery=wanted)
        for wanted in (0, 1, 2)
        for handset in (8, 9)
    }
    # The last one tells that the others had their time: all go over one bind, one way.
    assert await scene.final(esme, await scene.send(esme, HANDSET, "!")) == "DELIVRD"
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", account="shop") == 7)
    states = {key: [r.state for r in esme.ledger.receipts_of(message_id)] for key, message_id in ids.items()}
    assert states == {
        (0, 8): [],
        (0, 9): [],
        (1, 8): ["DELIVRD"],
        (1, 9): ["UNDELIV"],
        (2, 8): [],
        (2, 9): ["UNDELIV"],
    }
    assert esme.ledger.receipts_of(ids[2, 9])[0].error == "042"


async def test_a_receipt_that_overtakes_its_response_finds_its_message(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(Rule(receipt="before", delay_s=0.05))
    esme = await scene.esme()
    ids = [await scene.send(esme, HANDSET, f"{number}") for number in range(3)]
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
    samples = await scene.samples()
    assert samples.value("gatewayd_receipt_events_total", link="carrier", event="early") == 3


async def test_a_receipt_before_its_response_in_one_read_finds_its_message(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(Rule(receipt="before"))
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "?")) == "DELIVRD"


async def test_a_receipt_that_comes_twice_is_told_once(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(Rule(receipt_copies=3))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.acknowledged("receipt")) == 3)
    assert await scene.final(esme, message_id) == "DELIVRD"


async def test_ids_in_hex_and_receipts_in_decimal_meet(stage: Stage) -> None:
    scene = await stage(carrier={"message_ids": "HEX/decimal"})
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "?")) == "DELIVRD"


async def test_a_throttling_carrier_gets_everything_in_order(stage: Stage) -> None:
    scene = await stage({"links": {"carrier": {"window": 1}}})
    scene.smsc.script.tell(Rule(times=4), Rule(answer="throttle", times=3))
    esme = await scene.esme()
    sent = [esme.send("33700000001", HANDSET, f"{number:02}")[0] for number in range(12)]
    await esme.wait_for(lambda: len(esme.ledger.receipts) == len(sent), WAIT_S)
    taken = [submit.pdu.short_message for submit in scene.smsc.ledger.accepted()]
    assert taken == [submitted.pdu.short_message for submitted in sent]
    samples = await scene.samples()
    assert samples.value("gatewayd_link_results_total", outcome="deferred", error="ESME_RTHROTTLED") == 3
    assert samples.value("gatewayd_limiter_pauses_total", limit="carrier", scope="") == 3


async def test_a_refused_message_is_told_as_undelivered(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.script.tell(Rule(answer="refuse", status="ESME_RINVDSTADR"))
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "?")) == "UNDELIV"
    samples = await scene.samples()
    assert samples.value("gatewayd_link_unreachable_total", link="carrier") == 1


async def test_half_a_response_is_followed_by_a_second_copy(stage: Stage) -> None:
    """The carrier may have taken it: ``prefer_duplicate`` sends it again over the next bind."""
    scene = await stage()
    scene.smsc.script.tell(Rule(answer="half", times=1, receipt="none"))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert len(scene.smsc.ledger.submits) == 2
    samples = await scene.samples()
    assert samples.value("gatewayd_link_results_total", link="carrier", outcome="unknown") == 1


async def test_what_waits_for_a_carrier_that_is_away_is_sent_when_it_comes(stage: Stage) -> None:
    scene = await stage()
    await scene.carrier_is_bound()
    scene.smsc.bind_status = 0x0D
    scene.smsc.drop_binds()
    esme = await scene.esme()
    ids = [await scene.send(esme, HANDSET, f"{number}") for number in range(5)]
    await scene.until_samples(lambda s: s.value("gatewayd_queue_messages", link="carrier") == 5)
    assert (await scene.samples()).value("gatewayd_link_up", link="carrier") == 0
    scene.smsc.bind_status = 0
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 5


async def test_two_accounts_know_nothing_of_each_other(stage: Stage) -> None:
    scene = await stage({"accounts": {"bank": {"window": 1, "outbox_depth_max": 2}}})
    shop, bank = await scene.esme("shop"), await scene.esme("bank")
    bank.deliver_status = None
    bank_ids = [await scene.send(bank, HANDSET, "secret", source="33700000002") for _ in range(6)]
    shop_ids = [await scene.send(shop, HANDSET, "open") for _ in range(6)]
    assert [await scene.final(shop, message_id) for message_id in shop_ids] == ["DELIVRD"] * 6
    assert {receipt.message_id for receipt in shop.ledger.receipts} == set(shop_ids)
    assert not set(bank_ids) & set(shop_ids)
    samples = await scene.samples()
    assert samples.value("gatewayd_outbox_deliveries", account="shop") == 0


async def test_a_message_for_one_bind_of_an_account_is_told_to_one_bind(stage: Stage) -> None:
    scene = await stage()
    sender, receiver = await scene.esme(mode="transmitter"), await scene.esme(mode="receiver")
    ids = [await scene.send(sender, HANDSET, f"{number}") for number in range(10)]
    assert [await scene.final(receiver, message_id) for message_id in ids] == ["DELIVRD"] * 10
    assert not sender.ledger.receipts


async def test_a_refused_delivery_is_offered_again(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    esme.deliver_status = 0x64
    message_id = await scene.send(esme, HANDSET, "?")
    await esme.wait_for(lambda: esme.ledger.counts["deliveries refused"] == 1)
    esme.deliver_status = 0
    assert await scene.final(esme, message_id) == "DELIVRD"


async def test_the_own_reference_comes_back_with_the_receipt(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    submitted = esme.submit(
        SubmitSm(
            source_addr="33700000001",
            source_addr_ton=1,
            source_addr_npi=1,
            destination_addr=HANDSET,
            registered_delivery=1,
            short_message=b"?",
            tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\x12\x34"), (0x1501, b"unknown")),
        )
    )
    await esme.wait_for(lambda: bool(esme.ledger.receipts), WAIT_S)
    assert await scene.final(esme, submitted.message_id) == "DELIVRD"
    assert dict(esme.ledger.receipts[0].pdu.tlvs)[Tag.USER_MESSAGE_REFERENCE] == b"\x12\x34"


async def test_a_validity_period_runs_out_while_the_carrier_is_away(stage: Stage) -> None:
    scene = await stage()
    scene.smsc.bind_status = 0x0D
    scene.smsc.drop_binds()
    esme = await scene.esme()
    submitted = esme.submit(_short_lived())
    await esme.wait_for(lambda: bool(esme.ledger.receipts), WAIT_S)
    assert await scene.final(esme, submitted.message_id) == "EXPIRED"
    assert not scene.smsc.ledger.submits


async def test_texts_of_handsets_reach_the_owner_of_the_number(stage: Stage) -> None:
    scene = await stage()
    shop, bank = await scene.esme("shop"), await scene.esme("bank")
    await scene.carrier_is_bound()
    scene.smsc.send_mo(HANDSET, "+33700000001", "STOP")
    scene.smsc.send_mo(HANDSET, "+33700000002", "é" * 200)
    await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)
    await shop.wait_for(lambda: bool(shop.ledger.texts), WAIT_S)
    assert [(text.source, text.destination, text.text) for text in shop.ledger.texts] == [
        (HANDSET.removeprefix("+"), "33700000001", "STOP")
    ]
    assert [text.text for text in bank.ledger.texts] == ["é" * 200]


async def test_a_text_for_nobody_stays_with_the_carrier(stage: Stage) -> None:
    scene = await stage()
    await scene.carrier_is_bound()
    (delivery,) = scene.smsc.send_mo(HANDSET, "+33799999999", "?")
    await scene.smsc.ledger.wait_for(lambda: delivery.status is not None)
    assert delivery.status == 0x64
    samples = await scene.samples()
    assert samples.value("gatewayd_mo_total", link="carrier", fate="unrouted") >= 1


async def test_an_answer_goes_to_the_account_that_had_written(stage: Stage) -> None:
    """The conversation wins over the owner of the number."""
    scene = await stage()
    shop, bank = await scene.esme("shop"), await scene.esme("bank")
    message_id = await scene.send(bank, HANDSET, "Code ?", source="33700000001")
    assert await scene.final(bank, message_id) == "DELIVRD"
    scene.smsc.send_mo(HANDSET, "+33700000001", "1234")
    await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)
    assert not shop.ledger.texts
    tlvs = dict(bank.ledger.texts[0].pdus[0].tlvs)
    assert tlvs[0x1490] == message_id.encode()
    assert tlvs[Tag.ITS_SESSION_INFO] == bytes((int(message_id, 16) & 0xFF, 1 << 1))


async def test_a_text_waits_for_a_bind_beyond_a_restart(stage: Stage) -> None:
    scene = await stage()
    await scene.carrier_is_bound()
    (delivery,) = scene.smsc.send_mo(HANDSET, "+33700000001", "Je suis là")
    await scene.smsc.ledger.wait_for(lambda: delivery.status == 0)
    await _restart(scene)
    esme = await scene.esme(mode="receiver")
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    assert [text.text for text in esme.ledger.texts] == ["Je suis là"]
    await scene.until_samples(lambda s: s.value("gatewayd_deliveries_total", kind="mo", outcome="delivered") == 1)
    await _restart(scene)
    again = await scene.esme(mode="receiver")
    await scene.until_samples(lambda s: s.value("gatewayd_binds", side="esme", name="shop") == 1)
    assert not again.ledger.texts


async def _restart(scene: Scene) -> None:
    assert await scene.terminate() == 0
    await scene.start()


def _short_lived() -> SubmitSm:
    return SubmitSm(
        source_addr="33700000001",
        source_addr_ton=1,
        source_addr_npi=1,
        destination_addr=HANDSET,
        registered_delivery=1,
        short_message=b"?",
        validity_period="000000000001000R",
    )
