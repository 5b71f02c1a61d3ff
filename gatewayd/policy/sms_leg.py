"""The leg over SMS: of which segments a message consists, what their answers and receipts mean for the whole.

Knows nothing of RCS.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy.progress import WAIT, Finish, Ignore, LinkTerms, Progress, Segment, Stage, Step
from gatewayd.policy.receipt_wishes import worst
from gatewayd.policy.turns import again_later, enqueue, is_a_try, next_link

_SENT = Stage.SENT  # of each message, and looking a member up in its class is dear


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


def on_sms_result(
    progress: Progress, terms: LinkTerms, segment: int, outcome: Outcome, expires_at: float, now: float
) -> Step:
    """How an attempt to send one segment ended."""
    mine = _segment(progress, segment)
    mine.is_intended = False
    if isinstance(outcome, Accepted):  # nearly all are, and a pattern takes six times as long
        mine.carrier_id = outcome.carrier_id
        mine.is_taken = True
        return _sms_sent(progress, terms, expires_at, now)
    return _not_taken(progress, terms, mine, outcome, expires_at, now)


def _not_taken(
    progress: Progress,
    terms: LinkTerms,
    mine: Segment,
    outcome: Refused | Deferred | Unknown,
    expires_at: float,
    now: float,
) -> Step:
    match outcome:
        case Refused(error, _, is_final):
            mine.state, mine.error, mine.is_taken, mine.is_barred = State.UNDELIV, error, True, is_final
            if all(_is_refused(segment) for segment in progress.segments):
                if any(segment.is_barred for segment in progress.segments):
                    return Finish(State.UNDELIV, error)
                return next_link(progress, error, State.UNDELIV, error, expires_at)
            return _sms_sent(progress, terms, expires_at, now)
        case Deferred():
            mine.attempts += is_a_try(outcome)
            return again_later(progress, terms, outcome, mine.attempts, expires_at, now)
        case Unknown(error):
            if progress.on_unknown == "prefer_duplicate" and mine.attempts < terms.retry_max:
                mine.attempts += 1
                return enqueue(progress, expires_at, front=True)
            mine.is_taken = True
            return _sms_sent(progress, terms, expires_at, now)


def on_sms_receipt(progress: Progress, segment: int, receipt: Receipt) -> Step:
    """What the carrier said of one segment."""
    mine = _segment(progress, segment)
    if mine.state.is_final:
        return Ignore("duplicate")
    before = mine.state, mine.error
    mine.state, mine.error, mine.is_taken = receipt.state, receipt.error, True
    mine.network_error, mine.tlvs = receipt.network_error, receipt.tlvs
    if not receipt.state.is_final:
        return Ignore("intermediate", is_old=before == (receipt.state, receipt.error))
    if len(progress.segments) == 1:
        return Finish(receipt.state, receipt.error, receipt.at, receipt.network_error, receipt.tlvs)
    step = _sms_end(progress) if all(s.is_taken for s in progress.segments) else WAIT
    return msgspec.structs.replace(step, at=receipt.at) if isinstance(step, Finish) else step


def on_no_receipt(progress: Progress) -> Finish:
    """No more is heard of what was taken: what is not known yet is unknown, and the worst of all counts."""
    return (_told(progress) if progress.segments else None) or Finish(State.UNKNOWN, "no_receipt")


def _segment(progress: Progress, segment: int) -> Segment:
    while len(progress.segments) <= segment:
        progress.segments.append(Segment())
    return progress.segments[segment]


def _is_refused(segment: Segment) -> bool:
    """Whether the carrier never took it: what it did take ends by a receipt, which comes under a name."""
    return segment.state is State.UNDELIV and not segment.carrier_id


def _sms_sent(progress: Progress, terms: LinkTerms, expires_at: float, now: float) -> Step:
    """Some segment was settled: has the whole message left, or even ended (receipts may overtake responses)?"""
    if len(progress.segments) > 1 and not all(segment.is_taken for segment in progress.segments):
        return WAIT
    progress.stage = _SENT
    progress.sent_at = progress.sent_at or now
    progress.due = max(expires_at, now) + terms.receipt_wait_s
    return _sms_end(progress)


def _sms_end(progress: Progress) -> Step:
    segments = progress.segments
    if len(segments) == 1:
        if not segments[0].state.is_final:
            return WAIT
    elif not progress.deciding and not all(segment.state.is_final for segment in segments):
        return WAIT
    return _told(progress) or WAIT


def _told(progress: Progress) -> Finish | None:
    """The end, as the segment tells it that speaks for all of them; None as long as that is not known."""
    segments = progress.segments
    if progress.deciding or len(segments) == 1:
        decisive = segments[-1 if progress.deciding == "last" else 0]
    else:
        decisive = segments[worst(each.state if each.state.is_final else State.UNKNOWN for each in segments)]
    if not decisive.state.is_final:
        return None
    return Finish(decisive.state, decisive.error, network_error=decisive.network_error, tlvs=decisive.tlvs)
