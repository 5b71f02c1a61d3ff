"""The simulated sender and the simulated carrier against each other, over real sockets: what each can be told to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits

HANDSET = "33612345678"


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(Behaviour(redeliver_s=0.0))
    await smsc.start()
    yield smsc
    await smsc.stop()


@pytest.fixture
async def esme(smsc: Smsc) -> AsyncIterator[Esme]:
    esme = Esme("shop", "secret")
    await esme.connect("127.0.0.1", smsc.port)
    yield esme
    await esme.abort()


async def test_a_wrong_password_is_refused_with_its_status(smsc: Smsc) -> None:
    esme = Esme("shop", "wrong")
    with pytest.raises(NotBoundError, match="ESME_RINVPASWD"):
        await esme.connect("127.0.0.1", smsc.port)
    await esme.abort()
    assert (smsc.ledger.binds_accepted, smsc.ledger.binds_refused) == (0, 1)


async def test_a_sender_may_connect_again_after_it_was_refused(smsc: Smsc) -> None:
    smsc.bind_status = 0x0D
    esme = Esme("shop", "secret")
    with pytest.raises(NotBoundError) as refusal:
        await esme.connect("127.0.0.1", smsc.port)
    assert refusal.value.status == 0x0D
    smsc.bind_status = 0
    await esme.connect("127.0.0.1", smsc.port)
    await esme.unbind()
    assert not esme.is_bound


async def test_a_text_is_answered_and_receipted(esme: Esme) -> None:
    (submit,) = esme.send("Shop", HANDSET, "Bonjour à vous")
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 1)
    assert (submit.status, submit.message_id) == (0, "10485761")
    (receipt,) = esme.ledger.receipts_of(submit.message_id)
    assert (receipt.state, receipt.error, receipt.faults) == ("DELIVRD", "000", ())
    assert (receipt.pdu.source_addr, receipt.pdu.destination_addr) == (HANDSET, "Shop")


async def test_no_receipt_comes_where_none_was_asked_for(esme: Esme, smsc: Smsc) -> None:
    esme.send("Shop", HANDSET, "quiet", registered_delivery=0)
    esme.send("Shop", HANDSET, "on failure only", registered_delivery=2)
    smsc.script.tell(Rule(receipt_state="UNDELIV", receipt_error="027", destination="336000.*"))
    esme.send("Shop", "33600000000", "fails", registered_delivery=2)
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 1)
    assert [(receipt.state, receipt.error) for receipt in esme.ledger.receipts] == [("UNDELIV", "027")]
    await esme.wait_answered()
    assert len(smsc.schedule) == 0
    assert len(esme.ledger.receipts) == 1


async def test_more_than_a_window_goes_out_as_answers_come(smsc: Smsc) -> None:
    esme = Esme("shop", "secret", limits=Limits(window=3))
    await esme.connect("127.0.0.1", smsc.port)
    for number in range(20):
        esme.send("Shop", str(33600000000 + number), "Hello")
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 20)
    assert [submit.status for submit in esme.ledger.submits] == [0] * 20
    assert len({submit.message_id for submit in esme.ledger.submits}) == 20
    await esme.unbind()


async def test_a_long_text_is_several_submits(esme: Esme, smsc: Smsc) -> None:
    submits = esme.send("Shop", HANDSET, "Ça va très bien. " * 20)
    await esme.wait_answered()
    assert len(submits) == 3
    assert [submit.pdu.esm_class for submit in smsc.ledger.to(HANDSET)] == [0x40] * 3


async def test_a_text_from_a_handset_arrives_whole(esme: Esme, smsc: Smsc) -> None:
    deliveries = smsc.send_mo(HANDSET, "36105", "Je réponds 🙂 " * 20)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1)
    assert esme.ledger.texts[0].text == "Je réponds 🙂 " * 20
    await smsc.ledger.wait_for(lambda: all(delivery.status == 0 for delivery in deliveries))
    assert len(smsc.ledger.acknowledged("mo")) == len(deliveries) > 1


async def test_a_refused_delivery_comes_again(esme: Esme, smsc: Smsc) -> None:
    esme.deliver_status = 0x64
    (delivery,) = smsc.send_mo(HANDSET, "36105", "STOP")
    await smsc.ledger.wait_for(lambda: delivery.tries >= 2)
    esme.deliver_status = 0
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1)
    await smsc.ledger.wait_for(lambda: delivery.status == 0)
    assert esme.ledger.counts["deliveries refused"] >= 1


async def test_what_nobody_answered_comes_again_over_the_next_bind(esme: Esme, smsc: Smsc) -> None:
    esme.deliver_status = None
    smsc.send_mo(HANDSET, "36105", "STOP")
    await esme.wait_for(lambda: esme.ledger.counts["deliveries ignored"] == 1)
    smsc.drop_binds()
    await esme.wait_for(lambda: esme.closed_reason != "")
    esme.deliver_status = 0
    await esme.connect("127.0.0.1", smsc.port)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1)


async def test_a_delivery_waits_for_a_bind_that_can_take_it(smsc: Smsc) -> None:
    transmitter = Esme("shop", "secret", bind_mode="transmitter")
    receiver = Esme("shop", "secret", bind_mode="receiver")
    await transmitter.connect("127.0.0.1", smsc.port)
    transmitter.send("Shop", HANDSET, "Hello")
    await smsc.ledger.wait_for(lambda: len(smsc.outbox) == 1)
    await receiver.connect("127.0.0.1", smsc.port)
    await receiver.wait_for(lambda: len(receiver.ledger.receipts) == 1)
    assert not transmitter.ledger.receipts
    await transmitter.unbind()
    await receiver.unbind()


async def test_a_frozen_carrier_answers_when_it_thaws(esme: Esme, smsc: Smsc) -> None:
    smsc.freeze()
    (submit,) = esme.send("Shop", HANDSET, "Hello")
    with pytest.raises(TimeoutError):
        await esme.wait_answered(timeout_s=0.02)
    smsc.thaw()
    await esme.wait_answered()
    assert submit.status == 0


async def test_a_sender_that_is_cut_off_loses_what_was_not_answered(esme: Esme, smsc: Smsc) -> None:
    smsc.script.tell(Rule(answer="silent"))
    (submit,) = esme.send("Shop", HANDSET, "Hello", registered_delivery=0)
    await smsc.ledger.wait_for(lambda: len(smsc.ledger.submits) == 1)
    smsc.drop_binds()
    await esme.wait_answered()
    assert (submit.status, submit.lost) == (None, "lost")
