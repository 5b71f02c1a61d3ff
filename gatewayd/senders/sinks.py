"""The outbox as flow sees it: hands each delivery to the part that speaks its sink's language.

Each sink has places in line, bounds and troubles of its own; here they only share a door.
"""

from __future__ import annotations

from typing import Protocol

from gatewayd.store.records import Delivery


class Sender(Protocol):
    """What brings the deliveries of one sink to where they belong."""

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now."""

    def has_room(self, account: str) -> bool:
        """Whether more may be owed to the account."""

    def make_room(self, account: str) -> None:
        """Drop what is oldest."""


class Sinks:
    """All senders, by sink. SMPP's has the empty name."""

    def __init__(self, smpp: Sender) -> None:
        self._smpp = smpp
        self._others: dict[str, Sender] = {}

    def attach(self, sink: str, sender: Sender) -> None:
        """From now on this one brings what is owed to the sink."""
        self._others[sink] = sender

    def add(self, deliveries: list[Delivery]) -> None:
        """These are durable now."""
        others = [delivery for delivery in deliveries if delivery.sink]
        if not others:
            self._smpp.add(deliveries)
            return
        self._smpp.add([delivery for delivery in deliveries if not delivery.sink])
        for sink, sender in self._others.items():
            sender.add([delivery for delivery in others if delivery.sink == sink])

    def has_room(self, account: str, sink: str = "") -> bool:
        """Whether more may be owed to a sink of the account."""
        return (self._others[sink] if sink else self._smpp).has_room(account)

    def make_room(self, account: str, sink: str = "") -> None:
        """Drop what is oldest there."""
        (self._others[sink] if sink else self._smpp).make_room(account)
