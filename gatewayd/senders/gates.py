"""One endpoint as a courier sees it: its poster, its breaker, and the lanes that have something for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from gatewayd.policy.breaker import Breaker
from gatewayd.senders.lanes import Lane
from gatewayd.store.records import Delivery


class Verdict(msgspec.Struct, frozen=True):
    """What an endpoint made of a delivery: took it; not now; never this one; or it is gone itself.

    ``reason`` is a short word of a small set. ``pause_s`` is how long the endpoint wants silence, if it said so: then
    the delay is no failure of its own.
    """

    fate: Literal["taken", "later", "refused", "gone"]
    reason: str
    pause_s: float = 0.0


class Poster(Protocol):
    """Speaks to one endpoint."""

    concurrency: int
    batch_max: int

    async def post(self, batch: Sequence[Delivery]) -> Sequence[Verdict]:
        """Bring these, all of different handsets, and say what came of each. Raises nothing."""

    async def close(self) -> None:
        """Let what is on its way come to its end, and hang up."""


class Gate:
    """The way to one endpoint. Without a poster nothing goes through it."""

    def __init__(self, name: str, poster: Poster | None) -> None:
        self.name = name
        self.poster = poster
        self.breaker = Breaker()
        self.lanes: dict[str, Lane] = {}
        self.listed: deque[Lane] = deque()
        self.flying = 0

    def list(self, lane: Lane) -> None:
        """The lane has something, perhaps."""
        if not lane.is_listed:
            lane.is_listed = True
            self.listed.append(lane)

    def leave(self, lane: Lane) -> None:
        """Its account has another endpoint from now on."""
        self.lanes.pop(lane.account, None)
        if lane.is_listed:
            lane.is_listed = False
            self.listed.remove(lane)

    def recall(self) -> None:
        """What was postponed need not wait any longer: it failed because the endpoint did."""
        for lane in self.lanes.values():
            lane.recall()
            self.list(lane)

    def room(self, now: float) -> int:
        """How many batches may go now."""
        return self.breaker.room(self.flying, self.poster.concurrency, now) if self.poster is not None else 0
