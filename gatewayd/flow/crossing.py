"""One gateway over several workers: what arrives at a worker and belongs to another crosses here, once, in batches.

The rule: a message, its parts, receipts and conversation are their home's; another worker only executes a step for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final, Protocol, cast

from gatewayd.carriers.link import Capability, Link, Report, Result, Revocation
from gatewayd.flow import parcels
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.flow.qualifying import Bureau
from gatewayd.flow.shared_link import NO_CREDIT_RETRY_S, SharedLink
from gatewayd.flow.strays import Strays
from gatewayd.message import Deferred, Linked, Message, Receipt
from gatewayd.policy.aliases import address_of
from gatewayd.policy.homes import home_of
from gatewayd.runtime.mesh import Mesh
from gatewayd.store.kinds import PARKED
from gatewayd.store.records import Delivery, Session
from gatewayd.store.repeats import key_of
from gatewayd.store.spool import Journey, Spool

STATUS_BUSY, STATUS_FULL, STATUS_NO_ROUTE, STATUS_BAD_VALUE = 0x08, 0x14, 0x0B, 0xC4

HOME_WAIT_S: Final = 5.0
"""So long what belongs to a home that is away waits for it. A worker that dies is back well before."""

# What may wait for a worker that is away. All else is said to one that is there and means nothing to the next.
_PATIENT: Final = (parcels.Submit, parcels.Told, parcels.Continue)
_TOKEN_BITS: Final = 56


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

    @property
    def has_steps_away(self) -> bool:
        """Whether another worker still owes an answer to a delivery that it was given."""


class Submits(Protocol):
    """The sender's side, which hears how what waits for a home has fared (gatewayd.senders.submit)."""

    def stored_elsewhere(self, waiting: Sequence[Any]) -> None:
        """These are durable."""

    def answered_elsewhere(self, waiting: Any, status: int, kind: str, known: int = 0) -> None:
        """A command_status and the word for the counter; or 0, and the id of a message that was taken before under the
        same key of its sender's."""


class Asking(Protocol):
    """What is asked between workers (gatewayd.flow.questions)."""

    def hear(self, peer: int, parcel: parcels.Ask | parcels.Reply) -> None:
        """A question, or an answer."""

    def peer_down(self, peer: int) -> None:
        """A worker is gone, and answers nothing more."""


class Crossing:
    """This worker's customs office."""

    def __init__(self, slot: int, count: int, dispatcher: Dispatcher, spool: Spool, *, pending_max: int) -> None:
        self.slot = slot
        self.count = count
        self.dispatcher = dispatcher
        self.mesh: Mesh
        self.outbox: SharedOutbox
        self.submits: Submits
        self.home_of: Callable[[str], int] = partial(home_of, workers=count)
        """The slot of a handset's home."""
        self.snapshot: Callable[[int, parcels.Snapshot], None] = lambda peer, parcel: None
        self._spool = spool
        self._pending_max = pending_max
        self._links: dict[str, SharedLink] = {}
        self._handed_over: dict[int, tuple[int, Any]] = {}
        self.questions: Asking | None = None
        self.strays = Strays()
        # Begins anywhere: what was said to the last worker of this slot must not be taken for an answer to this one.
        self._last_token = secrets.randbits(_TOKEN_BITS)
        self._expected: dict[int, asyncio.TimerHandle] = {}
        self._given_up: set[int] = set()
        self._heard = asyncio.Event()
        self._acts: dict[type, Callable[[int, Any], None]] = {
            parcels.Submit: self._on_submit,
            parcels.Stored: self._on_stored,
            parcels.Rejected: self._on_rejected,
            parcels.Hungry: self._on_hungry,
            parcels.Grant: self._on_grant,
            parcels.GiveBack: self._on_give_back,
            parcels.Send: self._on_send,
            parcels.Done: self._on_done,
            parcels.Acked: self._on_acked,
            parcels.Stray: self._on_stray,
            parcels.Claimed: self._on_claimed,
            parcels.Deliver: lambda peer, parcel: self.outbox.deliver_for(peer, parcel.delivery),
            parcels.Delivered: self._on_delivered,
            parcels.Snapshot: self._on_snapshot,
            parcels.Offer: self._on_offer,
            parcels.Seek: dispatcher.bureau.hear,
            parcels.Due: dispatcher.bureau.hear,
            parcels.Learned: dispatcher.bureau.hear,
            parcels.Known: self._on_known,
            parcels.Ask: self._on_question,
            parcels.Reply: self._on_question,
            parcels.Continue: self._on_continue,
        }
        self.join(dispatcher.bureau)

    def join(self, bureau: Bureau) -> None:
        """Let the jobs of this worker speak to all homes, and its homes to all jobs."""
        bureau.send = self.send_or_do
        bureau.everybody = self.everybody
        bureau.home_of = self.home_of

    def start(self) -> None:
        """Expect the others from now on, and ask them for the receipts that the last worker here could not match."""
        for _, parked in self._spool.journal.scan(PARKED):
            for receipt in parked.receipts:
                self.strays.ask(parked.link, receipt)
        for peer in self.mesh.peers:
            if not self.mesh.is_up(peer):
                self._expect(peer)

    def stop(self) -> None:
        """Expect nobody."""
        for timer in self._expected.values():
            timer.cancel()

    async def settle(self, timeout_s: float) -> bool:
        """Wait for what others still do for this worker; whether all of it was answered in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.outbox.has_steps_away or any(link.has_steps_away for link in self._links.values()):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return False
        return True

    # -- links ----------------------------------------------------------------------------------------------------

    def share(self, local: Link) -> SharedLink:
        """Make a link of this worker part of the one that all workers share, and tell them that it is a new one."""
        shared = self._links.get(local.name)
        if shared is None:
            shared = self._links[local.name] = SharedLink(local, self)
        else:
            shared.renew(local)
        for peer in self.mesh.peers:
            self.send(peer, parcels.Offer(local.name))
        return shared

    def retire(self, name: str) -> None:
        """The link is no longer configured here; it may still be elsewhere, for a moment."""
        if name in self._links:
            self._links[name].retire()

    def _on_offer(self, peer: int, parcel: parcels.Offer) -> None:
        if parcel.link in self._links:
            self._links[parcel.link].offered(peer)

    def _on_send(self, peer: int, parcel: parcels.Send) -> None:
        if parcel.link in self._links:
            self._links[parcel.link].send_for(peer, parcel)
            return
        gone = Deferred("link_gone", NO_CREDIT_RETRY_S)
        results = [Result(parcel.message.id, segment, gone, 0.0) for segment in parcel.segments]
        self.send(peer, parcels.Done(parcel.link, results))

    def _on_done(self, peer: int, parcel: parcels.Done) -> None:
        if parcel.link in self._links:
            self._links[parcel.link].done(peer, parcel.results)

    def _on_told(self, peer: int, told: Sequence[parcels.Told]) -> None:
        """All that one frame told in a row: as many receipts as one read brought cost less together."""
        by_link: dict[str, list[parcels.Told]] = {}
        for parcel in told:
            by_link.setdefault(parcel.link, []).append(parcel)
        for name, of_link in by_link.items():
            if name in self._links:
                self._links[name].told(peer, of_link)
            else:  # this worker has not heard of it yet: the carrier will offer it again
                self.send(peer, parcels.Acked(name, [parcel.token for parcel in of_link], stored=False))

    def _on_acked(self, peer: int, parcel: parcels.Acked) -> None:
        if parcel.link in self._links:
            self._links[parcel.link].acked(parcel.tokens, parcel.stored)

    # -- sending --------------------------------------------------------------------------------------------------

    def everybody(self) -> Iterator[int]:
        """This worker and every other that is there."""
        yield self.slot
        yield from (peer for peer in self.mesh.peers if self.mesh.is_up(peer))

    def send(self, peer: int, parcel: parcels.Parcel) -> None:
        """Give a parcel to another worker. While it is away, only what belongs to it as a home waits."""
        if self.mesh.is_up(peer) or type(parcel) in _PATIENT:
            self.mesh.send(peer, parcel)

    def send_or_do(self, peer: int, parcel: parcels.Parcel) -> None:
        """Give a parcel to a worker that may be this one."""
        if peer == self.slot:
            self._acts[type(parcel)](peer, parcel)
        else:
            self.send(peer, parcel)

    def new_token(self) -> int:
        """A number that no worker of this slot has used before."""
        self._last_token += 1
        return self._last_token

    def is_given_up(self, peer: int) -> bool:
        """Whether a worker has been away for so long that nothing waits for it any more."""
        return peer in self._given_up

    # -- submit_sm that arrived away from home --------------------------------------------------------------------

    def submit(self, home: int, message: Message, waiting: Any) -> None:
        """Hand a message to its home; ``submits`` hears of ``waiting`` once, when it is durable or refused."""
        if home in self._given_up:
            self.submits.answered_elsewhere(waiting, STATUS_BUSY, "home_away")
            return
        if self.mesh.is_clogged(home) or len(self._handed_over) >= self._pending_max:
            self.submits.answered_elsewhere(waiting, STATUS_FULL, "home_busy")
            return
        token = self.new_token()
        self._handed_over[token] = (home, waiting)
        self.mesh.send(home, parcels.Submit(token, message))  # it waits for a home that is away

    def _on_submit(self, peer: int, parcel: parcels.Submit) -> None:
        message, journal = parcel.message, self._spool.journal
        if journal.is_failing or journal.pending > self._pending_max:
            self.send(peer, parcels.Rejected(parcel.token, STATUS_FULL, "store_full"))
            return
        key = key_of(message) if message.tlvs else ""
        if key and (known := self._spool.repeats.find(key, message)) is not None:
            if known.is_same:
                journal.then(self._on_known_durable, (peer, parcels.Known(parcel.token, known.message_id)))
            else:
                self.send(peer, parcels.Rejected(parcel.token, STATUS_BAD_VALUE, "idempotency_key_reused"))
            return
        progress = self.dispatcher.plan(message)
        if progress is None:
            self.send(peer, parcels.Rejected(parcel.token, STATUS_NO_ROUTE, "no_route"))
            return
        if key:
            self._spool.repeats.remember(key, message)
        if message.is_replaceable:
            self.dispatcher.supersede(message)
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
        found = [self._handed_over.pop(token, None) for token in parcel.tokens]
        # Of what was given up meanwhile nobody wants to hear.
        self.submits.stored_elsewhere([entry[1] for entry in found if entry is not None])

    def _on_known_durable(self, items: list[tuple[int, parcels.Known]]) -> None:
        for peer, parcel in items:
            self.send(peer, parcel)

    def _on_known(self, peer: int, parcel: parcels.Known) -> None:
        self._answer(parcel.token, 0, "", parcel.message_id)

    def _on_question(self, peer: int, parcel: parcels.Ask | parcels.Reply) -> None:
        if self.questions is not None:
            self.questions.hear(peer, parcel)

    def _on_rejected(self, peer: int, parcel: parcels.Rejected) -> None:
        self._answer(parcel.token, parcel.status, parcel.kind)

    def _answer(self, token: int, status: int, kind: str, known: int = 0) -> None:
        """A home has spoken of one."""
        found = self._handed_over.pop(token, None)
        if found is not None:
            self.submits.answered_elsewhere(found[1], status, kind, known)

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

    def ask_around(self, link: Link, receipt: Receipt) -> None:
        """A receipt names a handset of ours and a message that is not: perhaps the carrier wrote another number."""
        self.strays.ask(link.name, receipt)
        for peer in self.mesh.peers:
            self.send(peer, parcels.Stray(link.name, receipt))

    def _on_stray(self, peer: int, parcel: parcels.Stray) -> None:
        link = self._links.get(parcel.link)
        if link is None or not self._claim(link, peer, parcel.receipt):
            self.strays.hear(peer, parcel.link, parcel.receipt)

    def _claim(self, link: SharedLink, peer: int, receipt: Receipt) -> bool:
        is_ours = self.dispatcher.claim(link, receipt)
        if is_ours:
            self._spool.journal.then(self._on_claim_durable, (peer, parcels.Claimed(link.name, receipt)))
        return is_ours

    def _on_claim_durable(self, items: list[tuple[int, parcels.Claimed]]) -> None:
        for peer, parcel in items:
            self.send(peer, parcel)

    def named(self, link: SharedLink, carrier_id: str) -> None:
        """A carrier told its name for a message of ours: was it asked for before that?"""
        for peer, receipt in self.strays.named(link.name, carrier_id):
            self._claim(link, peer, receipt)

    def _on_claimed(self, peer: int, parcel: parcels.Claimed) -> None:
        self.strays.claimed(parcel.link, parcel.receipt)
        link = self._links.get(parcel.link)
        if link is not None:
            self.dispatcher.claimed(link, parcel.receipt)

    # -- users with two addresses ---------------------------------------------------------------------------------

    def go_on(self, link: str, linked: Linked, session: Session) -> None:
        """A conversation of this home's is told to the home of the user's other address."""
        other = linked.number if linked.to_number else address_of(linked.bot_id, linked.alias)
        self.send_or_do(self.home_of(other), parcels.Continue(link, linked, session))

    def _on_continue(self, peer: int, parcel: parcels.Continue) -> None:
        self.dispatcher.linking.take(parcel.link, parcel.linked, parcel.session)

    def _on_snapshot(self, peer: int, parcel: parcels.Snapshot) -> None:
        self.snapshot(peer, parcel)  # set by the community after this was built

    # -- the mesh -------------------------------------------------------------------------------------------------

    def on_items(self, peer: int, items: Sequence[parcels.Parcel]) -> None:
        """One frame of a peer."""
        acts = self._acts
        for kind, of_kind in groupby(items, type):
            if kind is parcels.Told:
                self._on_told(peer, cast("list[parcels.Told]", list(of_kind)))
            else:
                act = acts[kind]
                for item in of_kind:
                    act(peer, item)
        self._heard.set()

    def on_up(self, peer: int) -> None:
        """A worker is there: it may hold binds that we have work for, and messages whose receipts came here."""
        self._given_up.discard(peer)
        timer = self._expected.pop(peer, None)
        if timer is not None:
            timer.cancel()
        for name, receipt in self.strays.ours():
            self.send(peer, parcels.Stray(name, receipt))
        self.outbox.peer_up(peer)
        for link in self._links.values():
            self.dispatcher.on_ready(link)

    def on_down(self, peer: int) -> None:
        """A worker is gone.

        What waits here for it as a home goes on waiting; what it was to do for us was not begun, or is Unknown. A
        submit that it had and did not answer may be durable or not: the application is told "later".
        """
        unsent = self.mesh.drop_waiting(peer)
        kept = [item for item in unsent if type(item) in _PATIENT]
        for item in kept:
            self.send(peer, item)
        self._expect(peer)
        tokens = {item.token for item in kept if type(item) is parcels.Submit}
        for token in [t for t, (home, _) in self._handed_over.items() if home == peer and t not in tokens]:
            self._answer(token, STATUS_BUSY, "home_lost")
        for link in self._links.values():
            link.peer_down(peer, unsent)
        if self.questions is not None:
            self.questions.peer_down(peer)
        self.outbox.peer_down(peer, {item.delivery.id for item in unsent if type(item) is parcels.Deliver})
        self._heard.set()

    def _expect(self, peer: int) -> None:
        self._expected[peer] = asyncio.get_running_loop().call_later(HOME_WAIT_S, self._give_up, peer)

    def _give_up(self, peer: int) -> None:
        """A home stays away: whoever waits for it is told "later" instead of nothing."""
        del self._expected[peer]
        self._given_up.add(peer)
        self.mesh.drop_waiting(peer)
        for token in [token for token, (home, _) in self._handed_over.items() if home == peer]:
            self._answer(token, STATUS_BUSY, "home_away")
        for link in self._links.values():
            link.give_up(peer)

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
