"""Our requests that wait for their response, in the order of sending.

Knows neither PDUs nor states. All share one timeout, so the oldest is always the next to expire: no timer each.
"""

from __future__ import annotations

from typing import Final

from protocol.smpp.constants import Command

_GENERIC_NACK: Final = int(Command.GENERIC_NACK)

Waiting = tuple[object, float, int]
"""One request: whatever its sender wants back, when it went (seconds), and which command answers it."""


class Outstanding(dict[int, Waiting]):
    """Waiting requests by sequence_number: put in as they go, taken out as they are answered."""

    __slots__ = ("_timeout_s",)

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def take(self, sequence: int, command: int) -> Waiting | None:
        """The request that a response of ``command`` answers, forgotten from now on; None when there is none."""
        waiting = self.get(sequence)
        if waiting is None or (command != waiting[2] and command != _GENERIC_NACK):
            return None
        del self[sequence]
        return waiting

    def deadline(self) -> float | None:
        """When the oldest expires; None when nothing waits, or for ever."""
        for _, sent_at, _ in self.values():
            return sent_at + self._timeout_s if self._timeout_s > 0 else None
        return None

    def expire(self, now: float) -> list[object]:
        """The contexts of those whose time is over, forgotten from now on."""
        expired = []
        for sequence, (_, sent_at, _) in self.items():
            if sent_at + self._timeout_s > now:
                break
            expired.append(sequence)
        return [self.pop(sequence)[0] for sequence in expired]

    def drain(self) -> list[object]:
        """The contexts of all, forgotten from now on."""
        contexts = [context for context, _, _ in self.values()]
        self.clear()
        return contexts
