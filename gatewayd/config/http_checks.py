"""What the HTTP listener and the API keys of accounts must mean together. Looks at no file."""

from __future__ import annotations

from gatewayd.config import forms, schema
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted


def check_http(draft: Draft, findings: Findings) -> None:
    """Note the faults of the listener and of every key."""
    http = draft.config.http
    is_on = bool(http.listen or http.tls_listen)
    hashes: dict[str, str] = {}
    for name, account in draft.config.accounts.items():
        for key_name, key in account.api_keys.items():
            where = dotted("accounts", name, "api_keys", key_name)
            _check_key(where, key, findings)
            if key.hash and hashes.setdefault(key.hash, where) != where:
                findings.fault(f"{where}.hash", f"is that of {hashes[key.hash]} too", "make one with: accounts key")
        if account.api_keys and not is_on and not findings.is_faulty("http"):
            where = dotted("accounts", name, "api_keys")
            findings.warn(where, "have no effect: the HTTP API is off", "give http.listen or http.tls_listen")
    for listen in http.listen:
        if not listen.startswith(("127.", "[::1]", "localhost")):
            findings.warn("http.listen", "takes keys in the clear from other machines", "use http.tls_listen")


def _check_key(where: str, key: schema.ApiKey, findings: Findings) -> None:
    verdict = forms.moment(key.expires) if key.expires else None
    if verdict:
        findings.fault(f"{where}.expires", *verdict)
    if key.hash and key.hash_file:
        findings.fault(f"{where}.hash", "stands beside hash_file", "keep one of the two")
    is_judged = findings.is_faulty(f"{where}.hash") or findings.is_faulty(f"{where}.hash_file")
    if not (key.hash or key.hash_file or is_judged):
        findings.fault(f"{where}.hash", "is missing", "make one with: gatewayd accounts key")
    if not key.scopes:
        findings.warn(f"{where}.scopes", "is empty: the key may do nothing", "leave it out for all of them")
