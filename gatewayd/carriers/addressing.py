"""The addresses of a message as one link wants them: the destination in its form, the source by its map, its
service_type.

A link that says nothing of addresses has no addressing, and its messages pay for none. Knows no request.
"""

from __future__ import annotations

import msgspec

from gatewayd.config import schema
from gatewayd.config.number_plans import Plan, plan_of
from gatewayd.message import Message
from gatewayd.policy.dialling import national_of
from gatewayd.policy.numbering import (
    INTERNATIONAL_MIN,
    NPI_ISDN,
    TON_INTERNATIONAL,
    TON_NATIONAL,
    TON_UNKNOWN,
    handset_of,
)
from gatewayd.policy.sources import Source, on_link


class Addressing:
    """One link's."""

    def __init__(self, settings: schema.Link) -> None:
        """Raises ValueError for a country that nobody knows."""
        self._settings = settings
        self._form: str = settings.destination_form
        self._plan: Plan | None = plan_of(settings.country) if settings.country else None

    def of(self, message: Message) -> Message:
        """The message as this link is to be given it."""
        settings = self._settings
        source = on_link(settings, Source(message.source_ton, message.source_npi, message.source))
        to = self._to(Source(message.destination_ton, message.destination_npi, message.destination))
        return msgspec.structs.replace(
            message,
            source_ton=source.ton,
            source_npi=source.npi,
            source=source.address,
            destination_ton=to.ton,
            destination_npi=to.npi,
            destination=to.address,
            service_type=settings.service_type or message.service_type,
        )

    def _to(self, written: Source) -> Source:
        """SMPP 3.4 sections 5.2.5 to 5.2.9. A short code, and what is no number with country code, stays as it is."""
        if self._form == "as_sent":
            return written
        digits = handset_of(written.address, written.ton, written.npi)
        is_international = written.ton == TON_INTERNATIONAL or written.address.startswith("+")
        is_bare = written.ton == TON_UNKNOWN and len(digits) >= INTERNATIONAL_MIN and digits[0] != "0"
        if not (is_international or is_bare):
            return written
        if self._form == "national" and self._plan is not None and (national := national_of(self._plan, digits)):
            return Source(TON_NATIONAL, NPI_ISDN, national)
        if self._form == "plus":
            return Source(TON_INTERNATIONAL, NPI_ISDN, f"+{digits}")
        if self._form == "00":
            return Source(TON_UNKNOWN, NPI_ISDN, f"00{digits}")
        return Source(TON_INTERNATIONAL, NPI_ISDN, digits)


def addressing_of(settings: schema.Link) -> Addressing | None:
    """A link's, if it says anything of addresses."""
    says = (
        settings.destination_form != "as_sent"
        or settings.source_ton != "keep"
        or settings.source_npi != "keep"
        or settings.source_map
        or settings.source_fallback
        or settings.service_type
    )
    return Addressing(settings) if says else None
