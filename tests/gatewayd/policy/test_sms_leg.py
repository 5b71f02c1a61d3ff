"""Segments: what is sent, what answers and receipts mean for the whole message."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Finish, Ignore, Queue, Segment, Stage, Wait
from tests.gatewayd.policy.ways import CARRIER, EXPIRES, NOW, receipt, result, sms, stage_of


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


def test_a_refusal_for_good_is_no_other_links_turn() -> None:
    progress = sms()
    assert result(progress, Refused("0x0000040B", is_final=True)) == Finish(State.UNDELIV, "0x0000040B")


def test_of_several_segments_one_refused_for_good_is_enough() -> None:
    progress = sms(Segment(), Segment())
    assert result(progress, Refused("0x0000040B", is_final=True), segment=1) == Wait()
    assert result(progress, Refused("ESME_RINVSRCADR"), segment=0) == Finish(State.UNDELIV, "ESME_RINVSRCADR")


said = st.builds(
    Receipt,
    st.just("x"),
    st.sampled_from(State),
    st.sampled_from(["000", "042"]),
    st.sampled_from([0.0, 7.0]),
    network_error=st.sampled_from([-1, 0x030102]),
    tlvs=st.sampled_from([(), ((0x1501, b"20801"),)]),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(said | st.sampled_from([Accepted("x"), Unknown("lost")]), max_size=5), st.sampled_from(["first", ""]))
def test_a_single_segment_ends_as_it_does_beside_one_that_was_delivered(
    events: list[Receipt | Outcome], deciding: Literal["first", ""]
) -> None:
    """Most messages are one segment, and take a shorter way than the general one."""
    alone = sms(Segment(), on_unknown="prefer_silence", deciding=deciding)
    beside = sms(Segment(), on_unknown="prefer_silence", deciding=deciding)
    beside.segments.append(Segment("y", State.DELIVRD, is_taken=True))
    for event in events:
        if isinstance(event, Receipt):
            ends = [steps.on_receipt(progress, False, 0, event, EXPIRES) for progress in (alone, beside)]
        else:
            ends = [result(progress, event) for progress in (alone, beside)]
        assert ends[0] == ends[1]
        assert alone.segments == beside.segments[:1]
        assert (alone.stage, alone.due, alone.sent_at) == (beside.stage, beside.due, beside.sent_at)
