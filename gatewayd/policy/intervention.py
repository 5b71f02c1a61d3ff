"""What a person may still do with a message: hold it back, let it go, take it back for good.

Knows no link, store or clock. What was held or taken back still comes to exactly one end, by the rules of
``policy.journey``; these are the additions:

- Only what waits can be held. Its validity goes on to run, and so does its deadline for RCS.
- What waits for the moment that its sender named keeps it: let go, it waits on, or begins if the moment has passed.
- What no carrier has is taken back at once: DELETED.
- What an RCS platform has is revoked first. If it turns out to be delivered, it is; if nobody can say, it is UNKNOWN.
- What nobody has yet may get another text (SMPP 3.4 section 4.10), and other times.
- What an SMS carrier has cannot be taken back. Of a message under way, nothing more is sent than what has left.
"""

from __future__ import annotations

from gatewayd.message import State
from gatewayd.policy.journey import Finish, Progress, Queue, Stage, Step, Wait, enqueue, is_on_rcs
from gatewayd.policy.progress import WAIT
from gatewayd.policy.rcs_leg import revoke
from gatewayd.policy.turns import schedule

CANCELLED = "cancelled"

_WAITING = (Stage.QUEUED, Stage.POSTPONED, Stage.SCHEDULED)


def hold(progress: Progress, expires_at: float) -> Step | None:
    """Send it no further until it is released; None when it does not wait."""
    if progress.stage not in _WAITING or progress.is_cancelled:
        return None
    if progress.stage is Stage.SCHEDULED:
        progress.begins_at = progress.due
    progress.stage = Stage.HELD
    progress.queue = ""
    progress.due = expires_at
    return WAIT


def release(progress: Progress, expires_at: float) -> Step | None:
    """Let a held one go on; None when it is not held."""
    if progress.stage is not Stage.HELD:
        return None
    if not progress.begins_at:
        return enqueue(progress, expires_at)
    schedule(progress, progress.begins_at)
    progress.begins_at = 0.0
    return WAIT


def cancel(progress: Progress, expires_at: float, now: float) -> Step | None:
    """Take it back; None when that is too late, or asked for already."""
    if progress.is_cancelled:
        return None
    match progress.stage:
        case Stage.SENT if not is_on_rcs(progress):
            return None
        case Stage.SENT:
            progress.is_cancelled = True
            return revoke(progress, expires_at, now)
        case Stage.SENDING | Stage.REVOKING | Stage.SETTLING:
            progress.is_cancelled = True
            return WAIT
    progress.is_cancelled = True
    if is_on_rcs(progress):  # it was perhaps sent before, and waits to be sent again
        return revoke(progress, expires_at, now)
    return Finish(State.DELETED, CANCELLED)


def of_cancelled(progress: Progress, step: Step, expires_at: float, now: float) -> Step:
    """What a step becomes for a message that was taken back: it may end, and be revoked, and nothing else."""
    match step:
        case Queue():
            return Finish(State.UNKNOWN if "unknown" in progress.fallback else State.DELETED, CANCELLED)
        case Finish(State.EXPIRED | State.UNDELIV):
            return Finish(State.DELETED, CANCELLED)
        case Wait() if progress.stage is Stage.SENT and is_on_rcs(progress):
            return revoke(progress, expires_at, now)
        case Wait() if progress.stage is Stage.POSTPONED:
            return revoke(progress, expires_at, now) if is_on_rcs(progress) else Finish(State.DELETED, CANCELLED)
    return step


def may_replace(progress: Progress, deliver_at: float) -> bool:
    """Whether another text may take its place: nothing of it has left, nor perhaps left, and no other message has it.

    With ``deliver_at`` it would be scheduled anew; what a person holds is theirs to let go.
    """
    if progress.is_cancelled or progress.parts or is_on_rcs(progress):
        return False
    if any(segment.is_taken or segment.is_intended for segment in progress.segments):
        return False
    if progress.stage is Stage.HELD:
        return not deliver_at
    return progress.stage in _WAITING


def replaced(progress: Progress, expires_at: float, deliver_at: float) -> None:
    """It has another text, and lives until ``expires_at``; its moment to go is another one, unless that is 0.

    What a person holds stays held.
    """
    progress.segments = []
    if deliver_at and progress.stage is Stage.HELD:
        progress.begins_at = deliver_at
        progress.due = expires_at
        return
    if deliver_at:
        schedule(progress, deliver_at)
        return
    match progress.stage:
        case Stage.QUEUED:
            enqueue(progress, expires_at)
        case Stage.POSTPONED:
            progress.due = min(progress.due, expires_at) if expires_at else progress.due
        case Stage.HELD:
            progress.due = expires_at
