"""What lets applications in, or keeps them out, in one worker: certificates, lock-outs, what accounts have used.

Part of the composition of a worker; decides nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatewayd.config import schema
from gatewayd.policy.lockout import Terms
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_marks import SharedMarks
from gatewayd.runtime.tls import LiveTls, TlsWatch
from gatewayd.senders.lockout import Lockout

SIDES: Final = {"smpp": "esme", "http": "http", "webhooks": "webhook"}
"""The tables of listeners that may encrypt, and what their faults are counted under."""
LOCKOUTS_FILE, PROVEN_FILE, BUDGETS_FILE = "lockouts", "proven", "budgets"


class Doors:
    """The parts that the listeners have in common."""

    def __init__(self, config: schema.Config, metrics: Metrics, clock: Callable[[], float]) -> None:
        """``clock`` tells Unix seconds. Raises OSError when a file cannot be read or made."""
        self.tls = tls_of(config, metrics)
        self.lockout = lockout_of(config, metrics, clock)
        # Beside the spools: a day is not over because the machine was started anew.
        self.budgets = SharedBudgets.open(Path(config.daemon.spool_dir) / BUDGETS_FILE)

    def start(self) -> None:
        """Look after the certificates from now on."""
        self.tls.start()

    def stop(self) -> None:
        """Look after nothing more."""
        self.tls.stop()
        self.budgets.close()
        if self.lockout is not None:
            self.lockout.close()


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


def lockout_of(config: schema.Config, metrics: Metrics, clock: Callable[[], float]) -> Lockout | None:
    """Who is locked out, where anybody is. From where accounts have bound is kept beside the spools, over restarts."""
    smpp, daemon = config.smpp, config.daemon
    if not smpp.lockout_failures:
        return None
    return Lockout(
        Terms(smpp.lockout_failures, smpp.lockout_window_s, smpp.lockout_s),
        SharedMarks.open(Path(daemon.runtime_dir) / LOCKOUTS_FILE),
        SharedMarks.open(Path(daemon.spool_dir) / PROVEN_FILE),
        metrics,
        clock,
    )
