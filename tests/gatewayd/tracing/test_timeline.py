"""From changes to events: what happened, in order, whatever was not recorded."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.tracing.timeline import Change, Story, story_of, waits_of

M, R = 1_000, 2_000
MESSAGE = {"id": M, "account": "shop", "source": "SHOP", "destination": "33612345678", "accepted_at": 1.0}
PROGRESS = {"id": M, "account": "shop", "stage": "queued", "links": ["rcs", "carrier"], "queue": "rcs"}
RECEIPT = {
    "id": R,
    "account": "shop",
    "kind": "receipt",
    "message_id": M,
    "state": "DELIVRD",
    "source": "33612345678",
    "destination": "SHOP",
}


def told(*groups: tuple[float, list[tuple[str, Any, Any]]], number: int = M) -> Story:
    return story_of(number, [Change(at, kind, key, value) for at, group in groups for kind, key, value in group])


def words(story: Story) -> list[str]:
    return [event.word for event in story.events]


def begun(*more: tuple[float, list[tuple[str, Any, Any]]]) -> Story:
    return told((1.1, [("message", M, MESSAGE), ("progress", M, PROGRESS)]), *more)


def test_a_message_that_is_on_its_way() -> None:
    story = begun()
    assert words(story) == ["accepted", "stored", "routed", "queued"]
    assert [event.at for event in story.events] == [1.0, 1.1, 1.1, 1.1]
    assert (story.state, story.stage, story.link) == ("", "queued", "rcs")
    assert story.queued == [("rcs", 1.1, None)]


def test_a_message_that_ends_with_a_receipt() -> None:
    sent = {**PROGRESS, "stage": "sent", "queue": "", "rcs_link": "rcs", "rcs_id": "x1", "due": 300.0}
    story = begun(
        (2.0, [("progress", M, sent)]),
        (3.0, [("message", M, None), ("progress", M, None), ("delivery", R, RECEIPT)]),
        (4.0, [("delivery", R, None)]),
    )
    assert words(story)[4:] == ["taken", "ended", "receipt_owed", "delivered"]
    assert (story.state, story.ended_at, story.stage) == ("DELIVRD", 3.0, "")
    assert story.queued == [("rcs", 1.1, 2.0)]
    assert story.deliveries == {R}


def test_what_waits_for_its_time_and_is_held_meanwhile() -> None:
    later = {**PROGRESS, "stage": "scheduled", "queue": "", "due": 60.0}
    story = told(
        (1.1, [("message", M, MESSAGE), ("progress", M, later)]),
        (2.0, [("progress", M, {**later, "stage": "held", "due": 0.0})]),
        (3.0, [("progress", M, later)]),
        (60.0, [("progress", M, PROGRESS)]),
    )
    assert words(story)[3:] == ["waits_for_its_time", "held", "released", "waits_for_its_time", "queued"]
    assert story.events[3].facts == {"until": 60.0}


def test_what_no_record_says_is_in_notes() -> None:
    moved = {**PROGRESS, "position": 1, "queue": "carrier", "fallback": "http_404"}
    story = begun(
        (2.0, [("progress", M, moved), ("note", M, {"word": "refused", "link": "rcs", "error": "http_404"})]),
        (2.0, [("note", M + 1, {"word": "refused"}), ("note", 0, {"word": "wait", "link": "rcs"})]),
        (3.0, [("note", M, {"word": "ended", "state": "UNDELIV", "error": "042"}), ("progress", M, None)]),
    )
    assert words(story)[4:] == ["refused", "moved_on", "queued", "ended"]
    assert (story.state, story.error, story.link) == ("UNDELIV", "042", "carrier")


def test_causes_come_before_what_came_of_them_and_requests_after_what_asked_for_them() -> None:
    late = {**PROGRESS, "stage": "revoking", "queue": "", "rcs_link": "rcs"}
    story = begun((2.0, [("note", M, {"word": "revoke_asked", "link": "rcs"}), ("progress", M, late)]))
    assert words(story)[4:] == ["revokes", "revoke_asked"]


def test_the_end_comes_behind_what_led_to_it() -> None:
    taken = {**PROGRESS, "stage": "sent", "queue": "", "links": ["carrier"], "segments": [{"carrier_id": "a"}]}
    ended = ("note", M, {"word": "ended", "state": "DELIVRD", "error": "000"})
    story = begun((2.0, [("progress", M, taken), ended]), (2.0, [("message", M, None), ("progress", M, None)]))
    assert words(story)[4:] == ["taken", "ended"]
    assert story.state == "DELIVRD"


def test_segments_are_told_one_by_one() -> None:
    segments = [{"carrier_id": "a", "is_taken": True}, {}]
    first = {**PROGRESS, "links": ["carrier"], "segments": segments}
    both = {**first, "segments": [{"carrier_id": "a", "state": "DELIVRD"}, {"carrier_id": "b"}]}
    story = begun((2.0, [("progress", M, first)]), (3.0, [("progress", M, both)]))
    facts = [(e.word, e.facts.get("segment"), e.facts.get("carrier_id")) for e in story.events[4:]]
    assert facts == [("taken", "1 of 2", "a"), ("receipt", "1 of 2", None), ("taken", "2 of 2", "b")]


def test_deliveries_that_fail_and_end() -> None:
    ended = ("note", R, {"word": "delivery_ended", "outcome": "expired"})
    story = begun(
        (3.0, [("progress", M, None), ("delivery", R, RECEIPT)]),
        (4.0, [("note", R, {"word": "delivery_failed", "status": "ESME_RSYSERR"}), ("delivery", R, RECEIPT)]),
        (5.0, [("delivery", R, {**RECEIPT, "attempts": 1})]),
        (9.0, [ended, ("delivery", R, None)]),
    )
    assert words(story)[6:] == ["delivery_failed", "delivery_put_off", "not_delivered"]
    assert story.events[-1].facts["reason"] == "expired"
    assert story.state == "DELIVRD"


def test_dead_letters() -> None:
    story = begun(
        (3.0, [("progress", M, None), ("delivery", R, {**RECEIPT, "sink": "webhook"})]),
        (9.0, [("delivery", R, None), ("dead_letter", R, RECEIPT)]),
    )
    assert (story.events[-1].word, story.events[-1].facts["reason"]) == ("not_delivered", "dead letter")


def test_a_reply() -> None:
    mo = {**RECEIPT, "kind": "mo", "message_id": 0, "session_id": "3e8", "session_sequence": 2}
    story = told((1.0, [("delivery", R, mo)]), (2.0, [("delivery", R, None)]), number=R)
    assert words(story) == ["received", "delivered"]
    assert story.is_inbound
    assert (story.state, story.ended_at) == ("delivered", 2.0)


def test_sessions_and_bills() -> None:
    session = {"id": f"{M:x}", "message_id": M, "due": 9.0}
    record = {"name": "conversation", "message_ids": [f"{M:x}"], "link": "rcs"}
    cdr = {"origin": 0, "sequence": 1, "agent": "bot", "user": "33612345678", "record": record}
    story = begun(
        (2.0, [("session", "bot|33612345678", session)]),
        (3.0, [("session", "bot|33612345678", session), ("cdr", "000|1", cdr)]),
        (4.0, [("cdr", "000|1", {**cdr, "is_written": True})]),
    )
    assert words(story)[4:] == ["session_opened", "billed"]


def test_a_part_whose_end_waits_for_the_others() -> None:
    held = {**PROGRESS, "stage": "ended", "queue": "", "due": 90.0, "end": {"state": "UNDELIV", "error": "045"}}
    story = begun((2.0, [("progress", M, held)]))
    assert story.events[-1].facts == {"state": "UNDELIV", "error": "045", "until": 90.0}
    assert (words(story)[-1], story.state) == ("part_ended", "")
    ended = {"word": "ended", "state": "UNDELIV", "error": "045"}
    story = begun(
        (2.0, [("progress", M, held)]), (3.0, [("note", M, ended), ("message", M, None), ("progress", M, None)])
    )
    assert (words(story)[-2:], story.state, story.error) == (["part_ended", "ended"], "UNDELIV", "045")


@pytest.mark.parametrize(("done_at", "told_as"), [(0.0, None), (60.0, 60.0), (180.4, None), (177.0, 177.0)])
def test_whose_clock_tells_when_it_ended(done_at: float, told_as: float | None) -> None:
    """What we end ourselves (cancelled, expired) ends by our own clock."""
    receipt = {**RECEIPT, **({"done_at": done_at} if done_at else {"done_at": 180.0})}
    story = begun((180.0, [("progress", M, None), ("delivery", R, receipt)]))
    ended = next(event for event in story.events if event.word == "ended")
    assert ended.facts.get("done_at") == told_as


def test_an_end_that_nothing_tells_of() -> None:
    story = begun((3.0, [("progress", M, None)]))
    assert (words(story)[-1], story.state) == ("ended", "unknown end")


def test_nothing_is_known() -> None:
    assert not story_of(M, []).is_known
    assert not told((1.0, [("message", 5, MESSAGE), ("delivery", R, None)])).is_known


def test_waits_of_the_link_count_while_the_message_waits_there() -> None:
    story = begun((5.0, [("progress", M, {**PROGRESS, "queue": "", "stage": "sending"})]))
    wait = {"word": "wait", "wait_s": 2.0}
    about = [
        Change(0.5, "note", 0, {**wait, "link": "rcs"}),
        Change(2.0, "note", 0, {**wait, "link": "carrier"}),
        Change(3.0, "note", 0, {**wait, "link": "rcs"}),
        Change(9.0, "note", 0, {**wait, "link": "rcs"}),
    ]
    assert [(event.at, event.word) for event in waits_of(story, about)] == [(3.0, "link_wait")]
