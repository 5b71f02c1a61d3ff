"""Every timer of a connection, with plain numbers for the clock."""

from __future__ import annotations

import pytest

from protocol.smpp.connection import (
    Answered,
    Bound,
    Closed,
    Connection,
    ConnState,
    FaultSeen,
    Limits,
    Role,
    Unanswered,
)
from protocol.smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.protocol.smpp.conversation import LIMITS, esme, hear, sent, smsc


@pytest.mark.parametrize("role", list(Role))
def test_whoever_does_not_bind_in_time_is_cut(role: Role) -> None:
    connection = Connection(role, LIMITS, 100.0)
    assert connection.next_deadline() == 110.0
    hear(connection, EnquireLink(sequence=1), now=109.0)
    assert connection.next_deadline() == 110.0
    assert connection.tick(109.9) == []
    assert connection.tick(110.0) == [Closed("session_init_timeout")]
    assert connection.wants_close
    assert connection.next_deadline() is None
    assert connection.tick(111.0) == []
    assert connection.eof(112.0) == []


def test_a_bind_that_stays_unanswered_ends_it() -> None:
    limits = Limits(session_init_timeout_s=0.0, response_timeout_s=20.0)
    connection = Connection(Role.ESME, limits, 100.0)
    assert connection.next_deadline() is None
    connection.bind(Bind(), 105.0)
    assert connection.next_deadline() == 125.0
    assert connection.tick(125.0) == [Closed("bind_timeout")]


def test_a_bind_that_nobody_decides_ends_it() -> None:
    connection = Connection(Role.SMSC, LIMITS, 100.0)
    hear(connection, Bind(sequence=1), now=101.0)
    assert connection.tick(110.0) == [Closed("session_init_timeout")]


def test_a_bind_stops_the_first_timer() -> None:
    assert smsc(now=100.0).next_deadline() == 130.0
    assert esme(now=100.0).next_deadline() == 130.0


def test_silence_is_asked_about_and_an_answer_is_enough() -> None:
    connection = smsc(now=100.0)
    hear(connection, SubmitSm(sequence=2), now=110.0)
    assert connection.next_deadline() == 140.0
    assert connection.tick(139.0) == []
    assert connection.tick(140.0) == []
    assert sent(connection) == [EnquireLink(sequence=1)]
    assert connection.next_deadline() == 160.0
    assert hear(connection, EnquireLinkResp(1), now=141.0) == []
    assert connection.next_deadline() == 171.0


def test_silence_after_the_question_is_the_end() -> None:
    connection = esme(now=100.0)
    connection.tick(130.0)
    assert connection.tick(149.9) == []
    assert connection.tick(150.0) == [Closed("enquire_timeout")]


def test_a_peer_that_talks_but_forgets_to_answer_is_alive() -> None:
    connection = esme(now=100.0)
    connection.tick(130.0)
    hear(connection, DeliverSm(sequence=9), now=149.0)
    assert connection.tick(150.0) == []
    assert connection.tick(169.0) == [Closed("enquire_timeout")]


def test_a_late_answer_to_the_question_is_still_an_answer() -> None:
    connection = esme(now=100.0)
    connection.tick(130.0)
    (asked,) = sent(connection)
    hear(connection, DeliverSm(sequence=9), now=149.0)
    assert hear(connection, EnquireLinkResp(asked.sequence), now=160.0) == []
    assert connection.next_deadline() == 190.0


def test_requests_expire_in_the_order_of_sending() -> None:
    connection = esme(now=100.0)
    connection.request(SubmitSm(), 101.0, "a")
    connection.request(SubmitSm(), 102.0, "b")
    connection.request(SubmitSm(), 105.0, "c")
    assert connection.next_deadline() == 121.0
    assert connection.tick(120.9) == []
    assert connection.tick(122.0) == [Unanswered("a", "timeout"), Unanswered("b", "timeout")]
    assert connection.window_used == 1
    assert connection.next_deadline() == 125.0
    assert hear(connection, SubmitSmResp(4, 0, "id"), now=123.0) == [Answered("c", SubmitSmResp(4, 0, "id"), 18.0)]


def test_an_answer_that_comes_too_late_is_told() -> None:
    connection = esme(now=100.0)
    connection.request(SubmitSm(), 101.0, "a")
    connection.tick(121.0)
    late = hear(connection, SubmitSmResp(2, 0, "id"), now=122.0)
    assert late == [FaultSeen("unexpected_response", 0, "submit_sm_resp")]


def test_idleness_ends_in_an_unbind() -> None:
    limits = Limits(enquire_interval_s=30.0, inactivity_timeout_s=100.0, response_timeout_s=20.0)
    connection = smsc(limits=limits, now=100.0)
    hear(connection, SubmitSm(sequence=2), now=110.0)
    for moment in (140.0, 170.0, 200.0):
        assert connection.tick(moment) == []
        (asked,) = sent(connection)
        assert isinstance(asked, EnquireLink)
        hear(connection, EnquireLinkResp(asked.sequence), EnquireLink(sequence=3), now=moment)
        sent(connection)
    assert connection.next_deadline() == 210.0
    assert connection.tick(210.0) == []
    assert connection.state is ConnState.UNBINDING
    (asked,) = sent(connection)
    assert isinstance(asked, Unbind)
    assert hear(connection, UnbindResp(asked.sequence), now=211.0) == [Closed("inactivity")]


def test_our_own_messages_are_activity_too() -> None:
    limits = Limits(enquire_interval_s=0.0, inactivity_timeout_s=100.0, response_timeout_s=20.0)
    connection = esme(limits=limits, now=100.0)
    connection.request(SubmitSm(), 150.0, "a")
    hear(connection, SubmitSmResp(2), now=160.0)
    assert connection.next_deadline() == 260.0


def test_an_unbind_that_stays_unanswered_ends_it() -> None:
    connection = esme(now=100.0)
    connection.request(SubmitSm(), 101.0, "a")
    connection.unbind(115.0)
    assert connection.next_deadline() == 121.0
    assert connection.tick(121.0) == [Unanswered("a", "timeout")]
    assert connection.next_deadline() == 135.0
    assert connection.tick(135.0) == [Closed("unbind_timeout")]


def test_a_deadline_is_always_acted_upon() -> None:
    """Or the driver would spin: whatever next_deadline says, a tick at that very moment moves it."""
    connection = esme(limits=Limits(inactivity_timeout_s=77.7, enquire_interval_s=0.1, response_timeout_s=0.3), now=0.1)
    connection.request(SubmitSm(), 0.2, "a")
    seen = set()
    while (deadline := connection.next_deadline()) is not None:
        assert deadline not in seen
        seen.add(deadline)
        connection.tick(deadline)
    assert connection.wants_close


def test_time_turned_off_never_asks() -> None:
    limits = Limits(session_init_timeout_s=0, enquire_interval_s=0, inactivity_timeout_s=0, response_timeout_s=0)
    connection = Connection(Role.ESME, limits, 0.0)
    connection.bind(Bind(), 0.0)
    assert hear(connection, BindResp(sequence=1)) == [Bound()]
    connection.request(SubmitSm(), 0.0, "a")
    assert connection.next_deadline() is None
    assert connection.tick(1e9) == []


def test_whoever_leaves_does_not_wait_for_ever_for_what_it_is_owed() -> None:
    connection = smsc(now=100.0)
    assert hear(connection, SubmitSm(sequence=9), Unbind(sequence=10), now=110.0) == [SubmitSm(sequence=9)]
    assert connection.next_deadline() == 130.0
    assert connection.tick(129.0) == []
    assert connection.tick(130.0) == [Closed("unbind_timeout")]
