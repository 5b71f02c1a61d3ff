"""What the values of a configuration must mean together: accounts, listeners and providers, and their names.

Looks at no file, and at no single value that gatewayd.config.reading has judged already.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatewayd.config import forms, schema
from gatewayd.config.address_checks import check_addresses
from gatewayd.config.addresses import parse_address
from gatewayd.config.admission_checks import check_admission
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted, shown
from gatewayd.config.http_checks import check_http
from gatewayd.config.link_checks import check_links
from gatewayd.config.mqtt_checks import check_mqtt
from gatewayd.config.provider_checks import check_providers
from gatewayd.config.route_checks import check_routes
from gatewayd.config.sink_checks import check_sinks
from gatewayd.config.tls_checks import check_pair


def check(draft: Draft, findings: Findings) -> None:
    """Note every fault and warning between keys and between tables."""
    _check_names(draft, findings)
    _check_listeners(draft.config, findings)
    _check_tls(draft.config, findings)
    check_admission(draft.config, findings)
    check_addresses(draft.config, findings)
    _check_accounts(draft, findings)
    _check_numbers(draft.config, findings)
    _check_history(draft.config.history, findings)
    check_sinks(draft, findings)
    check_http(draft, findings)
    check_mqtt(draft.config, findings)
    check_providers(draft, findings)
    check_links(draft, findings)
    check_routes(draft, findings)


def _check_names(draft: Draft, findings: Findings) -> None:
    """Of tables that people name; an account's name is what its binds say."""
    for table, names, form in (
        ("accounts", draft.account_names, forms.system_id),
        ("endpoints", draft.endpoint_names, forms.name),
        ("providers", draft.provider_names, forms.name),
        ("applications", draft.application_names, forms.name),
        ("links", draft.link_names, forms.name),
    ):
        for name in sorted(names):
            verdict = form(name)
            if verdict:
                findings.fault(dotted(table, name), *verdict)


def _check_listeners(config: schema.Config, findings: Findings) -> None:
    """Two listeners cannot share an address; port 0 is always a free one."""
    taken: dict[tuple[str, int], str] = {}
    # Behind a faulty key stands its default, which nobody asked for.
    for key, text in [listener for listener in _listeners(config) if not findings.is_faulty(listener[0])]:
        address = parse_address(text)
        if address[1] != 0 and address in taken:
            findings.fault(key, f"{shown(text)} is already taken by {taken[address]}", "give each its own port")
        taken.setdefault(address, key)
    has_smpp = config.smpp.listen or config.smpp.tls_listen
    if not has_smpp and not findings.is_faulty("smpp.listen") and not findings.is_faulty("smpp.tls_listen"):
        findings.fault("smpp.listen", "no application could connect", 'give an address such as "127.0.0.1:2775"')


def _listeners(config: schema.Config) -> Iterator[tuple[str, str]]:
    yield from (("smpp.listen", text) for text in config.smpp.listen)
    yield from (("smpp.tls_listen", text) for text in config.smpp.tls_listen)
    yield from (("http.listen", text) for text in config.http.listen)
    yield from (("http.tls_listen", text) for text in config.http.tls_listen)
    if config.webhooks.listen:
        yield "webhooks.listen", config.webhooks.listen
    if config.metrics.listen:
        yield "metrics.listen", config.metrics.listen
    yield from ((dotted("links", name, "listen"), link.listen) for name, link in config.links.items() if link.listen)


def _check_tls(config: schema.Config, findings: Findings) -> None:
    """A certificate and its key come as a pair, and tls_listen needs that pair."""
    smpp, http, webhooks = config.smpp, config.http, config.webhooks
    for where, table in (("smpp", smpp), ("http", http)):
        needed_by = f"{where}.tls_listen" if table.tls_listen else ""
        check_pair(where, table.tls_certificate, table.tls_key, needed_by, findings)
    check_pair("webhooks", webhooks.tls_certificate, webhooks.tls_key, "", findings)


def _check_accounts(draft: Draft, findings: Findings) -> None:
    if not draft.account_names and not findings.is_faulty("accounts"):
        findings.fault("accounts", "there is no account", "add a table [accounts.NAME]")
    for name, account in draft.config.accounts.items():
        where = dotted("accounts", name)
        inline, file = f"{where}.password_hash", f"{where}.password_hash_file"
        if account.password_hash and account.password_hash_file:
            findings.fault(inline, "stands beside password_hash_file", "keep one of the two")
        is_judged = findings.is_faulty(inline) or findings.is_faulty(file)
        if not (account.password_hash or account.password_hash_file or is_judged):
            findings.fault(file, "is missing", "name a file made with: gatewayd hash-password")
        if account.senders == ():
            findings.warn(f"{where}.senders", "is empty: the account may send nothing", 'write ["*"] for any sender')
        if not forms.is_zone(account.receipt_zone):
            problem = f"{shown(account.receipt_zone)} is no time zone"
            findings.fault(f"{where}.receipt_zone", problem, 'write a name such as "UTC" or "Europe/Paris"')


def _check_numbers(config: schema.Config, findings: Findings) -> None:
    """A reply goes to the one account that owns the number or the bot it was sent to."""
    bots = {link.bot_id for link in config.links.values() if link.bot_id}
    owners: dict[str, str] = {}
    for name, account in config.accounts.items():
        key = dotted("accounts", name, "numbers")
        for number in account.numbers:
            if number not in bots and not forms.is_number(number):
                remedy = "write 3 to 15 digits without plus or 00, or the bot_id of a link"
                findings.fault(key, f"{shown(number)} is not a number", remedy)
            elif owners.setdefault(number, name) != name:
                problem = f"{shown(number)} belongs to account {owners[number]} already"
                findings.fault(key, problem, "a number has one owner")


def _check_history(history: schema.History, findings: Findings) -> None:
    if history.text_h > history.keep_h:
        findings.fault("history.text_h", "is longer than history.keep_h", "texts go first: give it as much at most")
