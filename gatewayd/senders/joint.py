"""One delivery that goes as several deliver_sm: it is taken when all of them are. Knows no connection."""

from __future__ import annotations

from gatewayd.senders.sharing import Guest
from gatewayd.store.records import Delivery


class Joint:
    """The context of each part. ``status`` is the first error of any, ``reason`` why one had no answer."""

    __slots__ = ("_left", "context", "reason", "status")

    def __init__(self, context: Delivery | Guest, parts: int) -> None:
        self.context = context
        self.status = 0
        self.reason = ""
        self._left = parts

    def take(self, status: int, reason: str) -> bool:
        """The answer to one part, or why there is none; whether it was the last."""
        self.status = self.status or status
        self.reason = self.reason or reason
        self._left -= 1
        return not self._left
