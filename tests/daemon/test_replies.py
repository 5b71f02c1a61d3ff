"""What handsets answer over RCS, as the application that had written sees it."""

from __future__ import annotations

import pytest

from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.constants import Tag
from protocol.smpp.records import SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import BOT, WAIT_S

HANDSET = "+33610000001"
SESSION_ID, POSTBACK, MEDIA_TYPE, MEDIA_SIZE, MEDIA_NAME, PLACE = range(0x1490, 0x1496)
OWNED = {"accounts": {"shop": {"numbers": ["33700000001", BOT]}}}


def question() -> SubmitSm:
    return SubmitSm(
        source_addr_ton=5,
        source_addr="SHOP",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=HANDSET.removeprefix("+"),
        registered_delivery=1,
        short_message=b"Yes or no?",
        tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\x00\x2a"),),
    )


async def test_a_text_and_a_tap_come_back_with_their_session(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    submitted = esme.submit(question())
    await esme.wait_for(lambda: bool(esme.ledger.receipts), WAIT_S)
    assert await scene.final(esme, submitted.message_id) == "DELIVRD"
    scene.platform.send_text(HANDSET, "Oui 😀", BOT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1, WAIT_S)
    scene.platform.send_reply(HANDSET, "No", "answer=no", BOT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 2, WAIT_S)

    assert [(t.source, t.destination, t.text) for t in esme.ledger.texts] == [
        (HANDSET.removeprefix("+"), "SHOP", "Oui 😀"),
        (HANDSET.removeprefix("+"), "SHOP", "No"),
    ]
    session = submitted.message_id.encode()
    number = int(submitted.message_id, 16) & 0xFF
    text, tap = (dict(each.pdus[0].tlvs) for each in esme.ledger.texts)
    assert text == {
        Tag.USER_MESSAGE_REFERENCE: b"\x00\x2a",
        Tag.ITS_SESSION_INFO: bytes((number, 1 << 1)),
        SESSION_ID: session,
    }
    assert tap == {
        Tag.USER_MESSAGE_REFERENCE: b"\x00\x2a",
        Tag.ITS_SESSION_INFO: bytes((number, 2 << 1)),
        SESSION_ID: session,
        POSTBACK: b"answer=no",
    }


async def test_a_long_reply_travels_as_message_payload(stage: Stage) -> None:
    scene = await stage()
    scene.tell_handsets(Rule(reply_text="Très long " * 60))
    esme = await scene.esme()
    esme.submit(question())
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    (reply,) = esme.ledger.texts
    assert reply.text == "Très long " * 60
    assert reply.pdus[0].short_message == b""


async def test_a_reply_waits_for_an_application_that_is_away(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    submitted = esme.submit(question())
    await esme.wait_answered()
    assert await scene.final(esme, submitted.message_id) == "DELIVRD"
    await esme.unbind()
    scene.platform.send_text(HANDSET, "Oui", BOT)
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", account="shop") == 1)
    await scene.kill()
    await scene.start()
    again = await scene.esme()
    await again.wait_for(lambda: bool(again.ledger.texts), WAIT_S)
    assert [text.text for text in again.ledger.texts] == ["Oui"]


async def test_a_text_to_a_bot_that_nobody_wrote_from_is_left_with_the_platform(stage: Stage) -> None:
    scene = await stage()
    scene.platform.send_text(HANDSET, "Hello?", BOT)
    await scene.platform.ledger.wait_for(lambda ledger: bool(ledger.webhooks), WAIT_S)
    assert scene.platform.ledger.webhooks[0].http_status == 503
    await scene.until_samples(lambda s: s.value("gatewayd_mo_total", link="rcs", fate="unrouted") == 1)


async def test_a_bot_that_belongs_to_an_account_has_an_owner(stage: Stage) -> None:
    scene = await stage({"accounts": {"bank": {"numbers": ["33700000002", BOT]}}})
    bank = await scene.esme("bank")
    scene.platform.send_text(HANDSET, "Hello?", BOT)
    await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)
    assert [(text.destination, text.text) for text in bank.ledger.texts] == [(BOT, "Hello?")]


async def test_places_and_files_are_words_with_facts_beside_them(stage: Stage) -> None:
    scene = await stage(OWNED)
    esme = await scene.esme()
    scene.platform.send_location(HANDSET, 48.8566, 2.3522, "Paris", bot=BOT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1, WAIT_S)
    scene.platform.send_file(HANDSET, "https://files.example/1", "application/pdf", 70_000, "reçu.pdf", bot=BOT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 2, WAIT_S)
    recording: dict[str, object] = {"audioMessage": {"fileUrl": "https://files.example/2", "fileMIMEType": "audio/aac"}}
    scene.platform.say(HANDSET, recording, bot=BOT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 3, WAIT_S)
    assert [(each.text, dict(each.pdus[0].tlvs)) for each in esme.ledger.texts] == [
        ("Paris geo:48.856600,2.352200", {PLACE: b"geo:48.856600,2.352200"}),
        (
            "https://files.example/1",
            {MEDIA_TYPE: b"application/pdf", MEDIA_SIZE: (70_000).to_bytes(4), MEDIA_NAME: "reçu.pdf".encode()},
        ),
        ("https://files.example/2", {MEDIA_TYPE: b"audio/aac"}),
    ]


async def test_a_user_without_a_number_sends_a_file(stage: Stage) -> None:
    scene = await stage(OWNED)
    esme = await scene.esme()
    scene.platform.send_file("chat-1", "https://files.example/1", "image/png", 9, bot=BOT)
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    (said,) = esme.ledger.texts
    assert (said.source[:3], len(said.source), said.text) == ("999", 15, "https://files.example/1")
    assert dict(said.pdus[0].tlvs)[MEDIA_TYPE] == b"image/png"


async def test_that_somebody_types_is_told_to_nobody(stage: Stage) -> None:
    scene = await stage(OWNED)
    esme = await scene.esme()
    scene.platform.say(HANDSET, {"isTyping": "active"}, "isTyping", BOT)
    await scene.until_samples(lambda s: s.value("gatewayd_webhook_ignored_total", link="rcs", event="isTyping") == 1)
    scene.platform.send_text(HANDSET, "Oui", BOT)
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    assert [text.text for text in esme.ledger.texts] == ["Oui"]
    assert [hook.http_status for hook in scene.platform.ledger.webhooks] == [200, 200]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_user_who_hides_the_number_goes_on_with_the_conversation(stage: Stage, workers: int) -> None:
    """Nobody owns the bot: the reply finds who wrote to the number, as the platform told whose the alias is."""
    scene = await stage({"daemon": {"workers": workers}})
    bank, shop = await scene.esme("bank"), await scene.esme("shop")
    message_id = await scene.send(bank, HANDSET, "?", source="33700000002")
    assert await scene.final(bank, message_id) == "DELIVRD"
    scene.platform.send_alias(HANDSET, "chat-1", BOT)
    scene.platform.send_text("chat-1", "Oui", BOT)
    await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)
    (said,) = bank.ledger.texts
    assert (said.source[:3], said.destination, said.text) == ("999", "33700000002", "Oui")
    assert dict(said.pdus[0].tlvs)[SESSION_ID] == message_id.encode()
    await scene.send(bank, said.source, "Merci", source="33700000002")
    assert not shop.ledger.texts
