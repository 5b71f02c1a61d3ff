"""Texts through the real daemon: alphabets, tables and septets, judged by a codec that is not ours."""

from __future__ import annotations

import asyncio

import gsmcodecs  # noqa: F401  registers its codecs

from gatewayd.simulate.esme import Esme
from protocol.smpp.records import DeliverSm, SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene
from tests.daemon.test_trace import ask

WITH_RCS, WITHOUT = "33610000001", "33620000001"
PORTS = b"\x06\x05\x04\x0b\x84\x23\xf0"
TURKISH = b"\x03\x24\x01\x01"
TABLES = {
    "links": {"carrier": {"septets": "packed", "national_languages": ["turkish"], "long_messages": "udh16"}},
    "accounts": {"shop": {"transliterate": "typographic"}},
}


def septets_of(user_data: bytes, header_size: int) -> bytes:
    """Unpacked by bits, as TS 23.038 6.1.2.1.1 draws them, behind a header that is filled up to a septet."""
    bits = "".join(f"{octet:08b}"[::-1] for octet in user_data)
    start = -(-header_size * 8 // 7) * 7
    found = [int(bits[at : at + 7][::-1], 2) for at in range(start, len(bits) - 6, 7)]
    is_filled = (len(bits) - start) % 7 == 0 and found[-1:] == [0x0D]
    return bytes(found[:-1] if is_filled else found)


async def carried(scene: Scene, count: int) -> list[SubmitSm]:
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.submits) >= count, WAIT_S)
    return [submit.pdu for submit in scene.smsc.ledger.submits]


def submit(destination: str, **fields: object) -> SubmitSm:
    return SubmitSm(
        source_addr="33700000001",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=destination,
        registered_delivery=1,
        **fields,  # type: ignore[arg-type]
    )


async def test_texts_on_a_link_of_packed_septets_and_national_languages(stage: Stage) -> None:
    scene = await stage(TABLES)
    esme = await scene.esme()
    words = "Şişli'de ığdır'dan gelen bir paketiniz var. " * 5
    esme.submit(submit(WITHOUT, data_coding=8, short_message=words.encode("utf-16-be")[:254]))
    first = words[:127]
    (pdu,) = await carried(scene, 1)
    header = pdu.short_message[: pdu.short_message[0] + 1]
    assert (pdu.esm_class, pdu.data_coding, header) == (0x40, 0, TURKISH), "two segments of UCS2 are one of septets"
    assert len(pdu.short_message) <= 140
    assert septets_of(pdu.short_message, len(header)).decode("gsm23.038-0-1") == first

    esme.submit(submit(WITHOUT, data_coding=8, tlvs=((0x0424, words.encode("utf-16-be")),)))
    parts = (await carried(scene, 3))[1:]
    read = ""
    for sequence, pdu in enumerate(parts, 1):
        header = pdu.short_message[: pdu.short_message[0] + 1]
        assert (header[0], header[-2:]) == (9, bytes((2, sequence)))
        assert header[1:4] == b"\x24\x01\x01", "each part bears the table"
        assert header[4:6] == b"\x08\x04", "and a reference of 16 bits"
        read += septets_of(pdu.short_message, len(header)).decode("gsm23.038-0-1")
    assert read == words
    await a_reply(scene, esme)


async def a_reply(scene: Scene, esme: Esme) -> None:
    """In packed septets of a table, it reaches an application that knows none of them as words."""
    # By hand: 03 24 01 01, three bits of filling, then the septets 1B 73 69 ("şi").
    bits = (0x1B | 0x73 << 7 | 0x69 << 14) << 3
    scene.smsc.deliver(
        DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=WITHOUT,
            destination_addr="33700000001",
            esm_class=0x40,
            short_message=TURKISH + bits.to_bytes(3, "little"),
        )
    )
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    (reply,) = esme.ledger.texts
    (pdu,) = reply.pdus
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 8, "şi".encode("utf-16-be"))


async def test_transliteration_is_told_by_the_trace_and_headers_that_are_no_text_s_pass(stage: Stage) -> None:
    scene = await stage(TABLES)
    esme = await scene.esme()
    words = "L’été arrive…"
    sms = esme.submit(submit(WITHOUT, data_coding=8, short_message=words.encode("utf-16-be")))
    rcs = esme.submit(submit(WITH_RCS, data_coding=8, short_message=words.encode("utf-16-be")))
    await esme.wait_for(lambda: len(esme.ledger.receipts) == 2, WAIT_S)
    (pdu,) = scene.smsc.ledger.submits
    assert septets_of(pdu.pdu.short_message, 0).decode("gsm23.038") == "L'été arrive..."
    assert [record.submission.text for record in scene.platform.ledger.to(f"+{WITH_RCS}")] == [words]
    told = [await asyncio.to_thread(ask, scene, message) for message in (sms.message_id, rcs.message_id)]
    assert "for carrier letters were changed: ’ to ', … to ..." in told[0]
    assert "letters were changed" not in told[1]
    for is_part in (False, True):
        await headers(scene, esme, is_part)


async def headers(scene: Scene, esme: Esme, is_part: bool) -> None:
    """Those that say how a text is written are read, and others pass untouched."""
    known = len(scene.platform.ledger.messages)
    given = len(scene.smsc.ledger.submits)
    for sequence in (2, 1) if is_part else (0,):
        header = bytes((8, 0, 3, 7, 2, sequence, 0x24, 1, 1)) if is_part else TURKISH
        esme.submit(submit(WITH_RCS, esm_class=0x40, short_message=header + "şiş".encode("gsm23.038-0-1")))
    await scene.platform.ledger.wait_for(lambda ledger: len(ledger.messages) > known, WAIT_S)
    record = scene.platform.ledger.to(f"+{WITH_RCS}")[-1]
    assert record.submission.text == ("şişşiş" if is_part else "şiş")
    own = b"\x0b\x00\x03\x09\x02\x01" + PORTS[1:] if is_part else PORTS
    esme.submit(submit(WITH_RCS, esm_class=0x40, data_coding=0xF5, short_message=own + b"\x01\xff\x80"))
    pdu = (await carried(scene, given + 1))[-1]
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0x40, 0xF5, own + b"\x01\xff\x80")
