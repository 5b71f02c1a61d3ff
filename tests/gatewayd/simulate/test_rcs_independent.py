"""Judges of the judges: clients that others wrote speak to the simulated platforms, and are understood.

rcs-chatbot is a client of GSMA FNW.11, google-auth fetches tokens for Google's service accounts. Neither knows of us.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import rcs_chatbot
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from gatewayd.simulate.rbm import RbmPlatform
from gatewayd.simulate.rbm_tokens import ServiceAccount
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from tests.gatewayd.simulate.rbm_agent import SCOPE, one_key
from tests.gatewayd.simulate.rcs_bot import Bot, a_bot

NUMBER = "+33612345678"


def chatbot_of(bot: Bot) -> Any:
    token = bot.headers["Authorization"].removeprefix("Bearer ")
    # With a logger of its own it leaves the root logger alone.
    return rcs_chatbot.Chatbot(bot.base + "/bot/v1", "bot1", token, logging.getLogger("rcs_chatbot"))


def chips() -> Any:
    suggestions = rcs_chatbot.Suggestions()
    suggestions.addReply("Oui", "yes:1")
    suggestions.addUrlAction("Voir", "see:1", "https://example.org")
    suggestions.addRequestLocationPushMapAction("Ici", "here:1")
    suggestions.addTextComposeAction("Ecrire", "write:1", "+33123456789", "bonjour")
    suggestions.addRecordingComposeAction("Parler", "talk:1", "+33123456789", "AUDIO")
    suggestions.addDeviceAction("Mon mobile", "device:1")
    suggestions.addCalendarAction(
        "Agenda", "date:1", "2027-01-15T10:00:00Z", "2027-01-15T11:00:00Z", "RDV", "chez nous", "https://example.org"
    )
    suggestions.addShowLocationMapAction("Plan", "map:1", 48.85, 2.35, "Paris", None, "https://example.org")
    return suggestions


def card(orientation: Any = None) -> Any:
    made = rcs_chatbot.Richcard()
    made.setTitle("Votre colis")
    made.setDescription("Il arrive a 14h")
    if orientation is not None:
        made.setCardOrientation(orientation)
        made.imageAlignment = rcs_chatbot.ImageAlignment.LEFT
    return made


def contents() -> dict[str, Any]:
    file = rcs_chatbot.FileMessage("https://files.example/a.pdf")
    file.setFileMIMEType("application/pdf")
    file.setFileSize(1000)
    audio = rcs_chatbot.AudioMessage("https://files.example/a.mp3")
    audio.setPlayingLength(12)
    place = rcs_chatbot.GeolocationPushMessage("48.85 2.35")
    place.setLabel("Paris")
    carousel = rcs_chatbot.RichcardCarousel()
    carousel.addRichcard(card())
    carousel.addRichcard(card())
    horizontal = card(rcs_chatbot.CardOrientation.HORIZONTAL)
    media = ("https://files.example/a.png", "image/png", 1000, "SHORT_HEIGHT", None, None, None, "Un colis")
    horizontal.setMedia(*media)
    return {
        "textMessage": "bonjour",
        "fileMessage": file,
        "audioMessage": audio,
        "geolocationPushMessage": place,
        "richcardMessage": horizontal,
        "richcardMessage of several": carousel,
    }


@pytest.mark.parametrize("name", contents())
async def test_a_bot_that_others_wrote_sends_every_content(name: str) -> None:
    async with a_bot() as bot:
        contact = rcs_chatbot.MessageContact(NUMBER, None)
        answer = await asyncio.to_thread(chatbot_of(bot).sendMessage, contact, contents()[name], chips())
        assert answer["RCSMessage"]["status"] == "pending"
        (record,) = bot.platform.ledger.to(NUMBER)
        assert record.id == answer["RCSMessage"]["msgId"]
        assert record.submission.kind == name.split(" ", maxsplit=1)[0]
        assert len(record.submission.suggestions) == 8


async def test_a_bot_that_others_wrote_reads_our_errors() -> None:
    async with a_bot(behaviour(Rule(capable=False))) as bot:
        chatbot = chatbot_of(bot)
        for contact, words in ((NUMBER, "not an RCS user"), ("0612345678", "malformed")):
            with pytest.raises(rcs_chatbot.RequestFailed, match=words):
                await asyncio.to_thread(chatbot.sendMessage, rcs_chatbot.MessageContact(contact, None), "bonjour")


async def test_a_bot_that_others_wrote_understands_our_events() -> None:
    async with a_bot(file_ready_after_s=0.0) as bot:
        chatbot, seen = chatbot_of(bot), list[str]()
        for kind in rcs_chatbot.EventType:
            chatbot.registerEventHandler(kind)(lambda body: seen.append(body["event"]))
        await bot.send_well()
        bot.move(0.0)
        platform = bot.platform
        platform.send_text(NUMBER, "STOP", "bot1")
        platform.send_reply(NUMBER, "Oui", "yes:1", "bot1")
        platform.send_typing(NUMBER, bot="bot1")
        platform.send_new_user(NUMBER, "bot1")
        platform.send_alias(NUMBER, "chat-1", "bot1")
        events = await bot.wait_events(7)
        for event in events:
            chatbot.processEvent(event)
        assert sorted(seen) == sorted(
            ("messageStatus", "messageStatus", "message", "response", "isTyping", "newUser", "alias")
        )


async def test_googles_own_library_gets_a_token() -> None:
    platform = RbmPlatform()
    port = await platform.start()
    try:
        account = ServiceAccount("gateway@project.example", "key-1", one_key(), f"http://127.0.0.1:{port}/token")
        platform.trust(account)
        info = {name: getattr(account, name) for name in ServiceAccount.__struct_fields__}
        credentials: Any = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        await asyncio.to_thread(credentials.refresh, Request())
        platform.tokens.check(f"Bearer {credentials.token}", platform._schedule.clock())
        assert platform.tokens.issued == 1
    finally:
        await platform.stop()
