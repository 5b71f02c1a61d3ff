"""smpplib as the application: a bind, a message, its receipt and a reply, read by code that is not ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from smpplib.client import Client
from smpplib.exceptions import PDUError
from smpplib.smpp import make_pdu

from gatewayd.simulate.behaviour import Rule as CarrierRule
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.process import PASSWORD

RCS_HANDSET, SMS_HANDSET = "33610000001", "33620000001"
RECEIPT, INTERNATIONAL, ISDN = 0x04, 1, 1
RECEIPT_TEXT = re.compile(
    rb"id:(\S+) sub:001 dlvrd:(\d{3}) submit date:\d{10} done date:\d{10} stat:([A-Z]{7}) err:(\d{3}) text:.*"
)


class Counting(Client):  # type: ignore[misc]
    """Counts the questions whether it is alive, which it answers by itself."""

    asked = 0

    def _enquire_link_received(self, pdu: Any) -> None:
        super()._enquire_link_received(pdu)
        self.asked += 1

    def answer_to(self, pdu: Any) -> Any:
        """Send a request before any message was sent, and give what is no enquire_link."""
        self.send_pdu(pdu)
        while (answer := self.read_pdu()).command == "enquire_link":
            self._enquire_link_received(answer)
        return answer


class Application:
    """One bind of smpplib, read until what is waited for has come."""

    def __init__(self, port: int, system_id: str = "shop", password: str = PASSWORD) -> None:
        self.ids: list[str] = []
        self.receipts: list[Any] = []
        self.texts: list[Any] = []
        self.states: list[Any] = []
        self._identity = {"system_id": system_id, "password": password}
        self._client = Counting("127.0.0.1", port, timeout=15, allow_unknown_opt_params=True)
        self._client.set_message_sent_handler(lambda pdu: self.ids.append(pdu.message_id.decode()))
        self._client.set_message_received_handler(self._received)
        self._client.set_query_resp_handler(self.states.append)

    def bind(self) -> str:
        """Bind as transceiver; gives the other side's name."""
        self._client.connect()
        return str(self._client.bind_transceiver(**self._identity).system_id.decode())

    def send(self, handset: str, text: bytes, esm_class: int = 0) -> None:
        """Submit with a receipt."""
        self._client.send_message(
            esm_class=esm_class,
            source_addr_ton=INTERNATIONAL,
            source_addr_npi=ISDN,
            source_addr="33700000001",
            dest_addr_ton=INTERNATIONAL,
            dest_addr_npi=ISDN,
            destination_addr=handset,
            short_message=text,
            registered_delivery=1,
        )

    def enquire(self) -> None:
        """Ask whether the other side is alive, and wait until it has asked, too."""
        asked = make_pdu("enquire_link", client=self._client)
        answer = self._client.answer_to(asked)
        assert (answer.command, answer.status, answer.sequence) == ("enquire_link_resp", 0, asked.sequence)
        self.read_until(lambda: self._client.asked)

    def query(self, message_id: str) -> None:
        """Ask what became of a message."""
        self._client.query_message(
            message_id=message_id, source_addr_ton=INTERNATIONAL, source_addr_npi=ISDN, source_addr="33700000001"
        )

    def read_until(self, condition: Callable[[], object]) -> None:
        """Read and answer; a silence of some seconds is a failure."""
        while not condition():
            self._client.read_once(auto_send_enquire_link=False)

    def end(self, bound: bool = True) -> None:
        """Unbind, if there is a bind, and disconnect."""
        if bound:
            assert self._client.unbind().status == 0
        self._client.disconnect()

    def _received(self, pdu: Any) -> int:
        (self.receipts if pdu.esm_class & RECEIPT else self.texts).append(pdu)
        return 0


def converse(port: int, handset: str) -> Application:
    application = Application(port)
    assert application.bind() == "gatewayd"
    application.enquire()
    application.send(handset, b"Yes or no?")
    application.read_until(lambda: application.ids and application.receipts and application.texts)
    application.query(application.ids[0])
    application.read_until(lambda: application.states)
    application.end()
    return application


@pytest.mark.parametrize("handset", [SMS_HANDSET, RCS_HANDSET], ids=["sms", "rcs"])
async def test_a_message_its_receipt_and_a_reply(stage: Stage, handset: str) -> None:
    scene = await stage({"accounts": {"shop": {"results_h": 1}}, "smpp": {"enquire_interval_s": 0.2}})
    scene.smsc.script.tell(CarrierRule(reply="Oui"))
    scene.tell_handsets(Rule(reply_text="Oui"))
    await scene.carrier_is_bound()
    heard = await asyncio.to_thread(converse, scene.north.port, handset)
    (message_id,), (receipt,), (text,) = heard.ids, heard.receipts, heard.texts
    match = RECEIPT_TEXT.fullmatch(receipt.short_message)
    assert match is not None
    assert match.groups() == (message_id.encode(), b"001", b"DELIVRD", b"000")
    assert receipt.receipted_message_id.rstrip(b"\0") == message_id.encode()
    assert receipt.message_state == 2
    assert (receipt.source_addr, receipt.destination_addr) == (handset.encode(), b"33700000001")
    assert (text.source_addr, text.destination_addr, text.short_message) == (handset.encode(), b"33700000001", b"Oui")
    assert text.esm_class & 0x3C == 0
    (state,) = heard.states
    assert (state.status, state.message_id, state.message_state, state.error_code) == (0, message_id.encode(), 2, 0)
    assert re.fullmatch(rb"\d{12}000\+", state.final_date)


@pytest.mark.parametrize(
    ("system_id", "password", "status"), [("shop", "wrong", 0x0E), ("nobody", "secret", 0x0F)], ids=str
)
async def test_a_bind_that_is_refused(stage: Stage, system_id: str, password: str, status: int) -> None:
    scene = await stage()
    application = Application(scene.north.port, system_id, password)
    with pytest.raises(PDUError) as refusal:
        await asyncio.to_thread(application.bind)
    application.end(bound=False)
    assert refusal.value.args[1] == status
