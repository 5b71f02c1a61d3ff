"""The form of addresses that a link asks for, with type and plan to match."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.carriers.addressing import addressing_of
from gatewayd.config.schema import Link
from gatewayd.message import Encoding, Message

E164 = (1, 1, "33612345678")


def message(ton: int, npi: int, destination: str, **fields: Any) -> Message:
    return Message(
        id=1,
        account="shop",
        source_ton=5,
        source_npi=0,
        source="SHOP",
        destination_ton=ton,
        destination_npi=npi,
        destination=destination,
        payload=b"x",
        encoding=Encoding.GSM,
        accepted_at=0.0,
        **fields,
    )


def given(written: tuple[int, int, str], **keys: Any) -> tuple[int, int, str]:
    addressing = addressing_of(Link(kind="smpp", **keys))
    assert addressing is not None
    it = addressing.of(message(*written))
    return it.destination_ton, it.destination_npi, it.destination


@pytest.mark.parametrize(
    ("form", "written", "becomes"),
    [
        ("e164", E164, E164),
        ("e164", (1, 1, "+33612345678"), E164),
        ("e164", (0, 1, "+33612345678"), E164),
        ("e164", (1, 0, "0033612345678"), E164),
        ("e164", (0, 0, "33612345678"), E164),
        ("e164", (2, 1, "0612345678"), (2, 1, "0612345678")),  # whose number that is, only a country could say
        ("e164", (0, 1, "0612345678"), (0, 1, "0612345678")),
        ("e164", (3, 0, "36105"), (3, 0, "36105")),
        ("e164", (0, 0, "36105"), (0, 0, "36105")),
        ("plus", E164, (1, 1, "+33612345678")),
        ("plus", (0, 1, "36105"), (0, 1, "36105")),
        ("00", E164, (0, 1, "0033612345678")),
        ("00", (1, 1, "+33612345678"), (0, 1, "0033612345678")),
        ("national", E164, (2, 1, "0612345678")),
        ("national", (1, 1, "+33612345678"), (2, 1, "0612345678")),
        ("national", (1, 1, "447911123456"), (1, 1, "447911123456")),
        ("national", (1, 1, "590690123456"), (1, 1, "590690123456")),
        ("national", (1, 1, "33112"), (1, 1, "33112")),
    ],
)
def test_destinations(form: str, written: tuple[int, int, str], becomes: tuple[int, int, str]) -> None:
    country = "FR" if form == "national" else ""
    assert given(written, destination_form=form, country=country) == becomes


def test_a_link_that_says_nothing_of_addresses_costs_nothing() -> None:
    assert addressing_of(Link(kind="smpp")) is None


def test_source_and_service_type_are_the_links() -> None:
    addressing = addressing_of(Link(kind="smpp", source_fallback="38123", service_type="CMT"))
    assert addressing is not None
    it = addressing.of(message(*E164, service_type="USSD"))
    assert (it.source_ton, it.source_npi, it.source, it.service_type) == (3, 0, "38123", "CMT")
    kept = addressing_of(Link(kind="smpp", source_fallback="38123"))
    assert kept is not None
    assert kept.of(message(*E164, service_type="USSD")).service_type == "USSD"
