"""Takes what the broker keeps for workers that are no more: there are fewer of them than at an earlier start.

A worker's session outlives it, with the messages that the broker had meant for it. One worker comes as each that is
gone, without a subscription, takes what is left, and has the session forgotten. A file says how many there were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from gatewayd.senders.mqtt_wire import Incoming, Terms, Wire, WireFault

log = logging.getLogger(__name__)

QUIET_S: Final = 2.0
"""Nothing came for so long: nothing is left."""

AGAIN_S: Final = 5.0


class Heirs:
    """The sessions of slots from ``count`` on. ``terms_of`` gives the terms of a slot's connection."""

    def __init__(
        self,
        path: Path,
        count: int,
        terms_of: Callable[[int], Terms],
        topic: str,
        received: Callable[[Wire, Incoming], bool],
    ) -> None:
        """``topic`` is the shared subscription that is given up; ``received`` takes what comes, acknowledging it."""
        self._path = path
        self._count = count
        self._terms_of = terms_of
        self._topic = topic
        self._received = received
        self._came = asyncio.Event()

    async def inherit(self, version: Callable[[], str | None]) -> None:
        """Take what is left of each. ``version`` is that which the broker speaks, None while there is no connection."""
        before = self._read()
        if before < self._count:
            self._write(self._count)
            return
        for slot in range(before - 1, self._count - 1, -1):
            while True:
                if await self._inherit(slot, version()):
                    break
                await asyncio.sleep(AGAIN_S)
            self._write(slot)

    async def _inherit(self, slot: int, version: str | None) -> bool:
        """Whether nothing is left of a slot."""
        terms = self._terms_of(slot)
        if version is None:
            return False
        wire = Wire(terms, version, self._take, lambda: None)
        try:
            await wire.open()
            await wire.unsubscribe(self._topic)
            while not wire.has_ended and (await self._has_more() or wire.is_behind):
                pass
            if wire.has_ended:
                return False
            await wire.close()
            last = Wire(msgspec.structs.replace(terms, session_s=0), version, self._take, lambda: None)
            await last.open()
            await last.close()
        except WireFault as fault:
            log.warning("= mqtt: what is left of worker %d cannot be had: %s", slot, fault)
            return False
        finally:
            wire.drop()
        log.info("= mqtt: worker %d is no more, and the broker has nothing left for it", slot)
        return True

    def _take(self, wire: Wire, incoming: Incoming) -> None:
        self._came.set()
        if not self._received(wire, incoming):
            wire.acknowledge(incoming.number)

    async def _has_more(self) -> bool:
        self._came.clear()
        try:
            async with asyncio.timeout(QUIET_S):
                await self._came.wait()
        except TimeoutError:
            return False
        return True

    def _read(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _write(self, count: int) -> None:
        self._path.write_text(str(count), encoding="ascii")
