"""A link whose binds are pairs: messages go over the one, receipts come over the other."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.message import Accepted
from protocol.smpp.constants import Command, Status
from protocol.smpp.pdu import DeliverSm
from tests.gatewayd.carriers.test_smpp_link import RECEIPT, Stage, message, stage
from tests.support.scripted_smsc import SmscBind

__all__ = ["stage"]


def of_mode(stage: Stage, command: Command) -> list[SmscBind]:
    return [bind for bind in stage.smsc.binds if bind.asked is not None and bind.asked.command == command]


async def test_messages_go_over_the_transmitter_and_receipts_come_over_the_receiver(stage: Stage) -> None:
    link = stage.link(bind="separate", binds=2, window=3)
    await link.start()
    await stage.watch.until(lambda: link.binds_up == 4)
    senders, receivers = of_mode(stage, Command.BIND_TRANSMITTER), of_mode(stage, Command.BIND_RECEIVER)
    assert (len(senders), len(receivers)) == (2, 2)
    assert (link.is_up, link.capacity(), link.window_up) == (True, 6, 6)
    for number in range(6):
        link.submit(message(number))
    await stage.watch.until(lambda: len(stage.flow.results) == 6)
    assert sum(len(bind.submits) for bind in senders) == 6
    receivers[1].send(DeliverSm(source_addr="33612345678", esm_class=4, short_message=RECEIPT))
    await stage.watch.until(lambda: stage.flow.reports)
    link.acknowledge([stage.flow.reports[0].token], stored=True)
    await stage.watch.until(lambda: receivers[1].answers)
    assert receivers[1].answers[0].status == Status.ESME_ROK


@pytest.mark.parametrize(("lost", "is_up"), [(Command.BIND_RECEIVER, True), (Command.BIND_TRANSMITTER, False)])
async def test_it_is_up_while_a_transmitter_stands(stage: Stage, lost: Command, is_up: bool) -> None:
    link = stage.link(bind="separate", reconnect_min_s=60.0, reconnect_max_s=60.0)
    await link.start()
    await stage.watch.until(lambda: link.binds_up == 2)
    of_mode(stage, lost)[0].pump.abort()
    async with asyncio.timeout(5.0):
        while link.binds_up > 1:  # noqa: ASYNC110  nobody is told of a loss
            await asyncio.sleep(0)
    assert link.is_up is is_up
    assert link.capacity() == (100 if is_up else 0)
    if is_up:
        link.submit(message(1))
        await stage.watch.until(lambda: stage.flow.results)
        assert stage.flow.outcomes() == [(1, 0, Accepted("id-1"))]


async def test_a_pair_ends_as_one(stage: Stage) -> None:
    link = stage.link(bind="separate", binds=1)
    await link.start()
    await stage.watch.until(lambda: link.binds_up == 2)
    await link.reconnect()
    await stage.watch.until(lambda: link.binds_up == 2)
    assert len(stage.smsc.binds) == 4
    assert [bind.end for bind in stage.smsc.binds[:2]] == ["unbound_by_peer"] * 2
