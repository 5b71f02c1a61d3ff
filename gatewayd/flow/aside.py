"""How many messages wait outside of all queues: for the moment that their sender named, or because a person holds them.

Counted as they come and go, since there may be a million of them on disk and none in memory. Moves no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatewayd.policy.journey import Stage

STAGES: Final = (Stage.SCHEDULED, Stage.HELD)


class Aside:
    """The counts of one worker."""

    def __init__(self) -> None:
        self._counts: dict[Stage, int] = dict.fromkeys(STAGES, 0)

    def learn(self, counts: Mapping[str, int]) -> None:
        """What the last run left."""
        self._counts = {stage: counts.get(stage, 0) for stage in STAGES}

    def moved(self, before: Stage | None, after: Stage | None) -> None:
        """A message went from one stage to another; None: it was not there yet, or is no more."""
        if before in self._counts:
            self._counts[before] -= 1
        if after in self._counts:
            self._counts[after] += 1

    def read(self) -> dict[str, int]:
        """How many there are, by stage."""
        return {str(stage): max(0, count) for stage, count in self._counts.items()}
