"""smpp34, an implementation in Rust, as the application and as the carrier, with the daemon between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import smpp34

from tests.daemon.conftest import Stage
from tests.daemon.process import PASSWORD
from tests.daemon.prometheus import free_port

HANDSET, SENDER = "33620000001", "33700000001"
NUMBERS: dict[str, Any] = {"source_addr_ton": 1, "source_addr_npi": 1, "dest_addr_ton": 1, "dest_addr_npi": 1}
WAIT_S = 20.0
PARTS = [b"\x05\0\x03\x2a\x02" + bytes((number,)) + b"part " + bytes((48 + number,)) for number in (1, 2)]


class Carrier:
    """Accepts all, and answers each message with a receipt and the first with a reply."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server = smpp34.Server("127.0.0.1", self.port, system_id="rust")
        self.heard: list[Any] = []
        self._esmes: dict[str, Any] = {}

    async def serve(self) -> None:
        """Until it is cancelled."""
        await self._server.start()
        try:
            while True:
                event = await self._server.next()
                if isinstance(event, smpp34.Esme):
                    self._esmes[event.session_id] = event
                elif isinstance(event, smpp34.SubmitSmEvent):
                    await self._took(event)
        finally:
            await self._server.stop()

    async def _took(self, event: Any) -> None:
        self.heard.append(event)
        name = f"rust{len(self.heard)}"
        event.accept(name)
        back = {"source_addr": event.destination_addr, **NUMBERS}
        dates = b"submit date:2601011200 done date:2601011200"
        text = b"id:%b sub:001 dlvrd:001 %b stat:DELIVRD err:000 text:" % (name.encode(), dates)
        tlvs = [smpp34.Tlv(0x001E, name.encode() + b"\0"), smpp34.Tlv(0x0427, b"\x02"), smpp34.Tlv(0x1503, b"208")]
        esme = self._esmes[event.session_id]
        answer = await esme.deliver_sm(event.source_addr, text, esm_class=4, tlvs=tlvs, **back)
        assert answer.is_success
        if len(self.heard) == 1:
            answer = await esme.deliver_sm(event.source_addr, b"Oui", tlvs=[smpp34.Tlv(0x1501, b"cell 7")], **back)
            assert answer.is_success


def client_of(port: int, bind_type: str) -> Any:
    return smpp34.Client(
        host="127.0.0.1", port=port, system_id="shop", password=PASSWORD, bind_type=bind_type, connect_timeout_ms=15_000
    )


async def events(smsc: Any, count: int) -> list[Any]:
    async with asyncio.timeout(WAIT_S):
        return [await smsc.next() for _ in range(count)]


@pytest.mark.parametrize("bind", ["transceiver", "separate"])
async def test_messages_receipts_and_replies(stage: Stage, bind: str) -> None:
    carrier = Carrier()
    serving = asyncio.get_running_loop().create_task(carrier.serve())
    names = {"0x1400": "0x1501", "0x1403": "0x1503"}
    link = {"port": carrier.port, "tlvs_rename": names, "receipt_tlvs_pass": ["0x1403"]}
    scene = await stage({"links": {"carrier": link}})
    modes = ["TRX"] if bind == "transceiver" else ["TX", "RX"]
    binds = [await client_of(scene.north.port, mode).connect() for mode in modes]
    tlvs = [smpp34.Tlv(0x0204, b"\0\x2a"), smpp34.Tlv(0x1400, b"dept")]
    wanted = {"source_addr": SENDER, "registered_delivery": 1, **NUMBERS}
    first = await binds[0].submit_sm(HANDSET, b"Yes or no?", tlvs=tlvs, **wanted)
    assert first.is_success
    told = await events(binds[-1], 2)
    parts = [await binds[0].submit_sm(HANDSET, part, esm_class=0x40, **wanted) for part in PARTS]
    told += await events(binds[-1], 2)
    receipts = [event for event in told if event.esm_class & 4]
    (reply,) = [event for event in told if not event.esm_class & 4]
    ids = [response.message_id for response in (first, *parts)]
    assert sorted(event.short_message.split()[0].decode() for event in receipts) == sorted(f"id:{one}" for one in ids)
    assert all(b"stat:DELIVRD" in event.short_message for event in receipts)
    assert {tag.value for event in receipts for tag in event.tlvs if tag.tag == 0x0427} == {b"\x02"}
    assert {tag.value for event in receipts for tag in event.tlvs if tag.tag == 0x1403} == {b"208"}
    assert reply.short_message == b"Oui"
    assert (0x1400, b"cell 7") in [(tag.tag, tag.value) for tag in reply.tlvs]
    sent = carrier.heard[0]
    assert (sent.short_message, sent.destination_addr) == (b"Yes or no?", HANDSET)
    assert [(tag.tag, tag.value) for tag in sent.tlvs] == [(0x0204, b"\0\x2a"), (0x1501, b"dept")]
    assert sorted(bytes(event.short_message) for event in carrier.heard[1:]) == PARTS
    for one in binds:
        await one.unbind()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
