"""Our requests that wait for their response, in the order of sending.

Knows neither PDUs nor states. All share one timeout, so the oldest is always the next to expire: no timer each.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.smpp.constants import Command

_GENERIC_NACK = int(Command.GENERIC_NACK)


class Waiting(NamedTuple):
    """One request: whatever its sender wants back, when it went (seconds), and which command answers it."""

    context: object
    sent_at: float
    answer: int


class Outstanding:
    """Waiting requests by sequence_number."""

    __slots__ = ("_requests", "_timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self._requests: dict[int, Waiting] = {}
        self._timeout_s = timeout_s

    def __len__(self) -> int:
        return len(self._requests)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._requests

    def add(self, sequence: int, context: object, now: float, answer: int) -> None:
        """Remember one request that goes out now."""
        self._requests[sequence] = Waiting(context, now, answer)

    def take(self, sequence: int, command: int) -> Waiting | None:
        """The request that a response of ``command`` answers, forgotten from now on; None when there is none."""
        waiting = self._requests.get(sequence)
        if waiting is None or (command != waiting.answer and command != _GENERIC_NACK):
            return None
        del self._requests[sequence]
        return waiting

    def deadline(self) -> float | None:
        """When the oldest expires; None when nothing waits, or for ever."""
        for waiting in self._requests.values():
            return waiting.sent_at + self._timeout_s if self._timeout_s > 0 else None
        return None

    def expire(self, now: float) -> list[object]:
        """The contexts of those whose time is over, forgotten from now on."""
        expired = []
        for sequence, waiting in self._requests.items():
            if waiting.sent_at + self._timeout_s > now:
                break
            expired.append(sequence)
        return [self._requests.pop(sequence).context for sequence in expired]

    def drain(self) -> list[object]:
        """The contexts of all, forgotten from now on."""
        contexts = [waiting.context for waiting in self._requests.values()]
        self._requests.clear()
        return contexts
