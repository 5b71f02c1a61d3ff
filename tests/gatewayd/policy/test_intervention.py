"""What a person may do with a message at each stage, and that what was taken back still has exactly one end."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.message import Accepted, Channel, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy import intervention
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Finish, LinkTerms, OnUnknown, Progress, Queue, Revoke, Segment, Stage, Step, Wait

NOW, EXPIRES = 1_000.0, 5_000.0
BOT = LinkTerms("bot", Channel.RCS, retry_max=2, deadline_s=300.0)
CARRIER = LinkTerms("carrier", Channel.SMS, retry_max=2, deadline_s=300.0)
DELETED = Finish(State.DELETED, "cancelled")
GONE_UNKNOWN = Finish(State.UNKNOWN, "cancelled")


def message(stage: Stage, links: tuple[str, ...] = ("carrier",), **facts: Any) -> Progress:
    queue = links[0] if stage is Stage.QUEUED else ""
    return Progress(1, "shop", stage, links, queue=queue, **facts)


def on_rcs(stage: Stage, links: tuple[str, ...] = ("bot", "carrier"), **facts: Any) -> Progress:
    return message(stage, links, rcs_link="bot", rcs_id="x", sent_at=NOW, **facts)


def settled(progress: Progress, step: Step) -> Step:
    """What flow makes of a step."""
    return intervention.of_cancelled(progress, step, 0.0, NOW) if progress.is_cancelled else step


def result(progress: Progress, outcome: Outcome) -> Step:
    terms = {"bot": BOT, "carrier": CARRIER}[progress.link]
    return settled(progress, steps.on_result(progress, terms, 0, outcome, EXPIRES, NOW))


# -- holding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.POSTPONED])
def test_what_waits_is_held_and_released(stage: Stage) -> None:
    progress = message(stage, due=NOW + 5)
    assert intervention.hold(progress, EXPIRES) == Wait()
    assert (progress.stage, progress.queue, progress.due) == (Stage.HELD, "", EXPIRES)
    assert intervention.hold(progress, EXPIRES) is None
    assert intervention.release(progress, EXPIRES) == Queue("carrier")
    assert (progress.stage, progress.queue) == (Stage.QUEUED, "carrier")
    assert intervention.release(progress, EXPIRES) is None


def test_what_is_held_without_validity_is_never_due() -> None:
    progress = message(Stage.QUEUED)
    intervention.hold(progress, 0.0)
    assert progress.due == 0.0


def test_what_is_held_expires() -> None:
    progress = message(Stage.HELD, due=EXPIRES)
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Finish(State.EXPIRED, "validity")


def test_what_is_scheduled_keeps_its_time() -> None:
    progress = message(Stage.SCHEDULED, due=NOW + 60)
    assert intervention.hold(progress, EXPIRES) == Wait()
    assert (progress.stage, progress.due, progress.begins_at) == (Stage.HELD, EXPIRES, NOW + 60)
    assert intervention.release(progress, EXPIRES) == Wait()
    assert (progress.stage, progress.due, progress.begins_at) == (Stage.SCHEDULED, NOW + 60, 0.0)


@pytest.mark.parametrize("stage", sorted(set(Stage) - {Stage.QUEUED, Stage.POSTPONED, Stage.SCHEDULED}))
def test_what_does_not_wait_is_not_held(stage: Stage) -> None:
    progress = message(stage)
    assert intervention.hold(progress, EXPIRES) is None
    assert progress.stage is stage


def test_a_deadline_that_passed_meanwhile_counts_after_the_release() -> None:
    progress = message(Stage.QUEUED, ("bot", "carrier"), rcs_until=NOW + 10)
    intervention.hold(progress, EXPIRES)
    intervention.release(progress, EXPIRES)
    assert steps.on_due(progress, EXPIRES, NOW + 11) == Queue("carrier", moved=True)


# -- taking back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.JOINING, Stage.QUEUED, Stage.POSTPONED, Stage.CHECKING, Stage.HELD])
def test_what_nobody_has_is_taken_back_at_once(stage: Stage) -> None:
    assert intervention.cancel(message(stage), 0.0, NOW) == DELETED


def test_what_an_sms_carrier_has_is_not_taken_back() -> None:
    progress = message(Stage.SENT, segments=[Segment("a", is_taken=True)])
    assert intervention.cancel(progress, 0.0, NOW) is None
    assert not progress.is_cancelled


def test_it_is_taken_back_once() -> None:
    progress = on_rcs(Stage.SENT)
    assert intervention.cancel(progress, 0.0, NOW) is not None
    assert intervention.cancel(progress, 0.0, NOW) is None


@pytest.mark.parametrize("links", [("bot",), ("bot", "carrier")])
def test_what_a_platform_has_is_revoked(links: tuple[str, ...]) -> None:
    progress = on_rcs(Stage.SENT, links)
    assert intervention.cancel(progress, 0.0, NOW) == Revoke("bot", "x")
    assert progress.stage is Stage.REVOKING
    assert settled(progress, steps.on_revoked(progress, True, EXPIRES, NOW)) == DELETED


def test_a_platform_that_says_deleted_itself_ends_it() -> None:
    progress = on_rcs(Stage.SENT)
    intervention.cancel(progress, 0.0, NOW)
    step = steps.on_receipt(progress, True, 0, Receipt("x", State.DELETED), EXPIRES)
    assert settled(progress, step) == DELETED


def test_what_was_delivered_all_the_same_is_delivered() -> None:
    progress = on_rcs(Stage.SENT)
    intervention.cancel(progress, 0.0, NOW)
    assert settled(progress, steps.on_revoked(progress, False, EXPIRES, NOW)) == Wait()
    step = steps.on_receipt(progress, True, 0, Receipt("x", State.DELIVRD), EXPIRES)
    assert settled(progress, step) == Finish(State.DELIVRD)


@pytest.mark.parametrize("on_unknown", ["prefer_duplicate", "prefer_silence"])
def test_what_nobody_can_say_is_unknown(on_unknown: OnUnknown) -> None:
    progress = on_rcs(Stage.SENT, on_unknown=on_unknown)
    intervention.cancel(progress, 0.0, NOW)
    step = settled(progress, steps.on_due(progress, EXPIRES, NOW + 30))  # no answer to the revoke
    if isinstance(step, Wait):
        step = settled(progress, steps.on_due(progress, EXPIRES, NOW + 90))
    assert isinstance(step, Finish)
    assert step.state is State.UNKNOWN


@pytest.mark.parametrize("on_unknown", ["prefer_duplicate", "prefer_silence"])
def test_nor_what_settles(on_unknown: OnUnknown) -> None:
    progress = on_rcs(Stage.SETTLING, on_unknown=on_unknown)
    assert intervention.cancel(progress, 0.0, NOW) == Wait()
    step = settled(progress, steps.on_due(progress, EXPIRES, NOW))
    assert isinstance(step, Finish)
    assert step.state is State.UNKNOWN


def test_what_was_perhaps_sent_before_is_revoked_and_not_sent_again() -> None:
    progress = on_rcs(Stage.QUEUED)
    assert intervention.cancel(progress, 0.0, NOW) == Revoke("bot", "x")
    assert intervention.of_cancelled(on_rcs(Stage.POSTPONED), Wait(), 0.0, NOW) == Revoke("bot", "x")


# -- under way --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "links", "step"),
    [
        (Accepted("x"), ("bot", "carrier"), Revoke("bot", "x")),
        (Refused("no"), ("bot", "carrier"), DELETED),
        (Refused("no"), ("bot",), DELETED),
        (Deferred("busy", 1.0), ("bot", "carrier"), DELETED),
        (Deferred("busy", 1.0, pauses=True), ("bot", "carrier"), DELETED),
        (Unknown("timeout"), ("bot", "carrier"), GONE_UNKNOWN),
        (Accepted("x"), ("carrier",), Wait()),
        (Refused("no"), ("carrier",), DELETED),
        (Deferred("busy", 1.0), ("carrier",), DELETED),
    ],
)
def test_of_what_is_under_way_nothing_more_is_sent(outcome: Outcome, links: tuple[str, ...], step: Step) -> None:
    progress = message(Stage.SENDING, links)
    assert intervention.cancel(progress, 0.0, NOW) == Wait()
    assert result(progress, outcome) == step


def test_an_sms_that_was_under_way_ends_by_its_receipt() -> None:
    progress = message(Stage.SENDING)
    intervention.cancel(progress, 0.0, NOW)
    result(progress, Accepted("a"))
    step = steps.on_receipt(progress, False, 0, Receipt("a", State.DELIVRD), EXPIRES)
    assert settled(progress, step) == Finish(State.DELIVRD)


def test_other_ends_stay_as_they_are() -> None:
    progress = message(Stage.SENT, is_cancelled=True)
    for state in (State.DELIVRD, State.REJECTD, State.UNKNOWN):
        assert intervention.of_cancelled(progress, Finish(state), 0.0, NOW) == Finish(state)


# -- another text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "deliver_at", "may"),
    [
        (message(Stage.QUEUED), 0.0, True),
        (message(Stage.POSTPONED), 0.0, True),
        (message(Stage.SCHEDULED), 0.0, True),
        (message(Stage.HELD), 0.0, True),
        (message(Stage.HELD), NOW, False),
        (message(Stage.QUEUED), NOW, True),
        (message(Stage.SENDING), 0.0, False),
        (message(Stage.SENT), 0.0, False),
        (message(Stage.CHECKING, ("bot",)), 0.0, False),
        (message(Stage.JOINING, ("bot",)), 0.0, False),
        (message(Stage.QUEUED, is_cancelled=True), 0.0, False),
        (message(Stage.QUEUED, parts=(1, 2)), 0.0, False),
        (message(Stage.QUEUED, segments=[Segment(is_taken=True), Segment()]), 0.0, False),
        (message(Stage.QUEUED, segments=[Segment(is_intended=True)]), 0.0, False),
        (message(Stage.QUEUED, segments=[Segment(attempts=2)]), 0.0, True),
        (on_rcs(Stage.POSTPONED), 0.0, False),
        (on_rcs(Stage.QUEUED, position=1), 0.0, True),
    ],
)
def test_only_what_nobody_has_gets_another_text(progress: Progress, deliver_at: float, may: bool) -> None:
    assert intervention.may_replace(progress, deliver_at) is may


def test_a_replaced_one_lives_as_long_as_it_is_told_and_keeps_its_place() -> None:
    queued = message(Stage.QUEUED, rcs_until=NOW + 10, due=NOW + 10)
    intervention.replaced(queued, EXPIRES, 0.0)
    assert (queued.stage, queued.queue, queued.due) == (Stage.QUEUED, "carrier", NOW + 10)
    postponed = message(Stage.POSTPONED, due=EXPIRES + 10)
    intervention.replaced(postponed, EXPIRES, 0.0)
    assert (postponed.stage, postponed.due) == (Stage.POSTPONED, EXPIRES)
    held = message(Stage.HELD, due=EXPIRES + 10)
    intervention.replaced(held, EXPIRES, 0.0)
    assert (held.stage, held.due) == (Stage.HELD, EXPIRES)
    waiting = message(Stage.SCHEDULED, due=NOW + 50)
    intervention.replaced(waiting, EXPIRES, 0.0)
    assert (waiting.stage, waiting.due) == (Stage.SCHEDULED, NOW + 50)
    moved = message(Stage.QUEUED, segments=[Segment(attempts=1)])
    intervention.replaced(moved, EXPIRES, NOW + 90)
    assert (moved.stage, moved.queue, moved.due, moved.segments) == (Stage.SCHEDULED, "", NOW + 90, [])


def test_what_a_person_holds_stays_held_whatever_its_sender_replaces() -> None:
    held = message(Stage.HELD, due=EXPIRES)
    intervention.replaced(held, EXPIRES + 5, NOW + 90)
    assert (held.stage, held.due) == (Stage.HELD, EXPIRES + 5)
    intervention.release(held, EXPIRES + 5)
    assert (held.stage, held.due) == (Stage.SCHEDULED, NOW + 90)
