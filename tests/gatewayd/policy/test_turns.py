"""Into a queue, out of it, on to the next link, and later once more."""

from __future__ import annotations

import pytest

from gatewayd.message import Channel, Deferred, Scope, State
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import BACKOFF_MAX_S, Finish, LinkTerms, Queue, Segment, Stage, Wait
from tests.gatewayd.policy.ways import CARRIER, CHANNELS, EXPIRES, NOW, TO_SMS, rcs, result, sms


def test_in_the_queue_and_out_of_it() -> None:
    progress = sms()
    assert steps.enqueue(progress, EXPIRES) == Queue("carrier")
    assert (progress.stage, progress.queue, progress.due) == (Stage.QUEUED, "carrier", EXPIRES)
    steps.take(progress)
    assert (progress.stage, progress.queue) == (Stage.SENDING, "")


def test_the_sms_link_of_a_route_is_found() -> None:
    progress = rcs(Stage.JOINING, links=("bot", "gone", "carrier"))
    assert steps.skip_rcs(progress, CHANNELS, "incomplete", EXPIRES) == TO_SMS
    assert (progress.position, progress.fallback) == (2, "incomplete")
    assert steps.skip_rcs(rcs(links=("bot",)), CHANNELS, "incomplete", EXPIRES) == Finish(State.UNDELIV, "incomplete")


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


def test_a_delay_that_doubled_does_not_outlast_the_time_on_rcs() -> None:
    progress = rcs(attempts=1, rcs_until=NOW + 15.0)
    assert result(progress, Deferred("http_503", 10.0)) == Wait()
    assert (progress.stage, progress.due) == (Stage.POSTPONED, NOW + 15.0)
    assert steps.on_due(progress, EXPIRES, NOW + 15.0) == TO_SMS, "and is not tried once more then"
    assert progress.fallback == "rcs_late"


def test_a_pause_keeps_the_place_and_costs_no_try() -> None:
    progress = sms()
    for _ in range(100):
        assert result(progress, Deferred("ESME_RTHROTTLED", 1.0, pauses=True)) == Queue("carrier", front=True)
    assert progress.due == EXPIRES


def test_what_never_left_costs_no_try() -> None:
    progress = sms(Segment())
    for _ in range(CARRIER.retry_max + 2):
        assert result(progress, Deferred("no_credit", 1.0)) == Wait()
        assert progress.due == NOW + 1.0
    assert progress.segments[0].attempts == 0


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
