"""Requests beside submit_sm to two workers that act as one: any bind asks, the homes answer, and it is durable."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.simulate.esme import Esme
from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.constants import MessageState, Status
from protocol.smpp.destinations import Destination
from protocol.smpp.pdu import CancelSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

pytestmark = pytest.mark.timeout(180)  # it starts several processes
SENDER = "33700000001"
HANDSET = "+33610000001"
HANDSETS = [f"3362000{number:04}" for number in range(6)]
LATER, SOON = "000000010000000R", "000000000002000R"


def tables() -> dict[str, Any]:
    return {
        "daemon": {"workers": 2},
        "links": {"carrier": {"binds": 2}},
        "accounts": {"shop": {"binds_max": 16, "results_h": 1}, "bank": {"binds_max": 16}},
    }


async def submit(esme: Esme, handset: str, **fields: Any) -> str:
    submitted = esme.submit(
        SubmitSm(source_addr=SENDER, destination_addr=handset, dest_addr_ton=1, registered_delivery=1, **fields)
    )
    await esme.wait_for(lambda: submitted.status is not None)
    assert submitted.status == 0
    return submitted.message_id


def multi(handsets: list[str], **fields: Any) -> SubmitMulti:
    to = tuple(Destination(1, 1, handset) for handset in handsets)
    return SubmitMulti("", 1, 1, SENDER, to, registered_delivery=1, **fields)


async def ask_all(esmes: list[Esme], ids: list[str], state: int) -> None:
    """Each bind is of some worker, each message at home in some: all pairs of them."""
    for esme in esmes:
        for message_id in ids:
            answer = await esme.answer_to(QuerySm(message_id, source_addr=SENDER))
            assert (answer.status, answer.message_state) == (0, state)


async def changed_before_a_kill(scene: Scene, esmes: list[Esme]) -> tuple[list[str], str]:
    ids = [await submit(esmes[0], handset, short_message=b"old", schedule_delivery_time=LATER) for handset in HANDSETS]
    await ask_all(esmes, ids, MessageState.ENROUTE)
    for at, message_id in enumerate(ids):
        pdu = ReplaceSm(message_id, schedule_delivery_time=SOON, registered_delivery=1, short_message=b"new")
        assert (await esmes[at % len(esmes)].answer_to(pdu)).status == 0
    group = (await esmes[0].answer_to(multi(HANDSETS, short_message=b"all", schedule_delivery_time=LATER))).message_id
    assert (await esmes[1].answer_to(ReplaceSm(group, registered_delivery=1, short_message=b"each"))).status == 0
    return ids, group


async def test_whatever_is_asked_over_whichever_bind(stage: Stage) -> None:
    scene = await stage(tables())
    await scene.carrier_is_bound()
    esmes = [await scene.esme(mode="transmitter") for _ in range(6)]
    stranger = await scene.esme("bank")
    ids, group = await changed_before_a_kill(scene, esmes)
    for unknown in (*ids[:2], group):
        assert (await stranger.answer_to(QuerySm(unknown))).status == Status.ESME_RINVMSGID
    await scene.kill()
    await scene.start()
    esmes = [await scene.esme() for _ in range(6)]

    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.submits) >= len(ids), WAIT_S)
    assert {submit.pdu.short_message for submit in scene.smsc.ledger.submits} == {b"new"}
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", outcome="DELIVRD") == len(ids))
    await ask_all(esmes[:3], ids, MessageState.DELIVERED)
    await ask_all(esmes, [group], MessageState.ENROUTE)
    assert (await esmes[3].answer_to(CancelSm("", group, source_addr=SENDER))).status == 0
    await ask_all(esmes[:3], [group], MessageState.DELETED)
    await scene.until_samples(lambda s: s.value("gatewayd_messages_total", outcome="DELETED") == len(HANDSETS))
    assert (await esmes[4].answer_to(CancelSm("", group))).status == Status.ESME_RCANCELFAIL


async def test_cancel_revokes_what_the_platform_has(stage: Stage) -> None:
    scene = await stage({"accounts": {"shop": {"results_h": 1}}})
    scene.tell_handsets(Rule(delivery="never", on_expiry="ignore"))
    esme = await scene.esme()
    message_id = await submit(esme, HANDSET.removeprefix("+"), short_message=b"over RCS")
    await scene.platform.ledger.wait_for(lambda ledger: bool(ledger.to(HANDSET)), WAIT_S)
    await scene.until_samples(lambda s: s.value("gatewayd_link_results_total", link="rcs", outcome="accepted") == 1)
    assert (await esme.answer_to(CancelSm("", message_id))).status == 0
    assert await scene.final(esme, message_id) == "DELETED"
    (record,) = scene.platform.ledger.to(HANDSET)
    assert record.status == "cancelled"
    assert not scene.smsc.ledger.submits
    assert (await esme.answer_to(QuerySm(message_id))).message_state == MessageState.DELETED
