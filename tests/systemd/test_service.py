"""A release on a machine with a real systemd: installed, started, stuck, reloaded, restarted under load, stopped.

One test, because booting and installing take longer than all the rest. Skipped, with the reason, where no machine can
be booted in a root filesystem of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import Journal, Machine, NoMachine, booted

SUPPORT = Path(__file__).resolve().parents[1] / "support"
# A copy, so that nobody's editor changes the release in the middle of the test.
COPY = "mkdir /root/release && tar -C /source --exclude='./.*' -c . | tar -C /root/release -x"
INSTALL = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels /root/release/scripts/install"
HASH = "scrypt$16384$8$1$cA2bud8HXsUi6FoUX120Cw$Ma2oXw0rDhfTJ1KYYhOtC9OEMKu8/M4/+hAh4bnGhmo"
CONFIG = f"""
cat > /etc/gatewayd/gatewayd.toml <<'TOML'
[daemon]
workers = 2
drain_timeout_s = 5

[accounts.shop]
password_hash = "{HASH}"
rate_per_s = 0

[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = 2776
system_id = "gateway"
password_file = "carrier.password"
binds = 2

[[routes]]
links = ["carrier"]
TOML
install -m 0600 /dev/null /etc/gatewayd/secret
echo secret > /etc/gatewayd/secret
mkdir -p /etc/systemd/system/gatewayd.service.d
cat > /etc/systemd/system/gatewayd.service.d/test.conf <<'UNIT'
[Service]
LoadCredential=carrier.password:/etc/gatewayd/secret
WatchdogSec=2s
UNIT
systemctl daemon-reload
systemd-run --unit=carrier gatewayd simulate smsc --listen 127.0.0.1:2776
"""
UNITS = ("gatewayd.socket", "gatewayd.service")


@pytest.mark.timeout(600)  # the first run of all makes the machine
def test_the_life_of_a_service() -> None:
    with contextlib.ExitStack() as stack:
        try:
            machine = stack.enter_context(booted())
        except NoMachine as reason:
            pytest.skip(f"no machine with systemd: {reason}")
        stack.push(lambda kind, failure, trace: tell_about(machine) if failure else None)
        install(machine)
        journal = Journal(machine, "gatewayd.service")
        stack.callback(journal.close)
        start(machine)
        trip_the_watchdog(machine, journal)
        reload(machine, journal)
        refuse_a_faulty_reload(machine, journal)
        restart_under_load(machine)
        stop(machine)
        uninstall(machine)


def tell_about(machine: Machine) -> None:
    """What is worth knowing when a step failed."""
    units = ("--unit=gatewayd.service", "--unit=carrier.service")
    sys.stdout.write(machine.run("journalctl", *units, "--output=short-precise", "--lines=100", check=False))


def install(machine: Machine) -> None:
    """A fresh one, and once more without harm; systemd likes what it finds."""
    machine.shell(COPY)
    said = machine.shell(INSTALL, timeout_s=240)
    assert "making its environment" in said
    assert machine.run("systemd-analyze", "verify", *UNITS) == ""
    machine.shell(CONFIG)
    said = machine.shell(INSTALL)
    assert "in place already" in said
    assert "configuration: yours is kept" in said
    assert machine.run("stat", "--format=%U:%G %a", "/etc/gatewayd", "/etc/gatewayd/gatewayd.toml").split("\n")[:2] == [
        "root:gatewayd 750",
        "root:gatewayd 640",
    ]


def start(machine: Machine) -> None:
    """Active means ready: two workers, their binds, and a status line that says so."""
    machine.run("systemctl", "enable", "--now", *UNITS)
    assert machine.show("gatewayd.service", "ActiveState") == "active"
    assert machine.show("gatewayd.service", "StatusText").startswith("2 of 2 workers ready, ")
    pid = machine.show("gatewayd.service", "MainPID")
    owners = machine.run("stat", "--format=%U %a", f"/proc/{pid}", "/var/lib/gatewayd", "/run/gatewayd").split("\n")
    assert owners[:3] == ["gatewayd 555", "gatewayd 700", "gatewayd 750"]


def trip_the_watchdog(machine: Machine, journal: Journal) -> None:
    """A supervisor that hangs is replaced, and so are its workers."""
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "gatewayd.service")
    journal.wait("Watchdog timeout")
    journal.wait("Started gatewayd.service")
    assert machine.show("gatewayd.service", "NRestarts") == "1"
    assert machine.show("gatewayd.service", "StatusText").startswith("2 of 2 workers ready, ")


def reload(machine: Machine, journal: Journal) -> None:
    """A good one is taken up by the same process."""
    before = machine.show("gatewayd.service", "MainPID")
    machine.shell("sed -i 's/rate_per_s = 0/rate_per_s = 1000/' /etc/gatewayd/gatewayd.toml")
    machine.run("systemctl", "reload", "gatewayd.service")
    journal.wait("= reloaded /etc/gatewayd/gatewayd.toml")
    assert machine.show("gatewayd.service", "MainPID") == before


def refuse_a_faulty_reload(machine: Machine, journal: Journal) -> None:
    """The daemon says what is wrong, also in its status line, and goes on as it was."""
    before = machine.show("gatewayd.service", "MainPID")
    machine.shell("sed -i 's/port = 2776/port = 99999/' /etc/gatewayd/gatewayd.toml")
    fault = "links.carrier.port: 99999 is not a port; give 1 to 65535"
    machine.run("systemctl", "reload", "gatewayd.service")
    journal.wait(f"= not reloaded: /etc/gatewayd/gatewayd.toml: {fault}")
    machine.shell("sed -i 's/port = 99999/port = 2776/' /etc/gatewayd/gatewayd.toml")
    status = machine.show("gatewayd.service", "StatusText")
    assert status.startswith("2 of 2 workers ready, ")
    assert fault in status
    machine.run("systemctl", "reload", "gatewayd.service")
    journal.wait("= reloaded /etc/gatewayd/gatewayd.toml")
    assert machine.show("gatewayd.service", "MainPID") == before
    assert machine.show("gatewayd.service", "ActiveState") in ("active", "reloading")


class Applications:
    """Two that talk to the daemon and come back when it restarts, and one that only knocks."""

    def __init__(self, machine: Machine) -> None:
        command = [*machine.enter("--net"), sys.executable, str(SUPPORT / "knocker.py"), "127.0.0.1", "2775"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_talking(self) -> None:
        """Until both are well under way on a new connection."""
        assert self._process.stdout is not None
        assert [self._process.stdout.readline() for _ in range(2)] == ["talking\n"] * 2

    def end(self) -> dict[str, Any]:
        """What they saw."""
        said, _ = self._process.communicate(timeout=60)
        seen: dict[str, Any] = json.loads(said)
        return seen


def restart_under_load(machine: Machine) -> None:
    """Nobody is refused, and every message that was acknowledged has its receipt, whichever process saw it."""
    before = machine.show("gatewayd.service", "MainPID")
    applications = Applications(machine)
    for _ in range(2):
        applications.wait_until_talking()
        machine.run("systemctl", "restart", "gatewayd.service")
    applications.wait_until_talking()
    seen = applications.end()
    assert machine.show("gatewayd.service", "MainPID") != before
    assert seen["refused"] == 0
    assert seen["binds"] == 6
    assert seen["acknowledged"] >= 120
    assert seen["missing"] == 0


def stop(machine: Machine) -> None:
    """In order: drained, exit code 0, and nobody left."""
    machine.run("systemctl", "stop", *UNITS)
    assert machine.show("gatewayd.service", "Result") == "success"
    assert machine.show("gatewayd.service", "ExecMainStatus") == "0"
    assert machine.show("gatewayd.service", "ActiveState") == "inactive"
    said = machine.run("journalctl", "--unit=gatewayd.service", "--output=cat", "--no-pager")
    assert re.findall(r".*(?:Traceback|died|killed as|ended badly).*", said.partition("Watchdog timeout")[2]) == []


def uninstall(machine: Machine) -> None:
    """Messages and configuration stay, until they are asked for."""
    said = machine.run("/root/release/scripts/uninstall")
    assert "kept: /etc/gatewayd, /var/lib/gatewayd and the user" in said
    machine.shell("test ! -e /opt/gatewayd && test ! -e /usr/local/bin/gatewayd && test -s /etc/gatewayd/gatewayd.toml")
    assert "not be found" in machine.run("systemctl", "cat", "gatewayd.service", check=False).replace(
        "No files", "not be"
    )
    machine.run("/root/release/scripts/uninstall", "--purge")
    machine.shell("test ! -e /etc/gatewayd && test ! -e /var/lib/gatewayd && ! id gatewayd")
