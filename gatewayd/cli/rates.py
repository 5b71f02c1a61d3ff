"""What happened between two answers of the daemon: messages a second, shares, and the last minute as a line of blocks.

Pure: answers and moments in, numbers and words out. Knows no terminal and no socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
HISTORY: Final = 60

ACCOUNT_COUNTS: Final = ("submitted", "throttled", "refused", "delivered", "undelivered")
LINK_COUNTS: Final = ("sent", "refused", "deferred", "unknown", "fallbacks")


class Rates:
    """The rates of everything, from one answer to the next. The first answer gives none."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, float]] = {}
        self.links: dict[str, dict[str, float]] = {}
        self.incoming: deque[float] = deque(maxlen=HISTORY)
        self.outgoing: deque[float] = deque(maxlen=HISTORY)
        self._before: Mapping[str, Any] | None = None
        self._at = 0.0
        self._silent: tuple[int, ...] = ()

    def take(self, facts: Mapping[str, Any], now: float, silent: Sequence[int] = ()) -> None:
        """A further answer, at a moment on any clock that only goes on. ``silent`` are the workers missing in it:
        answers of others make no rate, since all that one had ever counted would be that of a moment."""
        is_of_the_same = self._silent == tuple(silent)
        self._silent = tuple(silent)
        if self._before is not None and now > self._at and is_of_the_same:
            seconds = now - self._at
            self.accounts = _rates(self._before["accounts"], facts["accounts"], ACCOUNT_COUNTS, seconds)
            self.links = _rates(self._before["links"], facts["links"], LINK_COUNTS, seconds)
            self.incoming.append(sum(one["submitted"] for one in self.accounts.values()))
            self.outgoing.append(sum(one["sent"] for one in self.links.values()))
        self._before, self._at = facts, now


def _rates(
    before: Mapping[str, Any], after: Mapping[str, Any], counts: Iterable[str], seconds: float
) -> dict[str, dict[str, float]]:
    """A worker that was started anew counts from nothing: a count that fell is no rate."""
    return {
        name: {key: max(0.0, one[key] - before.get(name, one)[key]) / seconds for key in counts}
        for name, one in after.items()
    }


def share(part: float, others: float) -> float | None:
    """The share of ``part`` in both; None where there is neither."""
    return part / (part + others) if part + others > 0 else None


def sparkline(values: Iterable[float], width: int) -> str:
    """The latest values as blocks, the highest of them a whole one; filled with blanks from the left."""
    latest = list(values)[-width:] if width > 0 else []
    most = max(latest, default=0.0)
    steps = len(BLOCKS) - 1
    # Whatever is more than nothing is seen.
    line = "".join(BLOCKS[max(1, round(value / most * steps)) if value > 0 else 0] for value in latest)
    return line.rjust(width)
