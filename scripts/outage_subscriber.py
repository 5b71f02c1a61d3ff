"""The application of an outage over MQTT: hears every event of one topic, and comes back whenever the broker does.

With QoS 0, as it acknowledges nothing and so reads all that a broker wrote before it was killed. Takes one JSON object
as its argument, prints its progress once it is subscribed, and on SIGTERM leaves what it took, a line each, in `taken`.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from bench_receiver import REPORT_S, Receiver
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


def run(options: dict[str, Any]) -> None:
    """Until a signal comes."""
    stopped, subscribed = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    with (Path(options["place"]) / "taken").open("w", encoding="ascii", buffering=1 << 20) as ledger:
        receiver = Receiver(ledger)
        client = Client(CallbackAPIVersion.VERSION2, client_id="outage", clean_session=False)
        client.reconnect_delay_set(1, 1)

        def subscribe(*facts: Any) -> None:
            client.subscribe(options["topic"])

        client.on_connect = subscribe
        client.on_subscribe = lambda *facts: subscribed.set()
        client.on_message = lambda client, userdata, message: receiver.take(bytes(message.payload))
        client.connect("127.0.0.1", options["port"], keepalive=5)
        client.loop_start()
        subscribed.wait()
        while not stopped.wait(REPORT_S):
            print(json.dumps(receiver.progress()), flush=True)
        client.disconnect()
        client.loop_stop()
    print(json.dumps({"done": True, **receiver.progress()}), flush=True)


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
