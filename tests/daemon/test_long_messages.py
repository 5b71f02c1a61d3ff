"""Messages of several parts, however the sender cut them: one text over RCS, sound parts over SMS, a receipt a part."""

from __future__ import annotations

import msgspec
import pytest

from gatewayd.simulate.behaviour import Rule as CarrierRule
from gatewayd.simulate.composing import LongStyle
from gatewayd.simulate.esme import Esme
from gatewayd.simulate.esme_ledger import joined, part_of
from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.records import DeliverSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

WITH_RCS, WITHOUT = "+33610000001", "+33620000001"
# Three parts, accents throughout, and an emoji that begins in the first part and ends in the second.
TEXT = "é" * 66 + "😀" + "Çà et là, l'été " * 6
STYLES: tuple[LongStyle, ...] = ("udh", "udh16", "sar")


async def send_long(scene: Scene, esme: Esme, handset: str, text: str = TEXT, long: LongStyle = "udh") -> list[str]:
    sent = esme.send("33700000001", handset, text, long=long)
    await esme.wait_answered()
    assert [submitted.status for submitted in sent] == [0] * len(sent)
    return [submitted.message_id for submitted in sent]


def carried(scene: Scene) -> str:
    """What a handset shows of the parts that the carrier was given, each once and in its place."""
    pdus = [DeliverSm(**msgspec.structs.asdict(submit.pdu)) for submit in scene.smsc.ledger.accepted()]
    places = [part_of(pdu) for pdu in pdus]
    assert len({(reference, total) for reference, total, _ in places}) == 1
    assert sorted(sequence for _, _, sequence in places) == list(range(1, places[0][1] + 1))
    return joined(sorted(pdus, key=lambda pdu: part_of(pdu)[2]))


@pytest.mark.parametrize("style", STYLES)
async def test_parts_become_one_rcs_text_and_each_has_its_receipt(stage: Stage, style: LongStyle) -> None:
    scene = await stage()
    esme = await scene.esme()
    ids = await send_long(scene, esme, WITH_RCS, long=style)
    assert len(set(ids)) == 3
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
    assert [record.submission.text for record in scene.platform.ledger.to(WITH_RCS)] == [TEXT]
    assert not scene.smsc.ledger.submits


@pytest.mark.parametrize("style", STYLES)
async def test_what_falls_back_is_cut_again(stage: Stage, style: LongStyle) -> None:
    scene = await stage()
    scene.tell_handsets(Rule(delivery="fail"))
    esme = await scene.esme()
    ids = await send_long(scene, esme, WITH_RCS, long=style)
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
    assert carried(scene) == TEXT


async def test_one_part_that_is_lost_makes_all_undelivered(stage: Stage) -> None:
    scene = await stage()
    scene.tell_handsets(Rule(capable=False))
    esme = await scene.esme()
    scene.smsc.script.tell(CarrierRule(times=1), CarrierRule(times=1, receipt_state="UNDELIV"))
    ids = await send_long(scene, esme, WITH_RCS)
    assert [await scene.final(esme, message_id) for message_id in ids] == ["UNDELIV"] * 3


@pytest.mark.parametrize("style", STYLES)
async def test_over_sms_parts_are_given_as_they_came(stage: Stage, style: LongStyle) -> None:
    scene = await stage()
    esme = await scene.esme()
    ids = await send_long(scene, esme, WITHOUT, long=style)
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
    assert carried(scene) == TEXT
    taken = [submitted.pdu.short_message for submitted in esme.ledger.submits]
    if style == "sar":  # a link that asks for headers gets the place in one, with nothing else changed
        taken = [bytes((5, 0, 3, 1, 3, number)) + text for number, text in enumerate(taken, 1)]
    assert [submit.pdu.short_message for submit in scene.smsc.ledger.submits] == taken


async def test_message_payload_is_one_rcs_text(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    (message_id,) = await send_long(scene, esme, WITH_RCS, long="payload")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert [record.submission.text for record in scene.platform.ledger.to(WITH_RCS)] == [TEXT]


async def test_message_payload_is_cut_for_sms_and_has_one_receipt(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    (message_id,) = await send_long(scene, esme, WITHOUT, long="payload")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert carried(scene) == TEXT


async def test_parts_in_any_order_are_joined(stage: Stage) -> None:
    scene = await stage()
    esme, composer = await scene.esme(), scene.stranger()
    parts = [submitted.pdu for submitted in composer.send("33700000001", WITH_RCS, TEXT)]
    for pdu in (parts[2], parts[0], parts[1]):
        esme.submit(pdu)
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 3, WAIT_S)
    assert [record.submission.text for record in scene.platform.ledger.to(WITH_RCS)] == [TEXT]


async def test_what_stays_incomplete_goes_by_sms(stage: Stage) -> None:
    scene = await stage({"parts": {"join_timeout_s": 0.3}})
    esme, composer = await scene.esme(), scene.stranger()
    parts = [submitted.pdu for submitted in composer.send("33700000001", WITH_RCS, TEXT)]
    for pdu in parts[:2]:
        esme.submit(pdu)
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 2, WAIT_S)
    assert [submit.pdu.short_message for submit in scene.smsc.ledger.submits] == [p.short_message for p in parts[:2]]
    assert not scene.platform.ledger.messages
    samples = await scene.samples()
    assert samples.value("gatewayd_fallbacks_total", reason="incomplete") == 2


async def test_parts_meet_over_a_restart(stage: Stage) -> None:
    scene = await stage()
    esme, composer = await scene.esme(), scene.stranger()
    parts = [submitted.pdu for submitted in composer.send("33700000001", WITH_RCS, TEXT)]
    for pdu in parts[:2]:
        esme.submit(pdu)
    await esme.wait_answered()
    await scene.kill()
    await scene.start()
    again = await scene.esme()
    again.submit(parts[2])
    await again.wait_for(lambda: len(again.ledger.receipts) == 3, WAIT_S)
    assert [record.submission.text for record in scene.platform.ledger.to(WITH_RCS)] == [TEXT]
