"""A carrier link whose binds are spread over the workers, as one link for the home that sends over it.

The home's side spends credits (``Purse``), the holder's side grants them (``Office``): the window of a bind is shared
by all homes and never exceeded. To an RCS platform each worker speaks itself: of such a link only the reports are
shared. With one worker none of this is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gatewayd.carriers.link import Link, Report, Result
from gatewayd.flow.parcels import Acked, Done, GiveBack, Grant, Hungry, Parcel, Send, Told
from gatewayd.message import Accepted, Channel, Deferred, Message, Receipt, Unknown
from gatewayd.policy.credits import Office, Purse

if TYPE_CHECKING:
    from gatewayd.flow.crossing import Crossing

NO_CREDIT_RETRY_S = 0.1


class _Abroad:
    """The token of a report that another worker received."""

    __slots__ = ("number", "peer")

    def __init__(self, peer: int, number: int) -> None:
        self.peer = peer
        self.number = number


class SharedLink:
    """The Link contract over this worker's own part of the link and all others'."""

    def __init__(self, local: Link, crossing: Crossing) -> None:
        self.name = local.name
        self.channel: Channel = local.channel
        self.local = local
        self.resource = f"link:{local.name}"
        self._shares_window = local.channel is Channel.SMS
        self._crossing = crossing
        self._purse = Purse()
        self._office = Office()
        self._guests: dict[tuple[int, int], int] = {}
        self._away: dict[int, set[tuple[int, int]]] = {}
        self._tokens: dict[int, tuple[int, object]] = {}
        self._is_serving = False
        self._is_retired = False

    def renew(self, local: Link) -> None:
        """Another link of the same name is in its place: what is under way goes on, what was granted here is void."""
        self.local, self.channel = local, local.channel
        self._shares_window = local.channel is Channel.SMS
        self._office = Office()
        self._purse.forget(self._crossing.slot)
        self._is_retired = False

    def retire(self) -> None:
        """The link is no longer configured: what is under way comes to its end, and nothing new is heard over it."""
        self._is_retired = True

    @property
    def has_steps_away(self) -> bool:
        """Whether another worker still owes an answer to what it was given to send."""
        return any(self._away.values())

    # -- the home's side ------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether this worker holds a bind of it that stands."""
        return self.local.is_up

    @property
    def window_used(self) -> int:
        """Unanswered segments on this worker's binds, whosever they are."""
        return self.local.window_used

    def capacity(self) -> int:
        """Credits in hand."""
        return len(self._purse) if self._shares_window else self.local.capacity()

    def cost(self, message: Message) -> int:
        """How many segments the message becomes."""
        return self.local.cost(message)

    def want(self, waiting: int, keep: int) -> None:
        """Ask for credits while something waits, give back what is not needed when nothing does."""
        if waiting > 0 and len(self._purse) <= keep and self._shares_window:
            for holder in self._purse.ask(self._holders()):
                self._crossing.send_or_do(holder, Hungry(self.resource, waiting))
        elif waiting == 0:
            for holder, count in self._purse.give_back(keep):
                self._crossing.send_or_do(holder, GiveBack(self.resource, count))

    def _holders(self) -> Iterable[int]:
        """Whom to ask: this worker alone while its own binds have room. Over others, segment and answer cross the mesh,
        and its receipt is likely to as well."""
        if self._office.left(self.local.capacity()) > 0:
            return (self._crossing.slot,)
        return self._crossing.everybody()

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        """Send over whoever gave credits; segments of one message may take different ways."""
        if not self._shares_window:
            self.local.submit(message, segments, expires_at)
            return
        todo = range(self.cost(message)) if segments is None else segments
        while todo:
            holder, share = self._purse.spend(len(todo), self._crossing.slot)
            if not share:
                results = [Result(message.id, s, Deferred("no_credit", NO_CREDIT_RETRY_S), 0.0) for s in todo]
                asyncio.get_running_loop().call_soon(self._crossing.dispatcher.on_results, self, results)
                return
            now, todo = todo[:share], todo[share:]
            if holder == self._crossing.slot:
                self._office.spent(holder, share)
                self.local.submit(message, now, expires_at)
            else:
                self._away.setdefault(holder, set()).update((message.id, segment) for segment in now)
                self._crossing.send(holder, Send(self.name, message, list(now), expires_at))

    def unseen(self, message: Message, error: str) -> Unknown:
        """What became of an attempt whose end nobody saw."""
        return self.local.unseen(message, error)

    def done(self, holder: int, results: Sequence[Result]) -> None:
        """Another worker's answers to what we sent over its bind."""
        away = self._away.get(holder, set())
        known = [result for result in results if (result.message_id, result.segment) in away]
        away.difference_update((result.message_id, result.segment) for result in known)
        self._settle(known)

    def _settle(self, results: Sequence[Result]) -> None:
        """Outcomes of what this worker sent. A name that a carrier tells may be one that others have asked for."""
        self._crossing.dispatcher.on_results(self, results)
        if len(self._crossing.strays):
            for result in results:
                if isinstance(result.outcome, Accepted):
                    self._crossing.named(self, result.outcome.carrier_id)

    def offered(self, holder: int) -> None:
        """A holder has another link than before: its credits are void, and it has forgotten that it was asked."""
        self._purse.forget(holder)
        self._crossing.dispatcher.on_ready(self)

    def granted(self, holder: int, count: int) -> None:
        """Credits came."""
        self._purse.receive(holder, count)
        self._crossing.dispatcher.on_ready(self)

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        """Answer reports where they came in."""
        abroad: dict[int, list[int]] = {}
        here = []
        for token in tokens:
            if isinstance(token, _Abroad):
                abroad.setdefault(token.peer, []).append(token.number)
            else:
                here.append(token)
        if here:
            self.local.acknowledge(here, stored)
        for peer, numbers in abroad.items():
            self._crossing.send(peer, Acked(self.name, numbers, stored))

    def told(self, peer: int, told: Sequence[Told]) -> None:
        """What another worker heard of our handsets."""
        if self._is_retired:
            self._crossing.send(peer, Acked(self.name, [one.token for one in told], stored=False))
            return
        reports = [Report(one.content, _Abroad(peer, one.token)) for one in told]
        self._crossing.dispatcher.on_reports(self, reports)

    def revoke(self, message_id: int, carrier_id: str) -> None:
        """This worker speaks to platforms itself."""
        self.local.revoke(message_id, carrier_id)

    def spelt_out(self, receipt: Receipt) -> Receipt:
        """As this worker's part spells them."""
        return self.local.spelt_out(receipt)

    def check_capability(self, handset: str) -> None:
        """This worker speaks to platforms itself."""
        self.local.check_capability(handset)

    async def start(self) -> None:
        """Start this worker's part."""
        await self.local.start()

    async def stop(self, drain_s: float) -> None:
        """Stop this worker's part."""
        await self.local.stop(drain_s)

    # -- the holder's side ----------------------------------------------------------------------------------------

    def hungry(self, peer: int, wanted: int) -> None:
        """A home asks for credits."""
        self._office.hungry(peer, wanted)
        self.serve()

    def given_back(self, peer: int, count: int) -> None:
        """A home returns credits."""
        self._office.spent(peer, count)
        self.serve()

    def send_for(self, peer: int, parcel: Send) -> None:
        """Execute another home's step."""
        self._office.spent(peer, len(parcel.segments))
        for segment in parcel.segments:
            self._guests[parcel.message.id, segment] = peer
        self.local.submit(parcel.message, parcel.segments, parcel.expires_at)

    def local_ready(self) -> None:
        """This worker's own part can take more."""
        if self._shares_window:
            self.serve()
        else:
            self._crossing.dispatcher.on_ready(self)

    def serve(self) -> None:
        """Hand out what this worker's binds have free, once a loop turn."""
        if not self._is_serving:
            self._is_serving = True
            asyncio.get_running_loop().call_soon(self._serve_now)

    def _serve_now(self) -> None:
        self._is_serving = False
        for peer, count in self._office.grants(self.local.capacity()):
            self._crossing.send_or_do(peer, Grant(self.resource, count))
        if self._office.is_hungry(self._crossing.slot):  # others were before us: they may have room for us
            self._crossing.dispatcher.on_ready(self)

    def on_results(self, results: Sequence[Result]) -> None:
        """Answers on this worker's binds: each to the home that sent it."""
        mine: list[Result] = []
        others: dict[int, list[Result]] = {}
        guests = self._guests
        for result in results:
            peer = guests.pop((result.message_id, result.segment), None) if guests else None
            (mine if peer is None else others.setdefault(peer, [])).append(result)
        if mine:
            self._settle(mine)
        for peer, of_peer in others.items():
            self._crossing.send(peer, Done(self.name, of_peer))
        self.serve()

    def on_reports(self, reports: Sequence[Report]) -> None:
        """What a carrier told this worker: each to the home of its handset."""
        mine = []
        home_of, slot = self._crossing.home_of, self._crossing.slot
        for report in reports:
            content = report.content
            home = home_of(content.handset if isinstance(content, Receipt) else content.source)
            if home == slot:
                mine.append(report)
            elif self._crossing.is_given_up(home):
                self.local.acknowledge([report.token], False)
            else:
                token = self._crossing.new_token()
                self._tokens[token] = (home, report.token)
                self._crossing.send(home, Told(self.name, token, content))
        if mine:
            self._crossing.dispatcher.on_reports(self, mine)

    def acked(self, tokens: Sequence[int], stored: bool) -> None:
        """A home's answer to what we told it."""
        found = [self._tokens.pop(token) for token in tokens if token in self._tokens]
        self.local.acknowledge([token for _, token in found], stored)

    def give_up(self, peer: int) -> None:
        """A home stays away: what was to be told there is left with the carrier, which will offer it again."""
        self.acked([token for token, (home, _) in self._tokens.items() if home == peer], False)

    # -- peers that go and come -----------------------------------------------------------------------------------

    def peer_down(self, peer: int, unsent: Sequence[Parcel]) -> None:
        """Its steps for us are Unknown, unless they never reached it; ours for it are nobody's; credits are void."""
        self._purse.forget(peer)
        self._office.forget(peer)
        self._guests = {key: home for key, home in self._guests.items() if home != peer}
        told = {item.token for item in unsent if type(item) is Told and item.link == self.name}
        self.acked([token for token, (home, _) in self._tokens.items() if home == peer and token not in told], False)
        not_begun = {
            (item.message.id, segment)
            for item in unsent
            if type(item) is Send and item.link == self.name
            for segment in item.segments
        }
        results = []
        for message_id, segment in sorted(self._away.pop(peer, ())):
            is_kept = (message_id, segment) in not_begun
            outcome = Deferred("worker_lost", NO_CREDIT_RETRY_S) if is_kept else Unknown("worker_lost")
            results.append(Result(message_id, segment, outcome, 0.0))
        if results:
            self._settle(results)
        self._crossing.dispatcher.on_ready(self)
        self.serve()
