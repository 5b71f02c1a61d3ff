"""An application's binds, wherever they are, for the deliveries of every home.

A delivery is its home's; the worker that holds a bind only carries it there, on credits that it granted itself, so that
the window of a bind is shared by all homes and never exceeded. With one worker none of this is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec

from gatewayd.policy.credits import Office, Purse
from gatewayd.senders.box import WAITING_MAX, Box
from gatewayd.store.records import Delivery

if TYPE_CHECKING:
    from gatewayd.senders.deliver import Outbox

HANDSET_MAX = 16
"""So many of one handset may be under way over another worker: what waits there for its bind takes room from others."""


class Wire(Protocol):
    """What carries words between workers."""

    slot: int

    def everybody(self) -> Iterator[int]:
        """This worker and every other that is there."""

    def hungry(self, peer: int, account: str, wanted: int) -> None:
        """Ask for credits."""

    def grant(self, peer: int, account: str, count: int) -> None:
        """Hand out credits."""

    def give_back(self, peer: int, account: str, count: int) -> None:
        """Return credits."""

    def deliver(self, peer: int, delivery: Delivery) -> None:
        """Let another worker carry it."""

    def delivered(self, peer: int, account: str, delivery_id: int, status: int, reason: str) -> None:
        """Tell a home how its delivery fared: a command_status, or -1 and why there was none."""


class Guest(msgspec.Struct, frozen=True):
    """The context of a deliver_sm that is carried for another home."""

    peer: int
    delivery: Delivery


class Sharing:
    """Both sides, for all accounts."""

    def __init__(self, outbox: Outbox, wire: Wire) -> None:
        self._outbox = outbox
        self._wire = wire
        self._purses: dict[str, Purse] = {}
        self._offices: dict[str, Office] = {}
        self._away: dict[int, dict[int, Delivery]] = {}
        self.serving: set[str] = set()
        """Accounts whose binds' room is handed out at the end of this turn of the loop."""

    @property
    def has_steps_away(self) -> bool:
        """Whether another worker still owes an answer to a delivery that it was given."""
        return any(self._away.values())

    # -- the home's side ------------------------------------------------------------------------------------------

    def pump(self, box: Box, most: int) -> None:
        """Send what the credits in hand allow, and so many at most; ask for more, or give back."""
        purse = self._purses.setdefault(box.account, Purse())
        wanted = min(len(purse), len(box), most) if box.homes.waiting < WAITING_MAX else 0
        if wanted:
            for delivery in self._outbox.load(box, [box.pop() for _ in range(wanted)]):
                self._carry(box, purse, delivery)
        elif box.homes.waiting >= WAITING_MAX:
            return  # it is looked at again when one of those that they wait for is settled
        if not len(box):
            for holder, count in purse.give_back(0):
                self._wire.give_back(holder, box.account, count)
        elif not len(purse):
            for holder in purse.ask(self._holders(box)):
                self._wire.hungry(holder, box.account, len(box))
        else:
            self._outbox.wake(box)

    def _holders(self, box: Box) -> Iterable[int]:
        """Whom to ask: this worker alone while the account's binds here have room, since others are a crossing away."""
        if self._offices.setdefault(box.account, Office()).left(box.free()) > 0:
            return (self._wire.slot,)
        return self._wire.everybody()

    def _carry(self, box: Box, purse: Purse, delivery: Delivery) -> None:
        """Over the holder where its handset's last ones are still unanswered, else on credits of this worker's own, or
        of whoever gave the most."""
        handset, homes = delivery.source, box.homes
        holder = homes.of(handset)
        if holder is None:
            holder, _ = purse.spend(1, self._wire.slot)
        elif homes.first(handset) is not None or homes.count(handset) >= HANDSET_MAX or not purse.spend_at(holder):
            homes.wait(handset, delivery)
            return
        homes.begin(handset, holder)
        if holder == self._wire.slot:
            self._offices[box.account].spent(holder, 1)
            if not self._outbox.send_here(box, delivery, delivery):
                homes.end(handset)
                self._outbox.give_back(box, delivery)
        else:
            self._away.setdefault(holder, {})[delivery.id] = delivery
            self._wire.deliver(holder, delivery)

    def settled(self, box: Box, delivery: Delivery) -> None:
        """One of ours is answered, or will not be: those of its handset that waited may go when none is under way."""
        homes, handset = box.homes, delivery.source
        homes.end(handset)
        if homes.waiting and homes.of(handset) is None:
            while homes.first(handset) is not None:
                self._outbox.give_back(box, homes.pop(handset))

    def granted(self, peer: int, account: str, count: int) -> None:
        """Credits came."""
        self._purses.setdefault(account, Purse()).receive(peer, count)
        self._outbox.wake_account(account)

    def delivered(self, peer: int, account: str, delivery_id: int, status: int, reason: str) -> None:
        """How another worker fared with one of ours."""
        delivery = self._away.get(peer, {}).pop(delivery_id, None)
        if delivery is not None:
            self._outbox.settle(account, delivery, status, reason)

    # -- the holder's side ----------------------------------------------------------------------------------------

    def hungry(self, peer: int, account: str, wanted: int) -> None:
        """A home asks."""
        self._offices.setdefault(account, Office()).hungry(peer, wanted)
        self.serve(account)

    def given_back(self, peer: int, account: str, count: int) -> None:
        """A home returns credits."""
        self._offices.setdefault(account, Office()).spent(peer, count)
        self.serve(account)

    def deliver_for(self, peer: int, delivery: Delivery) -> None:
        """Carry another home's delivery."""
        self._offices.setdefault(delivery.account, Office()).spent(peer, 1)
        box = self._outbox.box(delivery.account)
        if box is None or not self._outbox.send_here(box, delivery, Guest(peer, delivery)):
            self._wire.delivered(peer, delivery.account, delivery.id, -1, "lost")

    def carried(self, guest: Guest, status: int, reason: str) -> None:
        """An ESME's answer, or the lack of one, to a delivery of another home."""
        self._wire.delivered(guest.peer, guest.delivery.account, guest.delivery.id, status, reason)

    def serve(self, account: str) -> None:
        """Hand out what the account's binds here have free, once a loop turn."""
        if not self.serving:
            asyncio.get_running_loop().call_soon(self._serve_now)
        self.serving.add(account)

    def _serve_now(self) -> None:
        serving, self.serving = self.serving, set()
        for account in serving:
            office, box = self._offices.get(account), self._outbox.box(account)
            if office is not None and box is not None:
                for peer, count in office.grants(box.free()):
                    self._wire.grant(peer, account, count)
                if office.is_hungry(self._wire.slot):  # others were before us: they may have room for us
                    self._outbox.wake(box)

    # -- peers that go and come -----------------------------------------------------------------------------------

    def peer_down(self, peer: int, unsent: Collection[int]) -> None:
        """A worker is gone. What it had is offered again; what never reached it is no second try."""
        for delivery in self._away.pop(peer, {}).values():
            if delivery.id in unsent:
                self._outbox.give_back_to(delivery)
                self.settled(self._outbox.box_of(delivery.account), delivery)
            else:
                self._outbox.settle(delivery.account, delivery, -1, "lost")
        for purse in self._purses.values():
            purse.forget(peer)
        for account, office in self._offices.items():
            office.forget(peer)
            self.serve(account)

    def peer_up(self, peer: int) -> None:
        """A worker is there: it may hold binds that we have deliveries for."""
        for purse in self._purses.values():
            purse.forget(peer)
        self._outbox.wake_all()
