"""The encrypted listener, beside the plain one."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.daemon.process import Daemon, password_hash, secret_file
from tests.daemon.raw import Raw
from tests.daemon.tap import Conversation


def certificate(folder: Path, days: float = 0.1) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself and ends in so many days, and its key; gives both files' names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatewayd")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (
        secret_file(folder / "tls.pem", made.public_bytes(serialization.Encoding.PEM).decode()),
        secret_file(folder / "tls.key", key.private_bytes(*form).decode()),
    )


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """What trusts the certificate of the test, and nothing else."""
    return ssl.create_default_context(cafile=certificate(tmp_path)[0])


@pytest.fixture
def daemon(tmp_path: Path, context: ssl.SSLContext) -> Iterator[Daemon]:
    smpp = {
        "listen": ["127.0.0.1:0"],
        "tls_listen": ["127.0.0.1:0"],
        "tls_certificate": str(tmp_path / "tls.pem"),
        "tls_key": str(tmp_path / "tls.key"),
        "session_init_timeout_s": 0.5,
    }
    carrier = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": 9,
        "system_id": "example",
        "password_file": secret_file(tmp_path / "password", "secret"),
        "reconnect_min_s": 60,
    }
    tables = {
        "smpp": smpp,
        "accounts": {"shop": {"password_hash": password_hash(), "rate_per_s": 0}},
        "links": {"carrier": carrier},
        "routes": [{"links": ["carrier"]}],
    }
    daemon = Daemon(tmp_path, tables)
    daemon.start()
    yield daemon
    daemon.stop()


def test_a_bind_over_tls_is_a_bind(daemon: Daemon, context: ssl.SSLContext, tapped: list[Conversation]) -> None:
    with Raw(daemon.smpp[1], tapped, "tls", context) as raw:
        assert raw.bind() == 0
        assert raw.submits_well()
        assert raw.is_alive()
    with Raw(daemon.smpp[0], tapped, "plain") as raw:
        assert raw.bind() == 0
        assert raw.submits_well()


def test_an_old_tls_is_refused(daemon: Daemon, context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(daemon.smpp[1], 10) as plain,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_plain_octets_on_the_encrypted_door_harm_nobody(
    daemon: Daemon, context: ssl.SSLContext, tapped: list[Conversation]
) -> None:
    with socket.create_connection(daemon.smpp[1], 10) as stranger:
        stranger.sendall(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1")
        while stranger.recv(1_024):  # an alert, perhaps, and the end
            pass
    with Raw(daemon.smpp[1], tapped, "tls", context) as raw:
        assert raw.bind() == 0
        assert raw.submits_well()


def test_a_handshake_has_no_more_time_than_a_bind(daemon: Daemon) -> None:
    with socket.create_connection(daemon.smpp[1], 10) as stranger, contextlib.suppress(ConnectionResetError):
        assert stranger.recv(1_024) == b""
