"""Messages to many handsets, and the order in which each of these must hear of its own, over whichever sink."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.daemon.scene import Scene


def handset(number: int) -> str:
    """One of many."""
    return f"3362{number:07}"


async def send_many(scene: Scene, count: int, first: int = 0, handsets: int = 50) -> list[str]:
    """Messages over a bind, to some handsets in turn; their ids."""
    esme = scene.esmes[0] if scene.esmes else await scene.esme()
    sent = [
        submitted
        for number in range(first, first + count)
        for submitted in esme.send("33700000001", handset(number % handsets), f"{number}", registered_delivery=1)
    ]
    await esme.wait_answered()
    assert {submitted.status for submitted in sent} == {0}
    return [submitted.message_id for submitted in sent]


def in_order(sent: list[str], handsets: int = 50) -> dict[str, list[str]]:
    """What each handset's receipts must be, in order."""
    found: dict[str, list[str]] = {}
    for number, message_id in enumerate(sent):
        found.setdefault(handset(number % handsets), []).append(message_id)
    return found


def by_handset(receipts: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """The message ids of receipts in the order in which they first came, for each handset."""
    found: dict[str, list[str]] = {}
    for receipt in receipts:
        found.setdefault(receipt["to"], []).append(receipt["message_id"])
    return found
