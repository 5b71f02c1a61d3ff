"""All workers together: the mesh, what crosses it, and one scrape for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client.core import Metric

from gatewayd.flow import parcels
from gatewayd.flow.crossing import Crossing
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.runtime import snapshots
from gatewayd.runtime.mesh import Mesh
from gatewayd.store.spool import Spool

# A scraper waits ten seconds as a rule, and a worker on a busy machine may be slow to answer.
SNAPSHOT_TIMEOUT_S = 3.0


class Community:
    """This worker's place among the others."""

    def __init__(
        self,
        slot: int,
        count: int,
        folder: Path,
        dispatcher: Dispatcher,
        spool: Spool,
        own_metrics: Callable[[], Iterable[Metric]],
        ledger: snapshots.Ledger,
        *,
        pending_max: int,
    ) -> None:
        self._slot = slot
        self._folder = folder
        self._own_metrics = own_metrics
        self._ledger = ledger
        self._asked: dict[int, tuple[int, asyncio.Future[bytes]]] = {}
        self.crossing = Crossing(slot, count, dispatcher, spool, pending_max=pending_max)
        self.crossing.snapshot = self._on_snapshot
        self.crossing.mesh = self._mesh = Mesh(
            slot,
            count,
            folder,
            parcels.Parcel,
            on_items=self.crossing.on_items,
            on_up=self.crossing.on_up,
            on_down=self._on_down,
        )
        dispatcher.ask_around(self.crossing.ask_around)
        dispatcher.linking.tell = self.crossing.go_on

    async def start(self) -> None:
        """Meet the others."""
        self.crossing.start()
        await self._mesh.start()

    async def stop(self) -> None:
        """Leave."""
        self.crossing.stop()
        await self._mesh.stop()

    def alive(self) -> list[int]:
        """The slots of the workers that are there."""
        return list(self.crossing.everybody())

    async def collect(self) -> list[Metric]:
        """The metrics of all workers as one: those that live say them, the counts of the dead are read."""
        peers = [peer for peer in self._mesh.peers if self._mesh.is_up(peer)]
        answers = await asyncio.gather(*(self._ask(peer) for peer in peers))
        families = [self._ledger.snapshot(self._own_metrics())]
        families += [snapshots.unpack(answer) for answer in answers if answer]
        heard = {peer for peer, answer in zip(peers, answers, strict=True) if answer}
        for peer in self._mesh.peers:
            if peer not in heard:
                families.append(snapshots.read_counts(snapshots.ledger_path(self._folder, peer)))
        return snapshots.metrics_of(snapshots.merge(families))

    async def _ask(self, peer: int) -> bytes:
        token = self.crossing.new_token()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[token] = (peer, answer)
        self.crossing.send(peer, parcels.Snapshot(token))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
                    return await answer
            return b""
        finally:
            del self._asked[token]

    def _on_down(self, peer: int) -> None:
        for asked, answer in self._asked.values():
            if asked == peer and not answer.done():
                answer.set_result(b"")
        self.crossing.on_down(peer)

    def _on_snapshot(self, peer: int, parcel: parcels.Snapshot) -> None:
        if not parcel.content:
            content = snapshots.pack(self._ledger.snapshot(self._own_metrics()))
            self.crossing.send(peer, parcels.Snapshot(parcel.token, content))
            return
        asked = self._asked.get(parcel.token)
        if asked is not None and asked[0] == peer and not asked[1].done():
            asked[1].set_result(parcel.content)
