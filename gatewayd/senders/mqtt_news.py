"""Publishes what accounts are owed to an MQTT broker, with QoS 1, and says what the broker made of each.

Knows nothing of retries, order or bounds: gatewayd.senders.courier does. While there is no connection it takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from gatewayd.senders.gates import Verdict
from gatewayd.senders.mqtt_topics import Topics
from gatewayd.senders.mqtt_wire import FAILED, Incoming, Wire, WireFault
from gatewayd.senders.webhook_payload import body
from gatewayd.store.records import Delivery

ENDPOINT: Final = "broker"
"""What the one endpoint of the sink is called, in metrics."""

BATCH_MAX: Final = 20
HEAD_MAX: Final = 512
"""More than a PUBLISH packet has besides topic and payload."""

# A connection that ended says nothing of the delivery: it goes again as soon as there is another, and counts no try.
_LOST: Final = Verdict("later", "disconnected", pause_s=0.001)

# MQTT 5 section 2.4: payload format invalid, topic name invalid, packet too large. All else may change, as ACLs do.
_REFUSED: Final = frozenset({0x99, 0x90, 0x95})


class NewsPoster:
    """The way to the broker, as a courier sees it."""

    def __init__(self, topics: Topics, window: int, when_back: Callable[[], None]) -> None:
        """``window`` bounds what is unacknowledged. ``when_back`` is called when there is a connection again."""
        self.batch_max = min(BATCH_MAX, window)
        self._batches = max(1, window // self.batch_max)
        self.concurrency = 0
        self._topics = topics
        self._when_back = when_back
        self._wire: Wire | None = None

    async def connected(self, wire: Wire) -> None:
        """Bring what has waited."""
        self._wire, self.concurrency = wire, self._batches
        self._when_back()

    def disconnected(self) -> None:
        """Begin nothing more."""
        self._wire, self.concurrency = None, 0

    def received(self, wire: Wire, incoming: Incoming) -> bool:
        """Nothing that comes is for this part."""
        return False

    async def leave(self, wire: Wire) -> None:
        """Nothing to say."""

    async def post(self, batch: Sequence[Delivery]) -> list[Verdict]:
        """All at once; then each answer."""
        wire = self._wire
        if wire is None:
            return [_LOST] * len(batch)
        answers = [self._publish(wire, delivery) for delivery in batch]
        return [answer if isinstance(answer, Verdict) else await _verdict(wire, answer) for answer in answers]

    async def close(self) -> None:
        """The connection is not ours to end."""

    def _publish(self, wire: Wire, delivery: Delivery) -> Verdict | asyncio.Future[int]:
        topic, content = self._topics.news(delivery.account, delivery.kind), body(delivery)
        # Too large a packet would cost the connection, and again at each try.
        if wire.size_max and len(topic) + len(content) + HEAD_MAX > wire.size_max:
            return Verdict("refused", "too_large")
        return wire.publish(topic, content)


async def _verdict(wire: Wire, answer: asyncio.Future[int]) -> Verdict:
    try:
        code = await wire.settled(answer)
    except WireFault as fault:
        return _LOST if fault.word == "disconnected" else Verdict("later", fault.word)
    return verdict_of(code)


def verdict_of(code: int) -> Verdict:
    """What a PUBACK's reason code means for a delivery. MQTT 3.1.1 knows success alone."""
    if code < FAILED:
        return Verdict("taken", "taken")
    return Verdict("refused" if code in _REFUSED else "later", f"0x{code:02x}")
