"""The dialects from outside: paths, credentials, errors and events as Orange, Dotgo and Vi have them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest

from gatewayd.simulate.rcs import Options
from gatewayd.simulate.rcs_assertion import new_key
from gatewayd.simulate.rcs_behaviour import Behaviour, Rule, behaviour
from gatewayd.simulate.rcs_dialects import dialect_of, write_event
from gatewayd.simulate.rcs_layers import LayerOptions
from tests.gatewayd.simulate.rbm_agent import loaded_key, one_key
from tests.gatewayd.simulate.rcs_bot import Bot, a_bot

NOW = 1_800_006_000
BASIC = "Basic " + base64.b64encode(b"gateway:secret").decode()
AUDIENCE = "https://api.orange.com/bothub/v1/gsma"
FOREIGN = Rule(handset=r"\+337.*", foreign=True)
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def signed(**claims: Any) -> str:
    told = {"iss": "bot1", "scope": "Chatbot message", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 3600, **claims}
    return jwt.api_jws.encode(json.dumps(told).encode(), loaded_key(), algorithm="RS256")


async def layer_one(bot: Bot) -> str:
    auth, form = BASIC, {"grant_type": "client_credentials"}
    status, body = await bot.call("POST", "/oauth/v3/token", data=form, headers={"Authorization": auth})
    assert (status, type(body["expires_in"])) == (200, str)
    return f"Bearer {body['access_token']}"


@asynccontextmanager
async def an_orange_bot(rules: Behaviour | None = None, *, layer: Any = None, **options: Any) -> AsyncIterator[Bot]:
    layers = LayerOptions(bot_keys={"bot1": one_key(), "*": one_key()}, **(layer or {}))
    async with a_bot(rules, token=False, dialect="orange", layer=layers, **options) as bot:
        bot.path = "/bothub/v1/gsma/bot/v1/bot1"
        bot.headers = {"Authorization": await layer_one(bot), "X-Bot-Authorization": "Bearer " + signed()}
        yield bot


async def test_orange_takes_both_layers() -> None:
    async with an_orange_bot() as bot:
        await bot.send_well()
        query = {"userContact": "+33612345678"}
        assert (await bot.call("GET", bot.path + "/contactCapabilities", params=query))[0] == 200
        assert (await bot.call("POST", "/bot/v1/bot1/messages", json={}))[0] == 404


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://api.orange.com"},
        {"iss": "bot2"},
        {"iss": ["bot1"]},
        {"scope": "botmessage"},
        {"exp": NOW},
        {"exp": NOW + 4000},
        {"iat": NOW + 3000},
    ],
)
async def test_orange_refuses_a_wrong_assertion(claims: dict[str, Any]) -> None:
    async with an_orange_bot() as bot:
        bot.headers["X-Bot-Authorization"] = "Bearer " + signed(**claims)
        status, body = await bot.send()
        assert (status, body["reason"]["code"]) == (401, 40008)
        bot.headers["X-Bot-Authorization"] = "Bearer " + signed()
        await bot.send_well()


async def test_orange_refuses_no_assertion_and_a_strangers() -> None:
    async with an_orange_bot() as bot:
        stranger = jwt.encode(jwt.decode(signed(), options={"verify_signature": False}), new_key(), algorithm="RS256")
        for headers in ({}, {"X-Bot-Authorization": signed()}, {"X-Bot-Authorization": "Bearer " + stranger}):
            bot.headers = {"Authorization": bot.headers["Authorization"], **headers}
            assert (await bot.send())[0] == 401


async def test_the_header_and_the_issuer_are_switches() -> None:
    layer = {"header": "X-GSMA", "prefix": "", "issuer_in_list": True}
    async with an_orange_bot(layer=layer) as bot:
        bot.headers = {"Authorization": bot.headers["Authorization"], "X-GSMA": signed(iss=["bot1"])}
        await bot.send_well()


async def test_the_assertion_may_be_exchanged() -> None:
    async with an_orange_bot(layer={"strategy": "exchange"}, token_lifetime_s=60.0) as bot:
        assert (await bot.send())[0] == 401
        path, form = "/oauth/bot/token", {"grant_type": GRANT, "assertion": signed()}
        bearer = bot.headers["Authorization"]
        for headers in ({}, {"Authorization": bearer}):
            status, body = await bot.call("POST", path, data=form, headers=headers)
            assert status == 200
        assert (await bot.call("POST", path, data=form, headers={"Authorization": "Bearer x"}))[0] == 401
        bot.headers = {"Authorization": f"Bearer {body['access_token']}"}
        await bot.send_well()
        bot.path = "/bothub/v1/gsma/bot/v1/bot2"
        assert (await bot.send())[0] == 401
        bot.path = "/bothub/v1/gsma/bot/v1/bot1"
        bad = ({**form, "grant_type": "password"}, {**form, "assertion": signed(aud="x")}, {"grant_type": GRANT})
        assert [(await bot.call("POST", path, data=each, headers={}))[0] for each in bad] == [400, 401, 401]
        bot.move(60.0)
        status, body = await bot.send()
        assert (status, body["code"]) == (401, 42)
        bot.platform.revoke_tokens()
        assert (await bot.send())[0] == 401


async def test_the_portal_and_the_platform_have_error_families_of_their_own() -> None:
    async with an_orange_bot(behaviour(FOREIGN), quota_per_s=2) as bot:
        token = bot.headers.pop("Authorization")
        assert await bot.send() == (
            401,
            {
                "code": 40,
                "message": "Missing credentials",
                "description": "The requested service needs credentials, but none were provided.",
            },
        )
        bot.headers["Authorization"] = "Bearer nonsense"
        assert (await bot.send())[1]["code"] == 41
        bot.headers["Authorization"] = token
        status, body = await bot.send("")
        assert (status, body["reason"]["code"]) == (400, 42015)
        status, body = await bot.send(contact="+33712345678")
        assert (status, body["reason"]["code"]) == (404, 41200)
        assert "another operator" in body["reason"]["text"]
        status, body = await bot.send()
        assert (status, body["code"], body["message"]) == (429, 53, "Too many requests")
        bot.platform.throttle_next(1)
        status, body = await bot.send()
        assert (status, body["reason"]["code"]) == (429, 41003)


async def test_the_token_client_must_use_the_header() -> None:
    async with an_orange_bot() as bot:
        form = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": "secret"}
        assert (await bot.call("POST", "/oauth/v3/token", data=form, headers={}))[0] == 401


async def test_single_capabilities_are_limited() -> None:
    async with an_orange_bot(capabilities_per_minute=1) as bot:
        path, query = bot.path + "/contactCapabilities", {"userContact": "+33612345678"}
        assert (await bot.call("GET", path, params=query))[0] == 200
        status, body = await bot.call("GET", path, params=query)
        assert (status, body["code"]) == (429, 53)


async def test_too_many_unreachable_numbers_cost_the_access() -> None:
    async with an_orange_bot(behaviour(FOREIGN), unreachable_share_max=0.15, unreachable_sample=10) as bot:
        for number in range(10):
            assert (await bot.send(contact=f"+33{6 + (number > 7)}12345678"))[0] in (202, 404)
        status, body = await bot.send()
        assert (status, body["code"]) == (403, 50)
        bot.headers["Authorization"] = await layer_one(bot)
        bot.clock.now += 3600.0
        bot.headers = {
            "Authorization": await layer_one(bot),
            "X-Bot-Authorization": "Bearer " + signed(iat=NOW + 3600, exp=NOW + 7200),
        }
        await bot.send_well()
        assert bot.platform.ledger.reach.worst(5, 0).share == 0.4


@asynccontextmanager
async def an_indian_bot(dialect: str, rules: Behaviour | None = None, **options: Any) -> AsyncIterator[Bot]:
    async with a_bot(rules, token=False, dialect=dialect, **options) as bot:
        auth = BASIC
        path = "/auth/oauth/token?grant_type=client_credentials"
        status, body = await bot.call("POST", path, data={}, headers={"Authorization": auth})
        assert status == 200, body
        bot.headers = {"Authorization": f"Bearer {body['access_token']}"}
        bot.path, bot.send_path = "/rcs/bot/v1/bot1", "/messages/async"
        yield bot


async def ttl_send(bot: Bot, ttl: Any, **members: Any) -> tuple[int, Any]:
    message = {"textMessage": "hello", **members}
    body = {"RCSMessage": message, "messageContact": {"userContact": "+33612345678"}, "ttl": ttl}
    return await bot.call("POST", bot.path + bot.send_path, json=body)


@pytest.mark.parametrize("dialect", ["dotgo", "vi"])
async def test_a_relative_life_time(dialect: str) -> None:
    async with an_indian_bot(dialect, behaviour(Rule(delivery="never"))) as bot:
        assert (await bot.call("POST", bot.path + "/messages", json={}))[0] == 404
        status, body = await ttl_send(bot, "10s")
        assert status == 202
        bot.move(10.0)
        assert bot.platform.ledger.messages[body["RCSMessage"]["msgId"]].status == "failed"
        for ttl in ("10", 10, "0s", "-1s"):
            assert (await ttl_send(bot, ttl))[1]["reason"]["code"] == 42207
        assert (await ttl_send(bot, "10s", expiry="2027-01-15T11:00:00Z"))[0] == 400


async def test_dotgo_pushes_through_pubsub() -> None:
    rules = behaviour(
        Rule(handset=r"\+336.*", display_after_s=0.0, reply_text="STOP"),
        Rule(handset=r"\+337.*", delivery="fail", sent_after_s=None),
        Rule(deliver_after_s=60.0, sent_after_s=None),
    )
    async with an_indian_bot("dotgo", rules) as bot:
        msg_id = await bot.send_well()
        bot.move(0.0)
        await bot.send_well(contact="+33712345678")
        bot.move(0.0)
        revoked = await bot.send_well(contact="+33812345678")
        assert (await bot.revoke(revoked))[0] == 204
        bot.platform.send_reply("+33912345678", "Oui", "yes:1", "bot1")
        bot.platform.send_location("+33912345678", 1.0, 2.0, bot="bot1")
        await bot.wait_events(7)
        told = [json.loads(base64.b64decode(event["message"]["data"])) for event in bot.events]
        words = {event["message"]["attributes"]["business_id"] for event in bot.events}
        first = [event for event in told if event["senderPhoneNumber"] == "33612345678"]
        assert [event.get("eventType") for event in first] == ["SENT", "DELIVERED", "READ", None]
        assert first[0]["messageId"] == msg_id
        assert first[3]["text"] == "STOP"
        (failed,) = [event for event in told if event["senderPhoneNumber"] == "33712345678"]
        assert (failed["eventType"], failed["code"], "reason" in failed) == ("FAILED", 41200, True)
        tap, place = [event for event in told if event["senderPhoneNumber"] == "33912345678"]
        assert tap["suggestionResponse"] == {"text": "Oui", "postbackData": "yes:1"}
        assert place["geolocationPushMessage"]["pos"] == "1.0 2.0"
        assert words == {"bot1"}


async def test_vi_has_words_of_its_own_for_states() -> None:
    async with an_indian_bot("vi", behaviour(Rule(display_after_s=0.0))) as bot:
        await bot.send_well()
        bot.move(0.0)
        await bot.wait_events(3)
        assert {event["event"] for event in bot.events} == {"message_status"}
        assert bot.statuses() == ["sent", "delivered", "read"]


async def test_vi_bounds_requests_for_tokens() -> None:
    async with an_indian_bot("vi") as bot:
        auth = BASIC
        path = "/auth/oauth/token?grant_type=client_credentials"
        statuses = [(await bot.call("POST", path, data={}, headers={"Authorization": auth}))[0] for _ in range(60)]
        assert statuses == [200] * 59 + [429]


def test_unknown_dialects_and_events_that_a_dialect_lacks() -> None:
    with pytest.raises(ValueError, match="standard, orange, dotgo, vi"):
        dialect_of("klingon")
    with pytest.raises(ValueError, match="klingon"):
        dialect_of(Options(dialect="klingon").dialect)
    assert write_event("pubsub", "messageStatus", {"status": "cancelled"}, "+33612345678", "bot1") is None
