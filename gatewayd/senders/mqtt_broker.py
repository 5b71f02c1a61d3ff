"""The lasting relation with an MQTT broker: one connection, made again with more and more time between the tries.

Tells those who listen when there is a connection and when there is none; what goes over it is their business.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from gatewayd.policy.retry import reconnect_delay_s
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import spawn
from gatewayd.senders.mqtt_wire import Incoming, Terms, Wire, WireFault

log = logging.getLogger(__name__)

STEADY_S: Final = 10.0
"""A connection that held so long ends a row of failures: one that is taken away at once, again and again, does not."""

SILENCES_MAX: Final = 3
"""A broker that hangs up on MQTT 5 so often in a row does not speak it."""

QUIET_FAILURES: Final = 5
"""From then on only every tenth failure is worth a line in the log."""


class Guest(Protocol):
    """A part that uses the connection."""

    async def connected(self, wire: Wire) -> None:
        """There is a new one. May raise WireFault: then it is cut, and made again."""

    def disconnected(self) -> None:
        """There is none any more."""

    def received(self, wire: Wire, incoming: Incoming) -> bool:
        """A message came, before ``connected`` perhaps; whether it was for this part. Must not raise."""

    async def leave(self, wire: Wire) -> None:
        """It will be closed: say what there is to say. May raise WireFault."""


class Broker:
    """One worker's relation with the broker."""

    def __init__(
        self,
        terms: Terms,
        version: str,
        metrics: Metrics,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``version``: "5", "3.1.1", or "auto": 5, and 3.1.1 where that is refused."""
        self._terms = terms
        self._is_auto = version == "auto"
        self._version = "5" if self._is_auto else version
        self._metrics = metrics
        self._chance = chance
        self._silences = 0
        self._guests: Sequence[Guest] = ()
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._is_stopping = False
        self.wire: Wire | None = None
        self.since = 0.0
        self.trouble = "not connected yet"

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self._terms.host}:{self._terms.port}"

    def start(self, guests: Sequence[Guest]) -> None:
        """Connect, and see to it that there is a connection from now on."""
        self._guests = guests
        self._task = spawn(self._keep(), name="mqtt")

    async def stop(self, drain_s: float) -> None:
        """Let everybody say goodbye, and close the connection."""
        self._is_stopping = True
        wire = self.wire
        if wire is not None:
            try:
                async with asyncio.timeout(max(1.0, drain_s)):
                    for guest in self._guests:
                        await guest.leave(wire)
                    await wire.close()
            except (TimeoutError, WireFault) as fault:
                log.warning("= mqtt: the connection could not be ended in order: %r", fault)
                wire.drop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def renew(self, session_s: int) -> None:
        """Connect anew, if the session is to be of another length."""
        if session_s != self._terms.session_s:
            self._terms = msgspec.structs.replace(self._terms, session_s=session_s)
            if self.wire is not None:
                spawn(self.wire.close(), name="mqtt connects anew")

    async def _keep(self) -> None:
        failures = 0
        while not self._is_stopping:
            began = time.monotonic()
            if await self._connect(failures):
                await self._ended.wait()
                self._version = "5" if self._is_auto else self._version  # it may have learned it meanwhile
                if time.monotonic() - began >= STEADY_S:
                    failures = 0
            failures += 1
            await asyncio.sleep(reconnect_delay_s(failures, self._chance()))

    async def _connect(self, failures: int) -> bool:
        """Whether there is a connection, or was one for a moment."""
        self._ended.clear()
        wire = Wire(self._terms, self._version, self._received, self._gone)
        try:
            await wire.open()
        except WireFault as fault:
            self._failed(fault, failures)
            return False
        self.wire, self.since, self.trouble = wire, time.time(), ""
        self._metrics.mqtt_connections.labels("connected").value += 1
        log.info("= mqtt: connected to %s with MQTT %s", self.place, self._version)
        try:
            for guest in self._guests:
                await guest.connected(wire)
        except WireFault as fault:
            self._failed(fault, failures)
            wire.drop()
        except Exception:  # a fault of ours: whoever met it, there must be another connection after this one
            log.exception("= mqtt: the connection could not be taken up")
            self._failed(WireFault("internal", "a fault of the gateway's own, see its log"), failures)
            wire.drop()
        return True

    def _failed(self, fault: WireFault, failures: int) -> None:
        self.trouble = str(fault)
        self._metrics.mqtt_connections.labels(fault.word).value += 1
        if failures < QUIET_FAILURES or failures % 10 == 0:
            log.warning("= mqtt: no connection to %s: %s", self.place, fault)
        # Some brokers say that they do not speak MQTT 5; others only hang up, as one does that is just being restarted.
        self._silences = self._silences + 1 if fault.word == "unanswered" else 0
        is_refused = fault.word == "version_refused" or self._silences >= SILENCES_MAX
        if self._is_auto:
            self._version = "3.1.1" if self._version == "5" and is_refused else "5"

    def _gone(self) -> None:
        self.wire = None
        self._ended.set()
        if not self._is_stopping:
            self.trouble = self.trouble or "the connection was lost"
            self._metrics.mqtt_connections.labels("lost").value += 1
            log.warning("= mqtt: the connection to %s is gone", self.place)
        for guest in self._guests:
            guest.disconnected()

    def _received(self, wire: Wire, incoming: Incoming) -> None:
        if not any(guest.received(wire, incoming) for guest in self._guests):
            wire.acknowledge(incoming.number)
