"""What a carrier's command_status means for the message (SMPP 3.4 5.1.3, 5.0 4.7.6), and for a bind that was refused.

Knows no link and no queue: how often a deferred message is tried again is the flow's decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatewayd.config.carrier_statuses import OTHERWISE, Action, defaults, spans_of
from gatewayd.message import Deferred, Refused
from protocol.smpp.constants import Status, status_name

# A bind that failed like this will fail again: asking often gets an account locked.
STUBBORN: Final = frozenset(
    {Status.ESME_RALYBND, Status.ESME_RBINDFAIL, Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP}
)

# Of these, the carrier would say the same to any other bind of the link.
WRONG_CREDENTIALS: Final = frozenset({Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP})

_KEPT_MAX: Final = 1_000


class StatusTable:
    """What one link makes of each status: the defaults, and over them what its configuration says."""

    __slots__ = ("_kept", "_pause_s", "_spans")

    def __init__(self, statuses: Mapping[str, str], throttle_pause_s: float) -> None:
        """Raises ValueError for a table that the configuration's checks would have refused."""
        self._spans = [*spans_of(statuses), *defaults()]
        self._pause_s = throttle_pause_s
        self._kept: dict[int, Deferred | Refused] = {}

    def outcome_of(self, status: int) -> Deferred | Refused:
        """The outcome of a submit_sm that was answered with an error."""
        known = self._kept.get(status)
        if known is None:
            known = self._outcome(status)
            if len(self._kept) < _KEPT_MAX:
                self._kept[status] = known
        return known

    def _outcome(self, status: int) -> Deferred | Refused:
        error = status_name(status)
        word, retry_s = self._action(status)
        if word == "pause":
            return Deferred(error, self._pause_s, pauses=True)
        if word == "retry":
            return Deferred(error, retry_s)
        return Refused(error, unreachable=word == "unreachable", is_final=word == "fail")

    def _action(self, status: int) -> Action:
        return next((span.action for span in self._spans if span.first <= status <= span.last), OTHERWISE)
