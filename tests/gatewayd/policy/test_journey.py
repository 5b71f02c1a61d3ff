"""Each rule of a message's way, one by one. All orders of events are in test_journey_orders."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.message import Accepted, Channel, Deferred, Outcome, Receipt, Refused, Scope, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import (
    BACKOFF_MAX_S,
    REVOKE_TIMEOUT_S,
    SETTLE_S,
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


# -- the queue ------------------------------------------------------------------------------------------------------


def test_in_the_queue_and_out_of_it() -> None:
    progress = sms()
    assert steps.enqueue(progress, EXPIRES) == Queue("carrier")
    assert (progress.stage, progress.queue, progress.due) == (Stage.QUEUED, "carrier", EXPIRES)
    steps.take(progress)
    assert (progress.stage, progress.queue) == (Stage.SENDING, "")


@pytest.mark.parametrize(
    ("channel", "on_unknown", "needed"),
    [
        (Channel.RCS, "prefer_duplicate", True),
        (Channel.RCS, "prefer_silence", True),
        (Channel.SMS, "prefer_duplicate", False),
        (Channel.SMS, "prefer_silence", True),
    ],
)
def test_an_intent_is_written_where_a_second_copy_must_not_go(
    channel: Channel, on_unknown: OnUnknown, needed: bool
) -> None:
    assert steps.needs_intent(sms(on_unknown=on_unknown), channel) is needed


def test_segments_to_send_are_those_not_taken_and_not_in_flight() -> None:
    progress = sms(Segment(is_taken=True))
    assert steps.unsent(progress, 4) == [1, 2, 3]
    assert steps.to_send(progress, 4, in_flight={2}) == [1, 3]
    assert len(progress.segments) == 4


def test_what_an_earlier_process_meant_to_send_is_not_sent_again() -> None:
    progress = sms(Segment(), Segment(), on_unknown="prefer_silence")
    steps.intend(progress, [0, 1])
    result(progress, Deferred("ESME_RTHROTTLED", 1.0, pauses=True), segment=1)
    assert steps.to_send(progress, 3, in_flight={0}) == [1, 2]
    assert steps.to_send(progress, 3, in_flight=()) == [1, 2]
    assert [segment.is_taken for segment in progress.segments] == [True, False, False]


def test_a_single_segment_has_no_intent_of_its_own() -> None:
    progress = sms()
    steps.intend(progress, [0])
    assert progress.segments == []


def test_the_sms_link_of_a_route_is_found() -> None:
    progress = rcs(Stage.JOINING, links=("bot", "gone", "carrier"))
    assert steps.skip_rcs(progress, CHANNELS, "incomplete", EXPIRES) == TO_SMS
    assert (progress.position, progress.fallback) == (2, "incomplete")
    assert steps.skip_rcs(rcs(links=("bot",)), CHANNELS, "incomplete", EXPIRES) == Finish(State.UNDELIV, "incomplete")


# -- one SMS --------------------------------------------------------------------------------------------------------


def test_accepted_then_a_receipt() -> None:
    progress = sms()
    assert result(progress, Accepted("17")) == Wait()
    assert (progress.stage, progress.sent_at, progress.segments[0].carrier_id) == (Stage.SENT, NOW, "17")
    assert progress.due == EXPIRES + CARRIER.receipt_wait_s
    assert steps.on_receipt(progress, False, 0, receipt(State.ACCEPTD), EXPIRES) == Ignore("intermediate")
    assert steps.on_receipt(progress, False, 0, receipt(State.DELIVRD, 7.0), EXPIRES) == Finish(State.DELIVRD, at=7.0)
    assert steps.on_receipt(progress, False, 0, receipt(State.UNDELIV), EXPIRES) == Ignore("duplicate")


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_receipt_that_overtook_the_response_is_not_lost(state: State) -> None:
    progress = sms()
    assert steps.on_receipt(progress, False, 0, receipt(state, error="042"), EXPIRES) == Finish(state, "042")


def test_no_receipt_ever() -> None:
    progress = sms()
    result(progress, Accepted("17"))
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "no_receipt")


def test_a_refusal_is_the_next_links_turn() -> None:
    progress = sms()
    assert result(progress, Refused("ESME_RINVDSTADR")) == Queue("backup", moved=True)
    assert (progress.position, progress.segments, progress.fallback) == (1, [], "ESME_RINVDSTADR")
    progress = sms(links=("carrier",))
    assert result(progress, Refused("ESME_RINVDSTADR")) == Finish(State.UNDELIV, "ESME_RINVDSTADR")


def test_a_pause_keeps_the_place_and_costs_no_try() -> None:
    progress = sms()
    for _ in range(100):
        assert result(progress, Deferred("ESME_RTHROTTLED", 1.0, pauses=True)) == Queue("carrier", front=True)
    assert progress.due == EXPIRES


def test_other_delays_double_and_end() -> None:
    progress = sms()
    for delay_s in (3.0, 6.0):
        assert result(progress, Deferred("ESME_RMSGQFUL", 3.0)) == Wait()
        assert (progress.stage, progress.due) == (Stage.POSTPONED, NOW + delay_s)
        assert steps.on_due(progress, EXPIRES, progress.due) == Queue("carrier")
        steps.take(progress)
    assert result(progress, Deferred("ESME_RMSGQFUL", 3.0)) == Queue("backup", moved=True)


def test_delays_are_bounded_by_a_maximum_and_by_the_validity() -> None:
    patient = LinkTerms("carrier", Channel.SMS, retry_max=10_000, deadline_s=300.0)
    progress = sms(Segment(attempts=9_000))
    steps.on_result(progress, patient, 0, Deferred("ESME_RMSGQFUL", 3.0), 0.0, NOW)
    assert progress.due == NOW + BACKOFF_MAX_S
    steps.on_result(progress, patient, 0, Deferred("ESME_RMSGQFUL", 3.0), NOW + 5.0, NOW)
    assert progress.due == NOW + 5.0
    assert steps.on_due(progress, NOW + 5.0, NOW + 5.0) == Finish(State.EXPIRED, "validity")


def test_unknown_is_sent_again_or_waited_for() -> None:
    progress = sms()
    for _ in range(2):
        assert result(progress, Unknown("timeout")) == Queue("carrier", front=True)
        steps.take(progress)
    assert result(progress, Unknown("timeout")) == Wait()
    assert progress.stage is Stage.SENT
    progress = sms(on_unknown="prefer_silence")
    assert result(progress, Unknown("timeout")) == Wait()
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "no_receipt")


def test_validity_ends_in_the_queue_but_not_in_flight() -> None:
    progress = sms()
    steps.enqueue(progress, EXPIRES)
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Finish(State.EXPIRED, "validity")
    steps.take(progress)
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Wait()
    assert progress.due == 0.0, "else it would be looked at for ever"


# -- several segments -----------------------------------------------------------------------------------------------


def test_all_segments_must_be_delivered() -> None:
    progress = sms(Segment(), Segment())
    assert result(progress, Accepted("a"), 0) == Wait()
    assert stage_of(progress) == Stage.SENDING
    assert steps.on_receipt(progress, False, 0, receipt(State.DELIVRD), EXPIRES) == Wait()
    assert result(progress, Accepted("b"), 1) == Wait()
    assert stage_of(progress) == Stage.SENT
    assert steps.on_receipt(progress, False, 1, receipt(State.UNDELIV, 9.0, "042"), EXPIRES) == Finish(
        State.UNDELIV, "042", 9.0
    )


def test_one_refused_segment_fails_the_message_and_all_refused_move_it() -> None:
    progress = sms(Segment(), Segment())
    assert result(progress, Refused("ESME_RINVDSTADR"), 0) == Wait()
    assert result(progress, Refused("ESME_RINVDSTADR"), 1) == Queue("backup", moved=True)
    progress = sms(Segment(), Segment())
    assert result(progress, Refused("ESME_RINVDSTADR"), 0) == Wait()
    assert result(progress, Accepted("b"), 1) == Wait()
    assert steps.on_receipt(progress, False, 1, receipt(State.DELIVRD), EXPIRES) == Finish(
        State.UNDELIV, "ESME_RINVDSTADR"
    )


def test_a_lost_connection_is_one_try_of_each_segment() -> None:
    progress = sms(*(Segment() for _ in range(12)))
    for number in range(12):
        assert result(progress, Unknown("lost"), number) == Queue("carrier", front=True)
    assert steps.to_send(progress, 12, ()) == list(range(12))
    steps.take(progress)
    for number in range(12):
        assert result(progress, Deferred("ESME_RMSGQFUL", 1.0), number) == Wait()
    assert progress.stage is Stage.POSTPONED
    assert progress.position == 0


# -- RCS ------------------------------------------------------------------------------------------------------------


def test_rcs_accepted_has_until_its_deadline() -> None:
    progress = rcs()
    assert result(progress, Accepted("x")) == Wait()
    assert (progress.stage, progress.rcs_link, progress.rcs_id) == (Stage.SENT, "bot", "x")
    assert progress.due == NOW + BOT.deadline_s
    progress = rcs()
    result(progress, Accepted("x"), expires_at=NOW + 5.0)
    assert progress.due == NOW + 5.0


@pytest.mark.parametrize("on_unknown", BOTH)
def test_the_deadline_revokes_first(on_unknown: OnUnknown) -> None:
    progress = accepted_rcs(on_unknown=on_unknown)
    assert steps.on_due(progress, EXPIRES, NOW) == Revoke("bot", "x")
    assert (progress.stage, progress.due) == (Stage.REVOKING, NOW + REVOKE_TIMEOUT_S)
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == TO_SMS


@pytest.mark.parametrize("revoked", [False, None])
def test_silence_waits_when_the_revoke_is_not_confirmed(revoked: bool | None) -> None:
    progress = accepted_rcs(Stage.REVOKING, on_unknown="prefer_silence")
    assert steps.on_revoked(progress, revoked, EXPIRES, NOW) == Wait()
    assert (progress.stage, progress.due) == (Stage.SETTLING, NOW + SETTLE_S)
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "settled_unknown")


def test_a_late_confirmation_is_a_confirmation() -> None:
    progress = accepted_rcs(Stage.REVOKING, on_unknown="prefer_silence")
    assert steps.on_due(progress, EXPIRES, NOW) == Wait()
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == TO_SMS


def test_a_duplicate_is_preferred_once_the_platform_had_its_say() -> None:
    progress = accepted_rcs(Stage.REVOKING)
    assert steps.on_revoked(progress, None, EXPIRES, NOW) == TO_SMS
    progress = accepted_rcs(Stage.REVOKING)
    assert steps.on_revoked(progress, False, EXPIRES, NOW) == Wait(), "too late: delivered may be on its way"
    assert steps.on_due(progress, EXPIRES, progress.due) == TO_SMS


@pytest.mark.parametrize("stage", [Stage.SENT, Stage.SENDING, Stage.QUEUED])
@pytest.mark.parametrize("revoked", [True, False, None])
def test_a_revocation_nobody_waits_for(stage: Stage, revoked: bool | None) -> None:
    assert steps.on_revoked(accepted_rcs(stage), revoked, EXPIRES, NOW) == Ignore("late_revocation")


def test_a_revocation_of_what_was_never_named() -> None:
    progress = rcs(Stage.SETTLING, on_unknown="prefer_silence")
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == Ignore("late_revocation")


@pytest.mark.parametrize("stage", [Stage.SENT, Stage.REVOKING, Stage.SETTLING])
@pytest.mark.parametrize(
    ("state", "error", "word"), [(State.UNDELIV, "ABC", "failed_ABC"), (State.DELETED, "000", "revoked")]
)
def test_the_platforms_own_no_is_as_good_as_a_revoke(stage: Stage, state: State, error: str, word: str) -> None:
    progress = accepted_rcs(stage, on_unknown="prefer_silence")
    assert steps.on_receipt(progress, True, 0, receipt(state, error=error), EXPIRES) == TO_SMS
    assert progress.fallback == word
    assert steps.on_receipt(progress, True, 0, receipt(state, error=error), EXPIRES) == Ignore("duplicate")


@pytest.mark.parametrize(
    "progress",
    [accepted_rcs(stage) for stage in (Stage.SENT, Stage.REVOKING, Stage.SETTLING)]
    + [fallen_back(stage) for stage in (Stage.QUEUED, Stage.SENDING, Stage.SENT, Stage.POSTPONED)],
    ids=lambda progress: f"{progress.link} {progress.stage}",
)
def test_delivered_always_wins(progress: Progress) -> None:
    assert steps.on_receipt(progress, True, 0, receipt(State.DELIVRD, 9.0), EXPIRES) == Finish(State.DELIVRD, at=9.0)


def test_rcs_refused_is_sms_at_once() -> None:
    progress = rcs(on_unknown="prefer_silence")
    assert result(progress, Refused("http_404", unreachable=True)) == TO_SMS
    assert result(rcs(links=("bot",)), Refused("http_403")) == Finish(State.UNDELIV, "http_403")


def test_rcs_unknown() -> None:
    assert result(rcs(), Unknown("timeout")) == TO_SMS
    assert result(rcs(links=("bot",)), Unknown("timeout")) == Finish(State.UNKNOWN, "timeout")
    progress = rcs(on_unknown="prefer_silence")
    assert result(progress, Unknown("timeout")) == Wait()
    assert progress.stage is Stage.SETTLING
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "settled_unknown")


def test_rcs_deferred() -> None:
    progress = rcs()
    assert result(progress, Deferred("429", 60.0, pauses=True)) == Queue("bot", front=True)
    for _ in range(2):
        assert result(progress, Deferred("http_503", 2.0)) == Wait()
    assert result(progress, Deferred("http_503", 2.0)) == TO_SMS
    assert result(rcs(), Deferred("429", 60.0, pauses=True), expires_at=NOW + 60.0) == TO_SMS, "it would be too late"


def test_a_handset_that_takes_rcs_is_not_asked_again() -> None:
    progress = rcs(Stage.CHECKING)
    assert steps.on_capability(progress, True, "", EXPIRES) == Queue("bot", front=True)
    assert progress.is_checked
    steps.next_link(progress, "http_404", State.UNDELIV, "http_404", EXPIRES)
    assert not progress.is_checked


@pytest.mark.parametrize("capable", [False, None])
def test_a_handset_that_is_not_known_to_take_rcs_gets_an_sms(capable: bool | None) -> None:
    progress = rcs(Stage.CHECKING)
    assert steps.on_capability(progress, capable, "404", EXPIRES) == TO_SMS
    assert progress.fallback == "not_rcs_404"
    assert steps.on_capability(progress, True, "", EXPIRES) == Ignore("late_capability")
    progress = rcs(Stage.CHECKING)
    assert steps.on_due(progress, EXPIRES, NOW) == TO_SMS
    assert steps.on_capability(rcs(Stage.CHECKING, links=("bot",)), capable, "404", EXPIRES) == Finish(
        State.UNDELIV, "not_rcs"
    )


@pytest.mark.parametrize("stage", [Stage.MEMBER, Stage.SENDING])
def test_nothing_is_due(stage: Stage) -> None:
    assert steps.on_due(sms(stage=stage), 0.0, NOW) == Wait()


def test_what_cannot_go_over_rcs_in_time_goes_on() -> None:
    progress = rcs(rcs_until=NOW + 300.0)
    assert steps.enqueue(progress, EXPIRES) == Queue("bot")
    assert progress.due == NOW + 300.0
    assert steps.on_due(progress, EXPIRES, NOW + 300.0) == TO_SMS
    assert (progress.fallback, progress.rcs_until, progress.due) == ("rcs_late", 0.0, EXPIRES)
    alone = rcs(links=("bot",), rcs_until=NOW)
    steps.enqueue(alone, 0.0)
    assert steps.on_due(alone, 0.0, NOW) == Finish(State.EXPIRED, "rcs_late")


def test_the_validity_is_over_before_the_deadline_of_rcs() -> None:
    progress = rcs(rcs_until=EXPIRES + 1.0)
    steps.enqueue(progress, EXPIRES)
    assert progress.due == EXPIRES
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Finish(State.EXPIRED, "validity")


# -- what a platform asks to wait for --------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["", "agent", "application", "user"])
def test_a_message_that_cannot_wait_for_the_end_of_a_pause_goes_on_at_once(scope: Scope) -> None:
    progress = rcs(Stage.SENDING)
    progress.rcs_until = NOW + 60.0
    assert result(progress, Deferred("http_429", 60.0, pauses=True, scope=scope)) == TO_SMS
    assert progress.fallback == "http_429"


def test_a_pause_of_one_handset_is_as_long_as_was_asked_for() -> None:
    progress = rcs(Stage.SENDING)
    progress.rcs_until = NOW + 300.0
    for attempts in (1, 2):
        assert result(progress, Deferred("http_429", 60.0, pauses=True, scope="user")) == Wait()
        assert (progress.stage, progress.queue, progress.due) == (Stage.POSTPONED, "", NOW + 60.0)
        assert progress.attempts == attempts
    assert result(progress, Deferred("http_429", 60.0, scope="user")) == TO_SMS


def test_what_never_left_costs_no_try() -> None:
    progress = sms(Segment())
    for _ in range(CARRIER.retry_max + 2):
        assert result(progress, Deferred("no_credit", 1.0)) == Wait()
        assert progress.due == NOW + 1.0
    assert progress.segments[0].attempts == 0
