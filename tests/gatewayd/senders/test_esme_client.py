"""An application's side of a bind: answers come under their numbers, and nothing is taken that is not its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gatewayd.runtime.transport import Pump
from gatewayd.senders.esme_client import ClientFault, EsmeClient, address_of, submit_of
from protocol.smpp.connection import Connection, Limits
from protocol.smpp.constants import ESM_RECEIPT, Command, Status, Tag
from protocol.smpp.events import Answered, BindAsked, Event
from protocol.smpp.pdu import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from protocol.smpp.states import Role

RECEIPT = b"id:%b sub:001 dlvrd:001 submit date:2611260900 done date:2611260901 stat:DELIVRD err:000 text:"


class Server:
    """A gateway that takes one bind, and does with submits as it is told."""

    def __init__(self) -> None:
        self.engine = Connection(Role.SMSC, Limits(), time.monotonic())
        self.pump = Pump(self.engine, self._on_events)
        self.mode = 0
        self.submits: list[SubmitSm] = []
        self.statuses: list[int] = []
        self.refusal = 0
        self.changed = asyncio.Event()
        self.on_submit: Callable[[SubmitSm], int | None] = lambda pdu: 0
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.get_running_loop().create_server(lambda: self.pump, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case BindAsked(pdu=asked) if self.refusal:
                    self.engine.refuse_bind(asked, Status(self.refusal))
                case BindAsked(pdu=asked):
                    self.mode = asked.command
                    self.engine.accept_bind(asked, "gw", time.monotonic())
                case SubmitSm():
                    self.submits.append(event)
                    status = self.on_submit(event)
                    if status is not None:
                        message_id = f"a{len(self.submits)}" if status == 0 else ""
                        self.engine.respond(SubmitSmResp(sequence=event.sequence, status=status, message_id=message_id))
                case Answered(pdu=DeliverSmResp() as pdu):
                    self.statuses.append(pdu.status)
        self.changed.set()

    def deliver(self, short_message: bytes, esm_class: int = ESM_RECEIPT) -> None:
        self.engine.request(DeliverSm(esm_class=esm_class, short_message=short_message), time.monotonic(), 1)
        self.pump.flush()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listening = await server.start()
    yield server
    listening.close()
    if server.pump.is_connected:
        server.pump.abort()
        await server.pump.wait_closed()


Answers = list[tuple[int, int, str]]


def client_of(answers: Answers, on_receipt: Callable[[str, str, str], bool] | None = None) -> EsmeClient:
    return EsmeClient("shop", "secret", lambda *answer: answers.append(answer), on_receipt)


async def until(client: EsmeClient, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await client.wait()


async def test_answers_come_under_their_numbers(server: Server) -> None:
    answers: Answers = []
    client = client_of(answers)
    await client.connect("127.0.0.1", server.port)
    assert server.mode == Command.BIND_TRANSMITTER
    server.on_submit = lambda pdu: 0 if pdu.short_message == b"good" else Status.ESME_RTHROTTLED
    for number, text in ((7, "good"), (8, "bad")):
        client.submit(number, submit_of("SHOP", "+33612345678", text, wants_receipt=False))
    await until(client, lambda: len(answers) == 2)
    assert answers == [(7, 0, "a1"), (8, 0x58, "")]
    await client.close()
    assert not client.is_bound


async def test_what_has_no_answer_is_told_when_the_connection_is_lost(server: Server) -> None:
    answers: Answers = []
    client = client_of(answers)
    await client.connect("127.0.0.1", server.port)
    server.on_submit = lambda pdu: None
    client.submit(1, submit_of("SHOP", "33612345678", "hello", wants_receipt=False))
    await server.until(lambda: len(server.submits) == 1)
    assert client.unanswered == 1
    server.pump.abort()
    await until(client, lambda: client.closed != "")
    assert [(number, status) for number, status, _ in answers] == [(1, -1)]
    await client.close()


async def test_only_receipts_of_its_own_are_taken(server: Server) -> None:
    taken: list[str] = []

    def on_receipt(message_id: str, state: str, error: str) -> bool:
        taken.append(f"{message_id} {state} {error}")
        return message_id == "mine"

    client = client_of([], on_receipt)
    await client.connect("127.0.0.1", server.port)
    assert server.mode == Command.BIND_TRANSCEIVER
    server.deliver(RECEIPT % b"mine")
    server.deliver(RECEIPT % b"other")
    server.deliver(b"a reply of a handset", esm_class=0)
    server.deliver(b"no receipt at all")
    await server.until(lambda: len(server.statuses) == 4)
    assert server.statuses == [0, 0x64, 0x64, 0x64]
    assert taken == ["mine DELIVRD 000", "other DELIVRD 000"]
    await client.close()


async def test_no_bind_is_told_in_a_sentence(server: Server) -> None:
    server.refusal = Status.ESME_RINVPASWD
    with pytest.raises(ClientFault, match="not bound as shop: ESME_RINVPASWD"):
        await client_of([]).connect("127.0.0.1", server.port)
    with pytest.raises(ClientFault, match=r"127\.0\.0\.1:1: "):
        await client_of([]).connect("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("written", "address"),
    [("+33612345678", (1, 1, "33612345678")), ("36105", (3, 0, "36105")), ("Shop", (5, 0, "Shop"))],
)
def test_addresses(written: str, address: tuple[int, int, str]) -> None:
    assert address_of(written) == address


@pytest.mark.parametrize(
    ("text", "coding", "octets", "is_long"),
    [
        ("hi @", 0, b"hi \x00", False),
        ("привет", 8, "привет".encode("utf-16-be"), False),
        ("x" * 300, 0, b"x" * 300, True),
    ],
)
def test_a_text_is_one_request(text: str, coding: int, octets: bytes, is_long: bool) -> None:
    pdu = submit_of("SHOP", "33612345678", text, wants_receipt=True)
    assert (pdu.data_coding, pdu.registered_delivery) == (coding, 1)
    assert (dict(pdu.tlvs)[Tag.MESSAGE_PAYLOAD] if is_long else pdu.short_message) == octets


def test_a_text_without_end_is_none() -> None:
    with pytest.raises(ValueError, match="too long"):
        submit_of("SHOP", "33612345678", "x" * 40_000, wants_receipt=False)
