"""Messages on their way, as the tests of a journey and its legs begin with them."""

from __future__ import annotations

from typing import Any

from gatewayd.message import Channel, Outcome, Receipt, State
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import LinkTerms, OnUnknown, Progress, Queue, Segment, Stage, Step

NOW = 1_000.0
EXPIRES = 5_000.0
BOT = LinkTerms("bot", Channel.RCS, retry_max=2, deadline_s=300.0)
CARRIER = LinkTerms("carrier", Channel.SMS, retry_max=2, deadline_s=300.0)
CHANNELS = {"bot": Channel.RCS, "carrier": Channel.SMS, "backup": Channel.SMS}
BOTH: tuple[OnUnknown, ...] = ("prefer_duplicate", "prefer_silence")
TO_SMS = Queue("carrier", moved=True)


def sms(*segments: Segment, links: tuple[str, ...] = ("carrier", "backup"), **facts: Any) -> Progress:
    """On its way over the SMS link."""
    return Progress(1, "shop", facts.pop("stage", Stage.SENDING), links, segments=list(segments), **facts)


def rcs(stage: Stage = Stage.SENDING, links: tuple[str, ...] = ("bot", "carrier"), **facts: Any) -> Progress:
    """On its way over RCS."""
    return Progress(1, "shop", stage, links, **facts)


def accepted_rcs(stage: Stage = Stage.SENT, **facts: Any) -> Progress:
    return rcs(stage, rcs_link="bot", rcs_id="x", sent_at=NOW, **facts)


def fallen_back(stage: Stage = Stage.SENDING, **facts: Any) -> Progress:
    return accepted_rcs(stage, position=1, **facts)


def result(progress: Progress, outcome: Outcome, segment: int = 0, expires_at: float = EXPIRES) -> Step:
    terms = {"bot": BOT, "carrier": CARRIER}[progress.link]
    return steps.on_result(progress, terms, segment, outcome, expires_at, NOW)


def receipt(state: State, at: float = 0.0, error: str = "000") -> Receipt:
    return Receipt("x", state, error, at)


def stage_of(progress: Progress) -> Stage:
    return progress.stage
