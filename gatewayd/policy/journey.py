"""What becomes of a message: given how far it is and what just happened, the one next step.

All orders of events end in exactly one final state. Knows no link, store or clock: ``now`` is Unix seconds.

The rules, which the tests take one by one:

- A link refuses: the next link of the route has its turn; without one the message is finished. Of several segments all
  must be refused, or one have used up its tries: else what the link took would be sent twice.
- RCS was accepted: it has until its deadline. Then it is revoked first, and only a confirmed revoke (or a policy that
  prefers a duplicate to silence) sends the SMS.
- ``delivered`` always wins, also after the fallback; whatever comes after the end is only counted.
- A message that cannot be sent over RCS before its deadline (the platform is down, paused, or behind) goes on.
- Unknown is neither sent nor failed: ``prefer_duplicate`` sends again, ``prefer_silence`` waits and then says so. Where
  the platform lets us name messages, the same one is first sent again under its name, while time and tries are left;
  what was perhaps sent is revoked before it is given up.
- Each segment has its own tries. One that is in flight is not sent a second time.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from gatewayd.message import Accepted, Channel, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy.quota import falls_inside

OnUnknown = Literal["prefer_duplicate", "prefer_silence"]

REVOKE_TIMEOUT_S = 30.0
SETTLE_S = 60.0
REPEAT_S = 1.0
BACKOFF_MAX_S = 900.0
_DOUBLINGS_MAX = 16
# Our own words for a segment that could not be given to a carrier at all.
_NEVER_LEFT = frozenset({"no_credit", "worker_lost", "link_down", "window_full", "stopped"})


class Stage(enum.StrEnum):
    """Where a message is on its way."""

    JOINING = "joining"  # a part of a long message that waits for the others
    MEMBER = "member"  # a part that travels inside another one
    QUEUED = "queued"  # waits for its turn on links[position]
    POSTPONED = "postponed"  # will be queued again when due
    CHECKING = "checking"  # the platform was asked whether the handset takes RCS
    SENDING = "sending"  # the intent is written, the answer is not known
    SENT = "sent"  # accepted by the carrier, no final word yet
    REVOKING = "revoking"  # RCS deadline passed, a revoke is on its way
    SETTLING = "settling"  # the platform could not say what became of it
    SCHEDULED = "scheduled"  # its sender wants it to go later, when due
    HELD = "held"  # a person holds it back, see policy.intervention


class Segment(msgspec.Struct, omit_defaults=True, gc=False):
    """One segment of the SMS leg: its name at the carrier and what was last said of it.

    ``is_taken``: it is not to be sent again. ``is_intended``: it may be on its way, and no answer is known.
    """

    carrier_id: str = ""
    state: State = State.ENROUTE
    error: str = "000"
    attempts: int = 0
    is_taken: bool = False
    is_intended: bool = False


class Progress(msgspec.Struct, omit_defaults=True, gc=False):
    """How far a message is; the mutable companion of a Message, under the same id.

    ``queue`` is set exactly while the message waits in a link's queue: the link's name. ``lane`` and ``account`` say
    where in that queue. ``due`` is the next moment (Unix seconds, 0 = never) at which it wants to be looked at,
    whatever else happens. ``attempts`` are those of the RCS leg; ``is_checked`` says that its platform called the
    handset capable, ``rcs_until`` how long the message may wait to be sent over RCS at all. ``is_cancelled``: a person
    took it back, and nothing more of it is to be sent, see ``policy.intervention``.
    """

    id: int
    account: str
    stage: Stage
    links: tuple[str, ...]
    reason: str = ""
    on_unknown: OnUnknown = "prefer_duplicate"
    position: int = 0
    attempts: int = 0
    is_checked: bool = False
    rcs_until: float = 0.0
    queue: str = ""
    lane: int = 0
    due: float = 0.0
    sent_at: float = 0.0
    segments: list[Segment] = []
    rcs_link: str = ""
    rcs_id: str = ""
    fallback: str = ""
    parts: tuple[int, ...] = ()
    payload: bytes = b""
    member_of: int = 0
    is_cancelled: bool = False

    @property
    def link(self) -> str:
        """The link whose turn it is."""
        return self.links[self.position]


class LinkTerms(msgspec.Struct, frozen=True):
    """What this module must know of a link. ``repeats_safely``: one message sent twice arrives once."""

    name: str
    channel: Channel
    retry_max: int
    deadline_s: float
    receipt_wait_s: float = 72 * 3600.0
    repeats_safely: bool = False


class Queue(msgspec.Struct, frozen=True):
    """Wait for a turn on the link; ``front`` when it was handed back and order must be kept.

    ``moved`` says that another link's turn is over.
    """

    link: str
    front: bool = False
    moved: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before ``progress.due`` or the next event."""


class Revoke(msgspec.Struct, frozen=True):
    """Ask the RCS platform to take the message back."""

    link: str
    carrier_id: str


class Finish(msgspec.Struct, frozen=True):
    """The one final fate."""

    state: State
    error: str = "000"
    at: float = 0.0


class Ignore(msgspec.Struct, frozen=True):
    """Only worth counting, under this word."""

    event: str


Step = Queue | Wait | Revoke | Finish | Ignore

_WAIT = Wait()


def enqueue(progress: Progress, expires_at: float, front: bool = False, moved: bool = False) -> Step:
    """Put the message into the queue of the link whose turn it is."""
    progress.stage = Stage.QUEUED
    progress.queue = progress.link
    limits = [moment for moment in (expires_at, progress.rcs_until) if moment]
    progress.due = min(limits, default=0.0)
    return Queue(progress.queue, front, moved)


def schedule(progress: Progress, moment: float) -> None:
    """Let it wait for the moment that its sender named; how it travels is decided then."""
    progress.stage = Stage.SCHEDULED
    progress.queue = ""
    progress.due = moment


def take(progress: Progress) -> None:
    """It left the queue: an answer will follow."""
    progress.stage = Stage.SENDING
    progress.queue = ""


def needs_intent(progress: Progress, channel: Channel) -> bool:
    """Whether the intent to send must be durable before anything is sent.

    So it is where a second copy must not go out after a crash: over RCS, whose platform gives no way to send the same
    message twice safely, and wherever the route prefers silence.
    """
    return channel is Channel.RCS or progress.on_unknown == "prefer_silence"


def unsent(progress: Progress, total: int) -> list[int]:
    """The segments, of ``total``, that no carrier has taken."""
    return [n for n in range(total) if n >= len(progress.segments) or not progress.segments[n].is_taken]


def to_send(progress: Progress, total: int, in_flight: Collection[int]) -> list[int]:
    """The segments, of ``total``, that must go now; ``in_flight`` are those to which this process awaits an answer.

    What an earlier process meant to send under ``prefer_silence``, and has no answer for, may have gone: it stays
    unknown.
    """
    while len(progress.segments) < total:
        progress.segments.append(Segment())
    for number, segment in enumerate(progress.segments):
        if segment.is_intended and number not in in_flight:
            segment.is_taken, segment.is_intended = True, False
    return [number for number in unsent(progress, total) if number not in in_flight]


def intend(progress: Progress, segments: Collection[int]) -> None:
    """These are about to be sent; to be made durable first where ``needs_intent`` says so."""
    for number in segments if progress.segments else ():
        progress.segments[number].is_intended = True


def skip_rcs(progress: Progress, channels: Mapping[str, Channel], reason: str, expires_at: float) -> Step:
    """Go on with the first SMS link of the route, if there is one."""
    for position, link in enumerate(progress.links):
        if channels.get(link) is Channel.SMS:
            progress.position = position
            progress.rcs_until = 0.0
            progress.fallback = reason
            return enqueue(progress, expires_at, moved=True)
    return Finish(State.UNDELIV, reason)


def next_link(progress: Progress, reason: str, state: State, error: str, expires_at: float) -> Step:
    """The turn of the next link, or the end when there is none."""
    if progress.position + 1 >= len(progress.links):
        return Finish(state, error)
    progress.position += 1
    progress.attempts = 0
    progress.is_checked = False
    progress.rcs_until = 0.0
    progress.sent_at = 0.0
    progress.segments = []
    progress.fallback = reason
    return enqueue(progress, expires_at, moved=True)


def on_result(
    progress: Progress, terms: LinkTerms, segment: int, outcome: Outcome, expires_at: float, now: float
) -> Step:
    """How an attempt ended. ``terms`` are those of the link that made it."""
    if terms.channel is Channel.RCS:
        return _on_rcs_result(progress, terms, outcome, expires_at, now)
    return _on_sms_result(progress, terms, segment, outcome, expires_at, now)


def _on_rcs_result(progress: Progress, terms: LinkTerms, outcome: Outcome, expires_at: float, now: float) -> Step:
    match outcome:
        case Accepted(carrier_id):
            progress.stage = Stage.SENT
            progress.rcs_link = terms.name
            progress.rcs_id = carrier_id
            progress.sent_at = now
            progress.due = _rcs_deadline(terms, expires_at, now)
            return _WAIT
        case Refused(error):
            return next_link(progress, error, State.UNDELIV, error, expires_at)
        case Deferred(error):
            progress.attempts += _is_a_try(outcome)
            if is_on_rcs(progress) and progress.attempts > terms.retry_max:
                return revoke(progress, now)
            return _again_later(progress, terms, outcome, progress.attempts, expires_at, now)
        case Unknown(error, carrier_id):
            if carrier_id:
                progress.rcs_link, progress.rcs_id = terms.name, carrier_id
            if _may_repeat(progress, terms, expires_at, now):
                return _repeat(progress, now)
            if progress.on_unknown == "prefer_duplicate":
                return next_link(progress, f"unknown_{error}", State.UNKNOWN, error, expires_at)
            # Under a name it can be revoked, as if it had been accepted.
            progress.stage = Stage.SENT if carrier_id else Stage.SETTLING
            progress.due = _rcs_deadline(terms, expires_at, now)
            return _WAIT


def _may_repeat(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> bool:
    """Whether what was perhaps sent can go once more over the same link, and arrive at most once."""
    again_at = now + REPEAT_S * 2 ** min(progress.attempts, _DOUBLINGS_MAX)
    limits = [moment for moment in (expires_at, progress.rcs_until) if moment]
    return terms.repeats_safely and progress.attempts < terms.retry_max and again_at < min(limits, default=math.inf)


def _repeat(progress: Progress, now: float) -> Step:
    progress.stage = Stage.POSTPONED
    progress.queue = ""
    progress.due = now + min(REPEAT_S * 2 ** min(progress.attempts, _DOUBLINGS_MAX), BACKOFF_MAX_S)
    progress.attempts += 1
    return _WAIT


def revoke(progress: Progress, now: float) -> Step:
    """Ask the platform to take the message back."""
    progress.stage = Stage.REVOKING
    progress.queue = ""
    progress.due = now + REVOKE_TIMEOUT_S
    return Revoke(progress.rcs_link, progress.rcs_id)


def _rcs_deadline(terms: LinkTerms, expires_at: float, now: float) -> float:
    deadline = now + terms.deadline_s
    return min(deadline, expires_at) if expires_at else deadline


def _on_sms_result(
    progress: Progress, terms: LinkTerms, segment: int, outcome: Outcome, expires_at: float, now: float
) -> Step:
    mine = _segment(progress, segment)
    mine.is_intended = False
    match outcome:
        case Accepted(carrier_id):
            mine.carrier_id = carrier_id
            mine.is_taken = True
            return _sms_sent(progress, terms, expires_at, now)
        case Refused(error):
            mine.state, mine.error, mine.is_taken = State.UNDELIV, error, True
            if all(_is_refused(segment) for segment in progress.segments):
                return next_link(progress, error, State.UNDELIV, error, expires_at)
            return _sms_sent(progress, terms, expires_at, now)
        case Deferred():
            mine.attempts += _is_a_try(outcome)
            return _again_later(progress, terms, outcome, mine.attempts, expires_at, now)
        case Unknown(error):
            if progress.on_unknown == "prefer_duplicate" and mine.attempts < terms.retry_max:
                mine.attempts += 1
                return enqueue(progress, expires_at, front=True)
            mine.is_taken = True
            return _sms_sent(progress, terms, expires_at, now)


def _segment(progress: Progress, segment: int) -> Segment:
    while len(progress.segments) <= segment:
        progress.segments.append(Segment())
    return progress.segments[segment]


def _is_refused(segment: Segment) -> bool:
    """Whether the carrier never took it: what it did take ends by a receipt, which comes under a name."""
    return segment.state is State.UNDELIV and not segment.carrier_id


def _sms_sent(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> Step:
    """Some segment was settled: has the whole message left, or even ended (receipts may overtake responses)?"""
    if not all(segment.is_taken for segment in progress.segments):
        return _WAIT
    progress.stage = Stage.SENT
    progress.sent_at = progress.sent_at or now
    progress.due = max(expires_at, now) + terms.receipt_wait_s
    return _sms_end(progress)


def _sms_end(progress: Progress) -> Step:
    segments = progress.segments
    if len(segments) == 1:
        only = segments[0]
        return Finish(only.state, only.error) if only.state.is_final else _WAIT
    if not all(segment.state.is_final for segment in segments):
        return _WAIT
    failed = next((s for s in segments if s.state is not State.DELIVRD), segments[-1])
    return Finish(failed.state, failed.error)


def _is_a_try(outcome: Deferred) -> bool:
    """Whether the carrier was asked and had this message alone in mind: a pause is everybody's, some never left us."""
    if outcome.error in _NEVER_LEFT:
        return False
    return not outcome.pauses or outcome.scope == "user"


def _again_later(
    progress: Progress, terms: LinkTerms, outcome: Deferred, attempts: int, expires_at: float, now: float
) -> Step:
    """A pause hands the message back to the head of its queue; another delay postpones this message alone.

    A pause of one handset is such a delay, of exactly the length that the platform asked for.
    """
    again_at = now + outcome.retry_s
    if terms.channel is Channel.RCS and falls_inside(again_at, expires_at, progress.rcs_until):
        return next_link(progress, outcome.error, State.EXPIRED, outcome.error, expires_at)
    if outcome.pauses and outcome.scope != "user":
        return enqueue(progress, expires_at, front=True)
    if attempts > terms.retry_max:
        return next_link(progress, outcome.error, State.UNDELIV, outcome.error, expires_at)
    progress.stage = Stage.POSTPONED
    progress.queue = ""
    if outcome.scope == "user":
        progress.due = again_at
        return _WAIT
    doublings = max(0, min(attempts - 1, _DOUBLINGS_MAX))
    delay_s = min(outcome.retry_s * 2**doublings, BACKOFF_MAX_S)
    progress.due = min(now + delay_s, expires_at) if expires_at else now + delay_s
    return _WAIT


def on_receipt(progress: Progress, is_rcs: bool, segment: int, receipt: Receipt, expires_at: float) -> Step:
    """What a carrier said of the RCS leg (``is_rcs``) or of one segment of the SMS leg."""
    if is_rcs:
        return _on_rcs_receipt(progress, receipt, expires_at)
    mine = _segment(progress, segment)
    if mine.state.is_final:
        return Ignore("duplicate")
    mine.state, mine.error, mine.is_taken = receipt.state, receipt.error, True
    if not receipt.state.is_final:
        return Ignore("intermediate")
    step = _sms_end(progress) if all(s.is_taken for s in progress.segments) else _WAIT
    return msgspec.structs.replace(step, at=receipt.at) if isinstance(step, Finish) else step


def _on_rcs_receipt(progress: Progress, receipt: Receipt, expires_at: float) -> Step:
    if receipt.state is State.DELIVRD:
        return Finish(State.DELIVRD, at=receipt.at)
    if not receipt.state.is_final:
        return Ignore("intermediate")
    if progress.stage not in (Stage.SENT, Stage.REVOKING, Stage.SETTLING) or progress.link != progress.rcs_link:
        return Ignore("duplicate")
    state = State.EXPIRED if receipt.state is State.DELETED else State.UNDELIV
    word = "revoked" if receipt.state is State.DELETED else f"failed_{receipt.error}"
    return next_link(progress, word, state, receipt.error, expires_at)


def is_on_rcs(progress: Progress) -> bool:
    """Whether the platform whose turn it is has the message, or perhaps has it."""
    return bool(progress.rcs_id) and progress.link == progress.rcs_link


def on_revoked(progress: Progress, revoked: bool | None, expires_at: float, now: float) -> Step:
    """The end of a revoke: taken back, too late, or no clear word (None)."""
    is_late_word = revoked is True and progress.stage is Stage.SETTLING and is_on_rcs(progress)
    if progress.stage is not Stage.REVOKING and not is_late_word:
        return Ignore("late_revocation")
    if revoked:
        return next_link(progress, "deadline", State.EXPIRED, "deadline", expires_at)
    if revoked is None and progress.on_unknown == "prefer_duplicate":
        return next_link(progress, "revoke_unknown", State.UNKNOWN, "revoke_unknown", expires_at)
    progress.stage = Stage.SETTLING
    progress.due = now + SETTLE_S
    return _WAIT


def on_capability(progress: Progress, capable: bool | None, reason: str, expires_at: float) -> Step:
    """The platform's answer; a handset that is not known to take RCS gets an SMS."""
    if progress.stage is not Stage.CHECKING:
        return Ignore("late_capability")
    if capable:
        progress.is_checked = True
        return enqueue(progress, expires_at, front=True)
    return next_link(progress, f"not_rcs_{reason}", State.UNDELIV, "not_rcs", expires_at)


def on_due(progress: Progress, expires_at: float, now: float) -> Step:
    """The moment that the message had asked for has come."""
    match progress.stage:
        case Stage.QUEUED | Stage.HELD if expires_at and expires_at <= now:
            return Finish(State.EXPIRED, "validity")
        case Stage.QUEUED if progress.rcs_until and progress.rcs_until <= now:
            if is_on_rcs(progress):
                return revoke(progress, now)
            return next_link(progress, "rcs_late", State.EXPIRED, "rcs_late", expires_at)
        case Stage.POSTPONED | Stage.SCHEDULED:
            if expires_at and expires_at <= now:
                return Finish(State.EXPIRED, "validity")
            return enqueue(progress, expires_at)
        case Stage.CHECKING:
            return on_capability(progress, None, "no_answer", expires_at)
        case Stage.SENT if is_on_rcs(progress):
            return revoke(progress, now)
        case Stage.SENT:
            return Finish(State.UNKNOWN, "no_receipt")
        case Stage.REVOKING:
            return on_revoked(progress, None, expires_at, now)
        case Stage.SETTLING if progress.on_unknown == "prefer_duplicate":
            return next_link(progress, "settled_unknown", State.UNKNOWN, "settled_unknown", expires_at)
        case Stage.SETTLING:
            return Finish(State.UNKNOWN, "settled_unknown")
    progress.due = 0.0  # an answer is owed to it, and says how it goes on
    return _WAIT
