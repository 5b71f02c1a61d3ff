"""A code beside a campaign: how long it takes to the carrier when 200,000 messages are in the queue before it.

The link is paced. Two accounts send codes at the same time, a few a second each: one whose ``traffic_class`` is
``otp``, which is a lane that goes first, and one that has nothing but its fair share, by its ``weight``. Both do so on
an idle gateway first, then while the campaign is handed in, and then as long beside the queue. The figure to look at is
how much longer the last took than the first. The run ends with most of the campaign still in the queue.
"""

from __future__ import annotations

import contextlib
import time
from array import array
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench_numbered_run import Row, Stage, ended, per_s, wrongs
from bench_options import Options
from bench_processes import Actor, Daemon, Failure, Plan, free_port
from bench_wire import restore

MESSAGES, QUICK_MESSAGES = 200_000, 10_000
SECONDS, QUICK_SECONDS = 100.0, 4.0
LINK_RATE: Final = 500.0
CODE_RATE: Final = 5.0
WARMING_S: Final = 1.0
REPORT_S: Final = 0.25

# A tenth at once is what a paced link is advised to have: a timer that comes late then costs it nothing.
BURST_SHARE: Final = 10
LINK_KEYS: Final = "rate_per_s = {rate}\nburst = {burst}"
ACCOUNT = """
[accounts.{name}]
password_hash = "{{password_hash}}"
rate_per_s = 0
{key}
"""
CAMPAIGN: Final = "Bench"


class Codes(NamedTuple):
    """An account that sends codes: its name, which is also its sender, its one key, and when in a period it sends."""

    name: str
    case: str
    key: str
    lag_s: float


CODES: Final = (
    Codes("otp", "class otp", 'traffic_class = "otp"', 0.0),
    Codes("plain", "weight 4", "weight = 4", 0.5 / CODE_RATE),
)


class Moments(NamedTuple):
    """When what began (monotonic)."""

    idle: float
    filling: float
    queued: float
    end: float


def run(options: Options, place: Path) -> list[Row]:
    """The scenario ``fairness``: a row for each account of codes, and one for the campaign."""
    with contextlib.ExitStack() as stack:
        return _measured(Stage(options, place, stack))


def _measured(stage: Stage) -> list[Row]:
    options = stage.options
    messages, span_s = options.count(MESSAGES, QUICK_MESSAGES), options.span_s(SECONDS, QUICK_SECONDS)
    link_rate = options.rate or LINK_RATE
    shared: Row = {"messages": messages, "handsets": messages}
    senders = [CAMPAIGN, *(codes.name for codes in CODES)]
    carrier = stage.carrier(senders=senders, late_min_s=0.2, late_max_s=0.2, keeps_moments=True, **shared)
    port = free_port()
    plan = Plan(
        port=port,
        carrier_port=stage.hear(carrier)["port"],
        window=options.window,
        workers=options.workers,
        binds=options.binds,
        link_keys=LINK_KEYS.format(rate=link_rate, burst=max(1, round(link_rate / BURST_SHARE))),
        more="".join(ACCOUNT.format(name=codes.name, key=codes.key) for codes in CODES),
    )
    stage.daemon = Daemon(stage.place, plan)
    shared |= {"patience_s": options.patience}
    campaign = stage.load(port, account="bench", sender=CAMPAIGN, **shared)
    paced = shared | {"rate": CODE_RATE, "keeps_moments": True}
    loads = [stage.load(port, account=one.name, sender=one.name, lag_s=one.lag_s, **paced) for one in CODES]
    for actor in (campaign, *loads, carrier):
        stage.hear(actor)
    moments = _conducted(stage, campaign, loads, messages, span_s)
    outcomes = [_outcome(stage, load, "stop") for load in loads]
    outcome = _outcome(stage, campaign, "leave")
    counts = ended(carrier, stage)
    if counts["senders"][0]["submits"] >= messages:
        raise Failure("the campaign was at the carrier too early; give it more --messages or a lower --rate")
    rows = [
        _codes_row(stage.place, codes, moments) | wrongs(heard, arrived)
        for codes, heard, arrived in zip(CODES, outcomes, counts["senders"][1:], strict=True)
    ]
    return [*rows, _campaign_row(stage, outcome, counts["senders"][0], moments)]


def _conducted(stage: Stage, campaign: Actor, loads: list[Actor], messages: int, span_s: float) -> Moments:
    """Let all of it happen."""
    for load in loads:
        load.go()
    _wait(stage, "warming", WARMING_S)
    idle = time.monotonic()
    _wait(stage, "codes, idle gateway", span_s)
    filling = time.monotonic()
    campaign.go()
    lines = stage.follow(campaign, messages, stage.options.patience)
    for heard in lines:
        if "done" in heard:
            raise Failure("the campaign was not taken, or went to the carrier at once")
        if heard["answered"] >= messages:
            break
    queued = time.monotonic()
    _wait(stage, "codes, campaign in the queue", span_s)
    return Moments(idle, filling, queued, time.monotonic())


def _wait(stage: Stage, what: str, span_s: float) -> None:
    bar = stage.bars.add_task(what, total=round(span_s))
    ends_at = time.monotonic() + span_s
    while (left_s := ends_at - time.monotonic()) > 0:
        time.sleep(min(left_s, REPORT_S))
        stage.look()
        stage.bars.update(bar, completed=round(span_s - left_s))
    stage.bars.update(bar, completed=round(span_s))


def _outcome(stage: Stage, load: Actor, word: str) -> dict[str, Any]:
    """Tell a sender to end, and hear how it ended."""
    with contextlib.suppress(BrokenPipeError):  # it has ended by itself, and said so
        load.tell(word)
    while "done" not in (heard := stage.hear(load)):
        pass
    return heard


def _codes_row(place: Path, codes: Codes, moments: Moments) -> Row:
    """How long the codes of one account took to the carrier."""
    sent, submitted = (restore(place / f"{codes.name}_{what}") for what in ("sent_at", "submitted_at"))
    spans = {
        "idle": _spans(sent, submitted, moments.idle, moments.filling),
        "filling": _spans(sent, submitted, moments.filling, moments.queued),
        "queued": _spans(sent, submitted, moments.queued, moments.end),
    }
    figures: Row = {"case": codes.case}
    for word, some in spans.items():
        if some:
            figures |= {f"{word}_p{share}_ms": round(_percentile(some, share) * 1000, 3) for share in (50, 99)}
    if not (spans["idle"] and spans["queued"]):
        raise Failure("no code was sent in one of the two spans; give it more --seconds")
    for share in (50, 99):
        above_ms = figures[f"queued_p{share}_ms"] - figures[f"idle_p{share}_ms"]
        figures[f"queued_above_idle_p{share}_ms"] = round(above_ms, 3)
    return figures | {"codes": len(spans["queued"])}


def _spans(first: array[float], last: array[float], since: float, until: float) -> list[float]:
    return sorted(end - start for start, end in zip(first, last, strict=True) if end and since <= start < until)


def _percentile(spans: list[float], share: int) -> float:
    return spans[min(len(spans) - 1, len(spans) * share // 100)] if spans else 0.0


def _campaign_row(stage: Stage, outcome: Row, arrived: Row, moments: Moments) -> Row:
    """That there was a campaign, and that it went at the link's pace meanwhile. What is left of it is not lost."""
    at = restore(stage.place / f"{CAMPAIGN}_submitted_at")
    while_queued = sum(moments.queued <= moment < moments.end for moment in at)
    return {
        "case": "campaign",
        "messages": outcome["messages"],
        "accepted_per_s": per_s(outcome["answered"], outcome["accepted_at"] - outcome["started_at"]),
        "submitted_per_s": per_s(while_queued, moments.end - moments.queued),
        "left_in_queue": outcome["messages"] - arrived["submits"],
        "rss_mb": round(stage.daemon.memory_peak_mb(), 1),
        "window": stage.options.window,
        "workers": stage.options.workers,
    } | {word: count for word, count in wrongs(outcome, arrived).items() if word != "lost"}
