"""What the listeners of a worker have in common, put together as configured: the certificates that they show.

Part of the composition of a worker; decides nothing at run time.
"""

from __future__ import annotations

from typing import Final

from gatewayd.config import schema
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tls import LiveTls, TlsWatch

SIDES: Final = {"smpp": "esme", "http": "http", "webhooks": "webhook"}
"""The tables of listeners that may encrypt, and what their faults are counted under."""


def tls_of(config: schema.Config, metrics: Metrics) -> TlsWatch:
    """The certificates of all listeners that have one. Raises OSError when one cannot be read."""
    listeners = {}
    for table in SIDES:
        settings = getattr(config, table)
        if settings.tls_certificate:
            client_ca = getattr(settings, "tls_client_ca", "")
            listeners[table] = LiveTls(settings.tls_certificate, settings.tls_key, client_ca)

    def on_fault(table: str) -> None:
        metrics.faults.labels(SIDES[table], "certificate").value += 1

    return TlsWatch(listeners, on_fault)
