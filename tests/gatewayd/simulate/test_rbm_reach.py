"""Capabilities of one handset and of many, testers, and files, as Google's platform serves them."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest

from gatewayd.simulate.rbm_behaviour import FEATURES, RbmBehaviour, RbmRule, rbm_behaviour
from gatewayd.simulate.rule_files import load
from tests.gatewayd.simulate.rbm_agent import PHONE, Agent, an_agent

RULES = rbm_behaviour(
    RbmRule(handset=r"\+3370.*", reach="no_rcs"),
    RbmRule(handset=r"\+3371.*", reach="not_launched"),
    RbmRule(handset=r"\+3372.*", reach="not_tester"),
    RbmRule(handset=r"\+3373.*", capability_status=503),
)


async def ask(agent: Agent, phone: str, request_id: str | None = None) -> tuple[int, Any]:
    query = {"requestId": request_id or str(uuid.uuid4()), "agentId": "agent1"}
    return await agent.call("GET", f"/v1/phones/{phone}/capabilities", params=query)


async def test_the_capabilities_of_one() -> None:
    async with an_agent(RULES) as agent:
        assert await ask(agent, PHONE) == (200, {"features": list(FEATURES)})
        phones = ("+33701234567", "+33711234567", "+33721234567", "+33731234567", "0612345678")
        assert [(await ask(agent, phone))[0] for phone in phones] == [404, 404, 403, 503, 400]
        assert (await ask(agent, PHONE, "no-uuid"))[0] == 400


async def batch(agent: Agent, users: Any, **members: Any) -> tuple[int, Any]:
    query = {} if "agentId" in members else {"agentId": "agent1"}
    return await agent.call("POST", "/v1/users:batchGet", params=query, json={"users": users, **members})


def numbers(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:07d}" for number in range(count)]


async def test_the_capabilities_of_many() -> None:
    async with an_agent(RULES) as agent:
        users = numbers("+3361", 600) + numbers("+3370", 200) + numbers("+3371", 200)
        status, body = await batch(agent, users)
        assert status == 200
        assert body["reachableUsers"] == users[:600]
        assert 650 < body["totalRandomSampleUserCount"] < 850
        share = body["reachableRandomSampleUserCount"] / body["totalRandomSampleUserCount"]
        assert 0.7 < share < 0.9
        assert await batch(agent, users, agentId="agent1") == (status, body)


async def test_few_numbers_give_no_sample_or_are_refused() -> None:
    async with an_agent(RULES) as agent:
        assert await batch(agent, numbers("+3361", 3)) == (200, {"reachableUsers": numbers("+3361", 3)})
        assert await batch(agent, numbers("+3370", 3)) == (200, {})
    async with an_agent(RULES, batch_few_refused=True) as agent:
        assert (await batch(agent, numbers("+3361", 499)))[0] == 400
        assert (await batch(agent, numbers("+3361", 500)))[0] == 200


@pytest.mark.parametrize(
    "users",
    [[], ["0612345678"], [PHONE, PHONE], "all", [1], numbers("+3361", 10_001)],
    ids=lambda users: str(users)[:20],
)
async def test_batches_that_are_refused(users: Any) -> None:
    async with an_agent(RULES) as agent:
        assert (await batch(agent, users))[0] == 400


async def test_batches_have_a_quota() -> None:
    async with an_agent(RULES, batches_per_minute=2) as agent:
        assert [(await batch(agent, [PHONE]))[0] for _ in range(3)] == [200, 200, 429]
        agent.move(60.0)
        assert (await batch(agent, [PHONE]))[0] == 200
        assert (await agent.call("POST", "/v1/users:batchGet", json={"people": []}))[0] == 400


async def test_testers_are_invited_up_to_a_number() -> None:
    async with an_agent() as agent:
        path = f"/v1/phones/{PHONE}/testers"
        statuses = [(await agent.call("POST", path, params={"agentId": "agent1"}, json={}))[0] for _ in range(21)]
        assert statuses == [200] * 20 + [429]


async def test_files_are_named_uploaded_used_and_forgotten() -> None:
    async with an_agent() as agent:
        query = {"agentId": "agent1"}
        status, named = await agent.call("POST", "/v1/files", params=query, json={"fileUrl": "https://files.example/a"})
        assert status == 200
        headers = {**agent.headers, "Content-Type": "image/png"}
        large = b"x" * 3_000_000
        file = io.BytesIO(large)
        status, uploaded = await agent.call("POST", "/upload/v1/files", params=query, data=file, headers=headers)
        assert status == 200
        assert agent.platform.files.files[uploaded["name"]].content == large
        for name in (named["name"], uploaded["name"]):
            assert (await agent.send(contentMessage={"uploadedRbmFile": {"fileName": name}}))[0] == 200
        agent.clock.now += 60 * 86400.0
        await agent.fetch_token()
        assert (await agent.send(contentMessage={"uploadedRbmFile": {"fileName": named["name"]}}))[0] == 400


async def test_files_that_are_refused() -> None:
    async with an_agent() as agent:
        query = {"agentId": "agent1"}
        for media_type, content in (("image/png", b""), ("text/html", b"x")):
            headers = {**agent.headers, "Content-Type": media_type}
            status, _ = await agent.call("POST", "/upload/v1/files", params=query, data=content, headers=headers)
            assert status == 400
        for body in ({}, {"fileUrl": "files"}, {"fileUrl": "https://f", "name": "x"}):
            assert (await agent.call("POST", "/v1/files", params=query, json=body))[0] == 400


def test_rules_are_read_and_checked(tmp_path: Any) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nhandset = "\\\\+336.*"\nreach = "no_rcs"\n')
    assert load(file, RbmBehaviour).rule_of(PHONE).reach == "no_rcs"
    assert load(file, RbmBehaviour).rule_of("+33712345678").reach == "reachable"
    for text in ('reach = "far"', "deliver_after_s = -1", "submit_times = -1", "refuse_status = 200", 'handset = "("'):
        file.write_text(f"[[rule]]\n{text}\n")
        with pytest.raises(ValueError, match="rules"):
            load(file, RbmBehaviour)
    with pytest.raises(ValueError, match="webhook_duplicates"):
        RbmRule(webhook_duplicates=101)
