"""Moving along the route, whichever the channel: into a queue, out of it, on to the next link, or later once more.

Knows no leg of its own: what an answer means is said by ``rcs_leg`` and ``sms_leg``.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatewayd.message import Channel, Deferred, State
from gatewayd.policy.progress import WAIT, Finish, LinkTerms, Progress, Queue, Stage, Step

# Of each message, and looking a member up in its class takes ten times as long.
_QUEUED, _SENDING = Stage.QUEUED, Stage.SENDING
BACKOFF_MAX_S = 900.0
DOUBLINGS_MAX = 16
# Our own words for a segment that could not be given to a carrier at all.
_NEVER_LEFT = frozenset({"no_credit", "worker_lost", "link_down", "window_full", "stopped", "media_pending"})


def enqueue(progress: Progress, expires_at: float, front: bool = False, moved: bool = False) -> Step:
    """Put the message into the queue of the link whose turn it is."""
    progress.stage = _QUEUED
    progress.queue = progress.links[progress.position]
    rcs_until = progress.rcs_until
    progress.due = min(expires_at, rcs_until) if expires_at and rcs_until else expires_at or rcs_until
    return Queue(progress.queue, front, moved)


def schedule(progress: Progress, moment: float) -> None:
    """Let it wait for the moment that its sender named; how it travels is decided then."""
    progress.stage = Stage.SCHEDULED
    progress.queue = ""
    progress.due = moment


def take(progress: Progress) -> None:
    """It left the queue: an answer will follow."""
    progress.stage = _SENDING
    progress.queue = ""


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


def is_a_try(outcome: Deferred) -> bool:
    """Whether the carrier was asked and had this message alone in mind: a pause is everybody's, some never left us."""
    if outcome.error in _NEVER_LEFT:
        return False
    return not outcome.pauses or outcome.scope == "user"


def again_later(
    progress: Progress, terms: LinkTerms, outcome: Deferred, attempts: int, expires_at: float, now: float
) -> Step:
    """A pause hands the message back to the head of its queue; another delay postpones this message alone.

    A pause of one handset is such a delay, of exactly the length that the platform asked for.
    """
    again_at = now + outcome.retry_s
    if outcome.pauses and outcome.scope != "user":
        return enqueue(progress, expires_at, front=True)
    if attempts > terms.retry_max:
        return next_link(progress, outcome.error, State.UNDELIV, outcome.error, expires_at)
    progress.stage = Stage.POSTPONED
    progress.queue = ""
    if outcome.scope == "user":
        progress.due = again_at
        return WAIT
    doublings = max(0, min(attempts - 1, DOUBLINGS_MAX))
    delay_s = min(outcome.retry_s * 2**doublings, BACKOFF_MAX_S)
    # Nor does a delay that doubled outlast the time that it has on RCS.
    progress.due = min([now + delay_s, *(moment for moment in (expires_at, progress.rcs_until) if moment)])
    return WAIT
