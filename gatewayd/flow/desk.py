"""What all of flow shares: the links and their terms, the spool, the queues, and the one way a decision is carried out.

A decision (a ``Step`` of policy.journey) becomes changes in the spool, places in queues, and deliveries owed.
"""

from __future__ import annotations

import heapq
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from gatewayd.carriers.link import Link
from gatewayd.config import schema
from gatewayd.flow import calling, displaying, notices
from gatewayd.flow.aside import STAGES, Aside
from gatewayd.flow.gathering import Gathering
from gatewayd.flow.guarding import Guards
from gatewayd.flow.owing import SMPP, SMPP_ALONE, copies, due_of, sinks_of, tells_sessions
from gatewayd.message import NO_NETWORK_ERROR, Channel, Message, State
from gatewayd.policy import journey as steps
from gatewayd.policy.compact import CompactLine
from gatewayd.policy.intervention import of_cancelled
from gatewayd.policy.journey import LinkTerms, Progress, Stage, Step
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.progress import WAIT, End, Finish
from gatewayd.policy.queueing import FairQueue
from gatewayd.policy.receipt_wishes import INTERMEDIATE, speaks, wants_final
from gatewayd.policy.user_data import without_concat
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.store.implied import name_of
from gatewayd.store.kinds import SENT
from gatewayd.store.records import Delivery, Facts, Result, Sent
from gatewayd.store.spool import Journey, Spool

if TYPE_CHECKING:
    from gatewayd.flow.ledger import Ledger

log = logging.getLogger(__name__)

ENDED_NAME_TTL_S = 86_400.0
_HOUR_S = 3_600.0
REVOKES_MAX = 10_000
# What carriers (0x00000437) and platforms (41200) call a refusal, where it is no word of a standard.
_OWN_CODE = re.compile(r"0x[0-9A-F]+|[A-Z]{0,4}[0-9]+")
_CHARACTER_OCTETS = 4  # the most that one has in any encoding
# Of each message, and looking a member up in its class is dear.
_ENDED, _RCS, _SMS = Stage.ENDED, Channel.RCS, Channel.SMS


class Outbox(Protocol):
    """The north side, as flow sees it: where deliveries wait for their application."""

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now; bring them to a bind when there is one."""

    def has_room(self, account: str, sink: str = "") -> bool:
        """Whether the account's outbox for a sink may grow; without a name the sink is SMPP."""

    def make_room(self, account: str, sink: str = "") -> None:
        """Drop the oldest delivery of the account for that sink, counted."""


class LinkQueue:
    """What waits for one link: lane by lane, those handed back first, in the order of their acceptance."""

    __slots__ = ("fair", "returned")

    def __init__(self) -> None:
        self.fair: FairQueue[int] = FairQueue(CompactLine)
        self.returned: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.fair) + len(self.returned)

    def give_back(self, lane: int, message_id: int) -> None:
        """Hand back; ids rise with time, so a heap of them keeps the order over any number of responses."""
        heapq.heappush(self.returned, (-lane, message_id))

    def heads(self) -> list[int]:
        """Ids among which the oldest one is."""
        return [*self.fair.heads(), *(message_id for _, message_id in self.returned)]

    def ids(self) -> list[int]:
        """All ids, also of messages that have left meanwhile."""
        return [*self.fair.items(), *(message_id for _, message_id in self.returned)]

    def discard(self, gone: Collection[int]) -> None:
        """Take these out, wherever they wait."""
        self.fair.discard(gone)
        self.returned = [entry for entry in self.returned if entry[1] not in gone]
        heapq.heapify(self.returned)

    def top(self) -> tuple[int, int]:
        """The highest lane in which anything waits, or -1, and about how many wait in it: at least one, if any do."""
        lane = self.fair.top_lane()
        returned = -self.returned[0][0] if self.returned else -1
        if returned > lane:
            return returned, 1
        return lane, self.fair.top_size() + (returned == lane >= 0)

    def pop(self) -> int | None:
        """The id whose turn it is."""
        returned = self.returned
        if returned and -returned[0][0] >= self.fair.top_lane():
            return heapq.heappop(returned)[1]
        return self.fair.pop()

    def pop_many(self, count: int) -> list[int]:
        """The ids whose turn it is, so many or all there are."""
        if self.returned:
            return [message_id for _ in range(count) if (message_id := self.pop()) is not None]
        return self.fair.pop_many(count)


class Desk:
    """The shared state of flow, and how decisions are carried out."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, schema.Account],
        links: Mapping[str, schema.Link],
        spool: Spool,
        metrics: Metrics,
        trail: Trail,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.learn_accounts(accounts)
        self.settings = dict(links)
        self.spool = spool
        self.metrics = metrics
        self.trail = trail
        self.now = clock
        self.links: dict[str, Link] = {}
        self.terms = {name: _terms(name, link) for name, link in links.items()}
        self.channels = {name: terms.channel for name, terms in self.terms.items()}
        self.queues = {name: LinkQueue() for name in links}
        self.outbox: Outbox
        self.ledger: Ledger | None = None
        self.guards = Guards(self)
        self.aside = Aside()
        self.gathering = Gathering(self)
        self.wake: Callable[[str], None] = lambda link: None
        self.on_joined_end: Callable[[int, End], None] = lambda head, end: None
        # For how long how a message ended is kept for accounts that have keys, where they do not say it themselves.
        self.results_s = 0.0
        self.operator_of: Callable[[Message], str] | None = None  # for the metrics, where operators are known at all
        self.flying: dict[int, Journey] = {}
        # Of messages of several segments: those to which the link still owes an answer.
        self.in_flight: dict[int, set[int]] = {}
        # Revokes that wait for their link to be up and to have room; what overflows ends by its timeout, as unknown.
        self.revokes: dict[str, deque[tuple[int, str]]] = {name: deque(maxlen=REVOKES_MAX) for name in links}
        self._then = spool.journal.then

    def learn_accounts(self, accounts: Mapping[str, schema.Account]) -> None:
        """The applications are configured so from now on."""
        self.accounts = accounts
        # Which account owns which number or bot.
        self.owners = {handset_of(number, 1, 1): name for name, one in accounts.items() for number in one.numbers}
        self.tells_sessions = tells_sessions(accounts.values())
        self._keeps_results = any(account.results_h for account in accounts.values())
        # Of those whose receipts of parts are one part's, which: so it is of what we cut into segments.
        self.deciding: dict[str, Literal["first", "last"]] = {
            name: account.receipt_parts
            for name, account in accounts.items()
            if account.receipt_parts in ("first", "last")
        }

    def add_link(self, link: Link, settings: schema.Link) -> None:
        """A link that messages may be sent over from now on."""
        name = link.name
        self.links[name] = link
        self.settings[name] = settings
        self.terms[name] = _terms(name, settings)
        self.channels[name] = self.terms[name].channel
        self.queues.setdefault(name, LinkQueue())
        self.revokes.setdefault(name, deque(maxlen=REVOKES_MAX))

    def remove_link(self, name: str) -> None:
        """Nothing more goes over it; what waits for it goes on waiting, what is in flight still comes to its end."""
        self.links.pop(name, None)
        self.settings.pop(name, None)

    def journey(self, message_id: int) -> Journey | None:
        """A message by its id, until it has its end; what is in flight is one object for everybody."""
        journey = self.flying.get(message_id) or self.spool.journey(message_id)
        return None if journey is not None and journey.progress.stage is _ENDED else journey

    def head_of(self, journey: Journey) -> Journey | None:
        """The message in which it travels as a part, or itself; None when that has its end."""
        progress = journey.progress
        return self.journey(progress.member_of) if progress.stage is Stage.MEMBER else journey

    # -- carrying out -------------------------------------------------------------------------------------------

    def apply(self, journey: Journey, step: Step, was_queued: str = "") -> None:
        """Make a decision true. ``was_queued`` is the queue that already holds the message, if any does."""
        progress = journey.progress
        if progress.is_cancelled:
            step = of_cancelled(progress, step, journey.message.expires_at, self.now())
        if type(step) is Finish:
            self.finish(journey, step.state, step.error, step.at, step.network_error, step.tlvs)
        elif step is WAIT:
            self.spool.save(journey)
        else:
            self._apply(journey, step, was_queued)

    def _apply(self, journey: Journey, step: Step, was_queued: str) -> None:
        """What is neither an end nor nothing to do for now."""
        progress = journey.progress
        match step:
            case steps.Queue(link) if link not in self.queues:  # it is gone from the configuration
                gone = steps.next_link(progress, "link_gone", State.UNDELIV, "link_gone", journey.message.expires_at)
                self.apply(journey, gone, was_queued)
                return
            case steps.Queue(link, front, moved):
                if moved:
                    self.guards.on_left(progress.id)
                    self.in_flight.pop(progress.id, None)
                    self._count_fallback(journey)
                    if journey.message.registered_delivery & INTERMEDIATE or progress.parts:
                        notices.tell(self, journey)
                self._queue(journey, link, front, was_queued)
            case steps.Revoke(link, carrier_id):
                self._revoke(journey, link, carrier_id)
            case steps.Ignore():
                return
        self.spool.save(journey)

    def _queue(self, journey: Journey, link: str, front: bool, was_queued: str) -> None:
        progress = journey.progress
        if was_queued == link:
            return
        self.flying.pop(progress.id, None)
        if front:
            self.queues[link].give_back(progress.lane, progress.id)
        else:
            weight = self.accounts[progress.account].weight if progress.account in self.accounts else 1
            self.queues[link].fair.push(progress.lane, progress.account, weight, progress.id)
        self.wake(link)

    def _revoke(self, journey: Journey, link: str, carrier_id: str) -> None:
        waiting = self.revokes.get(link)
        if waiting is None:  # gone from the configuration: as if it had been asked, and gave no answer
            steps.on_revoke_sent(journey.progress, journey.message.expires_at, self.now())
        else:
            waiting.append((journey.progress.id, carrier_id))
            self.wake(link)

    def _count_fallback(self, journey: Journey) -> None:
        progress = journey.progress
        self.metrics.fallbacks.labels(progress.links[0], _family(progress.fallback)).value += 1
        self.tell("fallback", journey, link=progress.link, reason=progress.fallback)

    def finish(
        self,
        journey: Journey,
        state: State,
        error: str,
        at: float,
        network_error: int = NO_NETWORK_ERROR,
        tlvs: tuple[tuple[int, bytes], ...] = (),
    ) -> None:
        """The one final fate of a message, and of the parts that travelled in it."""
        progress, spool, now = journey.progress, self.spool, self.now()
        if self.guards.reserved or self.guards.waiting:
            self.guards.on_left(progress.id)
        if progress.stage in STAGES:
            self.aside.moved(progress.stage, None)
        self.flying.pop(progress.id, None)
        self.in_flight.pop(progress.id, None)
        own_link = progress.links[progress.position]
        for segment in progress.segments:
            if segment.carrier_id:
                spool.forget_name(own_link, segment.carrier_id)
        members = spool.journeys([part for part in progress.parts if part != progress.id]) if progress.parts else ()
        is_rcs = bool(progress.rcs_id) and self._ended_on_rcs(progress, state)
        channel = _RCS if is_rcs else self.channels.get(own_link, _SMS)
        end = End(state, channel, error, at, network_error, tlvs)
        owed = [self._end(journey, progress, end)]
        if members:
            owed += [self._end(member, progress, end) for member in members]
            self.on_joined_end(progress.id, end)
        if progress.rcs_id:
            self._keep_name(progress, owed)
        link = progress.rcs_link if is_rcs and progress.rcs_link else own_link
        self.metrics.messages[progress.account, link, channel, state].value += 1
        if self.operator_of is not None:
            operator = self.operator_of(journey.message)
            self.metrics.operator_messages.labels(operator, channel.value, state.value).value += 1
        if progress.sent_at:
            self.metrics.carrier_receipt[(link,)].observe(now - progress.sent_at)
        if self.trail.wants:
            self.tell(state.value.lower(), journey, link=link, error=error or None)

    def end_as(self, journey: Journey, end: End) -> None:
        """A part that came again has the end that its message had."""
        self._end(journey, journey.progress, end)

    def _ended_on_rcs(self, progress: Progress, state: State) -> bool:
        """Whether the RCS leg of one that had such decided: nothing else did, or it was delivered although the SMS had
        its turn."""
        sms_delivered = any(segment.state is State.DELIVRD for segment in progress.segments)
        return not progress.segments or (state is State.DELIVRD and not sms_delivered)

    def _keep_name(self, progress: Progress, owed: list[Delivery | None]) -> None:
        """Platforms go on to say displayed, or delivered after the fallback: known, counted, and no stranger's."""
        told = displaying.telling(self.accounts, owed)
        keep_s = max(ENDED_NAME_TTL_S, displaying.wait_s(self.accounts, told))
        ended = Sent(progress.id, ended=True, due=self.now() + keep_s, told=told)
        self.spool.journal.put(SENT, name_of(progress.rcs_link, progress.rcs_id), ended)

    # -- what is owed to the application ------------------------------------------------------------------------

    def _end(self, journey: Journey, head: Progress, end: End) -> Delivery | None:
        """The end of one message; ``head`` is how far that one came in which it travelled, or itself.

        Returns the receipt that is owed for it, if one is.
        """
        message, notice = journey.message, journey.progress.notice
        if self.results_s or self._keeps_results:
            self._keep_result(message, end.channel, end.state, end.error, end.at)
        is_told = message.tlvs != () and calling.on_end(self, message, head, end.state, end.error, end.at)
        if not is_told and message.concat is not None:
            if self.gathering.takes(message):
                return self.gathering.hold(journey, end)
            account = self.accounts.get(message.account)
            is_told = account is not None and not speaks(account.receipt_parts, message.concat)
            if is_told:
                self.note_end(message.id, end)
        self.spool.finish(journey)
        if is_told:
            return None
        if not wants_final(message.registered_delivery, end.state):
            self.note_end(message.id, end)
            return None
        return self.owe_end(message, end, notice)

    def note_end(self, message_id: int, end: End) -> None:
        """For those who ask later: it ended so, and nobody is told."""
        self.spool.note(message_id, "ended", channel=end.channel.value, state=end.state.value, error=end.error)

    def owe_end(self, message: Message, end: End, notice: int = 0) -> Delivery:
        """Owe its sender the final receipt; ``notice`` is the last that it was told before."""
        delivery = self.receipt_of(message, end.state, end.error, end.at)
        if notice or end.network_error != NO_NETWORK_ERROR or end.tlvs:
            delivery.follows, delivery.network_error, delivery.tlvs = notice, end.network_error, end.tlvs
        self.owe(delivery, Facts(end.channel, message.concat))
        return delivery

    def receipt_of(self, message: Message, state: State, error: str, at: float) -> Delivery:
        """What a message's sender is told of it, before anybody is told."""
        now, account = self.now(), self.accounts.get(message.account)
        told = message.written or message
        # By position as far as it goes: by name, so many fields take three times as long.
        delivery = Delivery(
            self.spool.new_id(),
            message.account,
            "receipt",
            told.destination_ton,
            told.destination_npi,
            told.destination,
            told.source_ton,
            told.source_npi,
            told.source,
            now,
            due_of(account, now),
            0,
            reference_of(message) if message.tlvs else -1,
            message.id,
            state,
            error,
            message.accepted_at,
            _end_of(message, at) if at else now,
            known_as=message.known_as,
        )
        # The application may know its message by its beginning; nobody else needs to keep that.
        if account is not None and (shown := account.receipt_text_chars):
            delivery.payload, delivery.encoding = message.payload[: shown * _CHARACTER_OCTETS], message.encoding
        return delivery

    def _keep_result(self, message: Message, channel: Channel, state: State, error: str, at: float) -> None:
        account, now = self.accounts.get(message.account), self.now()
        if account is None:
            return
        keep_s = account.results_h * _HOUR_S or (self.results_s if account.api_keys else 0.0)
        if keep_s:
            result = Result(
                account=message.account,
                source=message.told.source,
                destination=message.told.destination,
                state=state,
                error=error,
                channel=channel,
                accepted_at=message.accepted_at,
                done_at=_end_of(message, at) if at else now,
                due=now + keep_s,
                reference=reference_of(message),
                known_as=message.known_as,
            )
            self.spool.keep_result(message.id, result)

    def owe(self, delivery: Delivery, facts: Facts | None = None) -> None:
        """Keep a delivery for each sink of its account and, once it is durable, give it to the outbox.

        ``facts`` are for the sinks that can tell them.
        """
        account = self.accounts.get(delivery.account)
        if account is None or (account.sinks == SMPP_ALONE and delivery.kind != "session"):
            self.owe_one(delivery)
        else:
            for copy in copies(delivery, account, facts, self.spool.new_id):
                self.owe_one(copy)

    def has_room(self, account: str, kind: str) -> bool:
        """Whether a delivery may be owed: any sink for such has room, or there is none."""
        sinks = ["" if sink == SMPP else sink for sink in sinks_of(self.accounts.get(account), kind)]
        return not sinks or any(self.outbox.has_room(account, sink) for sink in sinks)

    def owe_one(self, delivery: Delivery) -> None:
        """Keep this one for its sink and, once it is durable, give it to the outbox."""
        if not self.outbox.has_room(delivery.account, delivery.sink):
            self.outbox.make_room(delivery.account, delivery.sink)
        self.spool.owe(delivery)
        self._then(self._owed, delivery)

    def _owed(self, deliveries: list[Any]) -> None:
        self.outbox.add(deliveries)

    # -- for people ---------------------------------------------------------------------------------------------

    def tell(self, step: str, journey: Journey, **facts: Any) -> None:
        """A line for people about one message; gathered only where it is read."""
        if self.trail.wants:
            message = journey.message
            handset = message.destination
            self.trail.tell(step, message=f"{message.id:x}", account=message.account, handset=handset, **facts)


def whole(journey: Journey) -> Message:
    """What is really sent: the joined text where parts were joined, else the message as it came."""
    message, payload = journey.message, journey.progress.payload
    if not journey.progress.parts:
        return message
    udh = without_concat(message.udh)
    esm_class = message.esm_class if udh else message.esm_class & ~0x40
    return msgspec.structs.replace(
        message, payload=payload, udh=udh, concat=None, esm_class=esm_class, tlvs=_without_sar(message)
    )


def _without_sar(message: Message) -> tuple[tuple[int, bytes], ...]:
    return tuple(tlv for tlv in message.tlvs if tlv[0] not in (0x020C, 0x020E, 0x020F))


def reference_of(message: Message) -> int:
    """The application's user_message_reference (SMPP 3.4 5.3.2.17), or -1."""
    for tag, value in message.tlvs:
        if tag == 0x0204:
            return int.from_bytes(value, "big")
    return -1


def _terms(name: str, link: schema.Link) -> LinkTerms:
    channel = Channel.SMS if link.kind == "smpp" else Channel.RCS
    return LinkTerms(name, channel, link.retry_max, link.deadline_s, repeats_safely=link.kind == "rbm")


def _family(reason: str) -> str:
    """A reason as a label of few values: platforms' and carriers' own codes stay in the trail."""
    if reason.startswith("failed_"):
        return "failed"
    return "refused" if _OWN_CODE.fullmatch(reason) else reason


def _end_of(message: Message, at: float) -> float:
    """When it ended. Carriers tell the minute, which may have begun before the message came."""
    return max(at, message.accepted_at)
