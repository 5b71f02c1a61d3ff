"""Where the daemon listens: by the configuration, and by what systemd passes."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.runtime import listeners
from gatewayd.runtime.listeners import ListenFault, address_of, close_all, open_all

ROOT = Path(__file__).parents[3]

# Runs in a process of its own: the descriptors that systemd passes have fixed numbers, from 3 on.
PASSED = """
import os, socket, sys
from gatewayd.config import schema
from gatewayd.runtime import listeners
kind, count, names = sys.argv[1:]
where = []
for number in range(3, 3 + int(count)):
    passed = socket.socket(socket.AF_INET, getattr(socket, kind))
    passed.bind(("127.0.0.1", 0))
    if kind == "SOCK_STREAM":
        passed.listen()
    where.append(f"127.0.0.1:{passed.getsockname()[1]}")
    if passed.fileno() != number:
        os.dup2(passed.fileno(), number)
    else:
        passed.detach()
environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": names, "PATH": "/bin"}
config = schema.Config(
    smpp=schema.SmppServer(listen=("127.0.0.1:0",)), metrics=schema.Metrics(listen="127.0.0.1:0")
)
try:
    sockets = listeners.open_all(config, environment)
except listeners.ListenFault as fault:
    sys.exit(str(fault))
assert environment == {"PATH": "/bin"}, environment
assert [listeners.address_of(one) for one in sockets["smpp"]] == where, sockets
assert len(sockets["metrics"]) == 1
assert not any(os.get_inheritable(one.fileno()) for one in sockets["smpp"])
"""


def config(*smpp: str, tls: tuple[str, ...] = (), metrics: str = "", webhooks: str = "") -> schema.Config:
    return schema.Config(
        smpp=schema.SmppServer(listen=smpp, tls_listen=tls),
        metrics=schema.Metrics(listen=metrics),
        webhooks=schema.Webhooks(listen=webhooks),
    )


@contextlib.contextmanager
def opened(wanted: schema.Config) -> Iterator[listeners.Sockets]:
    sockets = open_all(wanted, {})
    try:
        yield sockets
    finally:
        close_all(sockets)


def test_each_kind_has_its_own() -> None:
    wanted = config("127.0.0.1:0", "[::1]:0", tls=("127.0.0.1:0",), metrics="127.0.0.1:0")
    with opened(wanted) as sockets:
        assert {kind: len(several) for kind, several in sockets.items()} == {
            "smpp": 2,
            "smpp_tls": 1,
            "metrics": 1,
            "webhooks": 0,
            "http": 0,
            "http_tls": 0,
        }
        for one in (*sockets["smpp"], *sockets["metrics"]):
            with socket.create_connection(one.getsockname()[:2], timeout=5):
                pass
        assert address_of(sockets["smpp"][1]).startswith("[::1]:")
    assert sockets["smpp"] == []


def test_a_name_may_stand_for_several_addresses() -> None:
    with opened(config("localhost:0")) as sockets:
        assert {address_of(one).rpartition(":")[0] for one in sockets["smpp"]} <= {"127.0.0.1", "[::1]"}


def test_an_address_that_is_taken_is_named_and_the_others_are_given_back() -> None:
    with opened(config("127.0.0.1:0")) as sockets:
        taken = address_of(sockets["smpp"][0])
        with pytest.raises(ListenFault) as fault:
            open_all(config("127.0.0.1:0", taken), {})
        assert str(fault.value) == f"cannot listen on {taken} for smpp: {os.strerror(errno.EADDRINUSE)}"


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(ListenFault, match=r"cannot listen on nowhere.invalid:1 for smpp: "):
        open_all(config("nowhere.invalid:1"), {})


def test_what_systemd_passed_to_another_process_is_not_ours() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smpp"}
    sockets = open_all(config("127.0.0.1:0"), environment)
    assert len(sockets["smpp"]) == 1
    close_all(sockets)
    assert environment == {}


def test_a_unix_socket_has_an_address_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "door"))
        assert address_of(one) == str(tmp_path / "door")


@pytest.mark.parametrize(
    ("kind", "names", "complaint"),
    [
        ("SOCK_STREAM", "smpp", ""),
        ("SOCK_STREAM", "smpp:smpp", ""),
        ("SOCK_STREAM", "gatewayd.socket", "systemd passed a socket named 'gatewayd.socket'; "),
        ("SOCK_STREAM", "", "systemd passed a socket named ''; FileDescriptorName= must be one of smpp, smpp-tls, "),
        ("SOCK_STREAM", "smpp-tls", "systemd passed a socket for smpp-tls, but smpp.tls_certificate is not "),
        ("SOCK_DGRAM", "smpp", "the socket that systemd passed for smpp does not listen; use ListenStream="),
    ],
)
def test_what_systemd_passes(kind: str, names: str, complaint: str) -> None:
    count = str(names.count(":") + 1)
    done = subprocess.run(
        [sys.executable, "-c", PASSED, kind, count, names],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if complaint:
        assert done.returncode == 1
        assert complaint in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "smpp listens on" in done.stderr, "it differs from the configuration"
