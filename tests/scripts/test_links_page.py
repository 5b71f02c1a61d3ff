"""Every key of a link to a carrier is explained in docs/links.md, or where it says."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "links.md"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "hosts",
            "failover_after",
            "failback_interval_s",
            "listen",
            "listen_networks",
            "outbind_password_file",
            "bind",
        ),
        *("tls", "tls_ca", "tls_certificate", "tls_key", "tls_server_name", "window", "rate_per_s", "connects_per_s"),
        *("bind_refused_wait_s", "bind_refused_wait_max_s", "throttle_pause_s", "throttle_climb_s", "statuses"),
        *("response_timeout_s", "bind_timeout_s", "reconnect_min_s", "reconnect_max_s"),
    ],
)
def test_it_speaks_of_every_key(key: str) -> None:
    assert f"`{key}" in PAGE.read_text(encoding="utf-8") or f"links.*.{key}`" in PAGE.read_text(encoding="utf-8")
