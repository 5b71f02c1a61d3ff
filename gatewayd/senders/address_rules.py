"""The addresses of a submit_sm by its account's rules: from whom it is, and to which number in its one form.

An account that says nothing of addresses has no rules, and its messages pay for none. Knows no right to an address.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gatewayd.config import schema
from gatewayd.config.number_plans import family_of, plans_of
from gatewayd.message import Addresses, Message
from gatewayd.policy.dialling import Dialling
from gatewayd.policy.numbering import NPI_ISDN, TON_ALPHANUMERIC, TON_INTERNATIONAL, handset_of
from gatewayd.policy.sources import Source, by_rules, form_of
from protocol.smpp.pdu import SubmitSm


class Resolved(NamedTuple):
    """The addresses that hold, and those that were written where these are others."""

    source: Source
    destination: Source
    written: Addresses | None


class AddressRules:
    """One account's."""

    def __init__(self, settings: schema.Account) -> None:
        """Raises ValueError for a country that nobody knows."""
        family = family_of(settings.country) if settings.country else ()
        self._sources = settings.sources
        self._default = form_of(settings.source_default) if settings.source_default else None
        self._numbers = Dialling(family, plans_of, checks=settings.check_numbers)
        self._reads_numbers = bool(family) or settings.check_numbers
        # A sender is no number to send to: it is read, and never refused for what it looks like.
        self._senders = Dialling(family, plans_of) if family else None

    def source_of(self, pdu: SubmitSm) -> Source:
        """From whom the application says that it is: the account's own address where it says nothing."""
        if self._default is not None and not pdu.source_addr:
            return self._default
        return Source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)

    def resolve(self, written: Source, pdu: SubmitSm) -> Resolved | None:
        """What holds; None for a destination that nobody can have."""
        to = Source(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
        destination = _international(self._numbers, to) if self._reads_numbers else to
        if destination is None:
            return None
        source = by_rules(self._sources, written) if self._sources else written
        if self._senders is not None and source.ton != TON_ALPHANUMERIC:
            source = _international(self._senders, source) or source
        if source is written and destination is to:
            return Resolved(source, destination, None)
        return Resolved(source, destination, Addresses(*written, *to))


def _international(dialling: Dialling, address: Source) -> Source | None:
    """With the country code, or as it is where that is the same number already, or no such; None: it is none at all."""
    place = dialling.read(address.address, address.ton)
    if place is None:
        return None
    if place.digits == handset_of(address.address, address.ton, address.npi):
        return address
    if place.is_international:
        return Source(TON_INTERNATIONAL, NPI_ISDN, place.digits)
    return address._replace(address=place.digits)


def readdressed(message: Message, resolved: Resolved) -> Message:
    """A message with the addresses that hold, and those that its application knows."""
    source, to, written = resolved
    if written is None and source.address == message.source:
        return message
    return msgspec.structs.replace(
        message,
        source_ton=source.ton,
        source_npi=source.npi,
        source=source.address,
        destination_ton=to.ton,
        destination_npi=to.npi,
        destination=to.address,
        written=written,
    )


def rules_of(settings: schema.Account) -> AddressRules | None:
    """An account's rules, if it has any."""
    has_any = settings.country or settings.check_numbers or settings.sources or settings.source_default
    return AddressRules(settings) if has_any else None
