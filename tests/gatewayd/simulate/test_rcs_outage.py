"""Outages and disturbed events: nothing is lost that was not to be, and what is to be lost is."""

from __future__ import annotations

import pytest

from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.simulate.rcs_disturbance import HELD_MAX, Disturbance, Wishes
from tests.gatewayd.simulate.rcs_bot import a_bot


async def test_messages_live_on_after_an_outage() -> None:
    async with a_bot(behaviour(Rule(deliver_after_s=5.0, display_after_s=60.0))) as bot:
        msg_id = await bot.send_well()
        bot.move(0.0)
        await bot.platform.ledger.wait_for(lambda told: len(told.webhooks) == 1)
        port = int(bot.base.rpartition(":")[2])
        await bot.platform.stop()
        bot.move(10.0)
        assert bot.platform.ledger.messages[msg_id].status == "sent"
        assert await bot.platform.start(port=port) == port
        bot.move(0.0)
        await bot.wait_events(2)
        bot.move(60.0)
        await bot.wait_events(3)
        assert bot.statuses() == ["sent", "delivered", "displayed"]
        status, _ = await bot.call("GET", f"/bot/v1/bot1/messages/{msg_id}/status")
        assert status == 200


async def test_webhooks_that_were_on_their_way_leave_after_an_outage() -> None:
    async with a_bot() as bot:
        await bot.send_well()
        port = int(bot.base.rpartition(":")[2])
        bot.move(0.0)
        await bot.platform.stop()
        await bot.platform.start(port=port)
        await bot.wait_for(lambda: {"sent", "delivered"} <= set(bot.statuses()))


async def test_events_are_lost_repeated_and_held_on_demand() -> None:
    async with a_bot() as bot:
        told = {"lose_next": 1, "repeat_next": 1}
        assert (await bot.call("POST", "/control/events", json=told))[0] == 204
        for text in ("one", "two", "three"):
            bot.platform.send_text("+33612345678", text, "bot1")
        await bot.wait_events(3)
        assert [event["RCSMessage"]["textMessage"] for event in bot.events] == ["two", "two", "three"]
        assert bot.platform.ledger.lost_webhooks == 1
        bot.events.clear()
        bot.platform.disturb(Wishes(hold=True))
        for text in ("four", "five"):
            bot.platform.send_text("+33612345678", text, "bot1")
        bot.platform.disturb(Wishes(release="reversed", delay_s=2.0))
        await bot.wait_events(2)
        bot.platform.send_text("+33612345678", "six", "bot1")
        assert len(bot.events) == 2
        bot.move(2.0)
        await bot.wait_events(3)
        assert [event["RCSMessage"]["textMessage"] for event in bot.events] == ["five", "four", "six"]


def test_what_is_held_is_bounded() -> None:
    disturbance: Disturbance[int] = Disturbance()
    disturbance.set(Wishes(hold=True))
    disturbance.held = list(range(HELD_MAX))
    assert disturbance.pass_on(1) == []
    assert (disturbance.lost, len(disturbance.held)) == (1, HELD_MAX)
    assert disturbance.set(Wishes())[:2] == [0, 1]


async def test_everything_that_a_handset_may_send() -> None:
    async with a_bot() as bot:
        contact = "+33612345678"
        bot.platform.send_location(contact, 48.85, 2.35, "Paris", "bot1")
        bot.platform.send_file(contact, "https://f", "image/png", 3, "a.png", "bot1")
        bot.platform.send_typing(contact, "active", "bot1")
        bot.platform.send_new_user(contact, "bot1")
        bot.platform.send_alias(contact, "chat-1", "bot1")
        told = {"contact": contact, "members": {"audioMessage": {"fileUrl": "https://a"}}, "bot": "bot1"}
        assert (await bot.call("POST", "/control/mo", json=told))[0] == 202
        place, file, typing, new, alias, audio = await bot.wait_events(6)
        assert place["RCSMessage"]["geolocationPushMessage"] == {"pos": "48.85 2.35", "label": "Paris"}
        assert file["RCSMessage"]["fileMessage"]["fileName"] == "a.png"
        assert (typing["event"], typing["RCSMessage"]["isTyping"]) == ("isTyping", "active")
        postback = new["RCSMessage"]["suggestedResponse"]["response"]["reply"]["postback"]["data"]
        assert (new["event"], postback) == ("newUser", "new_bot_user_initiation")
        assert alias == {"event": "alias", "messageContact": {"userContact": contact, "chatId": "chat-1"}}
        assert audio["RCSMessage"]["audioMessage"] == {"fileUrl": "https://a"}


@pytest.mark.parametrize("kind", ["foreign", "late"])
async def test_unreachable_handsets_are_counted_when_it_comes_out(kind: str) -> None:
    rule = Rule(foreign=True) if kind == "foreign" else Rule(delivery="fail", fail_code=41200)
    async with a_bot(behaviour(rule)) as bot:
        await bot.send()
        await bot.send("")
        bot.platform.throttle_next(1)
        await bot.send()
        bot.move(0.0)
        total = bot.platform.ledger.reach.total()
        assert (total.asked, total.unreachable) == (2, 1)
