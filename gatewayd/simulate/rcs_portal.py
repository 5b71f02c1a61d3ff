"""The operator's developer portal, a filter in front of the platform: its own error family and its suspension.

Pure: the time is an argument. Knows nothing of HTTP beyond status codes.
"""

from __future__ import annotations

import msgspec

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_ratio import ReachLog

# the platform's code: (the portal's code, its words, its explanation)
FAMILY: dict[int, tuple[int, str, str]] = {
    40001: (40, "Missing credentials", "The requested service needs credentials, but none were provided."),
    40002: (40, "Missing credentials", "The requested service needs a bearer token."),
    40003: (41, "Invalid credentials", "The token was not issued here, or was taken back."),
    40004: (42, "Expired credentials", "The token is out of date."),
    40005: (41, "Invalid credentials", "The token is malformed."),
    42601: (53, "Too many requests", "The application has used up its quota."),
}
SUSPENDED = (50, "Access denied", "The application's access is suspended: too many numbers could not be reached.")


class PortalRefusal(Refusal):
    """A request that the portal refuses before the platform sees it."""

    def __init__(self, http_status: int, family: tuple[int, str, str], retry_after_s: float | None = None) -> None:
        super().__init__(family[0], family[1], http_status, retry_after_s)
        self.family = family

    def body(self) -> bytes:
        """The error body of the portal."""
        code, message, description = self.family
        return msgspec.json.encode({"code": code, "message": message, "description": description})


def in_portals_words(refusal: Refusal) -> Refusal:
    """The same refusal as the portal tells it, where it is the portal that refuses."""
    family = FAMILY.get(refusal.code)
    if family is None or isinstance(refusal, PortalRefusal):
        return refusal
    return PortalRefusal(refusal.http_status, family, refusal.retry_after_s)


class Suspension:
    """Takes access away for ``length_s`` when more than ``share_max`` of the last ``sample`` were unreachable.

    ``share_max`` 0 never does.
    """

    def __init__(self, share_max: float, sample: int, length_s: float) -> None:
        self.count = 0
        self._share_max = share_max
        self._sample = sample
        self._length_s = length_s
        self._until = 0.0

    def check(self, now: float) -> None:
        """Refuse while access is suspended."""
        if now < self._until:
            raise PortalRefusal(403, SUSPENDED)

    def judge(self, reach: ReachLog, now: float) -> None:
        """Look at the ratio after a request."""
        if not self._share_max or len(reach) < self._sample or now < self._until:
            return
        if reach.last(self._sample).share > self._share_max:
            self._until = now + self._length_s
            self.count += 1
