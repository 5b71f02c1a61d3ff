"""What the keys of addresses, lives and default messages must mean together, of accounts and of links.

Looks at no file.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatewayd.config import schema
from gatewayd.config.faults import Findings, dotted, shown
from gatewayd.config.number_plans import is_country

_DEFAULT_MESSAGES_MAX = 254  # SMPP 3.4 section 5.2.20
_NAME_MAX = 11  # TS 23.040 section 9.1.2.5: so many septets has an address that is a name
_TON_ALPHANUMERIC = 5


def check_addresses(config: schema.Config, findings: Findings) -> None:
    """Note the faults of all accounts and links."""
    _check_texts("smpp.default_messages", config.smpp.default_messages, findings)
    for name, account in config.accounts.items():
        _check_account(dotted("accounts", name), account, findings)
    for name, link in config.links.items():
        if link.kind == "smpp":
            _check_link(dotted("links", name), link, findings)


def _check_account(where: str, account: schema.Account, findings: Findings) -> None:
    _check_country(f"{where}.country", account.country, findings)
    _check_texts(f"{where}.default_messages", account.default_messages, findings)
    if 0 < account.validity_max_h < account.validity_default_h:
        problem = f"{shown(account.validity_default_h)} is more than validity_max_h ({shown(account.validity_max_h)})"
        findings.fault(f"{where}.validity_default_h", problem, "give less")
    _check_source_default(f"{where}.source_default", account, findings)
    seen: set[str] = set()
    for number, rule in enumerate(account.sources, 1):
        key = f"{where}.sources[{number}]"
        if rule.match in seen or "*" in seen:
            problem = "has no effect: a rule before it takes all that it matches"
            findings.warn(key, problem, "put it first, or remove it")
        seen.add(rule.match)
        if not rule.replace and rule.ton == "keep" and rule.npi == "keep":
            findings.warn(key, "changes nothing, and keeps the rules after it from doing so", "add replace, ton or npi")
        if rule.ton in ("keep", "auto", _TON_ALPHANUMERIC) and _is_long_name(rule.replace):
            findings.fault(f"{key}.replace", *_long_name(rule.replace))


def _check_source_default(key: str, account: schema.Account, findings: Findings) -> None:
    """It is looked at as if the application had written it: who may not write it is refused."""
    address = account.source_default
    if not address:
        return
    if not any(_matches(pattern, address) for pattern in account.senders):
        problem = f"{shown(address)} is not among the account's senders: what names no sender would be refused"
        findings.fault(key, problem, "add it to senders, or give one of them")
    if _is_long_name(address) and not any(_matches(rule.match, address) for rule in account.sources):
        findings.fault(key, *_long_name(address))


def _matches(pattern: str, address: str) -> bool:
    return address.startswith(pattern[:-1]) if pattern.endswith("*") else address == pattern


def _is_long_name(address: str) -> bool:
    return len(address) > _NAME_MAX and not address.removeprefix("+").isdigit()


def _long_name(address: str) -> tuple[str, str]:
    return f"{shown(address)} is too long for a name: every such message would be refused", f"give {_NAME_MAX} at most"


def _check_link(where: str, link: schema.Link, findings: Findings) -> None:
    _check_country(f"{where}.country", link.country, findings)
    if link.destination_form == "national" and not link.country and not findings.is_faulty(f"{where}.country"):
        problem = "is missing: destination_form is national"
        findings.fault(f"{where}.country", problem, 'give the country whose numbers go without their code: "FR"')
    if link.country and link.destination_form != "national":
        findings.warn(f"{where}.country", 'has no effect unless destination_form is "national"', "remove it")
    if link.source_fallback and not link.source_fallback.removeprefix("+").isdigit():
        problem = f"{shown(link.source_fallback)} is a name, and stands for names that the carrier does not take"
        findings.fault(f"{where}.source_fallback", problem, "give a number or a short code")


def _check_country(key: str, country: str, findings: Findings) -> None:
    if country and not findings.is_faulty(key) and not is_country(country):
        findings.fault(key, f"there is no country {shown(country)}", 'write its two letters of ISO 3166: "FR"')


def _check_texts(key: str, texts: Mapping[str, str], findings: Findings) -> None:
    for number in texts:
        if not (number.isascii() and number.isdigit() and number == str(int(number))) or not (
            1 <= int(number) <= _DEFAULT_MESSAGES_MAX
        ):
            problem = f"{shown(number)} is no number of a default message"
            remedy = f"give 1 to {_DEFAULT_MESSAGES_MAX}, without zeros before"
            findings.fault(f"{key}.{dotted(number)}", problem, remedy)
