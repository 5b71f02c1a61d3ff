"""Each delivery to the sender of its sink, and no other."""

from __future__ import annotations

from gatewayd.senders.sinks import Sinks
from gatewayd.store.records import Delivery


def owed(number: int, sink: str = "") -> Delivery:
    return Delivery(number, "shop", "mo", 1, 1, "336", 5, 0, "SHOP", 1.0, 2.0, sink=sink)


class Sender:
    def __init__(self, has_room: bool = True) -> None:
        self.given: list[list[int]] = []
        self.dropped: list[str] = []
        self._has_room = has_room

    def add(self, deliveries: list[Delivery]) -> None:
        self.given.append([delivery.id for delivery in deliveries])

    def has_room(self, account: str) -> bool:
        return self._has_room

    def make_room(self, account: str) -> None:
        self.dropped.append(account)


def test_each_has_its_own() -> None:
    smpp, webhook = Sender(), Sender(has_room=False)
    sinks = Sinks(smpp)
    sinks.attach("webhook", webhook)
    sinks.add([owed(1), owed(2)])
    sinks.add([owed(3, "webhook"), owed(4), owed(5, "webhook")])
    assert (smpp.given, webhook.given) == ([[1, 2], [4]], [[3, 5]])
    assert (sinks.has_room("shop"), sinks.has_room("shop", "webhook")) == (True, False)
    sinks.make_room("shop", "webhook")
    assert (smpp.dropped, webhook.dropped) == ([], ["shop"])
