"""The leg over RCS: the platform's answers and events, the deadline, and the revoke before anything else is sent.

Knows nothing of segments.
"""

from __future__ import annotations

import math

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy.progress import WAIT, Finish, Ignore, LinkTerms, Progress, Revoke, Stage, Step
from gatewayd.policy.turns import BACKOFF_MAX_S, DOUBLINGS_MAX, again_later, enqueue, is_a_try, next_link

REVOKE_TIMEOUT_S = 30.0
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
            progress.due = _rcs_deadline(terms, expires_at, now)
            return WAIT
        case Refused(error):
            return next_link(progress, error, State.UNDELIV, error, expires_at)
        case Deferred(error):
            progress.attempts += is_a_try(outcome)
            if is_on_rcs(progress) and progress.attempts > terms.retry_max:
                return revoke(progress, now)
            return again_later(progress, terms, outcome, progress.attempts, expires_at, now)
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
            return WAIT


def _may_repeat(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> bool:
    """Whether what was perhaps sent can go once more over the same link, and arrive at most once."""
    again_at = now + REPEAT_S * 2 ** min(progress.attempts, DOUBLINGS_MAX)
    limits = [moment for moment in (expires_at, progress.rcs_until) if moment]
    return terms.repeats_safely and progress.attempts < terms.retry_max and again_at < min(limits, default=math.inf)


def _repeat(progress: Progress, now: float) -> Step:
    progress.stage = Stage.POSTPONED
    progress.queue = ""
    progress.due = now + min(REPEAT_S * 2 ** min(progress.attempts, DOUBLINGS_MAX), BACKOFF_MAX_S)
    progress.attempts += 1
    return WAIT


def revoke(progress: Progress, now: float) -> Step:
    """Take it back before anything else is sent."""
    progress.stage = Stage.REVOKING
    progress.queue = ""
    progress.due = now + REVOKE_TIMEOUT_S
    return Revoke(progress.rcs_link, progress.rcs_id)


def _rcs_deadline(terms: LinkTerms, expires_at: float, now: float) -> float:
    deadline = now + terms.deadline_s
    return min(deadline, expires_at) if expires_at else deadline


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
    return WAIT


def on_capability(progress: Progress, capable: bool | None, reason: str, expires_at: float) -> Step:
    """The platform's answer; a handset that is not known to take RCS gets an SMS."""
    if progress.stage is not Stage.CHECKING:
        return Ignore("late_capability")
    if capable:
        progress.is_checked = True
        return enqueue(progress, expires_at, front=True)
    return next_link(progress, f"not_rcs_{reason}", State.UNDELIV, "not_rcs", expires_at)
