"""What lets applications in, or keeps them out, in one worker: certificates, lock-outs, what accounts have used.

Part of the composition of a worker; decides nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatewayd.config import schema
from gatewayd.config.addresses import parse_address
from gatewayd.config.faults import dotted
from gatewayd.config.load import Loaded
from gatewayd.policy.lockout import Terms
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.seats import SeatFile
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_marks import SharedMarks
from gatewayd.runtime.tls import LiveTls, TlsWatch
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.lockout import Lockout
from gatewayd.senders.outbinding import Outbinder, Target
from gatewayd.senders.smpp_server import SmppServer

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
        self.outbinder: Outbinder | None = None

    def call_for(self, server: SmppServer, outbox: Outbox, seats: SeatFile, metrics: Metrics, loaded: Loaded) -> None:
        """Applications that are to be called when something waits for them."""
        self.outbinder = Outbinder(server, outbox, seats.group, metrics)
        self.outbinder.configure(targets_of(loaded))

    def configure(self, loaded: Loaded) -> list[str]:
        """By this configuration from now on; what cannot be used, a sentence each."""
        if self.outbinder is not None:
            self.outbinder.configure(targets_of(loaded))
        return self.tls.look()

    def start(self) -> None:
        """Look after certificates and calls from now on."""
        self.tls.start()
        if self.outbinder is not None:
            self.outbinder.start()

    def close(self) -> None:
        """Call nobody any more."""
        if self.outbinder is not None:
            self.outbinder.stop()

    def stop(self) -> None:
        """Look after nothing more."""
        self.tls.stop()
        self.budgets.close()
        if self.lockout is not None:
            self.lockout.close()


def targets_of(loaded: Loaded) -> dict[str, Target]:
    """The accounts that are to be called."""
    targets = {}
    for name, account in loaded.config.accounts.items():
        if account.outbind:
            host, port = parse_address(account.outbind)
            targets[name] = Target(host, port, loaded.secrets[dotted("accounts", name, "outbind_password_file")])
    return targets


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
