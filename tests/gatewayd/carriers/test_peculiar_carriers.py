"""Carriers with manners of their own, octet by octet: what they send where nobody expects it, and what comes late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Unknown
from protocol.smpp.constants import Command
from protocol.smpp.pdu import BindResp, DeliverSm, EnquireLink, SubmitSmResp, build, parse
from tests.gatewayd.carriers.test_smpp_link import RECEIPT, Recorder, message
from tests.support.watch import Watch


class Stage:
    """A link, and its carrier as a bare stream."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.flow = Recorder(self.watch)
        self.faults: list[str] = []
        self.now = 100.0
        self.link: SmppLink
        self._streams: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._server: asyncio.Server

    async def open(self) -> None:
        async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._streams.put((reader, writer))

        self._server = await asyncio.start_server(met, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        settings = schema.Link(kind="smpp", host="127.0.0.1", port=port, system_id="us", response_timeout_s=30.0)
        self.link = SmppLink("carrier", settings, "secret", self.flow, on_fault=self._fault, clock=lambda: self.now)
        await self.link.start()
        self.reader, self.writer = await self._streams.get()

    def _fault(self, kind: str) -> None:
        self.faults.append(kind)
        self.watch.ring()

    async def heard(self) -> object:
        """The next PDU of ours."""
        head = await asyncio.wait_for(self.reader.readexactly(4), 5.0)
        return parse(head + await self.reader.readexactly(int.from_bytes(head, "big") - 4))

    async def close(self) -> None:
        self.writer.transport.abort()
        await self.link.stop(0.0)
        self._server.close()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.open()
    yield made
    await made.close()


def bind_answer(sequence: int) -> bytes:
    return build(BindResp(command=Command.BIND_TRANSCEIVER_RESP, system_id="odd", sequence=sequence))


async def test_a_receipt_and_a_question_in_the_segment_of_the_binds_answer(stage: Stage) -> None:
    asked = await stage.heard()
    receipt = build(DeliverSm(source_addr="33612345678", esm_class=4, short_message=RECEIPT, sequence=1))
    stage.writer.write(bind_answer(asked.sequence) + receipt + build(EnquireLink(sequence=2)))  # type: ignore[attr-defined]
    await stage.watch.until(lambda: stage.flow.reports)
    assert stage.link.is_up
    stage.link.acknowledge([stage.flow.reports[0].token], stored=True)
    answers = [await stage.heard() for _ in range(2)]
    assert sorted((answer.command, answer.sequence) for answer in answers) == [  # type: ignore[attr-defined]
        (Command.DELIVER_SM_RESP, 1),
        (Command.ENQUIRE_LINK_RESP, 2),
    ]
    assert stage.faults == []


async def test_a_question_before_the_binds_answer(stage: Stage) -> None:
    asked = await stage.heard()
    stage.writer.write(build(EnquireLink(sequence=7)))
    answer = await stage.heard()
    assert (answer.command, answer.sequence) == (Command.ENQUIRE_LINK_RESP, 7)  # type: ignore[attr-defined]
    octets = bind_answer(asked.sequence)  # type: ignore[attr-defined]
    for octet in octets:  # and then one that comes octet by octet
        stage.writer.write(bytes((octet,)))
        await stage.writer.drain()
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    assert stage.link.is_up


async def test_an_answer_that_is_too_late_is_counted_and_changes_nothing(stage: Stage) -> None:
    asked = await stage.heard()
    stage.writer.write(bind_answer(asked.sequence))  # type: ignore[attr-defined]
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    stage.link.submit(message(1))
    submit = await stage.heard()
    stage.now += 30.0
    stage.link._seats[0].pump._wake()
    await stage.watch.until(lambda: stage.flow.results)
    stage.writer.write(build(SubmitSmResp(sequence=submit.sequence, message_id="late")))  # type: ignore[attr-defined]
    await stage.watch.until(lambda: stage.faults)
    assert stage.faults == ["unexpected_response"]
    assert stage.flow.outcomes() == [(1, 0, Unknown("timeout"))]
    assert stage.link.is_up
