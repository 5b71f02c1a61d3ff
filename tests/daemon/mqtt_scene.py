"""The configuration and the words of tests over MQTT."""

from __future__ import annotations

import re
from typing import Any

from tests.daemon.scene import Scene
from tests.support.mosquitto import Application, Mosquitto

SHOP = "gatewayd/accounts/shop"
RECEIPTS, MESSAGES, SESSIONS, SEND, RESULTS, BINDS = (
    f"{SHOP}/{word}" for word in ("receipts", "messages", "sessions", "send", "results", "binds")
)
LINK = "gatewayd/links/carrier"
TOPICS = (RECEIPTS, MESSAGES, SESSIONS, f"{RESULTS}/#", BINDS, "gatewayd/links/+", "gatewayd/workers/+")


READY = re.compile(r"= worker (\d) is ready \(process (\d+)\)")


def tables(broker: Mosquitto, workers: int = 1, **keys: Any) -> dict[str, Any]:
    """An account that has everything over MQTT."""
    return {
        "daemon": {"workers": workers},
        "mqtt": {"host": "127.0.0.1", "port": broker.port, "keepalive_s": 5} | keys,
        "accounts": {"shop": {"sinks": ["mqtt"], "mqtt_send": True}},
    }


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


def by_handset(application: Application) -> dict[str, list[str]]:
    """The message ids of receipts in the order in which they first came, for each handset."""
    found: dict[str, list[str]] = {}
    for receipt in application.data(RECEIPTS):
        found.setdefault(receipt["to"], []).append(receipt["message_id"])
    return found


def processes(scene: Scene) -> dict[int, int]:
    """The process of each slot, as the log told last."""
    return {int(found[1]): int(found[2]) for found in map(READY.search, scene.daemon.log.splitlines()) if found}
