"""When what an application did not take is offered again, and how long that waits."""

from __future__ import annotations

from typing import Final

RETRY_FIRST_S: Final = 2.0
RETRY_MAX_S: Final = 300.0
POST_FIRST_S: Final = 5.0
POST_MAX_S: Final = 900.0
RECONNECT_FIRST_S: Final = 0.5
RECONNECT_MAX_S: Final = 60.0

# ESME_RSYSERR, ESME_RMSGQFUL, ESME_RSUBMITFAIL, ESME_RTHROTTLED, ESME_RX_T_APPN, ESME_RQUERYFAIL (which some send for
# "busy"), ESME_RDELIVERYFAILURE, ESME_RUNKNOWNERR: what hosted platforms take for "not now". All else is final.
_TEMPORARY: Final = frozenset({0x08, 0x14, 0x45, 0x58, 0x64, 0x67, 0xFE, 0xFF})


def is_worth_retrying(status: int) -> bool:
    """Whether a deliver_sm_resp's command_status (SMPP 3.4 section 5.1.3) says "later" rather than "never"."""
    return status in _TEMPORARY


def retry_delay_s(attempts: int) -> float:
    """Seconds until the next try after ``attempts`` that failed (at least 1): doubling, bounded."""
    exponent = min(attempts - 1, 16)
    delay_s: float = min(RETRY_FIRST_S * 2**exponent, RETRY_MAX_S)
    return delay_s


def post_delay_s(attempts: int, share: float) -> float:
    """The same for what is posted to an endpoint; ``share`` is chance (0 to 1), which takes up to half of it away."""
    delay_s: float = min(POST_FIRST_S * 2 ** min(attempts - 1, 16), POST_MAX_S)
    return delay_s * (0.5 + share / 2)


def reconnect_delay_s(failures: int, share: float) -> float:
    """Seconds until a connection is tried again after ``failures`` in a row (at least 1); ``share`` as above."""
    delay_s: float = min(RECONNECT_FIRST_S * 2 ** min(failures - 1, 16), RECONNECT_MAX_S)
    return delay_s * (0.5 + share / 2)
