"""What each kind of link needs, what it must not have, and whom it names. Looks at no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from gatewayd.config import forms, house, schema
from gatewayd.config.carrier_checks import check_carrier
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted, guess, shown

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "smpp": ("system_id", "password_file"),
    "gsma": ("server_root", "bot_id", "token_url", "client_id", "client_secret_file", "webhook_token_file"),
    "rbm": ("server_root", "bot_id", "service_account_file", "webhook_token_file"),
}
# What a dialect needs beside that: without the key that signs, Orange's second layer of credentials has nothing to say.
_DIALECT_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {"orange": ("bot_key_file",)}
_RBM_TRAFFIC_TYPES: Final = ("AUTHENTICATION", "TRANSACTION", "PROMOTION", "SERVICEREQUEST", "ACKNOWLEDGEMENT")


def check_links(draft: Draft, findings: Findings) -> None:
    """Note the faults of every link."""
    for name, link in draft.config.links.items():
        where = dotted("links", name)
        _check_keys(where, link, draft.given[name], findings)
        if link.kind == "smpp":
            check_carrier(where, link, draft.given[name], findings)
        else:
            _check_rcs(where, link, draft, findings)


def _check_keys(where: str, link: schema.Link, given: frozenset[str], findings: Findings) -> None:
    """Keys of the other kind would be ignored, and whoever wrote them would wait for their effect."""
    needs = dict.fromkeys(_REQUIRED[link.kind], f"a link of kind {link.kind} needs it")
    if link.kind == "gsma":
        needs |= dict.fromkeys(_DIALECT_REQUIRED.get(link.dialect, ()), f"dialect {link.dialect} needs it")
    for name, remedy in needs.items():
        if not getattr(link, name) and not findings.is_faulty(f"{where}.{name}"):
            findings.fault(f"{where}.{name}", "is missing", remedy)
    for name in sorted(given & schema.FOREIGN_LINK_KEYS[link.kind]):
        problem = f"means nothing for a link of kind {link.kind}"
        findings.fault(f"{where}.{name}", problem, "remove it, or correct the kind")


def _check_rcs(where: str, link: schema.Link, draft: Draft, findings: Findings) -> None:
    if link.provider and link.provider not in draft.provider_names:
        problem = f"there is no provider {shown(link.provider)}"
        findings.fault(f"{where}.provider", problem, guess(link.provider, draft.provider_names))
    if not draft.config.webhooks.listen and not findings.is_faulty("webhooks.listen"):
        findings.warn("webhooks.listen", f"is empty: no receipt or reply of {where} can arrive", "give an address")
    _check_reach(where, link, draft, findings)
    if link.kind == "gsma":
        _check_dialect(where, link, findings)
    elif link.traffic_type and link.traffic_type not in _RBM_TRAFFIC_TYPES:
        problem = f"{shown(link.traffic_type)} is no word of this platform"
        findings.fault(f"{where}.traffic_type", problem, guess(link.traffic_type, _RBM_TRAFFIC_TYPES))
    for name in ("server_root", "token_url", "assertion_url"):
        parts = urlsplit(getattr(link, name))
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            findings.warn(f"{where}.{name}", "sends secrets and messages in the clear", "use https")


def _check_dialect(where: str, link: schema.Link, findings: Findings) -> None:
    """The dialect exists, and a bot with a key of its own says in which one way its assertion travels."""
    known = house.dialects()
    if link.dialect not in known and not findings.is_faulty(f"{where}.dialect"):
        findings.fault(f"{where}.dialect", f"there is no dialect {shown(link.dialect)}", guess(link.dialect, known))
    ways = [name for name in ("assertion_header", "assertion_url") if getattr(link, name)]
    if len(ways) == 2:
        findings.fault(f"{where}.assertion_url", "stands beside assertion_header", "give one of them")
    if link.bot_key_file and not ways:
        problem = "is not given, nor assertion_url: the dialect's own guess of a header is used"
        findings.warn(f"{where}.assertion_header", problem, "ask the operator how the assertion travels")
    if ways and not link.bot_key_file and not findings.is_faulty(f"{where}.bot_key_file"):
        findings.fault(f"{where}.bot_key_file", "is missing", f"{ways[0]} needs the key that signs")


def _check_reach(where: str, link: schema.Link, draft: Draft, findings: Findings) -> None:
    """Who can be reached over an RCS link, and how that is found out."""
    numbers = draft.config.numbers
    if link.operators and not numbers.prefixes and not numbers.ported:
        problem = "has no effect but operator_unknown: no file tells the operator of a number"
        findings.warn(f"{where}.operators", problem, "give numbers.prefixes or numbers.ported")
    if link.operators_otherwise != "draft" and not link.operators:
        findings.warn(f"{where}.operators_otherwise", "has no effect without operators", f"add [{where}.operators]")
    for text in link.test_numbers:
        if not forms.is_number(text.removeprefix("+")):
            findings.fault(f"{where}.test_numbers", f"{shown(text)} is not a number", 'write "33612345678"')
    if not forms.is_zone(link.bulk_zone):
        problem = f"{shown(link.bulk_zone)} is no time zone of this machine"
        findings.fault(f"{where}.bulk_zone", problem, 'write "Europe/Paris", and install the time zones (tzdata)')
