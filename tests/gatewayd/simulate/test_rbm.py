"""Google's platform from outside: what an agent sees over HTTP and in its webhooks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from typing import Any

import aiohttp
import pytest

from gatewayd.simulate.rbm import RbmOptions, RbmPlatform
from gatewayd.simulate.rbm_behaviour import RbmRule, rbm_behaviour
from gatewayd.simulate.rbm_pushes import PushOptions
from gatewayd.simulate.rcs_disturbance import Wishes
from tests.gatewayd.simulate.rbm_agent import PHONE, an_agent

NEVER = RbmRule(delivery="never")
CHIPS = [
    {"reply": {"text": "Oui", "postbackData": "yes:1"}},
    {"action": {"text": "Voir", "postbackData": "see:1", "openUrlAction": {"url": "https://example.org"}}},
]


async def test_a_message_lives_and_the_agent_is_told() -> None:
    async with an_agent(rbm_behaviour(RbmRule(deliver_after_s=2.0, display_after_s=3.0))) as agent:
        msg_id = str(uuid.uuid4())
        status, body = await agent.send(msg_id=msg_id, ttl="600s")
        assert (status, body) == (
            200,
            {
                "name": f"phones/{PHONE}/agentMessages/{msg_id}",
                "sendTime": "2027-01-15T09:40:00.000Z",
                "messageTrafficType": "TRANSACTION",
                "contentMessage": {"text": "hello"},
                "expireTime": "2027-01-15T09:50:00.000Z",
            },
        )
        agent.move(2.0)
        (event,) = await agent.wait_events(1)
        assert {key: value for key, value in event.items() if key != "eventId"} == {
            "senderPhoneNumber": PHONE,
            "agentId": "agent1",
            "eventType": "DELIVERED",
            "messageId": msg_id,
            "sendTime": "2027-01-15T09:40:02.000Z",
        }
        agent.move(3.0)
        await agent.wait_events(2)
        agent.move(600.0)
        assert agent.kinds() == ["DELIVERED", "READ"]
        assert agent.what(msg_id) == ["accepted", "delivered", "read"]


async def test_an_id_used_before_delivers_nothing_more() -> None:
    async with an_agent() as agent:
        msg_id = await agent.send_well()
        agent.move(5.0)
        status, body = await agent.send(msg_id=msg_id, contentMessage={"text": "another"})
        assert (status, body["sendTime"], body["contentMessage"]) == (
            200,
            "2027-01-15T09:40:00.000Z",
            {"text": "hello"},
        )
        assert (await agent.send(msg_id=msg_id, agent="agent2"))[0] == 200
        agent.move(0.0)
        await agent.wait_events(2)
        assert agent.platform.ledger.message(msg_id).repeats == 1


async def test_an_id_used_before_may_be_a_conflict() -> None:
    async with an_agent(repeat="conflict") as agent:
        msg_id = await agent.send_well()
        status, body = await agent.send(msg_id=msg_id)
        assert (status, body["error"]["status"]) == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("how", ["silent", "reset"])
async def test_a_request_without_answer_may_be_repeated(how: Any, taken: bool) -> None:
    rule = RbmRule(submit=how, submit_times=1, taken=taken)
    async with an_agent(rbm_behaviour(rule)) as agent:
        msg_id, ledger = str(uuid.uuid4()), agent.platform.ledger
        if how == "reset":
            with pytest.raises(aiohttp.ClientError):
                await agent.send(msg_id=msg_id)
        else:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(agent.send(msg_id=msg_id))
                await ledger.wait_for(lambda told: len(told.accepted_at) == 1 and len(told.messages) == int(taken))
                sending.cancel()
        assert (await agent.send(msg_id=msg_id))[0] == 200
        agent.move(0.0)
        await agent.wait_events(1)
        assert ledger.message(msg_id).repeats == int(taken)
        assert agent.kinds() == ["DELIVERED"]


@pytest.mark.parametrize(
    ("rule", "status", "word"),
    [
        (RbmRule(reach="no_rcs"), 404, "NOT_FOUND"),
        (RbmRule(reach="not_launched"), 404, "NOT_FOUND"),
        (RbmRule(reach="not_tester"), 403, "PERMISSION_DENIED"),
        (RbmRule(submit="refuse", refuse_status=503), 503, "UNAVAILABLE"),
        (RbmRule(submit="throttle_agent"), 429, "RESOURCE_EXHAUSTED"),
        (RbmRule(submit="throttle_user"), 429, "RESOURCE_EXHAUSTED"),
    ],
)
async def test_refusals_in_googles_words(rule: RbmRule, status: int, word: str) -> None:
    async with an_agent(rbm_behaviour(rule)) as agent:
        answered, body = await agent.send()
        assert (answered, body["error"]["code"], body["error"]["status"]) == (status, status, word)
        assert agent.platform.ledger.messages == {}


async def test_a_fault_may_pass() -> None:
    async with an_agent(rbm_behaviour(RbmRule(submit="refuse", refuse_status=500, submit_times=2))) as agent:
        assert [(await agent.send())[0] for _ in range(3)] == [500, 500, 200]


async def test_both_meanings_of_429() -> None:
    async with an_agent(quota_per_s=2) as agent:
        assert [(await agent.send())[0] for _ in range(3)] == [200, 200, 429]
        assert (await agent.send(agent="agent2"))[0] == 200
        agent.move(1.0)
        agent.platform.throttle_next(1, 1.5, per_user=True)
        query = {"messageId": str(uuid.uuid4()), "agentId": "agent1"}
        url = f"{agent.base}/v1/phones/{PHONE}/agentMessages"
        async with agent.session.post(url, params=query, headers=agent.headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "2")
            assert "user" in (await response.json())["error"]["message"]
    async with an_agent(rbm_behaviour(RbmRule(promotions_max=1))) as agent:
        statuses = [
            (await agent.send(messageTrafficType=kind))[0] for kind in ("PROMOTION", "PROMOTION", "TRANSACTION")
        ]
        assert statuses == [200, 429, 200]
        assert (await agent.send("+33700000001", messageTrafficType="PROMOTION"))[0] == 200


async def test_a_device_that_lacks_a_feature() -> None:
    async with an_agent(rbm_behaviour(RbmRule(features=("RICHCARD_STANDALONE",)))) as agent:
        status, body = await agent.send(contentMessage={"text": "hello", "suggestions": CHIPS})
        assert (status, body["error"]["message"]) == (400, "The device does not support ACTION_OPEN_URL.")


@pytest.mark.parametrize(
    ("how", "kinds", "what"),
    [
        ("revoked", ["TTL_EXPIRATION_REVOKED"], "expired"),
        ("revoke_failed", ["TTL_EXPIRATION_REVOKE_FAILED"], "TTL_EXPIRATION_REVOKE_FAILED"),
        ("both", ["TTL_EXPIRATION_REVOKED", "TTL_EXPIRATION_REVOKE_FAILED"], "TTL_EXPIRATION_REVOKE_FAILED"),
        ("neither", [], "expired"),
    ],
)
async def test_a_life_time_that_passes(how: Any, kinds: list[str], what: str) -> None:
    async with an_agent(rbm_behaviour(RbmRule(delivery="never", at_expiry=how))) as agent:
        msg_id = await agent.send_well(ttl="10s")
        agent.move(9.9)
        assert agent.what(msg_id) == ["accepted"]
        agent.move(0.1)
        events = await agent.wait_events(len(kinds))
        assert agent.kinds() == kinds
        assert all(event["phoneNumber"] == PHONE and "senderPhoneNumber" not in event for event in events)
        assert agent.what(msg_id)[-1] == what


async def test_a_delivery_may_follow_a_failed_revocation() -> None:
    async with an_agent(rbm_behaviour(RbmRule(deliver_after_s=20.0, at_expiry="revoke_failed"))) as agent:
        await agent.send_well(expireTime="2027-01-15T09:40:10Z")
        agent.move(10.0)
        agent.move(10.0)
        await agent.wait_events(2)
        assert agent.kinds() == ["TTL_EXPIRATION_REVOKE_FAILED", "DELIVERED"]


async def test_revoking_in_time_and_too_late() -> None:
    async with an_agent(rbm_behaviour(RbmRule(handset=r"\+336.*", deliver_after_s=10.0))) as agent:
        msg_id = await agent.send_well()
        assert await agent.revoke(msg_id) == (200, {})
        assert await agent.revoke(msg_id) == (200, {})
        agent.move(60.0)
        assert agent.what(msg_id) == ["accepted", "revoke asked", "revoked", "revoke asked"]
        late = await agent.send_well("+33712345678")
        agent.move(0.0)
        await agent.wait_events(1)
        assert (await agent.revoke(late, "+33712345678"))[0] == 404
        assert (await agent.revoke("nonsense"))[0] == 404
        assert agent.kinds() == ["DELIVERED"]


@pytest.mark.parametrize(
    ("how", "semantics", "status", "over"),
    [
        ("raced", "404_when_delivered", 200, "delivered"),
        ("too_late", "404_when_delivered", 404, "delivered"),
        ("too_late", "always_200", 200, "delivered"),
        ("error", "always_200", 500, "delivered"),
        ("ok", "always_200", 200, "revoked"),
    ],
)
async def test_revokes_of_every_kind(how: Any, semantics: str, status: int, over: str) -> None:
    rules = rbm_behaviour(RbmRule(revoke=how, deliver_after_s=5.0))
    async with an_agent(rules, revoke_semantics=semantics) as agent:
        msg_id = await agent.send_well()
        assert (await agent.revoke(msg_id))[0] == status
        agent.move(60.0)
        assert agent.platform.ledger.message(msg_id).status == over


async def test_users_answer_and_have_opinions() -> None:
    rule = RbmRule(reply_text="STOP", reply_suggestion=2, reply_after_s=1.0, opinion="UNSUBSCRIBE")
    async with an_agent(rbm_behaviour(rule)) as agent:
        await agent.send_well(contentMessage={"text": "hello", "suggestions": CHIPS})
        agent.move(0.0)
        agent.move(1.0)
        _, text, opinion, tap = await agent.wait_events(4)
        assert (text["text"], text["senderPhoneNumber"], text["agentId"]) == ("STOP", PHONE, "agent1")
        assert (opinion["eventType"], "messageId" in opinion) == ("UNSUBSCRIBE", False)
        assert tap["suggestionResponse"] == {"text": "Voir", "postbackData": "see:1", "type": "ACTION"}
        plain = await agent.send_well()
        agent.move(1.0)
        agent.move(1.0)
        assert agent.what(plain)[-1] == "no such suggestion"


async def test_what_users_send_by_hand() -> None:
    async with an_agent() as agent:
        platform = agent.platform
        platform.send_text(PHONE, "bonjour", "agent1")
        platform.send_reply(PHONE, "Oui", "yes:1", "agent1")
        platform.send_location(PHONE, 48.85, 2.35, "agent1")
        platform.send_file(PHONE, "https://files.example/1", "image/png", 12, "a.png", "agent1")
        platform.send_event(PHONE, "IS_TYPING", "agent1")
        said = await agent.wait_events(5)
        assert said[0]["text"] == "bonjour"
        assert said[1]["suggestionResponse"] == {"text": "Oui", "postbackData": "yes:1", "type": "REPLY"}
        assert said[2]["location"] == {"latitude": 48.85, "longitude": 2.35}
        assert said[3]["userFile"]["payload"]["fileUri"] == "https://files.example/1"
        assert said[4]["eventType"] == "IS_TYPING"
        platform.send_launch("agent1", "LAUNCHED")
        assert (await agent.wait_events(6))[5]["launchState"] == "LAUNCHED"


async def test_agents_type_and_read() -> None:
    async with an_agent() as agent:
        said = agent.platform.send_text(PHONE, "bonjour", "agent1")
        path = f"/v1/phones/{PHONE}/agentEvents"
        query = {"eventId": str(uuid.uuid4()), "agentId": "agent1"}
        status, body = await agent.call("POST", path, params=query, json={"eventType": "READ", "messageId": said})
        assert (status, body["eventType"]) == (200, "READ")
        assert agent.platform.ledger.users[said].read
        assert await agent.call("POST", path, params=query, json={"eventType": "IS_TYPING"}) == (status, body)
        query["eventId"] = str(uuid.uuid4())
        for event in ({"eventType": "READ", "messageId": "none"}, {"eventType": "READ"}, {"eventType": "DELIVERED"}):
            assert (await agent.call("POST", path, params=query, json=event))[0] == 400
        assert (await agent.call("POST", path, params=query, json={"eventType": "IS_TYPING"}))[0] == 200


async def test_pushes_are_signed_over_their_data() -> None:
    async with an_agent(push=PushOptions(client_token="t0ken")) as agent:
        agent.platform.send_text(PHONE, "bonjour", "agent1")
        await agent.wait_events(1)
        signature, body = agent.pushes[0]
        push = json.loads(body)
        data = base64.b64decode(push["message"]["data"])
        assert signature == base64.b64encode(hmac.digest(b"t0ken", data, hashlib.sha512)).decode()
        assert push["subscription"]
        assert push["message"]["publishTime"] == "2027-01-15T09:40:00.000Z"


@pytest.mark.parametrize("signing", ["bad", "none"])
async def test_signatures_may_be_wrong_or_missing(signing: Any) -> None:
    async with an_agent() as agent:
        agent.platform.send_text(PHONE, "one", "agent1")
        await agent.wait_events(1)
        agent.platform.set_webhook(agent.platform._webhooks.url, signing=signing)
        agent.platform.send_text(PHONE, "two", "agent1")
        await agent.wait_events(2)
        signature, body = agent.pushes[1]
        data = base64.b64decode(json.loads(body)["message"]["data"])
        assert signature != base64.b64encode(hmac.digest(b"client-token", data, hashlib.sha512)).decode()
        assert bool(signature) == (signing == "bad")


async def test_a_signature_may_cover_the_body() -> None:
    async with an_agent(push=PushOptions(signed_part="body")) as agent:
        agent.platform.send_text(PHONE, "one", "agent1")
        await agent.wait_events(1)
        signature, body = agent.pushes[0]
        assert signature == base64.b64encode(hmac.digest(b"client-token", body, hashlib.sha512)).decode()


@pytest.mark.parametrize("how", ["text", "json", "header", "not at all"])
async def test_the_webhook_must_prove_itself(how: str) -> None:
    async with an_agent() as agent:
        agent.validation = how
        seen = "" if how == "not at all" else how
        assert await agent.platform.validate_webhook() == seen
        agent.platform.set_webhook("http://127.0.0.1:1/")
        assert await agent.platform.validate_webhook() == ""
        assert agent.platform.ledger.validations == [seen, ""]


async def test_pushes_lost_repeated_late_and_out_of_order() -> None:
    rules = rbm_behaviour(
        RbmRule(
            handset=r"\+336.*", webhook_lost=("READ",), webhook_duplicates=1, webhook_delay_s=3.0, display_after_s=0.0
        ),
        RbmRule(webhook_reorder=True, display_after_s=0.0),
    )
    async with an_agent(rules) as agent:
        await agent.send_well()
        agent.move(0.0)
        assert agent.platform.ledger.lost_webhooks == 1
        agent.move(2.9)
        assert agent.events == []
        agent.move(0.1)
        await agent.wait_events(2)
        assert agent.kinds() == ["DELIVERED", "DELIVERED"]
        agent.events.clear()
        await agent.send_well("+33712345678")
        agent.move(0.0)
        await agent.wait_events(2)
        assert agent.kinds() == ["READ", "DELIVERED"]


async def test_pushes_disturbed_on_demand() -> None:
    async with an_agent() as agent:
        agent.platform.disturb(Wishes(lose_next=1, repeat_next=1, hold=True))
        for text in ("one", "two", "three"):
            agent.platform.send_text(PHONE, text, "agent1")
        assert agent.platform.ledger.lost_webhooks == 1
        agent.platform.disturb(Wishes(release="reversed"))
        await agent.wait_events(3)
        assert [event["text"] for event in agent.events] == ["three", "two", "two"]


async def test_pushes_are_repeated_until_answered_200() -> None:
    async with an_agent() as agent:
        agent.answers = [503, 204]
        agent.platform.send_text(PHONE, "bonjour", "agent1")
        ledger = agent.platform.ledger
        for attempt, pause_s in ((1, 1.0), (2, 2.0)):
            await ledger.wait_for(lambda told, attempt=attempt: len(told.webhooks) == attempt)  # type: ignore[misc]
            agent.move(pause_s)
        await agent.wait_events(1)


async def test_an_outage_loses_nothing() -> None:
    async with an_agent(rbm_behaviour(RbmRule(deliver_after_s=5.0, display_after_s=5.0))) as agent:
        msg_id = await agent.send_well()
        port = int(agent.base.rpartition(":")[2])
        await agent.platform.stop()
        agent.move(5.0)
        assert agent.what(msg_id) == ["accepted"]
        with pytest.raises(aiohttp.ClientError):
            await agent.send()
        await agent.platform.start(port=port)
        agent.move(0.0)
        await agent.wait_events(1)
        agent.move(5.0)
        await agent.wait_events(2)
        assert agent.kinds() == ["DELIVERED", "READ"]
        assert (await agent.send(msg_id=msg_id))[0] == 200


async def test_it_can_be_started_twice_on_no_port() -> None:
    platform = RbmPlatform(RbmOptions())
    port = await platform.start()
    with pytest.raises(OSError, match="in use"):
        await RbmPlatform().start(port=port)
    await platform.stop()
    await platform.stop()
