"""What a certificate and its key must mean together, wherever they stand. Looks at no file."""

from __future__ import annotations

from gatewayd.config.faults import Findings


def check_pair(where: str, tls_certificate: str, tls_key: str, needed_by: str, findings: Findings) -> None:
    """Note what is missing of a pair: either where the other is given, both where a key needs them (``needed_by``)."""
    pair = {"tls_certificate": tls_certificate, "tls_key": tls_key}
    if not (needed_by or any(pair.values())):
        return
    reason = f"{needed_by} needs it" if needed_by else "the other half of the pair is given"
    for name, value in pair.items():
        key = f"{where}.{name}"
        if not value and not findings.is_faulty(key):
            findings.fault(key, f"is missing: {reason}", "give the file's path")
