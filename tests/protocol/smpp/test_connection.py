"""One side of a connection: binds, requests, responses, the law of states, and the end."""

from __future__ import annotations

import pytest

from protocol.smpp.connection import (
    Answered,
    BindAsked,
    BindRefused,
    Bound,
    Closed,
    Connection,
    ConnState,
    FaultSeen,
    Limits,
    Role,
    Unanswered,
)
from protocol.smpp.constants import SEQUENCE_MAX, Command, Status
from protocol.smpp.errors import LocalFault
from protocol.smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    build_answer,
)
from tests.protocol.smpp.conversation import LIMITS, esme, hear, sent, smsc

STATES = {"tx": ConnState.BOUND_TX, "rx": ConnState.BOUND_RX, "trx": ConnState.BOUND_TRX}


def kind_of(fault: pytest.ExceptionInfo[LocalFault]) -> str:
    return fault.value.kind


# ---- binding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["tx", "rx", "trx"])
def test_each_bind_leads_to_its_state(mode: str) -> None:
    server, client = smsc(mode), esme(mode)
    assert server.state is client.state is STATES[mode]
    assert server.peer_system_id == "shop"
    assert client.peer_system_id == "carrier"


def test_a_peer_older_than_3_4_is_told_no_tlv() -> None:
    connection = Connection(Role.SMSC, LIMITS, 0.0)
    asked = Bind(Command.BIND_RECEIVER, "old", interface_version=0x33, sequence=9)
    assert hear(connection, asked) == [BindAsked(asked)]
    connection.accept_bind(asked, "gateway", 0.0)
    assert sent(connection) == [
        BindResp(command=Command.BIND_RECEIVER_RESP, system_id="gateway", sequence=9),
    ]


def test_a_refused_bind_ends_the_connection_after_its_answer() -> None:
    connection = Connection(Role.SMSC, LIMITS, 0.0)
    (asked,) = hear(connection, Bind(system_id="shop", password="wrong", sequence=4))
    assert isinstance(asked, BindAsked)
    connection.refuse_bind(asked.pdu, Status.ESME_RINVPASWD)
    assert connection.wants_close
    assert sent(connection) == [BindResp(status=Status.ESME_RINVPASWD, sequence=4)]
    assert hear(connection, EnquireLink(sequence=5)) == []
    assert connection.eof(1.0) == [Closed("bind_refused")]


@pytest.mark.parametrize("status", [Status.ESME_RINVPASWD, 0x4FF])
def test_our_bind_may_be_refused(status: int) -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(system_id="gateway"), 0.0)
    answer = BindResp(status=status, sequence=1)
    assert hear(connection, answer) == [BindRefused(status), Closed("bind_refused")]
    assert connection.wants_close


def test_our_bind_may_be_nacked() -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(system_id="gateway"), 0.0)
    assert hear(connection, GenericNack(3, sequence=1)) == [BindRefused(3), Closed("bind_refused")]


def test_a_bind_answered_as_another_kind_is_no_bind() -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(Command.BIND_TRANSCEIVER, "gateway"), 0.0)
    answer = BindResp(command=Command.BIND_RECEIVER_RESP, sequence=1)
    assert hear(connection, answer) == [FaultSeen("unexpected_response", 0, "bind_receiver_resp")]
    assert connection.state is ConnState.OPEN


def test_a_message_in_the_same_read_as_the_bind_resp_is_not_lost() -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(system_id="gateway"), 0.0)
    mo = DeliverSm(short_message=b"hello", sequence=900)
    assert hear(connection, BindResp(system_id="carrier", sequence=1), mo) == [Bound(), mo]


def test_a_second_bind_is_refused() -> None:
    connection = smsc()
    assert hear(connection, Bind(sequence=2)) == [FaultSeen("wrong_state", 5, "bind_transceiver")]
    assert sent(connection) == [BindResp(status=Status.ESME_RALYBND, sequence=2)]
    assert connection.state is ConnState.BOUND_TRX


def test_a_second_bind_before_the_first_was_answered_is_refused() -> None:
    connection = Connection(Role.SMSC, LIMITS, 0.0)
    first = Bind(system_id="shop", sequence=1)
    events = hear(connection, first, Bind(system_id="shop", sequence=2))
    assert events == [BindAsked(first), FaultSeen("wrong_state", 5, "bind_transceiver")]
    assert sent(connection) == [BindResp(status=Status.ESME_RALYBND, sequence=2)]
    connection.accept_bind(first, "gateway", 0.0)
    assert connection.state is ConnState.BOUND_TRX


def test_only_an_esme_binds_and_only_once() -> None:
    for connection in (smsc(), esme(), Connection(Role.SMSC, LIMITS, 0.0)):
        with pytest.raises(LocalFault) as fault:
            connection.bind(Bind(), 1.0)
        assert kind_of(fault) == "wrong_state"
    connection = Connection(Role.ESME, LIMITS, 0.0)
    connection.bind(Bind(), 0.0)
    with pytest.raises(LocalFault):
        connection.bind(Bind(), 0.0)


def test_nobody_is_let_in_who_did_not_ask() -> None:
    for connection in (smsc(), Connection(Role.SMSC, LIMITS, 0.0)):
        with pytest.raises(LocalFault):
            connection.accept_bind(Bind(), "gateway", 0.0)
        with pytest.raises(LocalFault):
            connection.refuse_bind(Bind(), Status.ESME_RBINDFAIL)


def test_an_outbind_is_told() -> None:
    connection = Connection(Role.ESME, LIMITS, 0.0)
    assert hear(connection, Outbind("carrier", "pw", sequence=1)) == [Outbind("carrier", "pw", sequence=1)]
    assert connection.data_to_send() == b""


# ---- requests of the peer ------------------------------------------------------------------------------------------


def test_enquire_link_is_answered_before_the_bind_too() -> None:
    for connection in (Connection(Role.SMSC, LIMITS, 0.0), Connection(Role.ESME, LIMITS, 0.0), smsc(), esme()):
        assert hear(connection, EnquireLink(sequence=77)) == []
        assert sent(connection) == [EnquireLinkResp(77)]


def test_requests_come_as_they_are_and_are_answered_by_us() -> None:
    connection = smsc()
    asked: list[Pdu] = [SubmitSm(sequence=2), DataSm(sequence=3), QuerySm(sequence=4), CancelSm(sequence=5)]
    assert hear(connection, *asked, ReplaceSm(sequence=6)) == [*asked, ReplaceSm(sequence=6)]
    assert connection.owed == 5
    connection.respond_submit(2, "abc")
    connection.respond(DataSmResp(3, 0, "def"))
    connection.respond(CancelSmResp(5, Status.ESME_RCANCELFAIL))
    assert sent(connection) == [SubmitSmResp(2, 0, "abc"), DataSmResp(3, 0, "def"), CancelSmResp(5, 0x11)]
    assert connection.owed == 2


def test_any_request_can_be_refused_in_its_own_words() -> None:
    connection = smsc()
    hear(connection, SubmitSm(sequence=2), QuerySm(sequence=3))
    connection.refuse(SubmitSm(sequence=2), Status.ESME_RTHROTTLED)
    connection.refuse(QuerySm(sequence=3), Status.ESME_RQUERYFAIL)
    assert sent(connection) == [SubmitSmResp(2, 0x58), QuerySmResp(3, 0x67)]
    assert connection.owed == 0
    connection.close("stopped")
    with pytest.raises(LocalFault, match="closed"):
        connection.refuse(SubmitSm(sequence=2), Status.ESME_RTHROTTLED)


def test_a_delivery_is_answered_by_us() -> None:
    connection = esme()
    assert hear(connection, DeliverSm(sequence=8), DataSm(sequence=9)) == [DeliverSm(sequence=8), DataSm(sequence=9)]
    connection.respond_deliver(8)
    connection.respond(DeliverSmResp(9, Status.ESME_RX_T_APPN))
    assert sent(connection) == [DeliverSmResp(8), DeliverSmResp(9, Status.ESME_RX_T_APPN)]
    assert hear(connection, AlertNotification(sequence=10)) == [AlertNotification(sequence=10)]
    assert connection.owed == 0


TO_SMSC: list[Pdu] = [SubmitSm(), DataSm(), QuerySm(), CancelSm(), ReplaceSm()]
TO_ESME: list[Pdu] = [DeliverSm(), DataSm()]


@pytest.mark.parametrize("mode", ["", "tx", "rx", "trx"])
@pytest.mark.parametrize("pdu", TO_SMSC, ids=lambda pdu: type(pdu).__name__)
def test_an_esme_is_heard_only_where_it_may_speak(mode: str, pdu: Pdu) -> None:
    connection = smsc(mode) if mode else Connection(Role.SMSC, LIMITS, 0.0)
    pdu.sequence = 2
    if mode in ("tx", "trx"):
        assert hear(connection, pdu) == [pdu]
        return
    (fault,) = hear(connection, pdu)
    assert isinstance(fault, FaultSeen)
    assert (fault.kind, fault.status) == ("wrong_state", Status.ESME_RINVBNDSTS)
    command: int = pdu.command  # type: ignore[attr-defined]
    assert connection.data_to_send() == build_answer(command, 2, Status.ESME_RINVBNDSTS)


@pytest.mark.parametrize("mode", ["", "tx", "rx", "trx"])
@pytest.mark.parametrize("pdu", TO_ESME, ids=lambda pdu: type(pdu).__name__)
def test_an_smsc_is_heard_only_where_it_may_speak(mode: str, pdu: Pdu) -> None:
    connection = esme(mode) if mode else Connection(Role.ESME, LIMITS, 0.0)
    pdu.sequence = 2
    if mode in ("rx", "trx"):
        assert hear(connection, pdu) == [pdu]
        return
    (fault,) = hear(connection, pdu)
    assert isinstance(fault, FaultSeen)
    assert (fault.kind, fault.status) == ("wrong_state", Status.ESME_RINVBNDSTS)


def test_the_wrong_side_is_told_that_this_is_no_command_of_its_own() -> None:
    server, client = smsc(), esme()
    assert hear(server, DeliverSm(sequence=5)) == [FaultSeen("wrong_role", 3, "deliver_sm")]
    assert sent(server) == [DeliverSmResp(5, Status.ESME_RINVCMDID)]
    assert hear(client, SubmitSm(sequence=5)) == [FaultSeen("wrong_role", 3, "submit_sm")]
    assert sent(client) == [SubmitSmResp(5, Status.ESME_RINVCMDID)]
    assert hear(client, Bind(sequence=6)) == [FaultSeen("wrong_role", 3, "bind_transceiver")]


@pytest.mark.parametrize("pdu", [AlertNotification(sequence=3), Outbind(sequence=3)])
def test_what_has_no_answer_gets_none_even_where_it_is_wrong(pdu: Pdu) -> None:
    for connection in (smsc(), esme("tx")):
        (fault,) = hear(connection, pdu)
        assert isinstance(fault, FaultSeen)
        assert fault.status == 0
        assert connection.data_to_send() == b""


# ---- our requests --------------------------------------------------------------------------------------------------


def test_a_request_comes_back_with_its_context_and_its_latency() -> None:
    connection = esme()
    assert connection.request(SubmitSm(short_message=b"hi"), 200.0, "first") == 2
    assert connection.request(DataSm(), 201.0, "second") == 3
    assert sent(connection) == [SubmitSm(short_message=b"hi", sequence=2), DataSm(sequence=3)]
    assert (connection.window_used, connection.window_free) == (2, 3)
    answers = DataSmResp(3, 0, "b"), SubmitSmResp(2, 0x4FF)
    assert hear(connection, *answers, now=201.5) == [
        Answered("second", answers[0], 0.5),
        Answered("first", answers[1], 1.5),
    ]
    assert (connection.window_used, connection.window_free) == (0, 5)


def test_a_nacked_request_is_unanswered_with_its_status() -> None:
    connection = esme()
    connection.request(SubmitSm(), 200.0, "first")
    assert hear(connection, GenericNack(Status.ESME_RINVCMDLEN, sequence=2)) == [Unanswered("first", "nacked", 2)]


def test_the_window_is_never_exceeded() -> None:
    connection = esme()
    for _ in range(5):
        connection.request(SubmitSm(), 200.0)
    assert connection.window_free == 0
    connection.data_to_send()
    with pytest.raises(LocalFault) as fault:
        connection.request(SubmitSm(), 200.0)
    assert kind_of(fault) == "window_full"
    assert connection.data_to_send() == b""


@pytest.mark.parametrize(
    ("connection", "pdu"),
    [
        (Connection(Role.ESME, LIMITS, 0.0), SubmitSm()),
        (esme("rx"), SubmitSm()),
        (esme(), DeliverSm()),
        (esme(), Bind()),
        (esme(), Unbind()),
        (smsc("tx"), DeliverSm()),
        (smsc(), SubmitSm()),
        (smsc(), SubmitSmResp()),
    ],
)
def test_we_ask_nothing_that_we_may_not(connection: Connection, pdu: Pdu) -> None:
    with pytest.raises(LocalFault) as fault:
        connection.request(pdu, 1.0)
    assert kind_of(fault) == "wrong_state"


def test_a_request_that_cannot_be_built_leaves_no_trace() -> None:
    connection = esme()
    with pytest.raises(LocalFault):
        connection.request(SubmitSm(source_addr="x" * 30), 1.0)
    assert connection.window_used == 0
    assert connection.data_to_send() == b""


def test_a_request_without_an_answer_takes_no_window() -> None:
    connection = smsc()
    connection.request(AlertNotification(), 1.0)
    assert connection.window_used == 0
    assert sent(connection) == [AlertNotification(sequence=1)]


def test_only_responses_are_responses() -> None:
    with pytest.raises(LocalFault) as fault:
        smsc().respond(SubmitSm())
    assert kind_of(fault) == "wrong_command"


def test_numbers_begin_again_after_the_last_and_skip_what_is_in_use() -> None:
    connection = esme()
    for number in range(3):
        connection.request(SubmitSm(), 1.0, number)
    connection._sequence = SEQUENCE_MAX - 1
    assert connection.request(SubmitSm(), 1.0) == SEQUENCE_MAX
    assert connection.request(SubmitSm(), 1.0) == 1
    hear(connection, SubmitSmResp(1), SubmitSmResp(SEQUENCE_MAX))
    assert connection.request(SubmitSm(), 1.0) == 5


# ---- the end -------------------------------------------------------------------------------------------------------


def test_a_lost_stream_gives_back_everything_once() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    connection.request(SubmitSm(), 1.0, "b")
    assert connection.eof(2.0) == [Unanswered("a", "lost"), Unanswered("b", "lost"), Closed("eof")]
    assert connection.eof(3.0) == []
    assert connection.state is ConnState.CLOSED
    assert connection.data_to_send() == b""


def test_the_peers_unbind_is_answered_and_ends_it() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    connection.data_to_send()
    events = hear(connection, Unbind(sequence=50), EnquireLink(sequence=51))
    assert events == [Unanswered("a", "lost"), Closed("unbound_by_peer")]
    assert sent(connection) == [UnbindResp(50)]
    assert connection.wants_close
    assert connection.eof(2.0) == []


def test_whoever_leaves_gets_first_what_it_is_owed() -> None:
    connection = smsc()
    connection.request(DeliverSm(), 1.0, "d")
    connection.data_to_send()
    query = QuerySm(sequence=51)
    assert hear(connection, SubmitSm(sequence=50), query, Unbind(sequence=52)) == [SubmitSm(sequence=50), query]
    assert sent(connection) == []
    assert connection.state is ConnState.UNBINDING
    connection.refuse(query, Status.ESME_RINVCMDID)
    connection.respond_submit(50, "id")
    assert sent(connection) == [QuerySmResp(51, Status.ESME_RINVCMDID), SubmitSmResp(50, 0, "id"), UnbindResp(52)]
    assert connection.wants_close
    assert connection.eof(2.0) == [Unanswered("d", "lost"), Closed("unbound_by_peer")]


def test_whoever_leaves_the_other_role_gets_it_as_well() -> None:
    connection = esme()
    events = hear(connection, DeliverSm(sequence=7), DeliverSm(sequence=8), Unbind(sequence=9))
    assert events == [DeliverSm(sequence=7), DeliverSm(sequence=8)]
    connection.respond_deliver(7)
    connection.respond(DeliverSmResp(8))
    assert sent(connection) == [DeliverSmResp(7), DeliverSmResp(8), UnbindResp(9)]
    assert connection.eof(2.0) == [Closed("unbound_by_peer")]


def test_an_unbind_before_the_bind_is_answered_too() -> None:
    connection = Connection(Role.SMSC, LIMITS, 0.0)
    assert hear(connection, Unbind(sequence=1)) == [Closed("unbound_by_peer")]
    assert sent(connection) == [UnbindResp(1)]


def test_our_unbind_waits_for_its_answer_and_takes_late_ones() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    connection.request(SubmitSm(), 1.0, "b")
    connection.unbind(2.0)
    assert connection.state is ConnState.UNBINDING
    assert not connection.wants_close
    assert sent(connection)[-1] == Unbind(sequence=4)
    with pytest.raises(LocalFault):
        connection.request(SubmitSm(), 2.0)
    events = hear(connection, SubmitSmResp(2, 0, "id"), UnbindResp(4), now=3.0)
    assert events == [Answered("a", SubmitSmResp(2, 0, "id"), 2.0), Unanswered("b", "lost"), Closed("unbound")]
    assert connection.wants_close


def test_a_message_that_crossed_our_unbind_is_to_be_sent_again() -> None:
    server, client = smsc(), esme()
    server.unbind(2.0)
    client.unbind(2.0)
    assert hear(server, SubmitSm(sequence=9), EnquireLink(sequence=10)) == []
    assert hear(client, DeliverSm(sequence=9)) == []
    assert sent(server)[1:] == [SubmitSmResp(9, Status.ESME_RSYSERR), EnquireLinkResp(10)]
    assert sent(client)[1:] == [DeliverSmResp(9, Status.ESME_RX_T_APPN)]


def test_what_we_owe_may_be_answered_while_unbinding() -> None:
    connection = smsc()
    hear(connection, SubmitSm(sequence=9))
    connection.unbind(2.0)
    connection.respond_submit(9, "id")
    assert sent(connection)[1:] == [SubmitSmResp(9, 0, "id")]


def test_when_both_unbind_both_are_done() -> None:
    connection = smsc()
    connection.unbind(2.0)
    assert hear(connection, Unbind(sequence=5)) == [Closed("unbound")]


@pytest.mark.parametrize("connection", [Connection(Role.ESME, LIMITS, 0.0), Connection(Role.SMSC, LIMITS, 0.0)])
def test_without_a_bind_there_is_no_unbind(connection: Connection) -> None:
    with pytest.raises(LocalFault):
        connection.unbind(1.0)


def test_a_closed_connection_hears_nothing_and_says_what_it_had_to_say() -> None:
    connection = esme()
    connection.request(SubmitSm(), 1.0, "a")
    connection.close("stopped")
    connection.close("again")
    assert connection.wants_close
    assert connection.next_deadline() is None
    assert sent(connection) == [SubmitSm(sequence=2)]
    assert hear(connection, SubmitSmResp(2)) == []
    assert connection.tick(1e9) == []
    assert connection.eof(3.0) == [Unanswered("a", "lost"), Closed("stopped")]


def test_after_the_end_there_are_no_answers() -> None:
    connection = smsc()
    hear(connection, SubmitSm(sequence=9))
    connection.close("stopped")
    with pytest.raises(LocalFault, match="closed"):
        connection.respond_submit(9, "id")
    with pytest.raises(LocalFault, match="closed"):
        connection.respond_deliver(9)
    with pytest.raises(LocalFault, match="closed"):
        connection.respond(SubmitSmResp(9))


def test_the_window_is_what_the_limits_say() -> None:
    assert esme(limits=Limits(window=0)).window_free == 0
