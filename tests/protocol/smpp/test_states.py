"""The law of states, said again as sets."""

from __future__ import annotations

import pytest

from protocol.smpp.records import (
    AlertNotification,
    Bind,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)
from protocol.smpp.states import BOUND, ConnState, Role, ever_issued, issued

SUBMITTING: set[type[Pdu]] = {SubmitSm, SubmitMulti, DataSm, QuerySm, CancelSm, ReplaceSm}
DELIVERING: set[type[Pdu]] = {DeliverSm, DataSm, AlertNotification}


@pytest.mark.parametrize(
    ("role", "state", "requests"),
    [
        (Role.ESME, ConnState.OPEN, {Bind, EnquireLink}),
        (Role.ESME, ConnState.BOUND_TX, SUBMITTING | {EnquireLink}),
        (Role.ESME, ConnState.BOUND_RX, {EnquireLink}),
        (Role.ESME, ConnState.BOUND_TRX, SUBMITTING | {EnquireLink}),
        (Role.SMSC, ConnState.OPEN, {Outbind, EnquireLink}),
        (Role.SMSC, ConnState.BOUND_TX, {EnquireLink}),
        (Role.SMSC, ConnState.BOUND_RX, DELIVERING | {EnquireLink}),
        (Role.SMSC, ConnState.BOUND_TRX, DELIVERING | {EnquireLink}),
        (Role.ESME, ConnState.UNBINDING, {EnquireLink}),
        (Role.SMSC, ConnState.UNBINDING, {EnquireLink}),
        (Role.ESME, ConnState.CLOSED, set()),
        (Role.SMSC, ConnState.CLOSED, set()),
    ],
)
def test_who_may_ask_what_and_when(role: Role, state: ConnState, requests: set[type[Pdu]]) -> None:
    assert issued(role, state) == requests


def test_who_may_ever_ask_what() -> None:
    assert ever_issued(Role.ESME) == SUBMITTING | {Bind, EnquireLink}
    assert ever_issued(Role.SMSC) == DELIVERING | {Outbind, EnquireLink}


def test_the_bound_states_and_the_other_side() -> None:
    assert {ConnState.BOUND_TX, ConnState.BOUND_RX, ConnState.BOUND_TRX} == BOUND
    assert Role.SMSC.peer is Role.ESME
    assert Role.ESME.peer is Role.SMSC
