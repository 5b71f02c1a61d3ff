"""Google's token endpoint: only a good assertion of a known account gets a token."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from gatewayd.simulate.rbm_tokens import new_service_account, read_service_account
from gatewayd.simulate.rcs_assertion import new_key
from tests.gatewayd.simulate.rbm_agent import an_agent

NOW = 1_800_006_000


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "stranger@project.example"}, "iss"),
        ({"iss": ["gateway@project.example"]}, "iss"),
        ({"aud": "https://token.example/token"}, "aud"),
        ({"scope": "https://www.googleapis.com/auth/cloud-platform"}, "scope"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW + 3601}, "hour"),
        ({"iat": NOW + 60}, "future"),
        ({"iat": "now"}, "numbers"),
    ],
)
async def test_what_an_assertion_claims_is_checked(claims: dict[str, Any], words: str) -> None:
    async with an_agent() as agent:
        status, body = await agent.ask_token(agent.assertion(**claims))
        assert (status, body["error"]) == (400, "invalid_grant")
        assert words in body["error_description"]


async def test_how_an_assertion_is_signed_is_checked() -> None:
    async with an_agent() as agent:
        claims = jwt.decode(agent.assertion(), options={"verify_signature": False})
        others = jwt.encode(claims, new_key(), algorithm="RS256")
        bad = [
            others,
            jwt.encode(claims, "s3cret" * 8, algorithm="HS256"),
            jwt.encode(claims, "", algorithm="none"),
            agent.assertion(headers={"typ": "JOSE"}),
            agent.assertion(headers={"kid": "another"}),
            agent.assertion() + "=",
            agent.assertion()[:-4] + "AAAA",
            "a.b",
            "a.b.c",
            "bnVsbA.bnVsbA.AA",
            "",
        ]
        for assertion in bad:
            assert (await agent.ask_token(assertion))[0] == 400, assertion
        assert (await agent.ask_token(agent.assertion(), "client_credentials"))[1]["error"] == "unsupported_grant_type"
        assert (await agent.ask_token(agent.assertion()))[0] == 200


async def test_an_audience_of_ones_own() -> None:
    async with an_agent() as agent:
        assert (await agent.ask_token(agent.assertion(aud="https://oauth2.googleapis.com/token")))[0] == 200
        agent.platform._door.token_uri = "https://token.example/token"
        assert (await agent.ask_token(agent.assertion()))[0] == 400
        assert (await agent.ask_token(agent.assertion(aud="https://oauth2.googleapis.com/token")))[0] == 400
        assert (await agent.ask_token(agent.assertion(aud="https://token.example/token")))[0] == 200


async def test_tokens_are_needed_run_out_and_are_taken_back() -> None:
    async with an_agent(token_lifetime_s=60.0) as agent:
        for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer nonsense"}):
            status, body = await agent.call("GET", "/v1/phones/+33612345678/capabilities", headers=headers)
            assert (status, body["error"]["status"]) == (401, "UNAUTHENTICATED")
        agent.move(60.0)
        assert (await agent.send())[0] == 401
        await agent.fetch_token()
        assert (await agent.send())[0] == 200
        agent.platform.tokens.revoke_all()
        assert (await agent.send())[0] == 401


async def test_agents_are_named_and_known() -> None:
    async with an_agent(agents=frozenset({"agent1"})) as agent:
        assert (await agent.send(agent="agent2"))[0] == 403
        assert (await agent.send(agent=""))[0] == 400
        assert (await agent.send())[0] == 200


def test_a_key_file_is_read() -> None:
    account = read_service_account(new_service_account("http://127.0.0.1:1/token"))
    assert account.token_uri == "http://127.0.0.1:1/token"
    with pytest.raises(ValueError, match="private_key"):
        read_service_account(b'{"client_email": "x", "private_key_id": "y"}')
