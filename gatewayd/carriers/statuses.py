"""What a carrier's command_status means for the message: not now, or never (SMPP 3.4 5.1.3).

Knows no link and no queue: how often a deferred message is tried again is the flow's decision.
"""

from __future__ import annotations

from typing import Final

from gatewayd.message import Deferred, Refused
from protocol.smpp.constants import Status, status_name

TEMPORARY_RETRY_S: Final = 5.0

# The carrier is busy with us: whatever follows would be turned away as well.
PAUSING: Final = frozenset({Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL})

# The carrier, or our bind, is unwell: it says nothing of the message. ESME_RSUBMITFAIL is not among them, since
# carriers give it for whatever they will never take.
TEMPORARY: Final = frozenset({Status.ESME_RSYSERR, Status.ESME_RX_T_APPN, Status.ESME_RINVBNDSTS})

# Not a number that anybody can be reached at.
UNREACHABLE: Final = frozenset({Status.ESME_RINVDSTADR, Status.ESME_RINVDSTTON, Status.ESME_RINVDSTNPI})

# A bind that failed like this will fail again: asking often gets an account locked.
STUBBORN: Final = frozenset(
    {Status.ESME_RALYBND, Status.ESME_RBINDFAIL, Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP}
)


def outcome_of(status: int, throttle_pause_s: float) -> Deferred | Refused:
    """Return the outcome of a submit_sm that was answered with an error."""
    error = status_name(status)
    if status in PAUSING:
        return Deferred(error, throttle_pause_s, pauses=True)
    if status in TEMPORARY:
        return Deferred(error, TEMPORARY_RETRY_S)
    return Refused(error, unreachable=status in UNREACHABLE)
