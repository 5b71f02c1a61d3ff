"""The control endpoints: each does what it says, and explains what it cannot read."""

from __future__ import annotations

import pytest

from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from tests.gatewayd.simulate.rcs_bot import a_bot


async def test_a_handset_is_made_to_speak() -> None:
    async with a_bot() as bot:
        status, body = await bot.call(
            "POST", "/control/mo", json={"contact": "+33612345678", "text": "salut", "bot": "b"}
        )
        assert status == 202
        told = {"contact": "+33612345678", "reply": "Oui", "postback": "yes", "bot": "b"}
        assert (await bot.call("POST", "/control/mo", json=told))[0] == 202
        events = await bot.wait_events(2)
        assert events[0]["RCSMessage"]["msgId"] == body["msgId"]
        assert [event["event"] for event in events] == ["message", "response"]
        assert (await bot.call("POST", "/control/mo", json={"contact": "+33612345678"}))[0] == 400


async def test_rules_throttling_tokens_and_statuses_are_changed_while_it_runs() -> None:
    async with a_bot(behaviour(Rule(delivery="never", sent_after_s=None))) as bot:
        msg_id = await bot.send_well()
        told = {"msg_id": msg_id, "status": "failed", "code": 41001}
        assert (await bot.call("POST", "/control/status", json=told))[0] == 204
        await bot.wait_events(1)
        assert bot.statuses() == ["failed"]
        assert (await bot.call("POST", "/control/status", json={**told, "msg_id": "none"}))[0] == 404
        assert (await bot.call("POST", "/control/rules", json={"rule": [{"capable": False}]}))[0] == 204
        assert (await bot.send())[0] == 404
        assert (await bot.call("POST", "/control/throttle", json={"count": 1}))[0] == 204
        assert (await bot.send())[0] == 429
        assert (await bot.call("POST", "/control/tokens", json={"revoke_all": True, "lifetime_s": 5, "fail_next": 1}))[
            0
        ] == 204
        assert (await bot.send())[0] == 401
        assert (await bot.call("POST", "/oauth2/v1/token", data={}))[0] == 503
        await bot.fetch_token()
        bot.move(5.0)
        assert (await bot.send())[0] == 401
        assert (await bot.call("POST", "/control/webhook", json={"url": ""}))[0] == 204


@pytest.mark.parametrize("path", ["mo", "rules", "throttle", "tokens", "webhook", "status"])
async def test_what_cannot_be_read_is_explained(path: str) -> None:
    async with a_bot() as bot:
        status, body = await bot.call("POST", f"/control/{path}", json={"unknown": 1})
        assert status == 400
        assert b"unknown" in body or b"missing" in body


async def test_the_ledger_tells_everything() -> None:
    async with a_bot() as bot:
        msg_id = await bot.send_well()
        await bot.send_well(contact="+33712345678")
        bot.move(0.0)
        await bot.wait_events(4)
        await bot.platform.ledger.wait_for(lambda told: len(told.webhooks) == 4)
        status, all_of_it = await bot.call("GET", "/control/ledger")
        assert status == 200
        assert len(all_of_it["messages"]) == 2
        assert (all_of_it["accepted_requests"], all_of_it["busiest_minute"]) == (2, 2)
        assert [request["status"] for request in all_of_it["requests"]] == [200, 202, 202]
        _, one = await bot.call("GET", "/control/ledger", params={"contact": "+33612345678"})
        (message,) = one["messages"]
        assert message["msgId"] == msg_id
        assert [entry["what"] for entry in message["history"]] == ["pending", "sent", "delivered"]
        assert [hook["status"] for hook in one["webhooks"]] == ["sent", "delivered"]


async def test_the_ledger_forgets_the_oldest() -> None:
    async with a_bot(records_max=2) as bot:
        first = await bot.send_well()
        await bot.send_well()
        await bot.send_well()
        assert len(bot.platform.ledger.messages) == 2
        assert first not in bot.platform.ledger.messages
        assert len(bot.platform.ledger.requests) == 2
