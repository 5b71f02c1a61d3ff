"""Files that hold secrets: where they are found, when they are refused, and that no message shows what they hold."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from gatewayd.config.load import load

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

KEY = "links.carrier.password_file"
PAIR_REMEDY = "give the pair that belongs together"
FILE = '"DIR/carrier.password"'


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601])
def test_a_secret_open_to_everyone_is_refused(desk: Desk, mode: int) -> None:
    desk.put("carrier.password", "s3cret", mode)
    assert desk.faults() == [f"{KEY}: {FILE} is open to everyone (mode 0{mode:o}); run: chmod o= DIR/carrier.password"]


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o660])
def test_owner_and_group_may_read_a_secret(desk: Desk, mode: int) -> None:
    desk.put("carrier.password", "s3cret", mode)
    assert desk.faults() == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", f"{FILE} has no secret in it; write the secret on one line"),
        ("\n", f"{FILE} has no secret in it; write the secret on one line"),
        ("  \n", f"{FILE} has no secret in it; write the secret on one line"),
        ("hunter\n2\n", f"{FILE} has more than one line; write the secret on one line"),
        (b"\xff\xfe", f"{FILE} is not text; write the secret on one line"),
        ("hunter2" * 1000, f"{FILE} is too big for a secret; keep it under 4096 octets"),
        ("hunter234", "the password has 9 characters; SMPP allows 8 at most"),
        ("hünter2", "the password has characters that are not printable ASCII; agree on another one"),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_without_showing_it(desk: Desk, content: str | bytes, line: str) -> None:
    desk.put("carrier.password", content)
    assert desk.faults() == [f"{KEY}: {line}"]


@pytest.mark.parametrize("content", ["s3cret", "s3cret\n", "s3cret\r\n"])
def test_one_line_end_is_no_part_of_the_secret(desk: Desk, content: str) -> None:
    desk.put("carrier.password", content)
    assert desk.load().link_secret("carrier", "password_file") == "s3cret"


def test_other_secrets_fit_their_purpose(desk: Desk) -> None:
    desk.put("shop.hash", "hunter2")
    desk.put("orange.webhook", "jeton privé")
    assert desk.faults() == [
        "accounts.shop.password_hash_file: the file holds no password hash; make one with: gatewayd hash-password",
        (
            "links.orange.webhook_token_file: the secret has characters that are not printable ASCII; "
            "write the secret alone on one line"
        ),
    ]


def test_what_is_no_file_is_refused_without_waiting(desk: Desk) -> None:
    path = desk.folder / "carrier.password"
    path.unlink()
    os.mkfifo(path, 0o600)
    assert desk.faults() == [f"{KEY}: {FILE} is not a regular file; name a file"]
    path.unlink()
    path.mkdir(mode=0o700)
    assert desk.faults() == [f"{KEY}: {FILE} is not a regular file; name a file"]


def test_a_file_behind_a_file_is_not_there(desk: Desk) -> None:
    remedy = "create it, or pass it as a systemd credential"
    assert desk.faults(('"carrier.password"', '"shop.hash/x"')) == [
        f'{KEY}: there is no file "DIR/shop.hash/x"; {remedy}'
    ]


def test_a_path_that_is_none(desk: Desk) -> None:
    remedy = "let the daemon's user read it"
    assert desk.faults(('"carrier.password"', r'"a\u0000b"')) == [
        f'{KEY}: "DIR/a\\u0000b" cannot be read (not a path); {remedy}'
    ]


def test_a_file_of_somebody_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open = os.open

    def refuse(path: str, *arguments: int) -> int:
        if str(path).endswith("carrier.password"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(path, *arguments)

    monkeypatch.setattr("gatewayd.config.secret_files.os.open", refuse)
    assert desk.faults() == [f"{KEY}: {FILE} cannot be read (Permission denied); let the daemon's user read it"]


def test_a_credential_that_may_not_be_looked_at_is_a_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd 252 closes the folder to the other processes of a service, while its variable is set for them too."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(desk.folder))
    name = "x" * 300  # root may look at everything, but not at this
    assert desk.faults(("carrier.password", name)) == [
        f'{KEY}: "DIR/{name}" cannot be read (File name too long); let the daemon\'s user read it'
    ]


def test_an_absolute_path_is_taken_as_it_is(desk: Desk) -> None:
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_text("far")
    (elsewhere / "x").chmod(0o600)
    path = desk.write()
    path.write_text(path.read_text().replace('"carrier.password"', f'"{elsewhere / "x"}"'))
    assert load(path, credentials=desk.folder).link_secret("carrier", "password_file") == "far"


def test_certificate_and_key_belong_together(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    certificate, key = key_pair
    desk.put("tls.pem", certificate, 0o644)
    tls = ("[smpp]", '[smpp]\ntls_listen = ["127.0.0.1:3550"]\ntls_certificate = "tls.pem"\ntls_key = "tls.key"')
    path = desk.put("tls.key", key)
    assert desk.load(tls).config.smpp.tls_key == str(path)
    desk.put("tls.key", key, 0o644)
    assert desk.faults(tls) == [
        'smpp.tls_key: "DIR/tls.key" is open to everyone (mode 0644); run: chmod o= DIR/tls.key'
    ]
    desk.put("tls.key", certificate)
    assert desk.faults(tls) == [
        'smpp.tls_key: "DIR/tls.key" is not the unencrypted PEM key of that certificate; ' + PAIR_REMEDY
    ]
    path.unlink()
    assert desk.faults(tls) == [
        'smpp.tls_key: there is no file "DIR/tls.key"; create it, or pass it as a systemd credential'
    ]


def test_an_encrypted_key_is_refused_and_asks_nobody(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    certificate, key = key_pair
    desk.put("tls.pem", certificate)
    desk.put(
        "tls.key",
        serialization.load_pem_private_key(key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        ),
    )
    tls = ('listen = "127.0.0.1:8080"', 'listen = "127.0.0.1:8080"\ntls_certificate = "tls.pem"\ntls_key = "tls.key"')
    assert desk.faults(tls) == [
        'webhooks.tls_key: "DIR/tls.key" is not the unencrypted PEM key of that certificate; ' + PAIR_REMEDY
    ]


def test_authorities_are_certificates(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    certificate, _ = key_pair
    desk.put("ca.pem", certificate, 0o644)
    assert (
        desk.load(("port = 2776", 'tls = true\ntls_ca = "ca.pem"')).config.links["carrier"].tls_ca.endswith("/ca.pem")
    )
    desk.put("ca.pem", "no certificate")
    assert desk.faults(("port = 2776", 'tls = true\ntls_ca = "ca.pem"')) == [
        'links.carrier.tls_ca: "ca.pem" holds no certificates; give certificates in PEM'
    ]
