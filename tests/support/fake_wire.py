"""A connection to a broker that is not there: keeps what is published and acknowledged, answers when it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from gatewayd.senders.mqtt_wire import Incoming, WireFault
from tests.support.watch import Watch


class FakeWire:
    """Answers each publish with ``code`` at once, or, where that is None, not before ``answer``."""

    def __init__(self, code: int | None = 0, size_max: int = 0) -> None:
        self.code = code
        self.size_max = size_max
        self.has_ended = False
        self.published: list[tuple[str, Any]] = []
        self.correlations: list[bytes] = []
        self.acknowledged: list[int] = []
        self.subscribed: list[str] = []
        self.waiting: list[asyncio.Future[int]] = []
        self.watch = Watch()

    def publish(self, topic: str, payload: bytes, correlation: bytes = b"", **how: Any) -> asyncio.Future[int]:
        self.published.append((topic, json.loads(payload) if payload else None))
        self.correlations.append(correlation)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.code is None:
            self.waiting.append(answer)
        else:
            answer.set_result(self.code)
        self.watch.ring()
        return answer

    async def settled(self, answer: asyncio.Future[int]) -> int:
        return await answer

    async def subscribe(self, topic: str, qos: int = 1) -> None:
        self.subscribed.append(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Nothing follows from it here."""

    def acknowledge(self, number: int) -> None:
        self.acknowledged.append(number)
        self.watch.ring()

    def lose(self) -> None:
        """The connection is gone."""
        self.has_ended = True
        for answer in self.waiting:
            answer.set_exception(WireFault("disconnected"))


def incoming(
    content: Any,
    number: int = 1,
    account: str = "shop",
    response_topic: str = "",
    correlation: bytes = b"",
    is_old: bool = False,
) -> Incoming:
    """A message of an account."""
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Incoming(f"gatewayd/accounts/{account}/send", payload, number, response_topic, correlation, is_old)
