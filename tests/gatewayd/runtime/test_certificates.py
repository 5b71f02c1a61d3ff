"""When certificates end, of chains, bundles and files that are none; read again only when they change."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gatewayd.runtime.certificates import Certificates

SOON, LATE = 1_800_000_000, 1_900_000_000


def pem(end: int) -> bytes:
    """A certificate that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example")])
    until = datetime.datetime.fromtimestamp(end, datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, until - datetime.timedelta(days=9), until)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_chain_ends_with_its_first_and_a_bundle_with_its_last(tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    file.write_bytes(pem(LATE) + pem(SOON))
    certificates = Certificates()
    assert certificates.end_of(file) == SOON
    assert certificates.end_of(file, is_bundle=True) == LATE


def test_a_new_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    certificates = Certificates()
    assert certificates.end_of(file) is None
    file.write_bytes(pem(SOON))
    assert certificates.end_of(file) == SOON
    file.write_bytes(pem(LATE) + b"\n")
    assert certificates.end_of(file) == LATE
    file.unlink()
    assert certificates.end_of(file) is None


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some.pem"
    file.write_bytes(pem(SOON))
    certificates = Certificates()
    certificates.end_of(file)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert certificates.end_of(file) == SOON


def test_what_holds_no_certificate_has_no_end(tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    file.write_text("nothing of that kind")
    assert Certificates().end_of(file) is None
