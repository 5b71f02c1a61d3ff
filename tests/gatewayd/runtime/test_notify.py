"""What systemd hears, over both kinds of address, and what happens when it does not listen."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@gatewayd-test-{os.getpid()}-{id(request)}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.bind(address.replace("@", "\0", 1))
        yield end


def heard(manager: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(manager.recv(4096).decode())
        except BlockingIOError:
            return words


def test_the_words(manager: socket.socket, address: str) -> None:
    environment = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    notifier = Notifier.from_environment(environment)
    assert environment == {"PATH": "/bin"}
    notifier.starting(20)
    notifier.ready()
    notifier.status("all\nis well ")
    notifier.status("all is well")
    notifier.alive()
    notifier.reloading()
    notifier.stopping(40.5)
    said = heard(manager)
    assert said.pop(0) == "EXTEND_TIMEOUT_USEC=20000000"
    assert said[:3] == ["READY=1", "STATUS=all is well", "WATCHDOG=1"]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", said[3])
    assert said[4:] == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=40500000"]
    notifier.close()
    notifier.ready()
    assert heard(manager) == []


def test_nobody_listens() -> None:
    notifier = Notifier.from_environment({})
    notifier.ready()
    notifier.close()
    assert notifier.watchdog_s == 0


def test_a_manager_that_is_away_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    with caplog.at_level(logging.WARNING):
        notifier.ready()
    notifier.close()
    assert "systemd could not be told READY: " in caplog.text


def test_a_manager_that_does_not_read_does_no_harm(
    manager: socket.socket, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(address)
    for _ in range(2_000):
        notifier.alive()
    notifier.close()
    assert 0 < len(heard(manager)) < 2_000
    assert caplog.text.count("systemd could not be told") == 1


@pytest.mark.parametrize(
    ("variables", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog(variables: dict[str, str], watchdog_s: float) -> None:
    assert Notifier.from_environment(variables).watchdog_s == watchdog_s
    assert variables == {}
