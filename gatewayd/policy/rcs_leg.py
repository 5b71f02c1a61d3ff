"""The leg over RCS: the platform's answers and events, the deadline, and the revoke before anything else is sent.

Knows nothing of segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy.progress import WAIT, Finish, Ignore, LinkTerms, OnUnknown, Progress, Revoke, Stage, Step
from gatewayd.policy.quota import falls_inside
from gatewayd.policy.turns import BACKOFF_MAX_S, DOUBLINGS_MAX, again_later, enqueue, is_a_try, next_link

REVOKE_TIMEOUT_S = 30.0
"""How long the platform has to answer, from the moment at which it was asked."""

REVOKE_WAIT_S: Mapping[OnUnknown, float] = MappingProxyType({"prefer_duplicate": 90.0, "prefer_silence": 3_600.0})
"""How long a revoke may wait to be sent: for the end of a pause (60 s, usually), for a link that is down.

Whoever prefers a duplicate wants it while it is of use; where silence is preferred, an unsent revoke is all there is to
wait for.
"""

REVOKE_DOUBT_S = 10.0
"""How long a revoke may wait, and then take, of what the platform never answered for where a duplicate is preferred.

A platform that answers at all does so in a second, and five more show that its yes holds. One that does not must not
make a late code later.
"""

LAST_CALL_S = 5.0
"""What must be left of a message's validity for an SMS to be of use."""

SMS_SHARE_S = REVOKE_TIMEOUT_S + LAST_CALL_S
"""What RCS leaves of a message's validity for taking it back and for the SMS; of a short one at most the half."""

SETTLE_S = 60.0
REPEAT_S = 1.0


def on_rcs_result(progress: Progress, terms: LinkTerms, outcome: Outcome, expires_at: float, now: float) -> Step:
    """How an attempt ended."""
    match outcome:
        case Accepted(carrier_id):
            progress.stage = Stage.SENT
            progress.rcs_link = terms.name
            progress.rcs_id = carrier_id
            progress.sent_at = now
            progress.due = rcs_deadline(progress, terms, expires_at, now)
            return WAIT
        case Refused(error, False) if is_on_rcs(progress):
            # No to this one; of an earlier one under the same name that says nothing.
            return _revoke_doubtful(progress, expires_at, now)
        case Refused(error):
            return next_link(progress, error, State.UNDELIV, error, expires_at)
        case Deferred(error):
            progress.attempts += is_a_try(outcome)
            if falls_inside(now + outcome.retry_s, expires_at, progress.rcs_until):
                return leave_rcs(progress, error, State.EXPIRED, error, expires_at, now)
            if is_on_rcs(progress) and progress.attempts > terms.retry_max:
                return revoke(progress, expires_at, now)
            return again_later(progress, terms, outcome, progress.attempts, expires_at, now)
        case Unknown(error, carrier_id):
            if carrier_id:
                progress.rcs_link, progress.rcs_id = terms.name, carrier_id
            if _may_repeat(progress, terms, expires_at, now):
                return _repeat(progress, now)
            if progress.on_unknown == "prefer_duplicate":
                if is_on_rcs(progress):
                    return _revoke_doubtful(progress, expires_at, now)
                return next_link(progress, f"unknown_{error}", State.UNKNOWN, error, expires_at)
            # Under a name it can be revoked, as if it had been accepted.
            progress.stage = Stage.SENT if carrier_id else Stage.SETTLING
            progress.due = rcs_deadline(progress, terms, expires_at, now)
            return WAIT


def _may_repeat(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> bool:
    """Whether what was perhaps sent can go once more over the same link, and arrive at most once."""
    again_at = now + REPEAT_S * 2 ** min(progress.attempts, DOUBLINGS_MAX)
    is_too_late = falls_inside(again_at, expires_at, progress.rcs_until)
    return terms.repeats_safely and progress.attempts < terms.retry_max and not is_too_late


def _repeat(progress: Progress, now: float) -> Step:
    progress.stage = Stage.POSTPONED
    progress.queue = ""
    progress.due = now + min(REPEAT_S * 2 ** min(progress.attempts, DOUBLINGS_MAX), BACKOFF_MAX_S)
    progress.attempts += 1
    return WAIT


def leave_rcs(progress: Progress, reason: str, state: State, error: str, expires_at: float, now: float) -> Step:
    """The turn of the next link, or the end; what may have arrived under its name is revoked before."""
    if is_on_rcs(progress):
        return revoke(progress, expires_at, now)
    return next_link(progress, reason, state, error, expires_at)


def revoke(progress: Progress, expires_at: float, now: float, wait_s: float = 0.0) -> Step:
    """Take it back before anything else is sent. It may have to wait for its turn: see ``on_revoke_sent``."""
    progress.stage = Stage.REVOKING
    progress.queue = ""
    progress.revoke_until = _in_time(now + (wait_s or REVOKE_WAIT_S[progress.on_unknown]), expires_at, now)
    return _ask_to_revoke(progress)


def _revoke_doubtful(progress: Progress, expires_at: float, now: float) -> Step:
    """Take back what nobody answered for, and had its last try."""
    return revoke(progress, expires_at, now, REVOKE_DOUBT_S if progress.on_unknown == "prefer_duplicate" else 0.0)


def _ask_to_revoke(progress: Progress) -> Step:
    progress.revokes_again = False
    progress.due = progress.revoke_until
    return Revoke(progress.rcs_link, progress.rcs_id)


def on_revoke_sent(progress: Progress, expires_at: float, now: float) -> None:
    """The platform is asked at last, and has its time from now on."""
    is_doubtful = progress.on_unknown == "prefer_duplicate" and not progress.sent_at
    progress.due = _in_time(now + (REVOKE_DOUBT_S if is_doubtful else REVOKE_TIMEOUT_S), expires_at, now)


def _in_time(until: float, expires_at: float, now: float) -> float:
    """Not so late that no SMS could follow. Where none can any more, the answer only tells how it ended."""
    if not expires_at:
        return until
    last_call = expires_at - LAST_CALL_S
    return min(until, last_call if now < last_call else now + REVOKE_TIMEOUT_S)


def rcs_deadline(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> float:
    """Until when a message may wait for RCS from now on: the link's time, and while another link could still help."""
    deadline = now + terms.deadline_s
    if not expires_at:
        return deadline
    if progress.position + 1 >= len(progress.links):
        return min(deadline, expires_at)
    return min(deadline, max(expires_at - SMS_SHARE_S, (now + expires_at) / 2))


def on_rcs_receipt(progress: Progress, receipt: Receipt, expires_at: float) -> Step:
    """What the platform said of it."""
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
    """Whether the platform has it, or may have it, under a name."""
    return bool(progress.rcs_id) and progress.link == progress.rcs_link


def on_revoke_due(progress: Progress, expires_at: float, now: float) -> Step:
    """Time to ask for it again, or to wait for its answer no longer."""
    if progress.revokes_again and now < progress.revoke_until:
        return _ask_to_revoke(progress)
    return on_revoked(progress, None, expires_at, now)


def on_revoked(
    progress: Progress, revoked: bool | None, expires_at: float, now: float, retry_s: float | None = None
) -> Step:
    """The end of a revoke: taken back, too late, or no clear word (None).

    One that the platform did not look at may be asked for again after ``retry_s``, which is done while its time lasts.
    """
    is_late_word = revoked is True and progress.stage is Stage.SETTLING and is_on_rcs(progress)
    if progress.stage is not Stage.REVOKING and not is_late_word:
        return Ignore("late_revocation")
    if revoked:
        return next_link(progress, "deadline", State.EXPIRED, "deadline", expires_at)
    if revoked is None and retry_s is not None and now + retry_s < progress.revoke_until:
        progress.revokes_again = True
        progress.due = now + retry_s
        return WAIT
    if revoked is None and progress.on_unknown == "prefer_duplicate":
        return next_link(progress, "revoke_unknown", State.UNKNOWN, "revoke_unknown", expires_at)
    progress.stage = Stage.SETTLING
    progress.due = now + SETTLE_S
    return WAIT


def on_question_throttled(progress: Progress, expires_at: float) -> Step:
    """Nothing may be asked for a while: it waits for the end of the pause, as those do that would be sent."""
    if progress.stage is not Stage.CHECKING:
        return Ignore("late_capability")
    return enqueue(progress, expires_at, front=True)


def on_capability(progress: Progress, capable: bool | None, reason: str, expires_at: float) -> Step:
    """The platform's answer; a handset that is not known to take RCS gets an SMS."""
    if progress.stage is not Stage.CHECKING:
        return Ignore("late_capability")
    if capable:
        progress.is_checked = True
        return enqueue(progress, expires_at, front=True)
    return next_link(progress, f"not_rcs_{reason}", State.UNDELIV, "not_rcs", expires_at)
