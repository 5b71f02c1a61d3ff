"""What becomes of a message: given how far it is and what just happened, the one next step.

All orders of events end in exactly one final state. Knows no link, store or clock: ``now`` is Unix seconds. Records are
in ``progress``, the way along the route in ``turns``, what each channel's answers mean in ``rcs_leg`` and ``sms_leg``;
all that others need of them is here.

The rules, which the tests take one by one:

- A link refuses: the next link of the route has its turn; without one the message is finished. Of several segments all
  must be refused, or one have used up its tries: else what the link took would be sent twice.
- RCS was accepted: it has until its deadline. Then it is revoked first, and only a confirmed revoke (or a policy that
  prefers a duplicate to silence) sends the SMS.
- ``delivered`` always wins, also after the fallback; whatever comes after the end is only counted.
- A message that cannot be sent over RCS before its deadline (the platform is down, paused, or behind) goes on.
- A revoke is counted against quotas and waits in pauses as messages do: the platform's time to answer begins when it is
  asked. One that it was too busy to look at is asked for again. Waiting for that ends while an SMS is still of use.
- Unknown is neither sent nor failed: ``prefer_duplicate`` sends again, ``prefer_silence`` waits and then says so. Where
  the platform lets us name messages, the same one is first sent again under its name, while time and tries are left;
  what was perhaps sent is revoked before it is given up. ``prefer_duplicate`` waits for that revoke some seconds only.
- Each segment has its own tries. One that is in flight is not sent a second time.
"""

from __future__ import annotations

from gatewayd.message import Channel, Outcome, Receipt, State
from gatewayd.policy.progress import (
    WAIT,
    Finish,
    Ignore,
    LinkTerms,
    OnUnknown,
    Progress,
    Queue,
    Revoke,
    Segment,
    Stage,
    Step,
    Wait,
)
from gatewayd.policy.rcs_leg import (
    REPEAT_S,
    REVOKE_DOUBT_S,
    REVOKE_TIMEOUT_S,
    REVOKE_WAIT_S,
    SETTLE_S,
    is_on_rcs,
    leave_rcs,
    on_capability,
    on_question_throttled,
    on_rcs_receipt,
    on_rcs_result,
    on_revoke_due,
    on_revoke_sent,
    on_revoked,
    rcs_deadline,
    revoke,
)
from gatewayd.policy.sms_leg import intend, on_no_receipt, on_sms_receipt, on_sms_result, to_send, unsent
from gatewayd.policy.turns import BACKOFF_MAX_S, enqueue, next_link, schedule, skip_rcs, take

# Of each message, and looking a member up in its class takes ten times as long.
_RCS = Channel.RCS

__all__ = [
    "BACKOFF_MAX_S",
    "REPEAT_S",
    "REVOKE_DOUBT_S",
    "REVOKE_TIMEOUT_S",
    "REVOKE_WAIT_S",
    "SETTLE_S",
    "Finish",
    "Ignore",
    "LinkTerms",
    "OnUnknown",
    "Progress",
    "Queue",
    "Revoke",
    "Segment",
    "Stage",
    "Step",
    "Wait",
    "enqueue",
    "intend",
    "is_on_rcs",
    "leave_rcs",
    "needs_intent",
    "next_link",
    "on_capability",
    "on_due",
    "on_question_throttled",
    "on_receipt",
    "on_result",
    "on_revoke_sent",
    "on_revoked",
    "rcs_deadline",
    "schedule",
    "skip_rcs",
    "take",
    "to_send",
    "unsent",
]


def needs_intent(progress: Progress, channel: Channel) -> bool:
    """Whether the intent to send must be durable before anything is sent.

    So it is where a second copy must not go out after a crash: over RCS, whose platform gives no way to send the same
    message twice safely, and wherever the route prefers silence.
    """
    return channel is _RCS or progress.on_unknown == "prefer_silence"


def on_result(
    progress: Progress, terms: LinkTerms, segment: int, outcome: Outcome, expires_at: float, now: float
) -> Step:
    """How an attempt ended. ``terms`` are those of the link that made it."""
    if terms.channel is _RCS:
        return on_rcs_result(progress, terms, outcome, expires_at, now)
    return on_sms_result(progress, terms, segment, outcome, expires_at, now)


def on_receipt(progress: Progress, is_rcs: bool, segment: int, receipt: Receipt, expires_at: float) -> Step:
    """What a carrier said of the RCS leg (``is_rcs``) or of one segment of the SMS leg."""
    if is_rcs:
        return on_rcs_receipt(progress, receipt, expires_at)
    return on_sms_receipt(progress, segment, receipt)


def on_due(progress: Progress, expires_at: float, now: float) -> Step:
    """The moment that the message had asked for has come."""
    match progress.stage:
        case Stage.QUEUED | Stage.POSTPONED | Stage.SCHEDULED | Stage.HELD if expires_at and expires_at <= now:
            return Finish(State.EXPIRED, "validity")
        case Stage.QUEUED | Stage.POSTPONED if progress.rcs_until and progress.rcs_until <= now:
            return leave_rcs(progress, "rcs_late", State.EXPIRED, "rcs_late", expires_at, now)
        case Stage.POSTPONED | Stage.SCHEDULED:
            return enqueue(progress, expires_at)
        case Stage.CHECKING:
            return on_capability(progress, None, "no_answer", expires_at)
        case Stage.SENT if is_on_rcs(progress):
            return revoke(progress, expires_at, now)
        case Stage.SENT:
            return on_no_receipt(progress)
        case Stage.REVOKING:
            return on_revoke_due(progress, expires_at, now)
        case Stage.SETTLING if progress.on_unknown == "prefer_duplicate":
            return next_link(progress, "settled_unknown", State.UNKNOWN, "settled_unknown", expires_at)
        case Stage.SETTLING:
            return Finish(State.UNKNOWN, "settled_unknown")
    progress.due = 0.0  # an answer is owed to it, and says how it goes on
    return WAIT
