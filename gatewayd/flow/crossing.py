"""One gateway over several workers: what arrives at a worker and belongs to another crosses here, once, in batches.

The rule: a message, its parts, receipts and conversation are their home's; another worker only executes a step for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from gatewayd.carriers.link import Capability, Link, Report, Result, Revocation
from gatewayd.flow import parcels
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.shared_link import SharedLink
from gatewayd.message import Message
from gatewayd.policy.homes import home_of
from gatewayd.runtime.mesh import Mesh
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Journey, Spool

STATUS_BUSY, STATUS_FULL, STATUS_NO_ROUTE = 0x08, 0x14, 0x0B


class SharedOutbox(Protocol):
    """What the senders' side does for other homes, as crossing sees it (gatewayd.senders.sharing)."""

    def hungry(self, peer: int, account: str, wanted: int) -> None:
        """A home has deliveries for an account's binds."""

    def given_back(self, peer: int, account: str, count: int) -> None:
        """A home returns credits."""

    def granted(self, peer: int, account: str, count: int) -> None:
        """Credits came."""

    def deliver_for(self, peer: int, delivery: Delivery) -> None:
        """Execute another home's delivery."""

    def delivered(self, peer: int, account: str, delivery_id: int, status: int, reason: str) -> None:
        """How another worker fared with one of ours."""

    def peer_down(self, peer: int, unsent: Collection[int]) -> None:
        """A worker is gone; deliveries ``unsent`` never reached it."""

    def peer_up(self, peer: int) -> None:
        """A worker is there."""


Answer = Callable[[int, str], None]
"""Tells the sender's side how its submit_sm fared: a command_status (0 is durable) and the word for the counter."""


class Crossing:
    """This worker's customs office."""

    def __init__(self, slot: int, count: int, dispatcher: Dispatcher, spool: Spool, *, pending_max: int) -> None:
        self.slot = slot
        self.count = count
        self.dispatcher = dispatcher
        self.mesh: Mesh
        self.outbox: SharedOutbox
        self.snapshot: Callable[[int, parcels.Snapshot], None] = lambda peer, parcel: None
        self._spool = spool
        self._pending_max = pending_max
        self._links: dict[str, SharedLink] = {}
        self._submits: dict[int, tuple[int, Answer]] = {}
        self._next_token = 0
        self._acts: dict[type, Callable[[int, Any], None]] = {
            parcels.Submit: self._on_submit,
            parcels.Stored: self._on_stored,
            parcels.Rejected: self._on_rejected,
            parcels.Hungry: self._on_hungry,
            parcels.Grant: self._on_grant,
            parcels.GiveBack: self._on_give_back,
            parcels.Send: lambda peer, parcel: self._links[parcel.link].send_for(peer, parcel),
            parcels.Done: lambda peer, parcel: self._links[parcel.link].done(peer, parcel.results),
            parcels.Told: lambda peer, parcel: self._links[parcel.link].told(peer, parcel.token, parcel.content),
            parcels.Acked: lambda peer, parcel: self._links[parcel.link].acked(parcel.tokens, parcel.stored),
            parcels.Stray: self._on_stray,
            parcels.Claimed: self._on_claimed,
            parcels.Deliver: lambda peer, parcel: self.outbox.deliver_for(peer, parcel.delivery),
            parcels.Delivered: self._on_delivered,
            parcels.Snapshot: self._on_snapshot,
        }

    def share(self, local: Link) -> SharedLink:
        """Make a link of this worker part of the one that all workers share."""
        shared = self._links[local.name] = SharedLink(local, self)
        return shared

    def unshare(self, name: str) -> None:
        """The link is no longer configured."""
        self._links.pop(name, None)

    # -- sending --------------------------------------------------------------------------------------------------

    def everybody(self) -> Iterator[int]:
        """This worker and every other that is there."""
        yield self.slot
        yield from (peer for peer in self.mesh.peers if self.mesh.is_up(peer))

    def send(self, peer: int, parcel: parcels.Parcel) -> None:
        """Give a parcel to another worker."""
        self.mesh.send(peer, parcel)

    def send_or_do(self, peer: int, parcel: parcels.Parcel) -> None:
        """Give a parcel to a worker that may be this one."""
        if peer == self.slot:
            self._acts[type(parcel)](peer, parcel)
        else:
            self.mesh.send(peer, parcel)

    # -- submit_sm that arrived away from home --------------------------------------------------------------------

    def home_of(self, message: Message) -> int:
        """The slot of the message's home."""
        return home_of(message.destination, self.count)

    def submit(self, home: int, message: Message, answer: Answer) -> None:
        """Hand a message to its home; ``answer`` is called once, when it is durable or refused."""
        if self.mesh.is_clogged(home) or len(self._submits) >= self._pending_max:
            answer(STATUS_FULL, "home_busy")
            return
        self._next_token += 1
        self._submits[self._next_token] = (home, answer)
        self.send(home, parcels.Submit(self._next_token, message))

    def _on_submit(self, peer: int, parcel: parcels.Submit) -> None:
        message, journal = parcel.message, self._spool.journal
        if journal.is_failing or journal.pending > self._pending_max:
            self.send(peer, parcels.Rejected(parcel.token, STATUS_FULL, "store_full"))
            return
        progress = self.dispatcher.plan(message)
        if progress is None:
            self.send(peer, parcels.Rejected(parcel.token, STATUS_NO_ROUTE, "no_route"))
            return
        journey = self._spool.accept(message, progress)
        journal.then(self._on_durable, (peer, parcel.token, journey))

    def _on_durable(self, items: list[tuple[int, int, Journey]]) -> None:
        tokens: dict[int, list[int]] = {}
        for peer, token, _ in items:
            tokens.setdefault(peer, []).append(token)
        for peer, of_peer in tokens.items():
            self.send(peer, parcels.Stored(of_peer))
        self.dispatcher.accepted([journey for _, _, journey in items])

    def _on_stored(self, peer: int, parcel: parcels.Stored) -> None:
        for token in parcel.tokens:
            waiting = self._submits.pop(token, None)
            if waiting is not None:
                waiting[1](0, "")

    def _on_rejected(self, peer: int, parcel: parcels.Rejected) -> None:
        waiting = self._submits.pop(parcel.token, None)
        if waiting is not None:
            waiting[1](parcel.status, parcel.kind)

    # -- credits --------------------------------------------------------------------------------------------------

    def _on_hungry(self, peer: int, parcel: parcels.Hungry) -> None:
        kind, _, name = parcel.resource.partition(":")
        if kind == "account":
            self.outbox.hungry(peer, name, parcel.wanted)
        elif name in self._links:
            self._links[name].hungry(peer, parcel.wanted)

    def _on_grant(self, peer: int, parcel: parcels.Grant) -> None:
        kind, _, name = parcel.resource.partition(":")
        if kind == "account":
            self.outbox.granted(peer, name, parcel.count)
        elif name in self._links:
            self._links[name].granted(peer, parcel.count)

    def _on_give_back(self, peer: int, parcel: parcels.GiveBack) -> None:
        kind, _, name = parcel.resource.partition(":")
        if kind == "account":
            self.outbox.given_back(peer, name, parcel.count)
        elif name in self._links:
            self._links[name].given_back(peer, parcel.count)

    # -- what the senders' sharing says to other workers (its Wire) -----------------------------------------------

    def hungry(self, peer: int, account: str, wanted: int) -> None:
        """Ask for credits."""
        self.send_or_do(peer, parcels.Hungry(f"account:{account}", wanted))

    def grant(self, peer: int, account: str, count: int) -> None:
        """Hand out credits."""
        self.send_or_do(peer, parcels.Grant(f"account:{account}", count))

    def give_back(self, peer: int, account: str, count: int) -> None:
        """Return credits."""
        self.send_or_do(peer, parcels.GiveBack(f"account:{account}", count))

    def deliver(self, peer: int, delivery: Delivery) -> None:
        """Let another worker carry it."""
        self.send(peer, parcels.Deliver(delivery))

    def delivered(self, peer: int, account: str, delivery_id: int, status: int, reason: str) -> None:
        """Tell a home how its delivery fared."""
        self.send(peer, parcels.Delivered(account, delivery_id, status, reason))

    def _on_delivered(self, peer: int, parcel: parcels.Delivered) -> None:
        self.outbox.delivered(peer, parcel.account, parcel.delivery_id, parcel.status, parcel.reason)

    # -- receipts that their home does not know -------------------------------------------------------------------

    def ask_around(self, link: Link, receipt: Any) -> None:
        """A receipt names a handset of ours and a message that is not: perhaps the carrier wrote another number."""
        for peer in self.mesh.peers:
            if self.mesh.is_up(peer):
                self.send(peer, parcels.Stray(link.name, receipt))

    def _on_stray(self, peer: int, parcel: parcels.Stray) -> None:
        link = self._links.get(parcel.link)
        if link is not None and self.dispatcher.claim(link, parcel.receipt):
            self._spool.journal.then(self._on_claim_durable, (peer, parcel))

    def _on_claim_durable(self, items: list[tuple[int, parcels.Stray]]) -> None:
        for peer, stray in items:
            self.send(peer, parcels.Claimed(stray.link, stray.receipt))

    def _on_claimed(self, peer: int, parcel: parcels.Claimed) -> None:
        link = self._links.get(parcel.link)
        if link is not None:
            self.dispatcher.claimed(link, parcel.receipt)

    def _on_snapshot(self, peer: int, parcel: parcels.Snapshot) -> None:
        self.snapshot(peer, parcel)  # set by the community after this was built

    # -- the mesh -------------------------------------------------------------------------------------------------

    def on_items(self, peer: int, items: Sequence[parcels.Parcel]) -> None:
        """One frame of a peer."""
        acts = self._acts
        for item in items:
            acts[type(item)](peer, item)

    def on_up(self, peer: int) -> None:
        """A worker is there: it may hold binds that we have work for."""
        self.outbox.peer_up(peer)
        for link in self._links.values():
            self.dispatcher.on_ready(link)

    def on_down(self, peer: int) -> None:
        """A worker is gone.

        What waits here for it as a home goes on waiting; what it was to do for us was not begun, or is Unknown. A
        submit that it had and did not answer may be durable or not: the application is told "later".
        """
        unsent = self.mesh.drop_waiting(peer)
        kept = [item for item in unsent if type(item) in (parcels.Submit, parcels.Told)]
        for item in kept:
            self.send(peer, item)
        tokens = {item.token for item in kept if type(item) is parcels.Submit}
        for token in [t for t, (home, _) in self._submits.items() if home == peer and t not in tokens]:
            self._submits.pop(token)[1](STATUS_BUSY, "home_lost")
        for link in self._links.values():
            link.peer_down(peer, unsent)
        self.outbox.peer_down(peer, {item.delivery.id for item in unsent if type(item) is parcels.Deliver})

    # -- the listener of this worker's own links ------------------------------------------------------------------

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        """Outcomes: to the homes that sent."""
        self._links[link.name].on_results(results)

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        """Receipts and MOs: to the homes of their handsets."""
        self._links[link.name].on_reports(reports)

    def on_ready(self, link: Link) -> None:
        """A window opened: serve the hungry."""
        self._links[link.name].local_ready()

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        """A platform's answer to this worker's own revoke."""
        self.dispatcher.on_revoked(self._links[link.name], revocation)

    def on_capability(self, link: Link, capability: Capability) -> None:
        """A platform's answer to this worker's own question."""
        self.dispatcher.on_capability(self._links[link.name], capability)
