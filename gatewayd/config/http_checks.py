"""What the HTTP listener and the API keys of accounts must mean together. Looks at no file."""

from __future__ import annotations

from urllib.parse import urlsplit

from gatewayd.config import forms, schema
from gatewayd.config.addresses import is_loopback, is_private, parse_address
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted, shown


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
        _check_callbacks(dotted("accounts", name), account, http, findings)
    if http.compatible and not is_on and not findings.is_faulty("http"):
        findings.warn("http.compatible", "has no effect: HTTP is off", "give http.listen or http.tls_listen")
    for listen in http.listen:
        if not is_loopback(parse_address(listen)[0]):
            findings.warn("http.listen", "takes keys in the clear from other machines", "use http.tls_listen")


def _check_callbacks(where: str, account: schema.Account, http: schema.Http, findings: Findings) -> None:
    if account.dlr_urls and not http.compatible and not findings.is_faulty("http"):
        findings.warn(f"{where}.dlr_urls", "has no effect without http.compatible", "name kannel, jasmin or both there")
    for url in account.dlr_urls:
        host = urlsplit(url).hostname or ""
        if is_private(host) and not account.dlr_allow_private:
            problem = f"{shown(host)} is not on the public internet"
            findings.fault(f"{where}.dlr_urls", problem, "write dlr_allow_private = true, if it is meant")


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
