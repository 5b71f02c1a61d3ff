"""All workers together: the mesh, what crosses it, and one scrape for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from gatewayd.flow import parcels
from gatewayd.flow.crossing import Crossing
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.replies import Replies
from gatewayd.runtime import snapshots
from gatewayd.runtime.instruments import Figure
from gatewayd.runtime.mesh import Mesh
from gatewayd.runtime.tasks import spawn
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
        own_figures: Callable[[], list[Figure]],
        ledger: snapshots.Ledger,
        *,
        pending_max: int,
    ) -> None:
        self._slot, self._count = slot, count
        self._have_met = False
        self._folder = folder
        self._own_figures = own_figures
        self._ledger = ledger
        self._replies = Replies()
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

    def have_met(self) -> bool:
        """Whether this worker has met all others since it began: before that, it cannot answer for every number. One
        that goes away later takes its own numbers away alone."""
        self._have_met = self._have_met or len(self.alive()) == self._count
        return self._have_met

    async def collect(self) -> list[Figure]:
        """The metrics of all workers as one: those that live say them, the counts of the dead are read."""
        peers = [peer for peer in self._mesh.peers if self._mesh.is_up(peer)]
        asking = spawn(self._ledger.show(self._own_figures), name="reading our own figures")
        answers = dict(zip(peers, await asyncio.gather(*map(self._ask, peers)), strict=True))
        return await asyncio.to_thread(self._together, await asking, answers)

    def _together(self, own: list[Figure], answers: dict[int, bytes | None]) -> list[Figure]:
        figures = [own]
        for peer in self._mesh.peers:
            answer = answers.get(peer)
            if answer:
                figures.append(snapshots.unpack(answer))
            else:
                figures.append(snapshots.read_counts(snapshots.ledger_path(self._folder, peer)))
        return snapshots.merge(figures)

    async def _ask(self, peer: int) -> bytes | None:
        question = parcels.Snapshot(self.crossing.new_token())
        return await self._replies.ask(self.crossing.send, peer, question, SNAPSHOT_TIMEOUT_S)

    def _on_down(self, peer: int) -> None:
        self._replies.peer_down(peer)
        self.crossing.on_down(peer)

    def _on_snapshot(self, peer: int, parcel: parcels.Snapshot) -> None:
        if not parcel.content:
            spawn(self._answer(peer, parcel.token), name="answering a scrape")
            return
        self._replies.hear(peer, parcel.token, parcel.content)

    async def _answer(self, peer: int, token: int) -> None:
        figures = await self._ledger.show(self._own_figures)
        content = await asyncio.to_thread(snapshots.pack, figures)
        self.crossing.send(peer, parcels.Snapshot(token, content))
