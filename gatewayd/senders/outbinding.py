"""Asks applications to bind: dials those that want it while deliveries wait and none of their receivers is bound.

One call at a time for each account, over all workers, and ever less often as long as none answers (SMPP 3.4 section
2.2.1). Knows no delivery: it only sees that some wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from gatewayd.policy.retry import outbind_delay_s
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.seats import Seats
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.trail import say
from gatewayd.senders.esme_connection import EsmeConnection
from protocol.smpp.pdu import Outbind

if TYPE_CHECKING:
    from gatewayd.senders.box import Box
    from gatewayd.senders.deliver import Outbox
    from gatewayd.senders.smpp_server import SmppServer

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
DIAL_S: Final = 10.0
STEADY_S: Final = 60.0
"""A bind that stood for so long was a success; one that goes sooner counts as a failure."""


class Target(msgspec.Struct, frozen=True):
    """Where an application listens, and by which password it knows us."""

    host: str
    port: int
    password: str


class _Calls:
    """What is known of one account."""

    def __init__(self, turn: Seats, receiving: Seats) -> None:
        self.turn = turn
        self.receiving = receiving
        self.failures = 0
        self.next_at = 0.0
        self.bound_at = 0.0
        self.task: asyncio.Task[None] | None = None


class Outbinder:
    """All accounts that are to be dialled."""

    def __init__(
        self,
        server: SmppServer,
        outbox: Outbox,
        seats: Callable[[str, int], Seats],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``seats`` gives a group of seats by its name, the same in every worker."""
        self._server = server
        self._outbox = outbox
        self._seats = seats
        self._metrics = metrics
        self._clock = clock
        self._targets: Mapping[str, Target] = {}
        self._calls: dict[str, _Calls] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_running = False

    def configure(self, targets: Mapping[str, Target]) -> None:
        """These accounts from now on. Calls that are under way go on."""
        self._targets = targets
        if self._is_running:
            self._look_later()

    def start(self) -> None:
        """Look after deliveries that wait."""
        self._is_running = True
        self._look_later()

    def stop(self) -> None:
        """Dial nobody any more."""
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()
        for calls in self._calls.values():
            if calls.task is not None:
                calls.task.cancel()

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._targets:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self.look()
        if self._is_running:
            self._look_later()

    def look(self) -> None:
        """Dial whoever must be dialled now."""
        for name, target in self._targets.items():
            box, calls = self._outbox.box(name), self._calls_of(name)
            if box is not None and not self._is_served(box, calls) and self._must_dial(box, calls):
                calls.task = spawn(self._call(name, target, calls), name=f"outbind {name}")

    def _is_served(self, box: Box, calls: _Calls) -> bool:
        """Whether a receiver is bound anywhere; the others are told of ours by a seat that is held."""
        if not box.receivers:
            for number in tuple(calls.receiving.held):
                calls.receiving.give_back(number)
            return any(holder is not None for holder in calls.receiving.holders())
        if not calls.receiving.held:
            calls.receiving.take()
        if self._clock() - calls.bound_at >= STEADY_S:
            calls.failures = 0
        return True

    def _must_dial(self, box: Box, calls: _Calls) -> bool:
        if self._server.is_draining or (calls.task is not None and not calls.task.done()):
            return False
        return box.depth > 0 and self._clock() >= calls.next_at and calls.turn.take() is not None

    async def _call(self, name: str, target: Target, calls: _Calls) -> None:
        connection = EsmeConnection(self._server, called=name)
        try:
            outcome = await self._dial(connection, target)
        finally:
            for number in tuple(calls.turn.held):
                calls.turn.give_back(number)
            if connection.account is None:
                connection.pump.abort()
        # A bind may end at once, and what waits is no reason to call again and again.
        calls.failures += 1
        calls.bound_at = self._clock()
        calls.next_at = calls.bound_at + outbind_delay_s(calls.failures, random.random())
        self._metrics.outbinds.labels(name, outcome).value += 1
        say(log, logging.INFO, "> outbind", account=name, to=f"{target.host}:{target.port}", outcome=outcome)

    async def _dial(self, connection: EsmeConnection, target: Target) -> str:
        """How it ended: bound, refused (it closed, or its bind was refused), unreachable or unanswered."""
        loop, engine = asyncio.get_running_loop(), connection.engine
        try:
            async with asyncio.timeout(DIAL_S):
                await loop.create_connection(lambda: connection.pump, target.host, target.port)
        except OSError:  # TimeoutError is one
            return "unreachable"
        asked = Outbind(system_id=self._server.settings.system_id, password=target.password)
        engine.request(asked, time.monotonic())
        connection.pump.flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._server.settings.session_init_timeout_s + LOOK_S):
                await connection.settled.wait()
        if connection.account is not None:
            return "bound"
        return "refused" if connection.end and connection.end != "session_init_timeout" else "unanswered"

    def _calls_of(self, name: str) -> _Calls:
        calls = self._calls.get(name)
        if calls is None:
            turn, receiving = self._seats(f"outbind:{name}", 1), self._seats(f"receiving:{name}", 64)
            calls = self._calls[name] = _Calls(turn, receiving)
        return calls
