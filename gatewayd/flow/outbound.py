"""The dispatcher: takes what waits for a link, asks the limits, sends, and settles what comes back.

Works in batches: a link is looked at once a loop turn, however many messages, answers or windows asked for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence

from gatewayd.carriers.link import Link, Result, Revocation
from gatewayd.flow import calling, notes, notices
from gatewayd.flow.desk import Desk, whole
from gatewayd.flow.known_as import is_answerable
from gatewayd.flow.ledger import Ledger
from gatewayd.flow.limits import ALONE, Limits
from gatewayd.flow.pausing import Pausing
from gatewayd.flow.reach import Reach
from gatewayd.flow.sessions import Sessions
from gatewayd.message import Accepted, Channel, Deferred, Outcome, Refused, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.error_families import family_of
from gatewayd.policy.journey import Stage
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.ratio_guard import Verdict
from gatewayd.store.records import Capability
from gatewayd.store.spool import Journey

log = logging.getLogger(__name__)

# Looked up once: a member of an enumeration is dear to find in its class.
_RCS = Channel.RCS
_QUEUED, _SENDING, _SENT = Stage.QUEUED, Stage.SENDING, Stage.SENT
# So many go over one link in a turn of the loop; where few links have any, so many over all together. What a turn took
# from many binds must go in about one turn, too, else it piles up.
BATCH_MAX, BATCH_MAX_OF_ALL = 256, 1_024
_HOUR_S = 3_600.0

# How attempts ended, for people: a message that ends UNKNOWN is another thing than an answer that did not come.
_ANSWERS = {Accepted: "accepted", Refused: "refused", Deferred: "deferred", Unknown: "unanswered"}
REVOKE_LANE = 3


class Outbound:
    """Brings queued messages to their links."""

    def __init__(self, desk: Desk, reach: Reach, limits: dict[str, Limits], session_window_h: float) -> None:
        self._desk = desk
        self._reach = reach
        self._limits = limits
        self._pausing = Pausing(desk)
        self._session_window_s = session_window_h * _HOUR_S
        self.sessions = Sessions(desk)
        self._loop = asyncio.get_running_loop()
        self._dirty: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._reserved: Counter[str] = Counter()
        self._intents: dict[str, deque[tuple[Link, Journey, list[int]]]] = {}
        self._held: set[str] = set()
        # Links over which a question could not leave, in a second that was full; until their timer.
        self._shut: set[str] = set()
        # What carriers took and we have not written down: a crash would send it again, so it counts as still in flight.
        self._unwritten: Counter[str] = Counter()
        self._is_stopping = False
        # Links over which people let nothing go for now.
        self.paused: set[str] = set()
        self.on_named: Callable[[Link, str], None] = lambda link, carrier_id: None
        desk.wake = self.wake

    # -- the pump -----------------------------------------------------------------------------------------------

    def wake(self, link: str) -> None:
        """Look at this link at the end of the loop turn."""
        if not self._dirty:
            self._loop.call_soon(self._pump_all)
        self._dirty.add(link)

    def on_ready(self, link: Link) -> None:
        """The link can take more."""
        self._shut.discard(link.name)
        self.wake(link.name)

    def set_limits(self, link: str, limits: Limits) -> None:
        """Pace a link by these from now on."""
        self._limits[link] = limits

    def set_session_window(self, hours: float) -> None:
        """How long a conversation stays open from now on."""
        self._session_window_s = hours * _HOUR_S

    def stop(self) -> None:
        """Send nothing more; what waits stays in the store."""
        self._is_stopping = True
        self._desk.guards.stop()
        for timer in self._timers.values():
            timer.cancel()

    def _pump_all(self) -> None:
        dirty, self._dirty = self._dirty, set()
        most = max(BATCH_MAX, BATCH_MAX_OF_ALL // len(dirty))
        for name in dirty:
            if not self._is_stopping and name in self._desk.links and name not in self._shut:
                self._pump(self._desk.links[name], most)

    def _pump(self, link: Link, most: int) -> None:
        """Send what the link, its limits and its queue allow, ``most`` at once; then come back for more."""
        if self._desk.revokes[link.name]:
            self._revoke(link)
        queue = self._desk.queues[link.name]
        reserved = self._reserved[link.name]
        if link.name in self.paused:
            link.want(0, reserved)
            return
        free = link.capacity() - reserved
        room = min(free - self._unwritten[link.name], len(queue), most)
        limits = self._limits[link.name]
        if room <= 0:
            if free <= 0 or not len(queue):
                link.want(len(queue), reserved)
            if not len(queue):
                limits.withdraw()
            return
        lane = 0
        if limits.worker != ALONE:
            # A turn is asked for in the name of a lane, so that another worker's higher one goes first.
            lane, top_size = queue.top()
            room = min(room, top_size)
        granted, wait_s = limits.take(room, lane)
        if granted == 0:
            self._hold_back(link, limits, wait_s)
            return
        left = granted
        for journey in self._in_order(queue.pop_many(granted)):
            left -= self._send(link, journey, left)
        if left > 0:
            limits.give_back(left)
        if len(queue):
            self.wake(link.name)
        else:
            link.want(0, self._reserved[link.name])

    def _hold_back(self, link: Link, limits: Limits, wait_s: float) -> None:
        """Nothing may go for so long. During a pause, whoever cannot wait for its end goes another way."""
        link.want(0, self._reserved[link.name])
        self._wait(link.name, wait_s)
        if link.channel is Channel.RCS and (left_s := limits.paused_s()) > 0:
            self._pausing.sweep(link.name, left_s)

    def _revoke(self, link: Link) -> None:
        """Ask for the revokes that wait, as far as link and limits allow. Those that ended meanwhile need none."""
        waiting, limits = self._desk.revokes[link.name], self._limits[link.name]
        while waiting and link.capacity() > self._reserved[link.name]:
            message_id, carrier_id = waiting[0]
            journey = self._desk.journey(message_id)
            if journey is not None and journey.progress.stage is Stage.REVOKING:
                granted, wait_s = limits.take(1, REVOKE_LANE) if limits.counts("revoke") else (1, 0.0)
                if granted and (wait_s := limits.leave("revoke")):
                    limits.give_back(granted)
                    granted = 0
                if not granted:
                    self._wait(link.name, wait_s)
                    return
                steps.on_revoke_sent(journey.progress, journey.message.expires_at, self._desk.now())
                self._desk.spool.save(journey)
                link.revoke(message_id, carrier_id)
                self._desk.spool.note(message_id, "revoke_asked", link=link.name)
            waiting.popleft()

    def _in_order(self, ids: list[int]) -> list[Journey]:
        if self._desk.flying.keys().isdisjoint(ids):
            return self._desk.spool.journeys(ids)
        return [journey for message_id in ids if (journey := self._desk.journey(message_id)) is not None]

    def _wait(self, name: str, wait_s: float) -> None:
        self._desk.metrics.limiter_waits.labels(name).value += 1
        if name not in self._timers:
            self._timers[name] = self._loop.call_later(max(wait_s, 0.001), self._wait_over, name)
            notes.of_wait(self._desk.spool, name, wait_s)

    def _wait_over(self, name: str) -> None:
        del self._timers[name]
        self._shut.discard(name)
        self.wake(name)

    # -- sending ------------------------------------------------------------------------------------------------

    def _send(self, link: Link, journey: Journey, allowed: int) -> int:
        """Send as many of its segments as are allowed; returns how many tokens that took."""
        progress = journey.progress
        desk = self._desk
        if progress.stage is not _QUEUED or progress.queue != link.name:
            return 0  # finished, moved or just sent since it took its place
        if allowed <= 0:
            desk.queues[link.name].give_back(progress.lane, progress.id)
            return 0
        expires_at = journey.message.expires_at
        if expires_at and expires_at <= desk.now():
            desk.apply(journey, steps.Finish(State.EXPIRED, "validity"))
            return 0
        if link.channel is _RCS:
            return self._send_rcs(link, journey)
        return self._send_sms(link, journey, allowed)

    def _send_sms(self, link: Link, journey: Journey, allowed: int) -> int:
        progress, desk = journey.progress, self._desk
        message = whole(journey) if progress.parts else journey.message
        total = link.cost(message)
        if total == 1:
            segments = [0]
            steps.take(progress)
        else:
            segments = self._share(link, progress, total, allowed)
        desk.flying[progress.id] = journey
        if not segments:  # all are in flight
            return 0
        if steps.needs_intent(progress, link.channel):
            steps.intend(progress, segments)
            self._intend(link, journey, segments)
        else:
            link.submit(message, segments, message.expires_at)
        return len(segments)

    def _share(self, link: Link, progress: steps.Progress, total: int, allowed: int) -> list[int]:
        """Those of several segments that go now; the message keeps its place in the queue for the rest."""
        in_flight = self._desk.in_flight.setdefault(progress.id, set())
        todo = steps.to_send(progress, total, in_flight)
        if len(todo) > allowed:
            self._desk.queues[link.name].give_back(progress.lane, progress.id)
            del todo[allowed:]
        else:
            steps.take(progress)
        in_flight.update(todo)
        return todo

    def _send_rcs(self, link: Link, journey: Journey) -> int:
        """Reach first: a platform that must be asked is asked now, within the same limits.

        What went before under its name, and had no answer, was asked about then, and only the guard counts it anew.
        """
        progress, desk = journey.progress, self._desk
        is_repeat = steps.is_on_rcs(progress)
        message = journey.message
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        refusal = self._reach.refusal(link.name, handset)
        if refusal and not is_repeat:
            progress.queue = ""
            desk.apply(journey, steps.next_link(progress, refusal, State.UNDELIV, refusal, message.expires_at))
            return 0
        if self._pausing.holds_back(link.name, handset, journey):
            return 0
        known = None
        if not progress.is_checked:
            known = self._reach.of(link.name, handset)
            if known is None and not is_repeat:
                if wait_s := self._limits[link.name].leave("capability"):
                    desk.queues[link.name].give_back(progress.lane, progress.id)
                    self._shut.add(link.name)
                    self._wait(link.name, wait_s)
                    return 0
                self._reach.ask(link, handset, journey)
                return int(self._limits[link.name].counts("capability"))
            if known is not None and not known.capable and not is_repeat:
                notes.of_capability(desk.spool, link.name, progress.id, known)
                progress.stage, progress.queue = Stage.CHECKING, ""
                desk.apply(journey, steps.on_capability(progress, False, known.reason, message.expires_at))
                return 0
        if not self._is_admitted(link, journey, known):
            return 0
        notes.of_capability(desk.spool, link.name, progress.id, known)
        desk.flying[progress.id] = journey
        steps.take(progress)
        self._intend(link, journey, [0])
        return int(self._limits[link.name].counts("message"))

    def _is_admitted(self, link: Link, journey: Journey, known: Capability | None) -> bool:
        """Whether the guard lets it go now. Else it waits for those that went before, or goes another way."""
        progress = journey.progress
        verdict = self._desk.guards.admit(link.name, progress.id, self._reach.is_known(known))
        if verdict in (Verdict.SEND, Verdict.SEND_RESERVED):
            if verdict is Verdict.SEND_RESERVED:
                self._desk.spool.note(progress.id, "guard_tries", link=link.name)
            return True
        if verdict is Verdict.WAIT:
            if self._desk.guards.hold(link.name, progress.lane, progress.id):
                self._desk.spool.note(progress.id, "guard_waits", link=link.name)
            return False
        word = verdict.value
        expires_at, now = journey.message.expires_at, self._desk.now()
        step = steps.leave_rcs(progress, word, State.UNDELIV, word, expires_at, now)
        self._desk.apply(journey, step)
        return False

    def _intend(self, link: Link, journey: Journey, segments: list[int]) -> None:
        """Write down that this will be sent, and send it once that is durable."""
        self._reserved[link.name] += len(segments)
        self._desk.spool.save(journey)
        self._desk.spool.journal.then(self._intended, (link, journey, segments))

    def _intended(self, intents: list[tuple[Link, Journey, list[int]]]) -> None:
        for link, journey, segments in intents:
            self._intents.setdefault(link.name, deque()).append((link, journey, segments))
        for name in {link.name for link, _, _ in intents}:
            self._leave(name)

    def _leave(self, name: str) -> None:
        """What is durable leaves, in order, as the quota of a second allows at this very moment."""
        waiting = self._intents[name]
        while waiting:
            link, journey, segments = waiting[0]
            wait_s = self._limits[name].leave() if link.channel is Channel.RCS else 0.0
            if wait_s:
                if name not in self._held:
                    self._held.add(name)
                    self._loop.call_later(wait_s, self._leave_again, name)
                return
            waiting.popleft()
            self._reserved[name] -= len(segments)
            message = whole(journey)
            if link.channel is Channel.RCS:
                terms = self._desk.terms[name]
                until = steps.rcs_deadline(journey.progress, terms, message.expires_at, self._desk.now())
                link.submit(message, None, until)
            else:
                link.submit(message, segments, message.expires_at)

    def _leave_again(self, name: str) -> None:
        self._held.discard(name)
        self._leave(name)

    # -- what came of it ----------------------------------------------------------------------------------------

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        """Outcomes of one read."""
        taken, now = 0, self._desk.now()
        for result in results:
            self.settle(link, result, now)
            taken += type(result.outcome) is Accepted
        if taken:
            self._unwritten[link.name] += taken
            self._desk.spool.journal.then(self._written, (link.name, taken))
        self.wake(link.name)

    def _written(self, counts: list[tuple[str, int]]) -> None:
        """These are durable."""
        for name, taken in counts:
            self._unwritten[name] -= taken
            self.wake(name)

    def settle(self, link: Link, result: Result, now: float) -> None:
        """One outcome: what it means, and what others learn of it."""
        desk, outcome, name = self._desk, result.outcome, link.name
        if isinstance(outcome, Accepted):
            desk.metrics.link_results[name, "accepted", ""].value += 1
        else:
            self._count(name, outcome)
        journey = desk.flying.get(result.message_id) or desk.journey(result.message_id)
        is_rcs = link.channel is _RCS
        if is_rcs:
            desk.guards.on_outcome(name, result.message_id, outcome)
        if journey is None or journey.progress.links[journey.progress.position] != name:
            desk.metrics.receipt_events.labels(name, "late_result").value += 1
            return
        if type(outcome) is not Accepted or outcome.changed:
            notes.of_result(desk.spool, name, result)
        progress = journey.progress
        was_sent = progress.stage is _SENT
        was_queued = progress.queue
        expires_at = journey.message.expires_at
        if len(progress.segments) > 1 and (in_flight := desk.in_flight.get(progress.id)):
            in_flight.discard(result.segment)
        step = steps.on_result(progress, desk.terms[name], result.segment, outcome, expires_at, now)
        if isinstance(outcome, Accepted):
            self._accepted(link, journey, result.segment, outcome.carrier_id, now)
        else:
            self._not_accepted(link, journey, result, outcome, now)
        if is_rcs and isinstance(outcome, Accepted | Unknown) and not outcome.is_plain:
            progress.is_plain = False
        if desk.ledger is not None and desk.ledger.watches(name):
            self._account(desk.ledger, link, journey, outcome, was_sent)
        if desk.trail.wants:
            error = None if isinstance(outcome, Accepted) else outcome.error
            desk.tell(_ANSWERS[type(outcome)], journey, link=name, error=error)
        if progress.stage is not _SENDING and progress.stage is not _QUEUED:
            desk.flying.pop(progress.id, None)
        desk.apply(journey, step, was_queued)
        if progress.stage is _SENT:
            if is_rcs and not was_sent:
                notices.on_sent(desk, journey)
            desk.spool.cool(progress.id)
        if isinstance(outcome, Accepted | Unknown) and outcome.carrier_id:
            self.on_named(link, outcome.carrier_id)

    def _not_accepted(
        self, link: Link, journey: Journey, result: Result, outcome: Refused | Deferred | Unknown, now: float
    ) -> None:
        """What an attempt that failed, or perhaps did, teaches of the link and of the handset."""
        if isinstance(outcome, Deferred):
            if outcome.pauses or outcome.scope == "user":
                self._pause(link, journey, outcome, result.latency_s)
        elif isinstance(outcome, Refused):
            if outcome.unreachable:
                self._reach.on_unreachable(link.name, journey.message, outcome.error)
        elif outcome.carrier_id:
            # Whatever is reported of it comes under this name, if it was taken at all.
            self._desk.spool.name(link.name, outcome.carrier_id, journey.message.id, result.segment, now)

    def _account(self, ledger: Ledger, link: Link, journey: Journey, outcome: Outcome, was_sent: bool) -> None:
        """For billing: what left, or perhaps did."""
        if journey.progress.stage is Stage.SENT and not was_sent:
            is_plain = not isinstance(outcome, Accepted | Unknown) or outcome.is_plain
            ledger.on_mt_sent(link, journey, whole(journey), is_plain)
        elif type(outcome) is Unknown and outcome.carrier_id:
            ledger.on_mt_unclear(link, journey, whole(journey), outcome.is_plain)

    def _pause(self, link: Link, journey: Journey, outcome: Deferred, latency_s: float) -> None:
        """The carrier asked for it: of one handset, or of as much as it said."""
        if outcome.scope != "user":
            self.rest(link, outcome, latency_s)
            return
        message = journey.message
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        self._pausing.pause_user(link.name, handset, outcome.retry_s)
        self._desk.metrics.limiter_pauses.labels(link.name, outcome.scope).value += 1

    def rest(self, link: Link, throttled: Deferred | None, latency_s: float = 0.0) -> None:
        """Something that was asked for ``latency_s`` ago was one too many: all else would be, too."""
        if throttled is not None:
            limits = self._limits[link.name]
            limits.pause(throttled.retry_s, throttled.scope)
            if limits.ease(throttled.retry_s, latency_s):
                self._desk.metrics.limiter_halvings.labels(link.name).value += 1
            self._desk.metrics.limiter_pauses.labels(link.name, throttled.scope).value += 1

    def _accepted(self, link: Link, journey: Journey, segment: int, carrier_id: str, now: float) -> None:
        message, desk = journey.message, self._desk
        desk.metrics.accept_to_carrier[(link.name,)].observe(now - message.accepted_at)
        if carrier_id:
            is_told = link.channel is not _RCS  # in its segment
            desk.spool.name(link.name, carrier_id, message.id, segment, now, is_told=is_told)
        if message.tlvs:
            calling.on_accepted(desk, journey, link.name, carrier_id)
        if link.channel is _RCS or is_answerable(desk.settings[link.name], message):
            self.sessions.touch(link, message, now, now + self._session_window_s)

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        """The platform took a message back, or did not."""
        desk = self._desk
        journey = desk.journey(revocation.message_id)
        if journey is None:
            desk.metrics.receipt_events.labels(link.name, "late_revocation").value += 1
            return
        answer = "unknown" if revocation.revoked is None else "yes" if revocation.revoked else "no"
        desk.spool.note(revocation.message_id, "revoke_answered", link=link.name, answer=answer)
        was_queued = journey.progress.queue
        expires_at = journey.message.expires_at
        step = steps.on_revoked(journey.progress, revocation.revoked, expires_at, desk.now(), revocation.retry_s)
        desk.apply(journey, step, was_queued)

    def _count(self, link: str, outcome: Refused | Deferred | Unknown) -> None:
        metrics = self._desk.metrics
        metrics.link_results.labels(link, type(outcome).__name__.lower(), outcome.error).value += 1
        metrics.link_errors.labels(link, family_of(outcome.error)).value += 1
        if type(outcome) is Refused and outcome.unreachable:
            metrics.link_unreachable.labels(link).value += 1
