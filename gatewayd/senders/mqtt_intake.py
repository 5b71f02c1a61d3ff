"""Takes messages that accounts publish over MQTT: hands each in, tells how it fared, and only then acknowledges it.

What cannot be taken now waits, unacknowledged, so that the broker keeps it and sends no more than it may. One account's
messages are handed in in their order; accounts do not wait for one another here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import spawn
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_problems import Problem
from gatewayd.senders.http_shapes import Outcome, Send, decoded
from gatewayd.senders.http_submit import Result, Submits, TemplateFiller, outcome_of, submit_of
from gatewayd.senders.mqtt_topics import Topics
from gatewayd.senders.mqtt_wire import FAILED, Incoming, Wire, WireFault
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm

log = logging.getLogger(__name__)

BATCH_MAX: Final = 100
BUSY_S: Final = 1.0
"""How long to leave a store alone that takes nothing."""

WAIT_MIN_S: Final = 0.02
CORRELATION_MAX: Final = 1_000
_NOT_NOW: Final = (Status.ESME_RMSGQFUL, Status.ESME_RSYSERR)


class Publication(Send, forbid_unknown_fields=True, rename={"sender": "from", "traffic_class": "class"}):
    """What is published: a message as the HTTP API takes it, and for those who cannot name a response topic whether
    they want to hear of an accepted message too, and what they know the answer by."""

    want_result: bool = False
    correlation: str = ""


class Report(Outcome, omit_defaults=True):
    """How a message fared, as in a batch of the HTTP API."""

    idempotency_key: str = ""
    correlation: str = ""


class Waiting(msgspec.Struct):
    """A message that came and is not acknowledged."""

    wire: Wire
    incoming: Incoming
    published: Publication
    pdu: SubmitSm


class Line(msgspec.Struct):
    """What waits of one account, in order, and whether somebody sees to it."""

    waiting: deque[Waiting]
    is_served: bool = False


_read = msgspec.json.Decoder(Publication).decode
_encode = msgspec.json.Encoder().encode


class Intake:
    """What comes to one worker. ``accounts`` are those that live now."""

    def __init__(
        self,
        topics: Topics,
        accounts: Mapping[str, Account],
        submits: Submits,
        fill: TemplateFiller,
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        window: int,
        size_max: int,
        over_rate: Literal["wait", "refuse"],
        shares: bool,
    ) -> None:
        """``window`` bounds what may wait here: the broker sends no more, but for what it never expects back.
        ``shares``: there are other workers."""
        self._topics = topics
        self._accounts = accounts
        self._submits = submits
        self._fill = fill
        self._metrics = metrics
        self._clock = clock
        self._window = window
        self._size_max = size_max
        self._shares = shares
        self._waits_for_rate = over_rate == "wait"
        self._lines: dict[str, Line] = {}
        self._answers = 0
        self._is_closed = False
        self.is_wanted = False
        self.unacknowledged = 0

    # -- a guest of the connection ------------------------------------------------------------------------------------

    async def connected(self, wire: Wire) -> None:
        """Share what comes with the other workers. One that is alone has a subscription of the common kind, which
        brokers keep better: Mosquitto's shared ones do not outlive its restart."""
        if self.is_wanted:
            wanted, other = self._topics.sends, self._topics.shared_sends
            if self._shares:
                wanted, other = other, wanted
            await wire.subscribe(wanted)
            await wire.unsubscribe(other)

    def disconnected(self) -> None:
        """What was not acknowledged comes again, over another connection."""
        for line in self._lines.values():
            left = [waiting for waiting in line.waiting if not waiting.wire.has_ended]
            self.unacknowledged -= len(line.waiting) - len(left)
            line.waiting = deque(left)

    def close(self) -> None:
        """Take nothing more; what comes from now on stays with the broker."""
        self._is_closed = True

    async def leave(self, wire: Wire) -> None:
        """Nothing to say: the broker keeps what comes until we are back."""

    def received(self, wire: Wire, incoming: Incoming) -> bool:
        """Somebody published a message."""
        name = self._topics.sender_of(incoming.topic)
        if name is None:
            return False
        if self._is_closed:
            return True
        try:
            self._take(wire, incoming, name)
        except Exception:  # a fault of ours must not end the connection: the same message would come again at once
            log.exception("= mqtt: a message could not be looked at")
            self._metrics.faults.labels("mqtt", "internal").value += 1
            wire.acknowledge(incoming.number)
        return True

    def _take(self, wire: Wire, incoming: Incoming, name: str) -> None:
        if incoming.is_old:  # taken when it was published; the broker tells it again with each connection of ours
            self._fault("retained")
            wire.acknowledge(incoming.number)
            return
        account = self._accounts.get(name)
        if account is None or not account.settings.mqtt_send:
            self._fault("not_allowed")
            wire.acknowledge(incoming.number)
            return
        published = Publication("", "")
        try:
            published = self._published(incoming)
            pdu = submit_of(published, account, self._clock(), self._fill, published.idempotency_key or "")
        except Problem as problem:
            self._fault(problem.kind.replace("-", "_"))
            if not incoming.number and self._answers >= self._window:  # QoS 0 comes as fast as anybody likes
                return
            self._answer(wire, incoming, name, published, outcome_of(problem))
            return
        line = self._lines.setdefault(name, Line(deque()))
        if not incoming.number and len(line.waiting) >= self._window:
            self._fault("qos_0_overflow")
            return
        self.unacknowledged += 1
        line.waiting.append(Waiting(wire, incoming, published, pdu))
        if not line.is_served:
            line.is_served = True
            spawn(self._serve(name, line), name=f"mqtt messages of {name}")

    def _published(self, incoming: Incoming) -> Publication:
        """What a payload says. Raises Problem."""
        if len(incoming.payload) > self._size_max:
            raise Problem("body-too-large")
        published = decoded(_read, incoming.payload)
        if len(published.correlation) > CORRELATION_MAX:
            raise Problem("bad-shape", f"is longer than {CORRELATION_MAX} characters", element="correlation")
        return published

    # -- one account's line -------------------------------------------------------------------------------------------

    async def _serve(self, name: str, line: Line) -> None:
        """Hand in what waits until nothing does."""
        await asyncio.sleep(0)  # what else was read in this loop turn goes in the same batch
        try:
            while line.waiting and not self._is_closed:
                account = self._accounts.get(name)
                if account is None:
                    for waiting in line.waiting:
                        self._fault("not_allowed")
                        self._done(waiting)
                    line.waiting.clear()
                    return
                count, pause_s = self._room(account)
                if count:
                    pause_s = await self._hand_in(account, line, count)
                if pause_s:
                    await asyncio.sleep(pause_s)
        finally:
            line.is_served = False
            if not line.waiting:
                self._lines.pop(name, None)

    def _room(self, account: Account) -> tuple[int, float]:
        """How many may be handed in now, or how long to wait until one may."""
        count, wait_s = account.room() if self._waits_for_rate else (-1, 0.0)
        return (BATCH_MAX if count < 0 else min(count, BATCH_MAX)), max(wait_s, WAIT_MIN_S)

    async def _hand_in(self, account: Account, line: Line, count: int) -> float:
        """The next ones; how long to wait before more are tried."""
        batch = [line.waiting.popleft() for _ in range(min(count, len(line.waiting)))]
        results = await self._submits.hand_in(account, [waiting.pdu for waiting in batch])
        again, pause_s = [], 0.0
        for waiting, result in zip(batch, results, strict=True):
            wait_s = self._waits(result)
            pause_s = max(pause_s, wait_s)
            if not wait_s:
                self._settle(account, waiting, result)
            elif waiting.wire.has_ended:
                self._done(waiting)
            else:
                again.append(waiting)
        line.waiting.extendleft(reversed(again))
        return pause_s

    def _waits(self, result: Result) -> float:
        """For how long a message is left alone that can be taken later; 0 for one whose fate is known."""
        if not isinstance(result, Refusal):
            return 0.0
        if result.status in _NOT_NOW:
            return BUSY_S
        return WAIT_MIN_S if result.status is Status.ESME_RTHROTTLED and self._waits_for_rate else 0.0

    def _settle(self, account: Account, waiting: Waiting, result: Result) -> None:
        self.unacknowledged -= 1
        self._answer(waiting.wire, waiting.incoming, account.name, waiting.published, outcome_of(result))

    def _done(self, waiting: Waiting) -> None:
        self.unacknowledged -= 1
        waiting.wire.acknowledge(waiting.incoming.number)

    # -- the answer ---------------------------------------------------------------------------------------------------

    def _answer(self, wire: Wire, incoming: Incoming, name: str, published: Publication, outcome: Outcome) -> None:
        """Tell how it fared, if anybody is to hear it, and acknowledge the message once the broker has the answer."""
        is_refused = outcome.problem is not None
        if not (is_refused or incoming.response_topic or published.want_result):
            wire.acknowledge(incoming.number)
            return
        topic = self._topics.results(name)
        if self._topics.may_answer_at(incoming.response_topic, name):
            topic = incoming.response_topic
        elif incoming.response_topic:
            self._fault("response_topic")
        report = Report(
            outcome.status,
            outcome.id,
            outcome.problem,
            published.idempotency_key or "",
            published.correlation,
        )
        self._answers += 1
        answer = wire.publish(topic, _encode(report), correlation=incoming.correlation)
        answer.add_done_callback(lambda done: self._answered(done, wire, incoming))

    def _answered(self, answer: asyncio.Future[int], wire: Wire, incoming: Incoming) -> None:
        self._answers -= 1
        if answer.cancelled() or isinstance(answer.exception(), WireFault):
            return  # the message comes again, and its answer with it
        if answer.result() >= FAILED:
            self._fault("answer_refused")
        wire.acknowledge(incoming.number)

    def _fault(self, kind: str) -> None:
        self._metrics.faults.labels("mqtt", kind).value += 1
