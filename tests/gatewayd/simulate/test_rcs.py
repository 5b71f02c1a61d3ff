"""The platform from outside: what a bot sees over HTTP and in its webhooks."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatewayd.simulate.rcs import Options, RcsPlatform, run_command
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.simulate.rcs_webhooks import WebhookPolicy
from tests.gatewayd.simulate.rcs_bot import FORM, a_bot

NEVER = Rule(delivery="never")
REPLY = {"reply": {"displayText": "Oui", "postback": {"data": "yes:1"}}}
URL = {"action": {"displayText": "Voir", "postback": {"data": "see:1"}, "urlAction": {"openUrl": {"url": "https://e"}}}}


async def test_a_message_lives_and_the_bot_is_told() -> None:
    async with a_bot(behaviour(Rule(deliver_after_s=2.0, display_after_s=3.0))) as bot:
        msg_id = await bot.send_well()
        bot.move(0.0)
        await bot.wait_events(1)
        bot.move(2.0)
        await bot.wait_events(2)
        bot.move(3.0)
        events = await bot.wait_events(3)
        assert bot.statuses() == ["sent", "delivered", "displayed"]
        assert events[1] == {
            "event": "messageStatus",
            "messageContact": {"userContact": "+33612345678"},
            "RCSMessage": {"msgId": msg_id, "status": "delivered", "timestamp": "2027-01-15T09:40:02.000Z"},
        }
        assert set(bot.authorizations) == {"s3cret"}
        record = bot.platform.ledger.messages[msg_id]
        assert record.statuses() == ["pending", "sent", "delivered", "displayed"]
        assert record.answered
        assert await bot.call("GET", f"/bot/v1/bot1/messages/{msg_id}/status") == (
            200,
            {"RCSMessage": {"msgId": msg_id, "status": "displayed", "timestamp": "2027-01-15T09:40:05.000Z"}},
        )


async def test_failure_names_its_reason() -> None:
    async with a_bot(behaviour(Rule(delivery="fail", fail_code=41001, sent_after_s=None))) as bot:
        await bot.send_well()
        bot.move(0.0)
        (event,) = await bot.wait_events(1)
        assert event["RCSMessage"]["status"] == "failed"
        assert event["RCSMessage"]["reason"]["code"] == 41001


async def test_refusals_have_the_body_of_the_specification() -> None:
    async with a_bot(behaviour(Rule(handset=r"\+336.*", submit="refuse", refuse_status=403, refuse_code=42007))) as bot:
        status, body = await bot.send()
        assert (status, body["reason"]["code"]) == (403, 42007)
        assert isinstance(body["reason"]["text"], str)
        status, body = await bot.send("")
        assert (status, body["reason"]["code"]) == (400, 42015)
        assert bot.platform.ledger.messages == {}
        assert [request.code for request in bot.platform.ledger.requests] == [0, 42007, 42015]


async def test_the_wrong_content_type_and_too_much_are_refused() -> None:
    async with a_bot() as bot:
        status, body = await bot.call("POST", "/bot/v1/bot1/messages", data=b"{}")
        assert (status, body["reason"]["code"]) == (400, 42002)
        headers = {**bot.headers, "Content-Type": "application/json"}
        status, _ = await bot.call("POST", "/bot/v1/bot1/messages", data=io.BytesIO(b" " * 2_000_000), headers=headers)
        assert status == 413


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, 40001), ({"Authorization": "Bearer nonsense"}, 40003), ({"Authorization": "Basic abc"}, 40002)],
)
async def test_every_call_needs_a_token(headers: dict[str, str], code: int) -> None:
    async with a_bot() as bot:
        calls = [
            ("POST", "/messages"),
            ("GET", "/messages/x/status"),
            ("PUT", "/messages/x/status"),
            ("GET", "/contactCapabilities"),
        ]
        for method, path in calls:
            status, body = await bot.call(method, "/bot/v1/bot1" + path, headers=headers)
            assert (status, body["reason"]["code"]) == (401, code)


async def test_tokens_run_out_and_are_taken_back() -> None:
    async with a_bot(token_lifetime_s=60.0) as bot:
        bot.move(60.0)
        status, body = await bot.send()
        assert (status, body["reason"]["code"]) == (401, 40004)
        await bot.fetch_token()
        bot.platform.tokens.revoke_all()
        assert (await bot.send())[0] == 401


async def test_the_token_endpoint() -> None:
    async with a_bot(expires_in_text=True) as bot:
        status, body = await bot.call("POST", "/oauth2/v1/token", data=FORM, headers={})
        assert (status, body["expires_in"], body["token_type"]) == (200, "3600", "Bearer")
        status, body = await bot.call("POST", "/oauth2/v1/token", data={**FORM, "client_secret": "no"}, headers={})
        assert (status, body) == (401, {"error": "invalid_client"})
        status, body = await bot.call("POST", "/oauth2/v1/token", json=FORM)
        assert (status, body) == (400, {"error": "invalid_request"})


async def test_only_known_bots_are_let_in_and_each_sees_its_own() -> None:
    async with a_bot(bots=frozenset({"bot1", "bot2"})) as bot:
        msg_id = await bot.send_well()
        status, _ = await bot.call("GET", f"/bot/v1/bot2/messages/{msg_id}/status")
        assert status == 404
        status, body = await bot.call("GET", f"/bot/v1/bot3/messages/{msg_id}/status")
        assert (status, body["reason"]["code"]) == (403, 40006)


async def test_a_root_before_the_paths() -> None:
    async with a_bot(root="/rcs/") as bot:
        assert (await bot.send())[0] == 404
        bot.base += "/rcs"
        await bot.send_well()


async def test_capabilities() -> None:
    rules = behaviour(
        Rule(handset=r"\+337.*", capable=False),
        Rule(handset=r"\+338.*", capability_status=503),
        Rule(handset=r"\+339.*", capabilities=("fileTransfer",)),
    )
    async with a_bot(rules) as bot:

        async def ask(query: str) -> tuple[int, Any]:
            return await bot.call("GET", f"/bot/v1/bot1/contactCapabilities?{query}")

        status, body = await ask("userContact=%2B33612345678")
        assert (status, body) == (200, {"capabilities": ["chat", "fileTransfer", "chatBotCommunication"]})
        assert (await ask("userContact=%2B33712345678"))[0] == 404
        assert (await ask("userContact=%2B33812345678"))[0] == 503
        assert (await ask("userContact=%2B33612345678&chatId=a"))[0] == 400
        assert (await ask(""))[0] == 400
        status, body = await bot.send(contact="+33712345678")
        assert (status, body["reason"]["code"]) == (404, 41200)
        status, body = await bot.send(contact="+33912345678")
        assert (status, body["reason"]["code"]) == (400, 41210)


async def test_a_minute_full_answers_429_until_the_next() -> None:
    async with a_bot(quota_per_minute=3) as bot:
        for _ in range(3):
            await bot.send_well()
        bot.clock.now += 20.0
        async with bot.session.post(bot.base + "/bot/v1/bot1/messages", headers=bot.headers) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "40"
        bot.clock.now += 40.0
        await bot.send_well()
        ledger = bot.platform.ledger
        assert list(ledger.accepted_at) == [6000.0, 6000.0, 6000.0, 6060.0]
        assert (ledger.busiest(60.0), ledger.busiest(61.0)) == (3, 4)


async def test_the_quota_may_keep_the_wait_to_itself() -> None:
    async with a_bot(quota_per_s=1, quota_names_wait=False) as bot:
        await bot.send_well()
        async with bot.session.post(bot.base + "/bot/v1/bot1/messages", headers=bot.headers) as response:
            assert response.status == 429
            assert "Retry-After" not in response.headers


async def test_throttling_when_told() -> None:
    async with a_bot(behaviour(Rule(handset=r"\+337.*", submit="throttle", retry_after_s=1.5))) as bot:
        bot.platform.throttle_next(2)
        statuses = [(await bot.send())[0] for _ in range(3)]
        assert statuses == [429, 429, 202]
        body = {"RCSMessage": {"textMessage": "x"}, "messageContact": {"userContact": "+33712345678"}}
        async with bot.session.post(bot.base + "/bot/v1/bot1/messages", headers=bot.headers, json=body) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "2")


@pytest.mark.parametrize("taken", [True, False])
async def test_silence_and_a_broken_connection(taken: bool) -> None:
    rules = behaviour(
        Rule(handset=r"\+336.*", submit="silent", taken=taken), Rule(submit="reset", taken=taken, sent_after_s=None)
    )
    async with a_bot(rules) as bot:
        ledger = bot.platform.ledger
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(bot.send())
            await ledger.wait_for(lambda told: len(told.accepted_at) == 1 and len(told.messages) == int(taken))
            sending.cancel()
        with pytest.raises(aiohttp.ClientError):
            await bot.send(contact="+33712345678")
        await ledger.wait_for(lambda told: [request.status for request in told.requests] == [200, 0, 0])
        assert [record.answered for record in ledger.messages.values()] == [False] * (2 if taken else 0)
        if taken:
            bot.move(0.0)
            await bot.wait_events(3)
            assert bot.statuses().count("delivered") == 2


async def test_stopping_lets_go_of_silent_requests() -> None:
    async with a_bot(behaviour(Rule(submit="silent"))) as bot, asyncio.TaskGroup() as group:

        async def send() -> None:
            with pytest.raises(aiohttp.ClientError):
                await bot.send()

        group.create_task(send())
        await bot.platform.ledger.wait_for(lambda told: len(told.messages) == 1)
        await bot.platform.stop()


async def test_a_receipt_may_come_before_the_answer() -> None:
    async with a_bot(behaviour(Rule(submit="slow", answer_after_s=5.0))) as bot, asyncio.TaskGroup() as group:
        sending = group.create_task(bot.send_well())
        await bot.platform.ledger.wait_for(lambda told: len(told.messages) == 1)
        bot.move(0.0)
        events = await bot.wait_events(2)
        assert not sending.done()
        bot.move(5.0)
        assert events[1]["RCSMessage"]["msgId"] == await sending


async def test_revoking_in_time_too_late_and_twice() -> None:
    async with a_bot(behaviour(Rule(handset=r"\+336.*", deliver_after_s=10.0)), cancel_word="canceled") as bot:
        msg_id = await bot.send_well()
        bot.move(1.0)
        assert await bot.revoke(msg_id) == (204, b"")
        assert await bot.revoke(msg_id) == (204, b"")
        await bot.wait_events(2)
        bot.move(60.0)
        assert bot.statuses() == ["sent", "canceled"]
        assert bot.platform.ledger.messages[msg_id].statuses() == ["pending", "sent", "cancelled"]
        late = await bot.send_well(contact="+33712345678")
        bot.move(0.0)
        status, body = await bot.revoke(late)
        assert (status, body["reason"]["code"]) == (404, 41002)
        assert (await bot.revoke("nonsense"))[0] == 404


@pytest.mark.parametrize(
    ("how", "status", "states"),
    [
        ("raced", 204, ["pending", "sent", "delivered"]),
        ("too_late", 404, ["pending", "delivered"]),
        ("already", 409, ["pending", "sent", "delivered"]),
        ("error", 500, ["pending", "sent", "delivered"]),
    ],
)
async def test_revokes_that_do_not_work(how: Any, status: int, states: list[str]) -> None:
    async with a_bot(behaviour(Rule(revoke=how, deliver_after_s=10.0, sent_after_s=5.0))) as bot:
        msg_id = await bot.send_well()
        assert (await bot.revoke(msg_id))[0] == status
        bot.move(60.0)
        assert bot.platform.ledger.messages[msg_id].statuses() == states


async def test_setting_a_status_that_may_not_be_set() -> None:
    async with a_bot() as bot:
        msg_id = await bot.send_well()
        body = {"RCSMessage": {"status": "delivered"}}
        status, answer = await bot.call("PUT", f"/bot/v1/bot1/messages/{msg_id}/status", json=body)
        assert (status, answer["reason"]["code"]) == (400, 42011)


@pytest.mark.parametrize(("how", "state"), [("fail", "failed"), ("revoke", "cancelled"), ("ignore", "sent")])
async def test_an_expiry_that_passes(how: Any, state: str) -> None:
    async with a_bot(behaviour(Rule(delivery="never", on_expiry=how))) as bot:
        msg_id = await bot.send_well(expiry="2027-01-15T09:41:00Z")
        bot.move(59.0)
        assert bot.platform.ledger.messages[msg_id].status == "sent"
        bot.move(1.0)
        assert bot.platform.ledger.messages[msg_id].status == state


async def test_a_handset_answers() -> None:
    rules = behaviour(
        Rule(handset=r"\+336.*", reply_text="STOP", reply_after_s=1.0, sent_after_s=None),
        Rule(reply_suggestion=2, sent_after_s=None),
    )
    async with a_bot(rules) as bot:
        await bot.send_well()
        bot.move(0.0)
        bot.move(1.0)
        (_, reply) = await bot.wait_events(2)
        assert reply["event"] == "message"
        assert reply["RCSMessage"]["textMessage"] == "STOP"
        bot.events.clear()
        await bot.send_well(contact="+33712345678", suggestedChipList={"suggestions": [REPLY, URL]})
        bot.move(0.0)
        (_, reply) = await bot.wait_events(2)
        assert reply["event"] == "response"
        assert reply["RCSMessage"]["suggestedResponse"] == {
            "response": {"action": {"displayText": "Voir", "postback": {"data": "see:1"}}}
        }
        plain = await bot.send_well(contact="+33712345678")
        bot.move(0.0)
        assert bot.platform.ledger.messages[plain].history[-1].what == "no such suggestion"


async def test_inbound_by_hand_is_sent_and_can_be_marked_read() -> None:
    async with a_bot(names_events=False) as bot:
        first = bot.platform.send_text("+33612345678", "bonjour", "bot1")
        bot.platform.send_reply("alias", "Oui", "yes:1", "bot1")
        await bot.wait_events(2)
        by_contact = {str(event["messageContact"]): event for event in bot.events}
        assert "event" not in by_contact["{'userContact': '+33612345678'}"]
        assert by_contact["{'chatId': 'alias'}"]["RCSMessage"]["suggestedResponse"]["response"] == {
            "reply": REPLY["reply"]
        }
        body = {"RCSMessage": {"status": "displayed"}}
        assert (await bot.call("PUT", f"/bot/v1/bot1/messages/{first}/status", json=body))[0] == 204
        assert bot.platform.ledger.inbound[first].displayed
        assert (await bot.call("PUT", "/bot/v1/bot1/messages/none/status", json=body))[0] == 404


async def test_typing_is_taken_and_has_no_life() -> None:
    async with a_bot() as bot:
        body = {"RCSMessage": {"isTyping": "active"}, "messageContact": {"userContact": "+33612345678"}}
        status, _ = await bot.call("POST", "/bot/v1/bot1/messages", json=body)
        bot.move(10.0)
        (record,) = bot.platform.ledger.to("+33612345678")
        assert (status, record.statuses()) == (202, ["pending"])


async def test_webhooks_are_repeated_until_answered_200() -> None:
    async with a_bot(behaviour(NEVER)) as bot:
        bot.answers = [503, 204]
        msg_id = await bot.send_well()
        bot.move(0.0)
        ledger = bot.platform.ledger
        await ledger.wait_for(lambda told: len(told.webhooks) == 1)
        bot.move(0.9)
        assert len(ledger.webhooks) == 1
        bot.move(0.1)
        await ledger.wait_for(lambda told: len(told.webhooks) == 2)
        bot.move(2.0)
        await ledger.wait_for(lambda told: len(told.webhooks) == 3)
        assert [(hook.attempt, hook.http_status) for hook in ledger.attempts(msg_id, "sent")] == [
            (1, 503),
            (2, 204),
            (3, 200),
        ]
        assert bot.statuses() == ["sent"]


async def test_webhooks_are_given_up_in_the_end() -> None:
    async with a_bot(behaviour(NEVER), webhooks=WebhookPolicy(attempts=2)) as bot:
        bot.platform.set_webhook("http://127.0.0.1:1/", "")
        await bot.send_well()
        bot.move(0.0)
        ledger = bot.platform.ledger
        await ledger.wait_for(lambda told: len(told.webhooks) == 1)
        bot.move(1.0)
        await ledger.wait_for(lambda told: told.given_up_webhooks == 1)
        assert {(hook.http_status, hook.error) for hook in ledger.webhooks} == {(0, "ClientConnectorError")}


async def test_webhooks_lost_repeated_and_late() -> None:
    async with a_bot(behaviour(Rule(webhook_lost=("sent",), webhook_duplicates=1, webhook_delay_s=3.0))) as bot:
        await bot.send_well()
        bot.move(0.0)
        assert bot.platform.ledger.lost_webhooks == 1
        bot.move(2.9)
        assert bot.events == []
        bot.move(0.1)
        await bot.wait_events(2)
        assert bot.statuses() == ["delivered", "delivered"]


async def test_webhooks_out_of_order() -> None:
    async with a_bot(behaviour(Rule(webhook_reorder=True, display_after_s=0.0))) as bot:
        await bot.send_well()
        bot.move(0.0)
        await bot.wait_events(3)
        assert bot.statuses() == ["delivered", "sent", "displayed"]


async def test_an_event_held_back_leaves_with_the_revoke() -> None:
    async with a_bot(behaviour(Rule(webhook_reorder=True, deliver_after_s=9.0))) as bot:
        msg_id = await bot.send_well()
        bot.move(0.0)
        await bot.revoke(msg_id)
        await bot.wait_events(2)
        assert bot.statuses() == ["cancelled", "sent"]


async def test_it_can_be_stopped_and_started_again() -> None:
    platform = RcsPlatform(Options(webhook_url="http://127.0.0.1:1/"))
    port = await platform.start()
    await platform.stop()
    assert await platform.start(port=port) == port
    with pytest.raises(OSError, match="in use"):
        await RcsPlatform().start(port=port)
    await platform.stop()
    await platform.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_says_when_it_is_ready_and_ends_on_a_signal(number: int, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\ncapable = false\n")
    script = (
        "from pathlib import Path; from gatewayd.simulate.rcs import run_command;"
        f"run_command('127.0.0.1:0', '', '', 'gateway', 'secret', Path({str(rules)!r}), 60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3], env={**os.environ}
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20.0)).decode()
    assert line.startswith("rcs platform listening on http://127.0.0.1:")
    async with aiohttp.ClientSession() as session, session.get(line.split()[-1] + "/control/ledger") as response:
        assert (await response.json())["messages"] == []
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 20.0) == 0


@pytest.mark.parametrize(
    ("listen", "rules", "words"),
    [
        ("nowhere", None, "not an address"),
        ("127.0.0.1:99999", None, "not an address"),
        ("127.0.0.1:0", Path("/nonexistent/rules.toml"), "No such file"),
    ],
)
def test_the_command_explains_why_it_cannot_start(
    listen: str, rules: Path | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command(listen, "", "", "gateway", "secret", rules, 0)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
