"""The configuration and the words of tests over MQTT."""

from __future__ import annotations

import re
from typing import Any

from tests.daemon.scene import Scene
from tests.support.mosquitto import Mosquitto

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


def processes(scene: Scene) -> dict[int, int]:
    """The process of each slot, as the log told last."""
    return {int(found[1]): int(found[2]) for found in map(READY.search, scene.daemon.log.splitlines()) if found}
