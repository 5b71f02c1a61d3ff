"""Every command_status leads to one outcome: by the table that is shipped, or by what a link's own says."""

from __future__ import annotations

import pytest

from gatewayd.carriers.statuses import STUBBORN, WRONG_CREDENTIALS, StatusTable
from gatewayd.config.carrier_statuses import NUMBERS, STATUSES
from gatewayd.message import Deferred, Refused
from protocol.smpp.constants import Status

SHIPPED = StatusTable({}, 2.0)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.ESME_RTHROTTLED, Deferred("ESME_RTHROTTLED", 2.0, pauses=True)),
        (Status.ESME_RMSGQFUL, Deferred("ESME_RMSGQFUL", 2.0, pauses=True)),
        (Status.ESME_RSYSERR, Deferred("ESME_RSYSERR", 5.0)),
        (Status.ESME_RX_T_APPN, Deferred("ESME_RX_T_APPN", 5.0)),
        (Status.ESME_RINVBNDSTS, Deferred("ESME_RINVBNDSTS", 5.0)),
        (Status.ESME_RINVDSTADR, Refused("ESME_RINVDSTADR", unreachable=True)),
        (Status.ESME_RINVDSTTON, Refused("ESME_RINVDSTTON", unreachable=True)),
        (Status.ESME_RSUBMITFAIL, Refused("ESME_RSUBMITFAIL")),
        (Status.ESME_RX_P_APPN, Refused("ESME_RX_P_APPN")),
        (Status.ESME_RINVSRCADR, Refused("ESME_RINVSRCADR")),
        (0x000004FF, Refused("0x000004FF")),
    ],
)
def test_what_is_shipped(status: int, outcome: Deferred | Refused) -> None:
    assert SHIPPED.outcome_of(status) == outcome


def test_a_service_type_that_is_not_there_now_may_be_there_later() -> None:
    outcome = SHIPPED.outcome_of(0x102)
    assert isinstance(outcome, Deferred)
    assert not outcome.pauses


def test_every_name_has_the_number_of_the_specification() -> None:
    for name, status in Status.__members__.items():
        if status:
            assert NUMBERS[name] == status
    assert len({status.number for status in STATUSES}) == len(STATUSES) == 66


def test_a_link_says_otherwise() -> None:
    table = StatusTable(
        {
            "ESME_RTHROTTLED": "retry 30",
            "ESME_RSYSERR": "pause",
            "0x0000040B": "next",
            "0x00000400-0x000004FF": "retry",
            "0x401-0x40F": "fail",
            "ESME_RINVTLVVAL": "unreachable",
        },
        2.0,
    )
    assert table.outcome_of(Status.ESME_RTHROTTLED) == Deferred("ESME_RTHROTTLED", 30.0)
    assert table.outcome_of(Status.ESME_RSYSERR) == Deferred("ESME_RSYSERR", 2.0, pauses=True)
    assert table.outcome_of(0x40B) == Refused("0x0000040B"), "one alone goes before the ranges that it is in"
    assert table.outcome_of(0x400) == Deferred("0x00000400", 5.0)
    assert table.outcome_of(0x4FF) == Deferred("0x000004FF", 5.0)
    assert table.outcome_of(0x40C) == Refused("0x0000040C", is_final=True), "the narrower range goes before the wider"
    assert table.outcome_of(0x500) == Refused("0x00000500")
    assert table.outcome_of(0xC4).error.startswith("ESME_")
    assert table.outcome_of(0xC4) == Refused(table.outcome_of(0xC4).error, unreachable=True)


def test_a_carrier_with_a_word_of_its_own_for_each_message_costs_no_memory() -> None:
    table = StatusTable({}, 1.0)
    for status in range(0x400, 0x2000):
        table.outcome_of(status)
    assert len(table._kept) == 1_000


def test_a_wrong_password_is_not_tried_in_a_hurry() -> None:
    assert {Status.ESME_RALYBND, Status.ESME_RBINDFAIL, Status.ESME_RINVPASWD} <= STUBBORN
    assert WRONG_CREDENTIALS < STUBBORN
