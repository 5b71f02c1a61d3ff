"""Connections to a carrier's hosts: names looked up once for all binds, begun no faster than agreed, encrypted.

Knows no bind and no PDU.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from gatewayd.carriers.carrier_tls import CarrierTls
from gatewayd.config import schema
from gatewayd.config.addresses import address_text, parse_address
from gatewayd.policy.pacing import Ramp, Rate
from gatewayd.policy.retry import doubled_s
from gatewayd.runtime.shared_limits import Slot
from gatewayd.runtime.tasks import spawn

LOOK_S: Final = 1.0
"""How soon a connection that was held learns that it need not wait any more."""

# After a rest they come one by one: the first answer says whether the others need come.
_RAMP: Final = Ramp(0.1, 10.0)


class Host(NamedTuple):
    """Where a carrier is."""

    name: str
    port: int

    def __str__(self) -> str:
        return address_text(self.name, self.port)


def hosts_of(settings: schema.Link) -> tuple[Host, ...]:
    """The hosts of a link, the best first; none where the carrier comes to us."""
    if settings.listen:
        return ()
    if settings.hosts:
        return tuple(Host(*parse_address(text)) for text in settings.hosts)
    return (Host(settings.host, settings.port),)


class Admission:
    """How fast a link's connections may follow each other, in all workers where there is a ``slot`` for it."""

    def __init__(
        self,
        connects_per_s: float,
        slot: Slot | None = None,
        clock: Callable[[], float] = time.monotonic,
        burst: int = 1,
    ) -> None:
        """With a ``burst`` of 1, what the first is told comes before the others have asked."""
        self._rate = Rate(connects_per_s, burst, _RAMP)
        self._slot = slot
        self._clock = clock
        self._tat = 0.0
        self._until = 0.0
        self._refusals = 0

    def wait_s(self) -> float:
        """0 when one more may be begun, and is counted; else the seconds until it is worth asking again."""
        now = self._clock()
        if self._slot is not None:
            return self._slot.take(self._rate, 1, now)[1]
        if self._until > now:
            return self._until - now
        rate = self._rate.at(now - self._until) if self._until else self._rate
        _, self._tat, wait_s = rate.step(self._tat, now, 1)
        return wait_s

    def refused(self, first_s: float, longest_s: float) -> None:
        """The carrier knows our name or password not: nobody of the link connects, each time for twice as long.

        Counted for the link, however many binds are told so, since a carrier locks accounts after so many tries. The
        count is the reason of the pause in the slot.
        """
        now, slot = self._clock(), self._slot
        until, refusals = (slot.paused_until, slot.pause_reason) if slot is not None else (self._until, self._refusals)
        if until > now:  # this one had asked before the others were held
            return
        refusals = refusals + 1 if until and now - until < longest_s else 1
        self._until = now + doubled_s(first_s, longest_s, refusals)
        self._refusals = refusals
        if slot is not None:
            slot.pause(self._until, refusals)

    def release(self) -> None:
        """What was refused has changed, or a person wants to know: whoever was held may come."""
        self._until, self._refusals = 0.0, 0
        if self._slot is not None:
            self._slot.resume(self._clock())


def burst_of(settings: schema.Link) -> int:
    """How many may come at once: of a carrier that connects to us, as many as it should and some that failed."""
    return settings.binds_wanted + int(settings.connects_per_s) if settings.listen else 1


class Dialer:
    """Connects the binds of one link."""

    def __init__(self, settings: schema.Link, tls: CarrierTls, admission: Admission) -> None:
        self.hosts = hosts_of(settings)
        self.admission = admission
        self._patience_s = settings.bind_timeout_s
        self._tls = tls
        self._lookups: dict[Host, asyncio.Task[list[str] | OSError]] = {}
        self._turn = asyncio.Lock()

    async def wait_for_turn(self) -> None:
        """Return when one more connection may be begun. Those of one process wait in line."""
        async with self._turn:
            wait_s = self.admission.wait_s()
            while wait_s:
                await asyncio.sleep(min(wait_s, LOOK_S))
                wait_s = self.admission.wait_s()

    async def connect(self, place: int, make: Callable[[], asyncio.BaseProtocol]) -> None:
        """Connect what ``make`` gives with one of the hosts. Raises OSError (of TLS, too) or TimeoutError."""
        host = self.hosts[place]
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience_s):
            addresses = await self._look_up(host)
            for number, address in enumerate(addresses, 1):
                try:
                    await loop.create_connection(
                        make,
                        address,
                        host.port,
                        ssl=self._tls.context,
                        server_hostname=self._tls.server_name(host.name),
                    )
                except OSError:
                    if number == len(addresses):
                        raise
                else:
                    return

    async def answers(self, place: int) -> bool:
        """Whether somebody takes connections there now."""
        try:
            await self.connect(place, _Knock)
        except (OSError, TimeoutError):
            return False
        return True

    async def _look_up(self, host: Host) -> list[str]:
        """One question at a time for each name, however many binds want to know: a resolver that hangs holds a thread
        for each question, and does not let go of it when nobody waits any more."""
        lookup = self._lookups.get(host)
        if lookup is None or lookup.done():
            lookup = self._lookups[host] = spawn(_addresses(host), name=f"looking up {host}")
        found = await asyncio.shield(lookup)
        if isinstance(found, OSError):
            raise found
        return found


async def _addresses(host: Host) -> list[str] | OSError:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
    except OSError as error:  # of those who wait for it, each is told
        return error
    return list(dict.fromkeys(str(where[0]) for _, _, _, _, where in found))


class _Knock(asyncio.Protocol):
    """Connects, and is gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
