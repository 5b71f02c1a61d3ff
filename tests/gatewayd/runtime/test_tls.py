"""What a listener shows, and how old its TLS may be."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gatewayd.runtime.tls import server_context
from tests.daemon.test_tls import certificate


def test_the_key_may_be_in_a_file_of_its_own_or_the_same(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    assert server_context(pem, key).minimum_version is ssl.TLSVersion.TLSv1_2
    both = tmp_path / "both.pem"
    both.write_text(Path(pem).read_text() + Path(key).read_text())
    context = server_context(str(both), None)
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE)


def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    for broken in (tmp_path / "nothing.pem", Path(pem)):  # the second has no key
        with pytest.raises(OSError):
            server_context(str(broken), None)
