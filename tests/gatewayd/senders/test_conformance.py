"""The whole gateway against the conformance table, over real sockets: its server as ESMEs see it, its links as carriers
do. Octets are typed by hand; nothing here speaks SMPP but the gateway."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.carriers.link import Link, LinkListener, Report
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.runtime.tasks import spawn
from protocol.smpp.conformance import STATES, TABLE, Answer, Row
from protocol.smpp.states import ConnState, Role
from tests.gatewayd.senders.gateway import Gateway
from tests.protocol.smpp.by_hand import COMMANDS, RESPONSE, sample

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
NACK, ENQUIRE_LINK, UNBIND = 0x80000000, 0x15, 0x06
BINDS = {
    ConnState.BOUND_TX: "bind_transmitter",
    ConnState.BOUND_RX: "bind_receiver",
    ConnState.BOUND_TRX: "bind_transceiver",
    ConnState.UNBINDING: "bind_transceiver",
}
# What comes of the samples that are taken: ids that nobody has, and messages that are kept.
OUTCOMES = {"query_sm": 0x0C, "cancel_sm": 0x0C, "replace_sm": 0x0C}


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


async def read(reader: asyncio.StreamReader) -> tuple[int, int, int]:
    """command_id, command_status and sequence_number of the next PDU."""
    length, *head = struct.unpack(">IIII", await reader.readexactly(16))
    await reader.readexactly(length - 16)
    return head[0], head[1], head[2]


async def check(streams: Streams, row: Row, role: Role, expected: Answer) -> None:
    """Send the sample of a row, and an enquire_link behind it: what is answered in between is its answer."""
    reader, writer = streams
    command, sequence, octets = sample(row.name, role)
    writer.write(octets + (b"" if expected.closes else pdu(ENQUIRE_LINK, 99)))
    heads: list[tuple[int, int, int]] = []
    async with asyncio.timeout(10):
        while not expected.closes and len(heads) < 1 + (expected.word != "none"):
            heads.append(await read(reader))
        if expected.closes:
            heads.append(await read(reader))
            assert await reader.read() == b""
    answers = [head for head in heads if head != (ENQUIRE_LINK | RESPONSE, 0, 99)]
    answered = NACK if expected.word == "nack" else command | RESPONSE
    status = OUTCOMES.get(row.name, 0) if expected.word == "taken" else int(expected.status)
    assert answers == ([] if expected.word == "none" else [(answered, status, sequence)])


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    opened = Gateway(tmp_path, keys="binds_max = 1000")
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("at", range(len(STATES)), ids=[state.value for state in STATES])
async def test_the_server_answers_as_the_table_says(gateway: Gateway, at: int) -> None:
    state, server = STATES[at], gateway.worker.server
    for row in TABLE:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        if state in BINDS:
            command, body = COMMANDS[BINDS[state]]
            writer.write(pdu(command, 1, body))
            assert await read(reader) == (command | RESPONSE, 0, 1)
        if state is ConnState.UNBINDING:
            server.end_bind(max(server.accounts["shop"].binds, key=lambda bind: bind.number))
            assert (await read(reader))[0] == UNBIND
        try:
            await check((reader, writer), row, Role.SMSC, row.as_smsc[at])
        except AssertionError as difference:
            raise AssertionError(f"{row.name} in {state.value}") from difference
        writer.close()


class Keeper(LinkListener):
    """Flow, which keeps whatever a link reports."""

    def __init__(self) -> None:
        self.is_ready = asyncio.Event()

    def on_reports(self, link: Link, reports: Any) -> None:
        link.acknowledge([report.token for report in reports if isinstance(report, Report)], True)

    def on_ready(self, link: Link) -> None:
        self.is_ready.set()

    on_results = on_revoked = on_capability = on_ready  # type: ignore[assignment]


@pytest.mark.parametrize("at", range(len(STATES)), ids=[state.value for state in STATES])
async def test_a_link_answers_as_the_table_says(at: int) -> None:
    state = STATES[at]
    waiting: asyncio.Queue[Streams] = asyncio.Queue()
    server = await asyncio.start_server(lambda *streams: waiting.put_nowait(streams), "127.0.0.1", 0)
    mode = BINDS.get(state, "bind_transceiver").removeprefix("bind_")
    for row in TABLE:
        settings = schema.Link(
            kind="smpp",
            host="127.0.0.1",
            port=server.sockets[0].getsockname()[1],
            system_id="us",
            bind=mode,  # type: ignore[arg-type]
            reconnect_min_s=60.0,
        )
        keeper = Keeper()
        link = SmppLink("carrier", settings, "secret", keeper)
        await link.start()
        reader, writer = await waiting.get()
        command, _, sequence = await read(reader)
        if state is not ConnState.OPEN:
            writer.write(pdu(command | RESPONSE, sequence, b"carrier\0"))
        ending = None
        if state is ConnState.UNBINDING:
            await asyncio.wait_for(keeper.is_ready.wait(), 10)
            ending = spawn(link.stop(0.0), name="ending")
            assert (await read(reader))[0] == UNBIND
        try:
            await check((reader, writer), row, Role.ESME, row.as_esme[at])
        except AssertionError as difference:
            raise AssertionError(f"{row.name} in {state.value}") from difference
        writer.close()
        await (ending or link.stop(0.0))
    server.close()
    await server.wait_closed()
