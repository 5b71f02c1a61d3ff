"""Requests beside submit_sm to two workers that act as one: any bind asks, the homes answer, and it is durable."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest

from gatewayd.simulate.esme import Esme
from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.constants import MessageState, Status
from protocol.smpp.destinations import Destination
from protocol.smpp.pdu import CancelSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm
from tests.daemon import raw
from tests.daemon.conftest import Stage
from tests.daemon.process import password_hash, secret_file
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


class Waiting:
    """An application that listens and waits to be called, its octets typed by hand from 3.4 sections 4.1.7 and 4.6."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def listen(self) -> str:
        """Where it listens."""
        self._server = await asyncio.start_server(lambda *call: self._calls.put_nowait(call), "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def receive(self, system_id: bytes) -> tuple[bytes, bytes]:
        """The body of the outbind of the next call, and that of the first delivery, which is answered."""
        assert self._server is not None
        async with asyncio.timeout(WAIT_S):
            reader, writer = await self._calls.get()
            outbind = await self._read(reader, 0x0000000B)
            writer.write(raw.bind(system_id, command=raw.BIND_RECEIVER))
            await self._read(reader, 0x80000001)
            delivery = await self._read(reader, 0x00000005)
            writer.write(raw.pdu(0x80000005, b"\0", self._sequence))
            writer.write(raw.pdu(raw.UNBIND, sequence=9))
            await self._read(reader, 0x80000006)
        writer.close()
        self._server.close()
        return outbind, delivery

    async def _read(self, reader: asyncio.StreamReader, command: int) -> bytes:
        length, found, status, self._sequence = struct.unpack(">IIII", await reader.readexactly(16))
        assert (found, status) == (command, 0)
        return await reader.readexactly(length - 16)


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


async def check_outbind(scene: Scene, waiting: Waiting) -> None:
    """Whoever has a receipt to come and no receiver is called, by one of the workers, and once."""
    stranger = await scene.esme("caller", mode="transmitter")
    message_id = await submit(stranger, HANDSETS[0], short_message=b"hello")
    outbind, delivery = await waiting.receive(b"caller")
    assert outbind == b"gatewayd\0knock\0"
    assert b"id:%b " % message_id.encode() in delivery
    called = await scene.until_samples(lambda s: s.value("gatewayd_outbinds_total", account="caller", outcome="bound"))
    assert called.value("gatewayd_outbinds_total") == 1


async def test_whatever_is_asked_over_whichever_bind(stage: Stage, tmp_path: Path) -> None:
    waiting = Waiting()
    outbind = {
        "outbind": await waiting.listen(),
        "outbind_password_file": secret_file(tmp_path / "outbind", "knock"),
        "password_hash": password_hash(),
    }
    wanted = tables()
    wanted["accounts"]["caller"] = outbind
    scene = await stage(wanted)
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
    await check_outbind(scene, waiting)


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
