"""A certificate and its key: what is said when one of them is missing, or both."""

from __future__ import annotations

import pytest

from gatewayd.config.faults import Findings
from gatewayd.config.tls_checks import check_pair


@pytest.mark.parametrize(
    ("certificate", "key", "needed_by", "missing"),
    [
        ("", "", "", {}),
        ("pem", "key", "smpp.tls_listen", {}),
        ("pem", "", "", {"smpp.tls_key": "the other half of the pair is given"}),
        ("", "key", "", {"smpp.tls_certificate": "the other half of the pair is given"}),
        ("pem", "", "smpp.tls_listen", {"smpp.tls_key": "smpp.tls_listen needs it"}),
        ("", "", "tls", {"smpp.tls_certificate": "tls needs it", "smpp.tls_key": "tls needs it"}),
    ],
)
def test_what_is_missing(certificate: str, key: str, needed_by: str, missing: dict[str, str]) -> None:
    findings = Findings("gatewayd.toml")
    check_pair("smpp", certificate, key, needed_by, findings)
    assert {fault.key: fault.problem for fault in findings.faults} == {
        name: f"is missing: {reason}" for name, reason in missing.items()
    }


def test_a_faulty_one_is_not_missing() -> None:
    findings = Findings("gatewayd.toml")
    findings.fault("smpp.tls_key", "3 is not a text", "write it in quotes")
    check_pair("smpp", "pem", "", "", findings)
    assert len(findings.faults) == 1
