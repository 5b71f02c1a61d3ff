"""What the sinks of accounts and their endpoints must mean together. Looks at no file and resolves no name."""

from __future__ import annotations

from urllib.parse import urlsplit

from gatewayd.config import schema
from gatewayd.config.addresses import is_loopback, is_private
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted, guess, shown


def check_sinks(draft: Draft, findings: Findings) -> None:
    """Note the faults of every account's sinks and of every endpoint."""
    for name, account in draft.config.accounts.items():
        _check_account(dotted("accounts", name), account, draft, findings)
    used = {account.endpoint for account in draft.config.accounts.values() if "webhook" in account.sinks}
    for name, endpoint in draft.config.endpoints.items():
        where = dotted("endpoints", name)
        _check_endpoint(where, endpoint, findings)
        if name not in used:
            problem = "no account uses it"
            findings.warn(
                where, problem, f'write sinks = ["webhook"] and endpoint = {shown(name)} in one, or remove it'
            )


def _check_account(where: str, account: schema.Account, draft: Draft, findings: Findings) -> None:
    for key, values in (("sinks", account.sinks), ("events", account.events)):
        if len(set(values)) < len(values):
            findings.fault(f"{where}.{key}", "names one twice", "name each once")
    if not account.sinks and not findings.is_faulty(f"{where}.sinks"):
        findings.warn(f"{where}.sinks", "is empty: no receipt and no reply reaches it", 'write ["smpp"]')
    key = f"{where}.endpoint"
    if "webhook" not in account.sinks:
        if account.endpoint:
            findings.warn(key, "has no effect", 'add "webhook" to its sinks')
    elif not account.endpoint and not findings.is_faulty(key):
        findings.fault(key, "is missing: webhook is one of its sinks", "name a table [endpoints.NAME]")
    elif account.endpoint and account.endpoint not in draft.endpoint_names:
        problem = f"there is no endpoint {shown(account.endpoint)}"
        findings.fault(key, problem, guess(account.endpoint, draft.endpoint_names))


def _check_endpoint(where: str, endpoint: schema.Endpoint, findings: Findings) -> None:
    for name in ("url", "secret_file"):
        if not getattr(endpoint, name):
            findings.fault(f"{where}.{name}", "is empty", "an endpoint needs it")
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    if not endpoint.allow_private and is_private(host):
        problem = f"{shown(host)} is not on the public internet"
        findings.fault(f"{where}.url", problem, "write allow_private = true, if it is meant")
    elif parts.scheme == "http" and not is_loopback(host):
        findings.warn(f"{where}.url", "sends messages in the clear", "use https")
    if endpoint.tls_ca and parts.scheme == "http":
        findings.warn(f"{where}.tls_ca", "has no effect without https", "use https")
