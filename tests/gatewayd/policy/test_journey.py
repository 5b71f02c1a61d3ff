"""What is due, and what must be durable first. The legs have tests of their own; all orders of events are in
test_journey_orders."""

from __future__ import annotations

import pytest

from gatewayd.message import Channel, State
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Finish, OnUnknown, Queue, Stage, Wait
from tests.gatewayd.policy.ways import EXPIRES, NOW, TO_SMS, rcs, sms


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


def test_validity_ends_in_the_queue_but_not_in_flight() -> None:
    progress = sms()
    steps.enqueue(progress, EXPIRES)
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Finish(State.EXPIRED, "validity")
    steps.take(progress)
    assert steps.on_due(progress, EXPIRES, EXPIRES) == Wait()
    assert progress.due == 0.0, "else it would be looked at for ever"


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
