"""Addresses between an old application, a carrier of its own habits and an RCS platform; and what a submit_sm asks
beside its text, from end to end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gatewayd.simulate.esme import Esme
from protocol.smpp.constants import Status
from protocol.smpp.pdu import QuerySm, SubmitSm
from protocol.smpp.times import parse_time
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene
from tests.daemon.test_trace import ask

pytestmark = pytest.mark.timeout(180)
TABLES: dict[str, Any] = {
    "daemon": {"workers": 2},
    "smpp": {"default_messages": {"7": "Votre colis est là."}},
    "links": {
        "carrier": {
            "binds": 2,
            "destination_form": "national",
            "country": "FR",
            "source_map": {"33700000009": "36105"},
            "source_fallback": "38123",
        }
    },
    "accounts": {
        "shop": {
            "country": "FR",
            "check_numbers": True,
            "source_default": "SHOP",
            "sources": [{"match": "SHOP", "replace": "33700000009"}],
            "validity_max_h": 1.0,
            "results_h": 1,
            "binds_max": 16,
        },
        "bank": {"binds_max": 16},
    },
}
LATER, SOON, A_DAY = "000000010000000R", "000000000002000R", "000001000000000R"
# What an application may ask beside its text, and a carrier must see as it came.
FEATURES: list[dict[str, Any]] = [
    {"esm_class": 0x01},
    {"esm_class": 0x02},
    {"esm_class": 0x03, "priority_flag": 3},
    {"esm_class": 0x80, "priority_flag": 1},
    {"esm_class": 0x08},
    {"esm_class": 0x10},
    {"esm_class": 0xC0, "short_message": b"\x06\x05\x04\x43\x21\x43\x21\x01\x06", "data_coding": 4},
    {"protocol_id": 0x41},
    {"protocol_id": 0x7F, "data_coding": 0xF6},
    {"data_coding": 0x10},
    {"data_coding": 0xF0},
    {"data_coding": 0x18, "short_message": "Été".encode("utf-16-be")},
    {"data_coding": 0xF2},
    {"data_coding": 0x13},
    {"service_type": "USSD", "tlvs": ((0x0501, b"\x02"),)},
    {"tlvs": ((0x0204, b"\x00\x2a"), (0x020D, b"\x04"), (0x1203, b"\x00\x01"))},
    {"tlvs": ((0x0381, b"\x01\x01\x0133612345678"), (0x0302, b"\x00"), (0x0303, b"\x02Shop"))},
    {"tlvs": ((0x0005, b"\x01"), (0x1204, b"\x02"), (0x0201, b"\x03"), (0x1380, b"\x01"))},
    {"tlvs": ((0x1403, b"\x01\x02\x03"), (0x3FFF, b""))},
]


async def submit(esme: Esme, **fields: Any) -> str:
    asked: dict[str, Any] = {"registered_delivery": 1, "short_message": b"Bonjour"}
    submitted = esme.submit(SubmitSm(**(asked | fields)))
    await esme.wait_for(lambda: submitted.status is not None, WAIT_S)
    assert submitted.status == 0, submitted.status
    return submitted.message_id


async def refused(esme: Esme, **fields: Any) -> int:
    asked: dict[str, Any] = {"short_message": b"x"}
    submitted = esme.submit(SubmitSm(**(asked | fields)))
    await esme.wait_for(lambda: submitted.status is not None, WAIT_S)
    assert submitted.status
    return submitted.status


async def carried(scene: Scene, count: int) -> list[SubmitSm]:
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.submits) >= count, WAIT_S)
    return [each.pdu for each in scene.smsc.ledger.submits]


async def each_sees_its_own(scene: Scene, esme: Esme) -> None:
    """The carrier a short code and a national number, the application what it wrote, also when the handset answers."""
    message_id = await submit(esme, source_addr_ton=5, source_addr="SHOP", destination_addr="06 20 00 00 01")
    (pdu,) = await carried(scene, 1)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (3, 0, "36105")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (2, 1, "0620000001")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (receipt,) = esme.ledger.receipts_of(message_id)
    assert (receipt.pdu.source_addr, receipt.pdu.destination_addr) == ("06 20 00 00 01", "SHOP")
    scene.smsc.send_mo("33620000001", "36105", "Merci")
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1, WAIT_S)
    (text,) = esme.ledger.texts
    assert (text.source, text.destination, text.text) == ("06 20 00 00 01", "SHOP", "Merci")
    answer = await esme.answer_to(QuerySm(message_id, 5, 0, "SHOP"))
    assert answer.status == 0


async def the_platform_sees_the_country_code(scene: Scene, esme: Esme) -> None:
    message_id = await submit(esme, destination_addr="0610000001", dest_addr_ton=2)  # from its default source
    await scene.platform.ledger.wait_for(lambda ledger: bool(ledger.to("+33610000001")), WAIT_S)
    assert await scene.final(esme, message_id) == "DELIVRD"
    (receipt,) = esme.ledger.receipts_of(message_id)
    assert (receipt.pdu.source_addr, receipt.pdu.destination_addr) == ("0610000001", "SHOP")
    flash = await submit(esme, destination_addr="0610000001", data_coding=0x10)
    pdu = (await carried(scene, 2))[1]
    assert (pdu.data_coding, pdu.destination_addr) == (0x10, "0610000001")
    assert "SMS alone: flash" in await asyncio.to_thread(ask, scene, flash)


async def one_takes_the_place_of_another(scene: Scene, esme: Esme) -> Esme:
    """Also over a kill, and over another bind; one of another service_type stays."""
    how = {"destination_addr": "0620000002", "replace_if_present_flag": 1, "schedule_delivery_time": LATER}
    first = await submit(esme, short_message=b"at one", **how)
    other = await submit(esme, short_message=b"USSD", service_type="USSD", **how)
    await scene.kill()
    await scene.start()
    esme = await scene.esme()
    second = await submit(esme, short_message=b"at two", **how)
    assert await scene.final(esme, first) == "DELETED"
    third = await submit(
        esme, short_message=b"at three", **(how | {"schedule_delivery_time": SOON, "destination_addr": "+33620000002"})
    )
    assert await scene.final(esme, second) == "DELETED"
    assert await scene.final(esme, third) == "DELIVRD"
    assert [pdu.short_message for pdu in (await carried(scene, 3))[2:]] == [b"at three"]
    assert (await esme.answer_to(QuerySm(other))).message_state == 1
    return esme


async def test_each_side_sees_addresses_as_it_writes_them(stage: Stage) -> None:
    scene = await stage(TABLES)
    await scene.carrier_is_bound()
    esme = await scene.esme()
    await each_sees_its_own(scene, esme)
    await the_platform_sees_the_country_code(scene, esme)
    for wrong in ("0712", "00123", "+3361234567", "0999999999999999", "Shop"):
        assert await refused(esme, destination_addr=wrong) == Status.ESME_RINVDSTADR
    assert await refused(esme, destination_addr="0620000001", sm_default_msg_id=8, short_message=b"") == (
        Status.ESME_RINVDFTMSGID
    )
    esme = await one_takes_the_place_of_another(scene, esme)
    await submit(esme, destination_addr="0620000001", sm_default_msg_id=7, short_message=b"", validity_period=A_DAY)
    pdu = (await carried(scene, 4))[3]
    assert pdu.short_message == b"Votre colis est l\x7f."
    until = parse_time(pdu.validity_period, time.time(), Status.ESME_RINVEXPIRY)
    assert until < time.time() + 3_601, "bounded by its account: a day became an hour"


async def test_what_went_in_comes_out(stage: Stage) -> None:
    scene = await stage(TABLES)
    await scene.carrier_is_bound()
    esme = await scene.esme("bank")
    for number, fields in enumerate(FEATURES):
        # Handsets that take RCS: each of these that RCS has no meaning for must go as SMS; the others' route is SMS.
        await submit(
            esme,
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="33700000002",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=f"3362000{number:04}",
            **fields,
        )
    seen = {pdu.destination_addr: pdu for pdu in await carried(scene, len(FEATURES))}
    for number, fields in enumerate(FEATURES):
        pdu = seen[f"062000{number:04}"]
        for name, value in fields.items():
            assert getattr(pdu, name) == value, (number, name)
        assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == ("33700000002", 1, 1)
