"""The RBM platform's control endpoints and command: each does what it says, and explains what it cannot read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatewayd.simulate.rbm import run_command
from gatewayd.simulate.rbm_behaviour import RbmRule, rbm_behaviour
from tests.gatewayd.simulate.rbm_agent import PHONE, an_agent


async def test_users_are_made_to_speak() -> None:
    async with an_agent() as agent:
        who = {"phone": PHONE, "agent": "agent1"}
        sayings: list[dict[str, Any]] = [
            {"text": "salut"},
            {"reply": "Oui", "postback": "yes"},
            {"members": {"location": {"latitude": 1, "longitude": 2}}},
            {"event": "SUBSCRIBE"},
        ]
        for said in sayings:
            assert (await agent.call("POST", "/control/mo", json={**who, **said}))[0] == 202
        events = await agent.wait_events(4)
        assert events[2]["location"] == {"latitude": 1, "longitude": 2}
        assert events[3]["eventType"] == "SUBSCRIBE"
        assert (await agent.call("POST", "/control/mo", json=who))[0] == 400


async def test_everything_is_changed_while_it_runs() -> None:
    async with an_agent(rbm_behaviour(RbmRule(delivery="never"))) as agent:
        msg_id = await agent.send_well()
        told: dict[str, Any] = {"msg_id": msg_id, "event": "DELIVERED"}
        assert (await agent.call("POST", "/control/status", json=told))[0] == 204
        await agent.wait_events(1)
        assert (await agent.call("POST", "/control/status", json={**told, "msg_id": "none"}))[0] == 404
        assert (await agent.call("POST", "/control/rules", json={"rule": [{"reach": "no_rcs"}]}))[0] == 204
        assert (await agent.send())[0] == 404
        assert (await agent.call("POST", "/control/throttle", json={"count": 1}))[0] == 204
        assert (await agent.send())[0] == 429
        told = {"revoke_all": True, "lifetime_s": 5, "fail_next": 1}
        assert (await agent.call("POST", "/control/tokens", json=told))[0] == 204
        assert (await agent.send())[0] == 401
        assert (await agent.ask_token(agent.assertion()))[0] == 503
        await agent.fetch_token()
        assert (await agent.call("POST", "/control/events", json={"lose_next": 1}))[0] == 204
        agent.platform.send_text(PHONE, "lost", "agent1")
        assert agent.platform.ledger.lost_webhooks == 1
        told = {"url": agent.platform._webhooks.url, "client_token": "other", "validate": True}
        assert await agent.call("POST", "/control/webhook", json=told) == (200, {"validated": "text"})


@pytest.mark.parametrize("path", ["mo", "rules", "throttle", "tokens", "webhook", "status", "events"])
async def test_what_cannot_be_read_is_explained(path: str) -> None:
    async with an_agent() as agent:
        status, body = await agent.call("POST", f"/control/{path}", json={"unknown": 1})
        assert status == 400
        assert b"unknown" in body or b"missing" in body


async def test_the_ledger_tells_everything() -> None:
    async with an_agent(records_max=10) as agent:
        msg_id = await agent.send_well()
        await agent.send_well("+33712345678")
        agent.move(0.0)
        await agent.platform.ledger.wait_for(lambda told: len(told.webhooks) == 2)
        _, all_of_it = await agent.call("GET", "/control/ledger")
        assert len(all_of_it["messages"]) == 2
        assert (all_of_it["accepted_requests"], all_of_it["unreachable_share"]) == (2, 0.0)
        _, one = await agent.call("GET", "/control/ledger", params={"phone": PHONE})
        (message,) = one["messages"]
        assert (message["messageId"], message["status"]) == (msg_id, "delivered")
        for _ in range(11):
            await agent.send_well()
            agent.platform.send_text(PHONE, "x", "agent1")
        assert len(agent.platform.ledger.messages) == len(agent.platform.ledger.users) == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_writes_a_key_and_ends_on_a_signal(number: int, tmp_path: Path) -> None:
    rules, key = tmp_path / "rules.toml", tmp_path / "key.json"
    rules.write_text('[[rule]]\nreach = "no_rcs"\n')
    script = (
        "from pathlib import Path; from gatewayd.simulate.rbm import run_command;"
        f"run_command('127.0.0.1:0', '', 'token', Path({str(key)!r}), Path({str(rules)!r}), 60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3], env={**os.environ}
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20.0)).decode()
    assert line.startswith("rbm platform listening on http://127.0.0.1:")
    base = line.split()[-1]
    assert json.loads(key.read_bytes())["token_uri"] == base + "/token"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    async with aiohttp.ClientSession() as session, session.get(base + "/control/ledger") as response:
        assert (await response.json())["messages"] == []
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 20.0) == 0


def test_the_command_explains_why_it_cannot_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for listen, key in (("nowhere", tmp_path / "key.json"), ("127.0.0.1:0", bad)):
        with pytest.raises(SystemExit) as caught:
            run_command(listen, "", "token", key, None, 0)
        assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "not an address" in told
    assert "unreadable" in told
