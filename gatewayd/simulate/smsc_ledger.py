"""What a simulated carrier saw and did: every submit, every delivery, every bind. Tests and people read it.

Knows no socket and decides nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Literal

import msgspec

from gatewayd.simulate.watch import Watch
from protocol.smpp.records import DeliverSm, SubmitSm

# A simulator that runs for days must not keep everything; the counts go on.
ENTRIES_MAX = 200_000


class Submit(msgspec.Struct):
    """One submit_sm: when it came (monotonic seconds), over which bind, and what it was answered.

    ``status`` is None as long as no answer has left. ``receipt_id`` is the message id as receipts write it.
    """

    at: float
    bind: int
    pdu: SubmitSm
    message_id: str = ""
    receipt_id: str = ""
    status: int | None = None


class Delivery(msgspec.Struct):
    """One deliver_sm, kept until the gateway has answered it; ``status`` is the answer, None until there is one."""

    kind: Literal["receipt", "mo"]
    pdu: DeliverSm
    message_id: str = ""
    bind: int = 0
    status: int | None = None
    tries: int = 0
    sent_at: float = 0.0


class Ledger(Watch):
    """Everything in the order in which it happened, the oldest forgotten beyond ``ENTRIES_MAX``."""

    __slots__ = ("binds_accepted", "binds_refused", "counts", "deliveries", "faults", "submits")

    def __init__(self) -> None:
        super().__init__()
        self.submits: deque[Submit] = deque(maxlen=ENTRIES_MAX)
        self.deliveries: deque[Delivery] = deque(maxlen=ENTRIES_MAX)
        self.faults: deque[tuple[str, int]] = deque(maxlen=1_000)
        self.counts: Counter[str] = Counter()
        self.binds_accepted = 0
        self.binds_refused = 0

    def to(self, destination: str) -> list[Submit]:
        """The submits for one destination address, oldest first."""
        return [submit for submit in self.submits if submit.pdu.destination_addr == destination]

    def accepted(self) -> Iterator[Submit]:
        """The submits that were taken."""
        return (submit for submit in self.submits if submit.status == 0)

    def acknowledged(self, kind: str = "") -> list[Delivery]:
        """The deliveries that the gateway has confirmed, of one kind or of all."""
        return [delivery for delivery in self.deliveries if delivery.status == 0 and kind in ("", delivery.kind)]
