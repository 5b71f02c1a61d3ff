"""Tells an MQTT broker, in retained messages, how links and binds are, and sees to it that what stands there is true.

Each worker tells what it has in one message of its own, for which the broker has its last will: whatever kills the
worker, the broker itself takes that message back. All workers read these; one of them, the one that holds the seat,
adds them up and tells of each link and account. When it dies, another takes the seat and goes over everything. With
MQTT 5 what is added up also expires by itself, should all workers die at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gatewayd.runtime.seats import Seats
from gatewayd.runtime.tasks import spawn
from gatewayd.senders.mqtt_topics import Own, Topics, Wanted, told_of_accounts, told_of_links
from gatewayd.senders.mqtt_wire import Incoming, Wire, WireFault
from gatewayd.senders.webhook_payload import moment

LOOK_S: Final = 0.5
AGAIN_S: Final = 60.0
"""How often all is told anew, although nothing has changed."""

EXPIRY_S: Final = 180
LEAVE_S: Final = 2.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Own).decode


class States:
    """One worker's part in it."""

    def __init__(
        self,
        topics: Topics,
        slot: int,
        seats: Seats,
        read: Callable[[], Own],
        wanted: Callable[[], Wanted],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``seats``: a group of one. ``read`` says what this worker has, ``wanted`` what is configured, as of now."""
        self._topics = topics
        self._slot = slot
        self._seats = seats
        self._read = read
        self._wanted = wanted
        self._clock = clock
        self._workers: dict[int, Own] = {}
        self._told: dict[str, tuple[dict[str, Any] | None, float]] = {}
        self._said: Own | None = None
        self._said_at = 0.0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @staticmethod
    def will(slot: int) -> bytes:
        """What the broker is to say of a worker that is gone without a word."""
        return _encode(Own(slot, "gone"))

    @property
    def leads(self) -> bool:
        """Whether this worker tells of links and accounts."""
        return bool(self._seats.held)

    # -- a guest of the connection ------------------------------------------------------------------------------------

    async def connected(self, wire: Wire) -> None:
        """Hear of all workers, and tell of this one."""
        self._workers.clear()
        self._said = None
        # QoS 0, so that what waits for its acknowledgement cannot hold up the news of a worker's death.
        await wire.subscribe(self._topics.all_workers, qos=0)
        await self._say(wire, self._read())
        self._task = spawn(self._keep(wire), name="mqtt states")

    def disconnected(self) -> None:
        """Somebody else must tell."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._give_seat()

    def received(self, wire: Wire, incoming: Incoming) -> bool:
        """What a worker tells of itself, or what stands in a topic that this worker may be in charge of."""
        slot = self._topics.slot_of(incoming.topic)
        if slot is not None:
            self._hear(slot, incoming.payload)
        elif not self._topics.is_told(incoming.topic):
            return False
        elif incoming.payload and incoming.topic not in self._told:
            self._told[incoming.topic] = (None, 0.0)
            self._changed.set()
        wire.acknowledge(incoming.number)
        return True

    async def leave(self, wire: Wire) -> None:
        """Tell that this worker is not here any more. Whoever is the last one says so of everything."""
        if self._task is not None:
            self._task.cancel()
        await self._say(wire, Own(self._slot, "stopped"))
        deadline = time.monotonic() + LEAVE_S
        while time.monotonic() < deadline:
            # Once our own word has come back, so has everything that others said before it.
            has_come_back = self._workers.get(self._slot) == self._said
            if has_come_back and any(worker.state == "up" for worker in self._workers.values()) and not self.leads:
                return
            if has_come_back and (self.leads or self._seats.take() is not None):
                await self._tell(wire)
                self._give_seat()
                return
            self._changed.clear()
            await self._pause(0.1)

    # -- one worker ---------------------------------------------------------------------------------------------------

    async def _keep(self, wire: Wire) -> None:
        try:
            while True:
                own = self._read()
                if own != self._said or self._clock() - self._said_at >= AGAIN_S:
                    await self._say(wire, own)
                if not self.leads and self._seats.take() is not None:
                    await self._take_over(wire)
                if self.leads:
                    await self._tell(wire)
                self._changed.clear()
                await self._pause(LOOK_S)
        except WireFault:
            return  # another connection begins anew

    async def _say(self, wire: Wire, own: Own) -> None:
        await wire.settled(wire.publish(self._topics.worker(self._slot), _encode(own), is_retained=True))
        self._said, self._said_at = own, self._clock()

    def _hear(self, slot: int, payload: bytes) -> None:
        try:
            self._workers[slot] = _decode(payload)
        except msgspec.DecodeError:  # nothing of ours: an emptied topic, or a stranger's
            self._workers.pop(slot, None)
        self._changed.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    # -- all of them --------------------------------------------------------------------------------------------------

    async def _take_over(self, wire: Wire) -> None:
        """What the last one told may be of links and accounts that are no more: have it shown."""
        self._told.clear()
        for topics in self._topics.told:
            await wire.subscribe(topics, qos=0)
            await wire.unsubscribe(topics)

    async def _tell(self, wire: Wire) -> None:
        """Say what has changed, take back what is of nobody any more."""
        now = self._clock()
        wanted, workers = self._wanted(), list(self._workers.values())
        news = {self._topics.link(name): told for name, told in told_of_links(workers, wanted).items()}
        news |= {self._topics.binds(name): told for name, told in told_of_accounts(workers, wanted).items()}
        answers = []
        for topic, told in news.items():
            before, told_at = self._told.get(topic, (None, 0.0))
            if told != before or now - told_at >= AGAIN_S:
                content = _encode(told | {"at": moment(now)})
                answers.append(wire.publish(topic, content, is_retained=True, expiry_s=EXPIRY_S))
                self._told[topic] = (told, now)
        for topic in [topic for topic in self._told if topic not in news]:
            del self._told[topic]
            answers.append(wire.publish(topic, b"", is_retained=True))
        for slot in [slot for slot in self._workers if slot >= wanted.workers]:
            del self._workers[slot]
            answers.append(wire.publish(self._topics.worker(slot), b"", is_retained=True))
        for answer in answers:
            await wire.settled(answer)

    def _give_seat(self) -> None:
        for number in tuple(self._seats.held):
            self._seats.give_back(number)
