"""As whom a handset sees the sender of an SMS: the source address by an application's rules, and by a link's.

Pure. Knows no right to an address, and no message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from gatewayd.policy.numbering import (
    NPI_ISDN,
    NPI_UNKNOWN,
    SHORT_CODE_MAX,
    TON_ALPHANUMERIC,
    TON_INTERNATIONAL,
    TON_NETWORK_SPECIFIC,
    matches,
)

OrWord = int | Literal["keep", "auto"]


class Source(NamedTuple):
    """Type of number, numbering plan and address (SMPP 3.4 sections 5.2.5 to 5.2.8)."""

    ton: int
    npi: int
    address: str


class Rule(Protocol):
    """What becomes of the sources that match; an empty ``replace`` leaves the address."""

    @property
    def match(self) -> str:
        """The address, or its beginning before a ``*``."""

    @property
    def replace(self) -> str:
        """What stands in its place."""

    @property
    def ton(self) -> OrWord:
        """Another type of number."""

    @property
    def npi(self) -> OrWord:
        """Another numbering plan."""


class Link(Protocol):
    """What a link's configuration says of sources."""

    @property
    def source_map(self) -> Mapping[str, str]:
        """Address by address, what the carrier is given."""

    @property
    def source_fallback(self) -> str:
        """What stands in the place of a name, where the carrier takes none; empty: it takes them."""

    @property
    def source_ton(self) -> OrWord:
        """Another type of number."""

    @property
    def source_npi(self) -> OrWord:
        """Another numbering plan."""


def form_of(address: str) -> Source:
    """An address with the type and plan that it has by its looks: a name, a number with country code, a short code."""
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return Source(TON_ALPHANUMERIC, NPI_UNKNOWN, address)
    if len(digits) <= SHORT_CODE_MAX and digits == address:
        return Source(TON_NETWORK_SPECIFIC, NPI_UNKNOWN, digits)
    return Source(TON_INTERNATIONAL, NPI_ISDN, digits)


def by_rules(rules: Sequence[Rule], source: Source) -> Source:
    """By the first rule that matches, else as it is."""
    for rule in rules:
        if matches(rule.match, source.address):
            return _with(form_of(rule.replace) if rule.replace else source, rule.ton, rule.npi)
    return source


def on_link(link: Link, source: Source) -> Source:
    """As a carrier is given it: its own map first, then what stands for a name, then type and plan."""
    if link.source_map and (mapped := link.source_map.get(source.address)) is not None:
        source = form_of(mapped)
    if link.source_fallback and form_of(source.address).ton == TON_ALPHANUMERIC:
        source = form_of(link.source_fallback)
    if link.source_ton == "keep" and link.source_npi == "keep":
        return source
    return _with(source, link.source_ton, link.source_npi)


def _with(source: Source, ton: OrWord, npi: OrWord) -> Source:
    """``auto``: as the address looks; a plus is then told by the type alone."""
    looks = form_of(source.address)
    address = looks.address if ton == "auto" else source.address
    return Source(_chosen(ton, source.ton, looks.ton), _chosen(npi, source.npi, looks.npi), address)


def _chosen(wanted: OrWord, kept: int, looks: int) -> int:
    if wanted == "keep":
        return kept
    return looks if wanted == "auto" else wanted
