"""When what an application did not take is offered again, and how long that waits."""

from __future__ import annotations

from typing import Final

RETRY_FIRST_S: Final = 2.0
RETRY_MAX_S: Final = 300.0
POST_FIRST_S: Final = 5.0
POST_MAX_S: Final = 900.0
RECONNECT_FIRST_S: Final = 0.5
RECONNECT_MAX_S: Final = 60.0
OUTBIND_FIRST_S: Final = 5.0
OUTBIND_MAX_S: Final = 600.0

# ESME_RSYSERR, ESME_RMSGQFUL, ESME_RSUBMITFAIL, ESME_RTHROTTLED, ESME_RX_T_APPN, ESME_RQUERYFAIL (which some send for
# "busy"), ESME_RDELIVERYFAILURE, ESME_RUNKNOWNERR: what hosted platforms take for "not now". All else is final.
_TEMPORARY: Final = frozenset({0x08, 0x14, 0x45, 0x58, 0x64, 0x67, 0xFE, 0xFF})


def is_worth_retrying(status: int) -> bool:
    """Whether a deliver_sm_resp's command_status (SMPP 3.4 section 5.1.3) says "later" rather than "never"."""
    return status in _TEMPORARY


def doubled_s(first_s: float, longest_s: float, attempts: int) -> float:
    """The wait after ``attempts`` that failed in a row (at least 1): the first one, doubled by each, up to a bound."""
    return min(first_s * 2.0 ** min(attempts - 1, 16), longest_s)


def upper_half_s(wait_s: float, share: float) -> float:
    """Of a wait, what chance (``share``, 0 to 1) leaves: half of it at least, so that many do not come back at once."""
    return wait_s * (0.5 + share / 2)


def retry_delay_s(attempts: int) -> float:
    """Seconds until the next try after ``attempts`` that failed (at least 1): doubling, bounded."""
    return doubled_s(RETRY_FIRST_S, RETRY_MAX_S, attempts)


def post_delay_s(attempts: int, share: float) -> float:
    """The same for what is posted to an endpoint; ``share`` is chance (0 to 1), which takes up to half of it away."""
    return upper_half_s(doubled_s(POST_FIRST_S, POST_MAX_S, attempts), share)


def reconnect_delay_s(failures: int, share: float) -> float:
    """Seconds until a connection is tried again after ``failures`` in a row (at least 1); ``share`` as above."""
    return upper_half_s(doubled_s(RECONNECT_FIRST_S, RECONNECT_MAX_S, failures), share)


def outbind_delay_s(calls: int, share: float) -> float:
    """Seconds until an application is called again after ``calls`` that led to no lasting bind; ``share`` as above."""
    return upper_half_s(doubled_s(OUTBIND_FIRST_S, OUTBIND_MAX_S, calls), share)
