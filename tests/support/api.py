"""An application that speaks HTTP, over aiohttp: calls, and waits until a message is where a test wants it."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiohttp

from gatewayd.config.api_keys import hash_key, make_key

KEY = make_key(random.Random(1))
OTHER_KEY = make_key(random.Random(2))
WAIT_S = 15.0


class Answer(NamedTuple):
    """One answer; ``body`` is read JSON, or the text."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> str:
        """The problem's kind."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self.body["status"] == self.status
        return str(self.body["type"]).removeprefix("/docs#")


class Api:
    """One client of the HTTP API."""

    def __init__(self, base: str, key: str = KEY, tls: ssl.SSLContext | None = None) -> None:
        self.base = base
        self._tls = tls
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"} if key else {})

    async def close(self) -> None:
        """End it."""
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One call; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            method, self.base + path, json=body, headers=named, ssl=self._tls or False, timeout=_TIMEOUT
        ) as response:
            is_json = response.content_type.endswith("json")
            content = await response.json(content_type=None) if is_json else await response.text()
            return Answer(response.status, content, response.headers.copy())

    async def until_ready(self) -> None:
        """Wait until the worker at the other end can answer whatever it is asked: it has met the others."""
        async with asyncio.timeout(WAIT_S):
            while (answer := await self.call("GET", "/readyz")).status != 200:
                assert answer.status == 503

    async def send(self, to: str, text: str = "hello", **fields: Any) -> str:
        """The id of a message that was taken."""
        answer = await self.call("POST", "/v1/messages", {"to": to, "from": "33700000001", "text": text, **fields})
        assert answer.status == 202, answer
        assert answer.headers["Location"] == f"/v1/messages/{answer.body['id']}"
        return str(answer.body["id"])

    async def state(self, message_id: str) -> Any:
        """What is known of a message."""
        answer = await self.call("GET", f"/v1/messages/{message_id}")
        assert answer.status == 200, answer
        return answer.body

    async def until(self, message_id: str, condition: Callable[[Any], object]) -> Any:
        """What is known of a message, once the condition holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition(state := await self.state(message_id)):
                pass
            return state


_TIMEOUT = aiohttp.ClientTimeout(total=20)


def tables(workers: int = 1, **http: Any) -> dict[str, Any]:
    """The listener and a key of the account shop, to be laid over a test's own."""
    return {
        "daemon": {"workers": workers},
        "http": {"listen": ["127.0.0.1:0"], **http},
        "accounts": {
            "shop": {"api_keys": {"main": {"hash": hash_key(KEY)}}},
            "bank": {"api_keys": {"main": {"hash": hash_key(OTHER_KEY)}}},
        },
    }
