"""A plain agent for the RBM platform's tests: raw HTTP both ways, no code of the gateway's, and a clock to move."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gatewayd.simulate.rbm import RbmOptions, RbmPlatform
from gatewayd.simulate.rbm_behaviour import RbmBehaviour
from gatewayd.simulate.rbm_tokens import ServiceAccount
from gatewayd.simulate.rcs_assertion import new_key
from gatewayd.simulate.rcs_webhooks import WebhookPolicy
from tests.gatewayd.simulate.rcs_bot import Clock

PHONE = "+33612345678"
SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@functools.cache
def one_key() -> str:
    """One RSA key for all tests: making one takes a while."""
    return new_key()


@functools.cache
def loaded_key() -> rsa.RSAPrivateKey:
    """The same, ready to sign with."""
    key = serialization.load_pem_private_key(one_key().encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


class Agent:
    """An agent with a token, a webhook that answers as told, and every push it was sent."""

    def __init__(self, platform: RbmPlatform, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.clock = clock
        self.session = session
        self.base = ""
        self.key: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.pushes: list[tuple[str, bytes]] = []
        self.events: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.validation = "text"
        self._told = asyncio.Event()

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "secret" in body:
            return self._prove(body["secret"])
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.pushes.append((request.headers.get("X-Goog-Signature", ""), await request.read()))
            self.events.append(json.loads(base64.b64decode(body["message"]["data"])))
        self._told.set()
        return web.Response(status=status)

    def _prove(self, secret: str) -> web.Response:
        if self.validation == "text":
            return web.Response(text=secret)
        if self.validation == "json":
            return web.json_response({"secret": secret})
        if self.validation == "header":
            return web.Response(headers={"secret": secret})
        return web.Response(text="hello")

    async def wait_for(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(5.0):
            while not predicate():
                self._told.clear()
                await self._told.wait()

    async def wait_events(self, count: int) -> list[dict[str, Any]]:
        await self.wait_for(lambda: len(self.events) >= count)
        return self.events

    def kinds(self) -> list[str]:
        return [event["eventType"] for event in self.events if "eventType" in event]

    def move(self, seconds: float) -> None:
        self.clock.now += seconds
        self.platform.tick()

    def assertion(self, headers: dict[str, str] | None = None, **claims: Any) -> str:
        now = int(self.clock.wall())
        told = {
            "iss": self.key["client_email"],
            "scope": SCOPE,
            "aud": self.key["token_uri"],
            "iat": now,
            "exp": now + 3600,
        }
        named = {"kid": self.key["private_key_id"], **(headers or {})}
        payload = json.dumps({**told, **claims}).encode()
        return jwt.api_jws.encode(payload, loaded_key(), algorithm="RS256", headers=named)

    async def ask_token(self, assertion: str, grant: str = GRANT) -> tuple[int, Any]:
        form = {"grant_type": grant, "assertion": assertion}
        async with self.session.post(self.base + "/token", data=form) as response:
            return response.status, await response.json()

    async def fetch_token(self) -> None:
        status, body = await self.ask_token(self.assertion())
        assert status == 200, body
        self.headers = {"Authorization": f"Bearer {body['access_token']}"}

    async def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        kwargs.setdefault("headers", self.headers)
        async with self.session.request(method, self.base + path, **kwargs) as response:
            body = await response.read()
            return response.status, json.loads(body) if response.content_type.endswith("json") else body

    async def send(
        self, phone: str = PHONE, msg_id: str = "", agent: str = "agent1", **members: Any
    ) -> tuple[int, Any]:
        body = {"messageTrafficType": "TRANSACTION", **members}
        body.setdefault("contentMessage", {"text": "hello"})
        query = {"messageId": msg_id or str(uuid.uuid4()), "agentId": agent}
        return await self.call("POST", f"/v1/phones/{phone}/agentMessages", params=query, json=body)

    async def send_well(self, phone: str = PHONE, **members: Any) -> str:
        msg_id = str(uuid.uuid4())
        status, body = await self.send(phone, msg_id, **members)
        assert status == 200, body
        assert body["name"] == f"phones/{phone}/agentMessages/{msg_id}"
        return msg_id

    async def revoke(self, msg_id: str, phone: str = PHONE) -> tuple[int, Any]:
        path = f"/v1/phones/{phone}/agentMessages/{msg_id}"
        return await self.call("DELETE", path, params={"agentId": "agent1"})

    def what(self, msg_id: str) -> list[str]:
        return self.platform.ledger.message(msg_id).what()


@asynccontextmanager
async def an_agent(behaviour: RbmBehaviour | None = None, **options: Any) -> AsyncIterator[Agent]:
    """A platform and an agent with a token, on loopback."""
    clock = Clock()
    options.setdefault("webhooks", WebhookPolicy(attempts=3, backoff_s=1.0))
    platform = RbmPlatform(RbmOptions(**options), behaviour, clock=clock, wall=clock.wall)
    async with aiohttp.ClientSession() as session:
        agent = Agent(platform, clock, session)
        app = web.Application()
        app.router.add_post("/hook", agent.webhook)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        platform.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
        agent.base = f"http://127.0.0.1:{await platform.start()}"
        account = ServiceAccount("gateway@project.example", "key-1", one_key(), agent.base + "/token")
        platform.trust(account)
        agent.key = msgspec.to_builtins(account)
        try:
            await agent.fetch_token()
            yield agent
        finally:
            await platform.stop()
            await runner.cleanup()
