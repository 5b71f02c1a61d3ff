"""What applications ask beside submit_sm, over real binds: states, cancels, other texts, submit_multi and data_sm."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.esme import Esme
from protocol.smpp.constants import MessageState, Status, Tag
from protocol.smpp.destinations import Destination, Unsuccess
from protocol.smpp.pdu import (
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
)
from tests.gatewayd.senders.gateway import HANDSET, SENDER, Gateway

OTHER = "33612345679"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    opened = Gateway(tmp_path, keys="results_h = 1")
    await opened.open()
    yield opened
    await opened.close()


async def send(esme: Esme, destination: str = HANDSET, text: str = "hello", **fields: Any) -> str:
    submitted = esme.submit(
        SubmitSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=SENDER,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=destination,
            registered_delivery=1,
            short_message=text.encode(),
            **fields,
        )
    )
    await esme.wait_for(lambda: submitted.status is not None)
    assert submitted.status == 0
    return submitted.message_id


async def test_query_tells_a_message_on_its_way_and_after_its_end(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    message_id = await send(esme)
    assert await esme.answer_to(QuerySm(message_id, source_addr=SENDER)) == QuerySmResp(
        3, 0, message_id, "", MessageState.ENROUTE, 0
    )
    gateway.smsc.script.tell(Rule(receipt_state="UNDELIV", receipt_error="042"))
    gateway.let_go()
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)))
    answer = await esme.answer_to(QuerySm(message_id.upper(), source_addr=""))
    assert isinstance(answer, QuerySmResp)
    assert (answer.message_id, answer.message_state, answer.error_code) == (message_id.upper(), 5, 42)
    assert re.fullmatch(r"\d{12}000\+", answer.final_date)
    at = datetime.strptime(answer.final_date[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - at).total_seconds()) < 120
    assert gateway.counted("query_sm", "ESME_ROK") == 2


async def test_what_is_not_there_or_not_ones_own_is_unknown(gateway: Gateway) -> None:
    esme, bank = await gateway.esme(), await gateway.esme("bank")
    await gateway.hold()
    message_id = await send(esme)
    names = ("1234567890abcde", "no id", "", "ff", "f" * 16, "9" * 20)
    for stranger, name in ((bank, message_id), *((esme, name) for name in names)):
        for pdu in (QuerySm(name), ReplaceSm(name, short_message=b"x")):
            assert (await stranger.answer_to(pdu)).status == Status.ESME_RINVMSGID
    assert (await bank.answer_to(CancelSm("", message_id))).status == Status.ESME_RINVMSGID
    assert (await esme.answer_to(QuerySm(message_id, source_addr="33700000009"))).status == Status.ESME_RINVSRCADR
    assert (await esme.answer_to(CancelSm("", message_id, destination_addr=OTHER))).status == Status.ESME_RINVDSTADR
    assert gateway.counted("query_sm", "ESME_RINVMSGID", "bank") == 1


async def test_without_results_the_end_of_a_message_is_the_end_of_questions(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await gateway.open()
    try:
        esme = await gateway.esme()
        message_id = await send(esme)
        await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)))
        assert (await esme.answer_to(QuerySm(message_id))).status == Status.ESME_RINVMSGID
    finally:
        await gateway.close()


async def test_cancel_takes_one_message_back_once(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    first, second = await send(esme), await send(esme)
    cancel = CancelSm("", first, source_addr=SENDER, destination_addr=HANDSET)
    assert (await esme.answer_to(cancel)).status == 0
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(first)))
    assert esme.ledger.receipts_of(first)[0].state == "DELETED"
    assert (await esme.answer_to(CancelSm("", first))).status == Status.ESME_RCANCELFAIL
    gateway.let_go()
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(second)))
    assert (await esme.answer_to(CancelSm("", second))).status == Status.ESME_RCANCELFAIL
    assert len(gateway.smsc.ledger.submits) == 1
    assert gateway.counted("cancel_sm", "ESME_RCANCELFAIL") == 2


async def test_cancel_without_an_id_takes_back_all_between_two_addresses(gateway: Gateway) -> None:
    esme, bank = await gateway.esme(), await gateway.esme("bank")
    await gateway.hold()
    meant = [await send(esme, service_type="CMT"), await send(esme, service_type="CMT")]
    others = [await send(esme), await send(esme, OTHER, service_type="CMT"), await send(bank, service_type="CMT")]
    between = CancelSm("CMT", "", 1, 1, SENDER, 1, 1, HANDSET)
    assert await esme.answer_to(between) == CancelSmResp(6)
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 2)
    assert {receipt.message_id for receipt in esme.ledger.receipts} == set(meant)
    assert (await esme.answer_to(between)).status == Status.ESME_RCANCELFAIL
    for broken, status in (
        (CancelSm(source_addr=SENDER), Status.ESME_RINVDSTADR),
        (CancelSm(destination_addr=HANDSET), Status.ESME_RINVSRCADR),
    ):
        assert (await esme.answer_to(broken)).status == status
    gateway.let_go()
    await gateway.smsc.ledger.wait_for(lambda: len(gateway.smsc.ledger.submits) == len(others), 10)


async def test_replace_puts_another_text_in_the_place_of_one_that_waits(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    message_id = await send(esme, text="the old text")
    answer = await esme.answer_to(ReplaceSm(message_id, 1, 1, SENDER, "", "000000010000000R", 0, 0, b"the new text"))
    assert answer == ReplaceSmResp(3)
    journey = gateway.worker.desk.journey(int(message_id, 16))
    assert journey is not None
    assert 3_500 < journey.message.expires_at - journey.message.accepted_at < 3_700
    assert journey.progress.due == journey.message.expires_at
    gateway.let_go()
    await gateway.smsc.ledger.wait_for(lambda: bool(gateway.smsc.ledger.submits), 10)
    assert [submit.pdu.short_message for submit in gateway.smsc.ledger.submits] == [b"the new text"]
    await gateway.worker.journal.flush()
    assert (await esme.answer_to(ReplaceSm(message_id, short_message=b"x"))).status == Status.ESME_RREPLACEFAIL
    assert not esme.ledger.receipts, "it asks for no receipt any more"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"source_addr": "33700000009"}, Status.ESME_RINVSRCADR),
        ({"validity_period": "200101000000000+"}, Status.ESME_RINVEXPIRY),
        ({"validity_period": "tomorrow"}, Status.ESME_RINVEXPIRY),
        ({"schedule_delivery_time": "200101000000000+"}, Status.ESME_RINVSCHED),
        ({"sm_default_msg_id": 1}, Status.ESME_RINVDFTMSGID),
        (
            {"schedule_delivery_time": "000000020000000R", "validity_period": "000000010000000R"},
            Status.ESME_RINVEXPIRY,
        ),
    ],
)
async def test_a_wrong_replace_says_what_is_wrong(gateway: Gateway, fields: dict[str, Any], status: int) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    message_id = await send(esme)
    assert (await esme.answer_to(ReplaceSm(message_id, short_message=b"x", **fields))).status == status
    journey = gateway.worker.desk.journey(int(message_id, 16))
    assert journey is not None
    assert journey.message.payload == b"hello"


async def test_replace_lets_a_message_go_at_another_time_and_survives_a_restart(gateway: Gateway) -> None:
    esme = await gateway.esme()
    message_id = await send(esme, schedule_delivery_time="000000010000000R")
    assert (await esme.answer_to(QuerySm(message_id))).message_state == MessageState.ENROUTE
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"at once"),)
    answer = await esme.answer_to(
        ReplaceSm(message_id, schedule_delivery_time="000000000001000R", registered_delivery=1, tlvs=payload)
    )
    assert answer.status == 0
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)))
    assert gateway.smsc.ledger.submits[0].pdu.short_message == b"at once"


async def test_replace_with_a_text_of_ours(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, keys='default_messages = {1 = "Été", 2 = "Привет"}')
    await gateway.open()
    try:
        esme = await gateway.esme()
        await gateway.hold()
        message_id = await send(esme)
        for number, text, status in (
            (3, b"", Status.ESME_RINVDFTMSGID),
            (1, b"x", Status.ESME_RINVDFTMSGID),
            (2, b"", Status.ESME_RSUBMITFAIL),  # it would need another data_coding, which is that of the first text
            (1, b"", Status.ESME_ROK),
        ):
            asked = ReplaceSm(message_id, sm_default_msg_id=number, short_message=text)
            assert (await esme.answer_to(asked)).status == status
        gateway.let_go()
        await gateway.smsc.ledger.wait_for(lambda: len(gateway.smsc.ledger.submits) == 1, 10)
        assert gateway.smsc.ledger.submits[0].pdu.short_message == b"\x1ft\x05"
    finally:
        await gateway.close()


async def test_a_part_of_a_long_message_is_not_replaced(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    part = await send(esme, text="\5\0\3\7\2\1part", esm_class=0x40)
    assert (await esme.answer_to(ReplaceSm(part, short_message=b"x"))).status == Status.ESME_RREPLACEFAIL


def multi(*destinations: Destination, **fields: Any) -> SubmitMulti:
    own: dict[str, Any] = {"registered_delivery": 1, "short_message": b"hello all"}
    return SubmitMulti("", 1, 1, SENDER, destinations, **(own | fields))


def to(address: str) -> Destination:
    return Destination(1, 1, address)


async def test_one_message_to_several_has_one_id_and_a_result_for_each(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    answer = await esme.answer_to(
        multi(to(HANDSET), Destination(list_name="friends"), to("44"), to(OTHER), to("49123456789"))
    )
    assert isinstance(answer, SubmitMultiResp)
    assert answer.status == 0
    assert sorted(answer.unsuccess, key=lambda refused: refused.address) == [
        Unsuccess(1, 1, "44", Status.ESME_RINVDSTADR),
        Unsuccess(1, 1, "49123456789", Status.ESME_RINVDSTADR),
        Unsuccess(0, 0, "friends", Status.ESME_RINVDLNAME),
    ]
    name = answer.message_id
    assert (await esme.answer_to(QuerySm(name, source_addr=SENDER))).message_state == MessageState.ENROUTE
    gateway.smsc.script.tell(Rule(destination=OTHER, receipt_state="UNDELIV", receipt_error="001"))
    gateway.let_go()
    await esme.wait_for(lambda: len(esme.ledger.receipts_of(name)) == 2)
    assert {(each.pdu.source_addr, each.state) for each in esme.ledger.receipts_of(name)} == {
        (HANDSET, "DELIVRD"),
        (OTHER, "UNDELIV"),
    }
    assert (await esme.answer_to(QuerySm(name))).message_state == MessageState.UNDELIVERABLE
    assert gateway.counted("submit_multi", "ESME_ROK") == 1


async def test_all_of_a_submit_multi_are_taken_back_and_changed_by_its_id(gateway: Gateway) -> None:
    esme = await gateway.esme()
    await gateway.hold()
    name = (await esme.answer_to(multi(to(HANDSET), to(OTHER)))).message_id
    assert (await esme.answer_to(ReplaceSm(name, registered_delivery=1, short_message=b"other"))).status == 0
    assert (await esme.answer_to(CancelSm("", name))).status == 0
    await esme.wait_for(lambda: len(esme.ledger.receipts_of(name)) == 2)
    assert {receipt.state for receipt in esme.ledger.receipts} == {"DELETED"}


async def test_when_nobody_can_have_it_the_answer_is_an_error_and_still_says_why(gateway: Gateway) -> None:
    esme = await gateway.esme()
    lists = await esme.answer_to(multi(Destination(list_name="friends")))
    assert (lists.status, lists.message_id, len(lists.unsuccess)) == (Status.ESME_RINVDLNAME, "", 1)
    mixed = await esme.answer_to(multi(Destination(list_name="friends"), to("44")))
    assert (mixed.status, len(mixed.unsuccess)) == (Status.ESME_RSUBMITFAIL, 2)
    wrong = await esme.answer_to(multi(to(HANDSET), data_coding=8, short_message=b"odd"))
    assert (wrong.status, wrong.unsuccess[0].status) == (Status.ESME_RINVMSGLEN, Status.ESME_RINVMSGLEN)


async def test_as_many_destinations_as_the_standard_allows(gateway: Gateway) -> None:
    esme = await gateway.esme()
    answer = await esme.answer_to(multi(*(to(f"3361{number:07}") for number in range(254))))
    assert (answer.status, answer.unsuccess) == (0, ())
    await esme.wait_for(lambda: len(esme.ledger.receipts_of(answer.message_id)) == 254)
    assert len({receipt.pdu.source_addr for receipt in esme.ledger.receipts}) == 254


async def test_what_is_a_little_too_fast_waits_for_its_turn(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, keys="burst = 1.0\nthrottle_delay_s = 5.0\nresults_h = 1", rate_per_s=50)
    await gateway.open()
    try:
        esme = await gateway.esme()
        answer = await esme.answer_to(multi(*(to(f"3361{number:07}") for number in range(8))))
        assert (answer.status, answer.unsuccess) == (0, ())
        for _ in range(3):
            payload = ((int(Tag.MESSAGE_PAYLOAD), b"hello"),)
            asked = DataSm(source_addr=SENDER, destination_addr=HANDSET, dest_addr_ton=1, tlvs=payload)
            assert (await esme.answer_to(asked)).status == 0
        assert gateway.worker.metrics.submits_delayed.labels("shop").value >= 7
        refused = await esme.answer_to(multi(*(to(f"3361{number:07}") for number in range(254))))
        assert refused.status == 0
        assert {each.status for each in refused.unsuccess} == {Status.ESME_RTHROTTLED}
    finally:
        await gateway.close()


async def test_data_sm_is_a_message_like_any_other(gateway: Gateway) -> None:
    esme = await gateway.esme()
    long = b"a text of more than 254 octets" * 10
    answer = await esme.answer_to(
        DataSm(
            "",
            1,
            1,
            SENDER,
            1,
            1,
            HANDSET,
            0,
            1,
            0,
            ((Tag.QOS_TIME_TO_LIVE, (3_600).to_bytes(4, "big")), (Tag.MESSAGE_PAYLOAD, long)),
        )
    )
    assert isinstance(answer, DataSmResp)
    assert answer.status == 0
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(answer.message_id)))
    sent = [submit.pdu for submit in gateway.smsc.ledger.submits]
    assert b"".join(pdu.short_message[6:] for pdu in sent) == long
    assert all(pdu.validity_period for pdu in sent)
    refused = await esme.answer_to(DataSm(source_addr=SENDER, destination_addr="3" * 64, dest_addr_ton=1))
    assert (refused.status, refused.message_id) == (Status.ESME_RINVDSTADR, "")


async def test_what_an_account_is_owed_comes_as_data_sm_if_it_wants_that(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, keys='deliver_as = "data_sm"')
    await gateway.open()
    try:
        esme = await gateway.esme()
        message_id = await send(esme)
        gateway.smsc.send_mo(HANDSET, SENDER, "an answer")
        await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)) and bool(esme.ledger.texts))
        assert esme.ledger.receipts_of(message_id)[0].faults == ()
        assert esme.ledger.texts[0].text == "an answer"
        assert all(Tag.MESSAGE_PAYLOAD not in dict(text.tlvs) for text in esme.ledger.texts[0].pdus)
    finally:
        await gateway.close()
