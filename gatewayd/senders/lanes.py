"""What one account is owed at one endpoint: ids in order, one handset's news one after the other, and dead letters.

Keeps ids; deliveries themselves are in the store, but for a bounded number. Knows neither clock nor endpoint.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container

import msgspec

from gatewayd.policy.compact import CompactLine
from gatewayd.policy.numbering import handset_of
from gatewayd.store.records import Delivery


class Terms(msgspec.Struct, frozen=True):
    """An account's bounds at a sink, and its endpoint there; an empty name is none: what is owed waits and expires."""

    endpoint: str
    depth_max: int
    ttl_s: float
    dead_letter_s: float


def handset_in(delivery: Delivery) -> str:
    """Whom it is about, however the number was written."""
    return handset_of(delivery.source, delivery.source_ton, delivery.source_npi)


class Lane:
    """One account's place in line.

    An id is in exactly one of: ``fresh`` (new, in order), ``loaded`` (the next ones, read already), ``ready`` (came
    back, or its predecessor is through: may go now), ``held`` (behind another of its handset), ``postponed`` (failed,
    waits for its time), or on its way. Whoever is ready, postponed or on its way has its handset for itself: that
    is what keeps the order of a conversation, while no handset holds up another.
    """

    __slots__ = (
        "account",
        "dead",
        "fresh",
        "held",
        "is_listed",
        "loaded",
        "owed",
        "postponed",
        "ready",
        "refusals",
        "terms",
    )

    def __init__(self, account: str, terms: Terms) -> None:
        self.account = account
        self.terms = terms
        self.fresh = CompactLine()
        self.loaded: deque[Delivery] = deque()
        self.ready: list[tuple[int, str]] = []
        self.held: dict[str, deque[int]] = {}
        self.postponed: dict[int, tuple[str, float]] = {}
        self.refusals: dict[int, int] = {}
        self.dead = CompactLine()
        self.owed = 0
        self.is_listed = False

    def put_ready(self, delivery_id: int, handset: str) -> None:
        """It may go now; the handset is its own already."""
        heapq.heappush(self.ready, (delivery_id, handset))

    def claim(self, delivery: Delivery) -> bool:
        """Whether it has its handset for itself now; else it is held behind the one that has."""
        handset = handset_in(delivery)
        behind = self.held.get(handset)
        if behind is not None:
            behind.append(delivery.id)
            return False
        self.held[handset] = deque()
        return True

    def release(self, handset: str) -> None:
        """The one that had the handset is through: the next may go."""
        behind = self.held.get(handset)
        if behind:
            self.put_ready(behind.popleft(), handset)
        else:
            self.held.pop(handset, None)

    def ended(self, delivery_id: int) -> None:
        """It is owed no more."""
        self.owed -= 1
        self.refusals.pop(delivery_id, None)

    def drop(self) -> int | None:
        """Take out one of the oldest that are not on their way; None when all are."""
        if self.loaded:
            return self.loaded.popleft().id
        if len(self.fresh):
            return self.fresh.popleft()
        if self.postponed:
            delivery_id, (handset, _) = self.postponed.popitem()
        elif self.ready:
            delivery_id, handset = heapq.heappop(self.ready)
        else:  # all handsets are those of deliveries on their way: no more than may be unanswered
            return next((behind.popleft() for behind in self.held.values() if behind), None)
        self.release(handset)
        return delivery_id

    def discard(self, gone: Container[int]) -> list[int]:
        """Take these out, as far as they are not on their way; those that were here."""
        found = self.fresh.discard(gone)
        found += [delivery.id for delivery in self.loaded if delivery.id in gone]
        self.loaded = deque(delivery for delivery in self.loaded if delivery.id not in gone)
        for handset, behind in self.held.items():
            found += [delivery_id for delivery_id in behind if delivery_id in gone]
            self.held[handset] = deque(delivery_id for delivery_id in behind if delivery_id not in gone)
        first = [*self.ready, *((delivery_id, handset) for delivery_id, (handset, _) in self.postponed.items())]
        self.ready = [entry for entry in self.ready if entry[0] not in gone]
        heapq.heapify(self.ready)
        for delivery_id, handset in first:
            if delivery_id in gone:
                found.append(delivery_id)
                self.postponed.pop(delivery_id, None)
                self.release(handset)
        return found

    def recall(self) -> int:
        """What was postponed need not wait any longer; how many."""
        count = len(self.postponed)
        for delivery_id, (handset, _) in self.postponed.items():
            self.put_ready(delivery_id, handset)
        self.postponed.clear()
        return count

    def oldest(self) -> int | None:
        """The id that has waited longest, those on their way left out."""
        first = [delivery_id for delivery_id, _ in self.ready[:1]]
        first += [delivery.id for delivery in [*self.loaded][:1]]
        first += [self.fresh[0]] if len(self.fresh) else []
        first += [min(self.postponed)] if self.postponed else []
        return min(first, default=None)
