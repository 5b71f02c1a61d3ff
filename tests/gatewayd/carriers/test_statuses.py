"""Every command_status leads to one outcome."""

from __future__ import annotations

import pytest

from gatewayd.carriers.statuses import STUBBORN, outcome_of
from gatewayd.message import Deferred, Refused
from protocol.smpp.constants import Status


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
def test_outcome_of(status: int, outcome: Deferred | Refused) -> None:
    assert outcome_of(status, 2.0) == outcome


def test_every_status_of_the_specification_has_an_outcome() -> None:
    for status in Status:
        assert outcome_of(status, 1.0).error


def test_a_wrong_password_is_not_tried_in_a_hurry() -> None:
    assert {Status.ESME_RALYBND, Status.ESME_RBINDFAIL, Status.ESME_RINVPASWD} <= STUBBORN
