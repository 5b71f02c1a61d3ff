"""The whole of flow behind one door: what senders hand in, what links report, what the clock brings.

This is the listener that every link is given, and the intake that every sender is given.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Sequence
from functools import partial

from gatewayd.carriers.link import Capability, Link, Report, Result, Revocation
from gatewayd.flow.aside import STAGES
from gatewayd.flow.desk import Desk, LinkQueue, whole
from gatewayd.flow.inbound import InboundDesk
from gatewayd.flow.inquiring import Inquiries
from gatewayd.flow.joining import Joiner
from gatewayd.flow.ledger import Ledger
from gatewayd.flow.limits import Limits
from gatewayd.flow.linking import Linking
from gatewayd.flow.outbound import Outbound
from gatewayd.flow.qualifying import Bureau
from gatewayd.flow.reach import Numbers, Reach
from gatewayd.flow.superseding import supersede
from gatewayd.message import Channel, Message, Receipt, State, Unknown
from gatewayd.policy import intervention
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Progress, Stage, Step
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.routing import Decision, RouteTable
from gatewayd.policy.user_data import handset_only, may_be_special
from gatewayd.runtime.instruments import OTHER
from gatewayd.store.kinds import ALIAS, CAPABILITY, FILE, RESULT, SEEN, SENT, SESSION, TAKEN
from gatewayd.store.records import Capability as Known
from gatewayd.store.spool import Journey

log = logging.getLogger(__name__)

# Of each message, and looking a member up in its class is dear.
_QUEUED, _RCS = Stage.QUEUED, Channel.RCS
TICK_S = 0.25
PURGE_S = 1.0
LOOK_AHEAD_S = 20.0
_CLASS_LANES = {"otp": 3}


class Dispatcher:
    """Flow, as its neighbours see it."""

    def __init__(
        self,
        desk: Desk,
        routes: RouteTable,
        limits: dict[str, Limits],
        *,
        session_window_h: float,
        join_timeout_s: float,
        incomplete_max: int,
    ) -> None:
        self._desk = desk
        self._routes = routes
        self._join_timeout_s = join_timeout_s
        self._reach = Reach(desk)
        self.bureau = Bureau(desk, self._reach, limits.__getitem__)
        self._outbound = Outbound(desk, self._reach, limits, session_window_h)
        self.inquiries = Inquiries(desk, self._reach, limits, self._outbound.paused)
        self._inbound = InboundDesk(desk, self._reach)
        self._outbound.on_named = self._inbound.on_named
        self._joiner = Joiner(desk, incomplete_max)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = self._purged_at = -math.inf

    # -- from senders -------------------------------------------------------------------------------------------

    def plan(self, message: Message) -> Progress | None:
        """How a new message will travel, or None when no rule of the routing table takes it."""
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        decision: Decision | None = self._routes.decide(message.account, message.source, handset, message.traffic_class)
        if decision is None:
            return None
        ledger = self._desk.ledger
        talking = self._talking(ledger, decision.links, handset) if ledger is not None and ledger.open else ""
        links = (talking, *(link for link in decision.links if link != talking)) if talking else decision.links
        reason = f"{decision.reason}, open conversation" if talking else decision.reason
        if may_be_special(message) and (word := handset_only(message)):
            links, reason = self._without_rcs(links, reason, word)
        progress = Progress(
            id=message.id,
            account=message.account,
            stage=_QUEUED,
            links=links,
            reason=reason,
            on_unknown=decision.on_unknown or self._desk.settings[links[0]].on_unknown,
            is_checked=bool(talking),
            lane=max(min(message.priority, 3), _CLASS_LANES.get(message.traffic_class, 0)),
        )
        if self._desk.deciding and message.concat is None:
            progress.deciding = self._desk.deciding.get(message.account, "")
        if message.deliver_at and message.deliver_at > self._desk.now():
            steps.schedule(progress, message.deliver_at)
            return progress
        is_rcs = self._desk.channels[links[0]] is _RCS
        if is_rcs:
            terms, now = self._desk.terms[links[0]], self._desk.now()
            progress.rcs_until = now + terms.deadline_s
            if message.expires_at:
                progress.rcs_until = steps.rcs_deadline(progress, terms, message.expires_at, now)
        if is_rcs and message.concat is not None:
            progress.stage = Stage.JOINING
            progress.due = min(self._desk.now() + self._join_timeout_s, progress.rcs_until)
        else:
            steps.enqueue(progress, message.expires_at)
        return progress

    def supersede(self, message: Message) -> None:
        """A message that is about to be stored may take the place of one that waits."""
        supersede(self._desk, message)

    def _without_rcs(self, links: tuple[str, ...], reason: str, word: str) -> tuple[tuple[str, ...], str]:
        """A route for what only a handset understands; the same one where it has no SMS link, to be refused there."""
        links_left = tuple(link for link in links if self._desk.channels[link] is Channel.SMS)
        return (links_left, f"{reason}, SMS alone: {word}") if links_left not in ((), links) else (links, reason)

    def _talking(self, ledger: Ledger, links: Sequence[str], handset: str) -> str:
        """The link of a route over whose bot a conversation with the handset is open: one more message costs nothing
        there, and the handset has shown that it is reached."""
        desk = self._desk
        for link in links:
            settings = desk.settings[link]
            is_accounted = settings.billing and desk.channels[link] is Channel.RCS
            if is_accounted and ledger.is_active(settings.bot_id, handset):
                return link
        return ""

    def reconfigure(self, routes: RouteTable, session_window_h: float) -> None:
        """Route by another table from now on; what waits for a link that is gone finds another way."""
        self._routes = routes
        self._outbound.set_session_window(session_window_h)
        for name in [name for name in self._desk.queues if name not in self._desk.links]:
            queue = self._desk.queues.pop(name)
            while (message_id := queue.pop()) is not None:
                journey = self._desk.journey(message_id)
                if journey is not None and journey.progress.queue == name:
                    self.replan(journey)
        for name in self._desk.links:
            self._outbound.wake(name)

    def links_for(self, account: str) -> frozenset[str]:
        """Over which links an account's messages may go."""
        return self._routes.links_for(account)

    def refusal(self, link: str, handset: str) -> str:
        """Why a link may not be used for a handset, in one word; nothing when it may."""
        return self._reach.refusal(link, handset)

    def known(self, link: str, handset: str) -> Known | None:
        """What was learned of a handset on a link, and still holds."""
        return self._reach.known(link, handset)

    def know_operators(self, numbers: Numbers) -> None:
        """Ask these for the operator of a handset from now on."""
        self._reach.numbers = numbers

    def count_operators(self, words: Collection[str]) -> None:
        """Count messages by the operator of their handset, as far as it is one of these."""
        numbers = self._reach.numbers
        self._desk.operator_of = partial(_operator_of, numbers, frozenset(words)) if numbers is not None else None

    def set_limits(self, link: str, limits: Limits) -> None:
        """Pace a link by other limits from now on."""
        self._outbound.set_limits(link, limits)

    def pause(self, link: str, *, paused: bool) -> None:
        """A person wants nothing more to go over a link, or that it goes again. What is under way comes to its end."""
        (self._outbound.paused.add if paused else self._outbound.paused.discard)(link)
        self._outbound.wake(link)

    def is_paused(self, link: str) -> bool:
        """Whether a person paused it."""
        return link in self._outbound.paused

    def replan(self, journey: Journey, was_queued: str = "") -> None:
        """Route it anew, as if it came now: its link is no longer configured, or a person wants it.

        ``was_queued`` is the queue that holds it, if one does.
        """
        message, progress = journey.message, journey.progress
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        decision = self._routes.decide(message.account, message.source, handset, message.traffic_class)
        if decision is None:
            self._desk.apply(journey, steps.Finish(State.UNDELIV, "no_route"))
            return
        word = handset_only(message)
        way = self._without_rcs(decision.links, decision.reason, word) if word else (decision.links, decision.reason)
        (progress.links, progress.reason), progress.position = way, 0
        progress.attempts, progress.segments, progress.is_checked = 0, [], False
        self._desk.aside.moved(progress.stage, Stage.QUEUED)
        self._desk.apply(journey, steps.enqueue(progress, message.expires_at), was_queued)

    # -- by a person's hand ---------------------------------------------------------------------------------------

    def hold(self, journey: Journey) -> bool:
        """Send it no further until it is released; False when it does not wait."""
        return self._set_aside(journey, intervention.hold)

    def release(self, journey: Journey) -> bool:
        """Let a held one go on; False when it is not held."""
        return self._set_aside(journey, intervention.release)

    def _set_aside(self, journey: Journey, act: Callable[[Progress, float], Step | None]) -> bool:
        before = journey.progress.stage
        step = act(journey.progress, journey.message.expires_at)
        if step is not None:
            self._desk.aside.moved(before, journey.progress.stage)
            self._desk.apply(journey, step)
        return step is not None

    # -- what is on disk ------------------------------------------------------------------------------------------

    def accepted(self, journeys: list[Journey]) -> None:
        """These are durable now and were acknowledged."""
        tells = self._desk.trail.wants
        waiting: dict[tuple[str, int, str], list[Journey]] = {}
        for journey in journeys:
            progress = journey.progress
            if tells:
                self._desk.tell("taken", journey, link=progress.queue or None, stage=progress.stage.value)
            if progress.stage is not _QUEUED:
                self._enqueue_all(waiting)  # it may be the last part of a message that is queued at once
                self._await(journey)
                continue
            place = progress.queue, progress.lane, progress.account
            if place in waiting:
                waiting[place].append(journey)
            else:
                waiting[place] = [journey]
        self._enqueue_all(waiting)

    def _enqueue_all(self, waiting: dict[tuple[str, int, str], list[Journey]]) -> None:
        for (link, lane, account), journeys in waiting.items():
            self._enqueue(link, lane, account, journeys)
        waiting.clear()

    def _enqueue(self, link: str, lane: int, account: str, journeys: list[Journey]) -> None:
        """These of one account wait for one link from now on."""
        queue = self._desk.queues.get(link)
        if queue is None:  # a reload took the link away while the messages were being committed
            for journey in journeys:
                self.replan(journey)
            return
        settings = self._desk.accounts.get(account)
        weight = settings.weight if settings is not None else 1
        queue.fair.extend(lane, account, weight, [journey.message.id for journey in journeys])
        self._outbound.wake(link)

    def _await(self, journey: Journey) -> None:
        """It is not to go yet: its other parts are missing, or its moment."""
        if journey.progress.stage is Stage.JOINING:
            self._joiner.add(journey)
        else:
            self._desk.aside.moved(None, journey.progress.stage)
            self._desk.spool.cool(journey.progress.id)

    def _begin(self, journey: Journey) -> None:
        """The moment of a scheduled message has come: it travels as if it came now."""
        planned = self.plan(journey.message)
        if planned is None:
            self._desk.apply(journey, steps.Finish(State.UNDELIV, "no_route"))
            return
        self._desk.aside.moved(journey.progress.stage, None)
        journey.progress = planned
        self._desk.spool.save(journey)
        self.accepted([journey])

    # -- from links (the LinkListener contract) -----------------------------------------------------------------

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        """Outcomes of segments."""
        self._outbound.on_results(link, results)

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        """Receipts and MOs."""
        self._inbound.on_reports(link, reports)

    def on_ready(self, link: Link) -> None:
        """Capacity came back."""
        self._outbound.on_ready(link)

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        """The end of a revoke."""
        self._outbound.rest(link, revocation.throttled)
        self._outbound.on_revoked(link, revocation)

    def on_capability(self, link: Link, capability: Capability) -> None:
        """The end of a capability question."""
        self._outbound.rest(link, capability.throttled)
        self._reach.on_capability(link, capability)

    # -- between workers ----------------------------------------------------------------------------------------

    def ask_around(self, ask: Callable[[Link, Receipt], None]) -> None:
        """Call this for receipts whose message is not known here."""
        self._inbound.ask_around = ask

    @property
    def linking(self) -> Linking:
        """Where conversations go from one address of a user to the other."""
        return self._inbound.linking

    def claim(self, link: Link, receipt: Receipt) -> bool:
        """Take a receipt that another worker could not match, if this one knows the message."""
        return self._inbound.claim(link, receipt)

    def claimed(self, link: Link, receipt: Receipt) -> None:
        """Another worker took it."""
        self._inbound.claimed(link, receipt)

    # -- the clock ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what the last run left, and keep time from now on. The store must have been folded."""
        desk = self._desk
        desk.aside.learn(desk.spool.set_aside(STAGES))
        gone: list[int] = []
        for message_id, link, lane, account in desk.spool.waiting():
            if link not in desk.queues:
                gone.append(message_id)
                continue
            weight = desk.accounts[account].weight if account in desk.accounts else 1
            desk.queues[link].fair.push(lane, account, weight, message_id)
        for journey in desk.spool.interrupted():
            self._resume(journey)
        for journey in desk.spool.journeys(gone):
            self.replan(journey)
        for name in desk.queues:
            self._outbound.wake(name)
        if desk.ledger is not None:
            desk.ledger.on_record = self._outbound.sessions.billed
            desk.ledger.start()
        self._run_clock()

    def stop(self) -> None:
        """Send nothing more and let the clock rest."""
        self._outbound.stop()
        self.bureau.stop()
        if self._timer is not None:
            self._timer.cancel()

    def _resume(self, journey: Journey) -> None:
        """An answer was owed to it when the last process ended: it will not come any more."""
        desk, progress, expires_at = self._desk, journey.progress, journey.message.expires_at
        match progress.stage:
            case Stage.JOINING:
                self._joiner.add(journey)
            case Stage.ENDED:
                desk.gathering.add(journey)
            case Stage.CHECKING:
                desk.apply(journey, steps.enqueue(progress, expires_at))
            case Stage.REVOKING:
                progress.stage = Stage.SENT
                desk.apply(journey, steps.on_due(progress, expires_at, desk.now()))
            case Stage.SENDING:
                self._resume_sending(journey)

    def _resume_sending(self, journey: Journey) -> None:
        desk, progress, expires_at = self._desk, journey.progress, journey.message.expires_at
        terms = desk.terms.get(progress.link)
        if terms is None:  # the link is gone from the configuration, and with it all that it could still tell
            is_silent = progress.on_unknown == "prefer_silence"
            desk.apply(
                journey, steps.Finish(State.UNKNOWN, "link_gone") if is_silent else steps.enqueue(progress, expires_at)
            )
            return
        link = desk.links.get(progress.link)
        if link is not None and link.channel is Channel.RCS:
            # Under the name that it may have gone by, so that what is told of it finds it.
            unseen = Result(progress.id, 0, link.unseen(whole(journey), "restart"), 0.0)
            self._outbound.settle(link, unseen, desk.now())
            return
        desk.metrics.link_results.labels(terms.name, "unknown", "restart").value += 1
        for segment in steps.unsent(progress, max(len(progress.segments), 1)):
            was_queued = progress.queue
            step = steps.on_result(progress, terms, segment, Unknown("restart"), expires_at, desk.now())
            desk.apply(journey, step, was_queued)

    def _run_clock(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._run_clock)
        self.tick()

    def tick(self) -> None:
        """Look at what has come due; called several times a second."""
        desk = self._desk
        if self._loop.time() - self._looked_at > LOOK_AHEAD_S:
            self._looked_at = self._loop.time()
            desk.spool.look_ahead()
            desk.spool.purge((SENT, CAPABILITY, SEEN, ALIAS, FILE))
            desk.spool.sweep_names()
            self._reach.look_ahead()
            self._inbound.purge()
            if desk.ledger is not None:
                desk.ledger.look_ahead()
        if self._loop.time() - self._purged_at > PURGE_S:
            self._purged_at = self._loop.time()
            desk.spool.purge((TAKEN, RESULT))  # there may be one for each message
            if desk.tells_sessions:
                self._outbound.sessions.close_due()  # and nobody else forgets them: it would be before they are told
            else:
                desk.spool.purge((SESSION,))
        if desk.ledger is not None:
            desk.ledger.tick()
        self.bureau.tick()
        for due in desk.spool.take_due():
            # What is in flight is one object for everybody, and may be ahead of what is stored.
            journey = desk.flying.get(due.progress.id, due)
            try:
                self._on_due(journey)
            except Exception:  # one message that cannot be dealt with must not keep the others from their time
                log.exception("message %x: what was due failed", due.progress.id)

    def _on_due(self, journey: Journey) -> None:
        desk, progress = self._desk, journey.progress
        if not 0 < progress.due <= desk.now():
            return
        if progress.stage is Stage.JOINING:
            self._joiner.on_due(journey)
            return
        if progress.stage is Stage.ENDED:
            desk.gathering.on_due(journey)
            return
        if progress.stage is Stage.SCHEDULED:
            self._begin(journey)
            return
        was_queued = progress.queue
        step = steps.on_due(progress, journey.message.expires_at, desk.now())
        desk.apply(journey, step, was_queued)

    # -- for metrics --------------------------------------------------------------------------------------------

    def parked_receipts(self, link: str) -> int:
        """Receipts that match no message yet."""
        return self._inbound.parked_of(link)

    def queue_depths(self) -> list[tuple[tuple[str, ...], float]]:
        """Messages that wait, by link."""
        return [((name,), len(queue)) for name, queue in self._desk.queues.items()]

    def aside_counts(self) -> list[tuple[tuple[str, ...], float]]:
        """Messages that wait outside of all queues, by stage."""
        return [((stage,), count) for stage, count in self._desk.aside.read().items()]

    def queue_ages(self) -> list[tuple[tuple[str, ...], float]]:
        """Seconds that the oldest waiting message of each link has waited since it was accepted."""
        now = self._desk.now()
        return [((name,), self._age(queue, now)) for name, queue in self._desk.queues.items()]

    def _age(self, queue: LinkQueue, now: float) -> float:
        ids = queue.heads()
        if not ids:
            return 0.0
        for message_id in sorted(ids):
            journey = self._desk.journey(message_id)
            if journey is not None:  # else it came to its end while it waited here
                return max(0.0, now - journey.message.accepted_at)
        return 0.0


def _operator_of(numbers: Numbers, words: frozenset[str], message: Message) -> str:
    """A word for a metric: files of numbers may know thousands of operators."""
    operator = numbers.operator_of(handset_of(message.destination, message.destination_ton, message.destination_npi))
    if not operator:
        return "unknown"
    return operator if operator in words else OTHER
