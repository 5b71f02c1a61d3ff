"""As whom a handset sees the sender: an application's rules, then a link's."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.config.schema import Link, SourceRule
from gatewayd.policy.sources import Source, by_rules, form_of, on_link

SHOP, NUMBER, CODE = Source(5, 0, "SHOP"), Source(1, 1, "33700000001"), Source(3, 0, "36105")


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("SHOP", SHOP),
        ("33700000001", NUMBER),
        ("+33700000001", NUMBER),
        ("36105", CODE),
        ("Taxi 24", Source(5, 0, "Taxi 24")),
        ("+36105", Source(1, 1, "36105")),
        ("", Source(5, 0, "")),
    ],
)
def test_what_an_address_looks_like(address: str, form: Source) -> None:
    assert form_of(address) == form


RULES = (
    SourceRule(match="SHOP", replace="36105"),
    SourceRule(match="0*", ton=2),
    SourceRule(match="3*", ton="auto", npi="auto"),
    SourceRule(match="BANK*", replace="33700000001", ton=0, npi=0),
)


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (SHOP, CODE),
        (Source(1, 1, "0612345678"), Source(2, 1, "0612345678")),
        (Source(0, 0, "36105"), CODE),
        (Source(0, 0, "33700000001"), NUMBER),
        (Source(5, 0, "BANK 1"), Source(0, 0, "33700000001")),
        (Source(5, 0, "SHOP2"), Source(5, 0, "SHOP2")),
    ],
)
def test_the_first_rule_that_matches_decides(written: Source, becomes: Source) -> None:
    assert by_rules(RULES, written) == becomes


@pytest.mark.parametrize(
    ("keys", "source", "becomes"),
    [
        ({}, SHOP, SHOP),
        ({"source_map": {"SHOP": "36105"}}, SHOP, CODE),
        ({"source_map": {"SHOP": "36105"}}, NUMBER, NUMBER),
        ({"source_fallback": "38123"}, SHOP, Source(3, 0, "38123")),
        ({"source_fallback": "38123"}, Source(1, 1, "SHOP"), Source(3, 0, "38123")),  # a name, whatever it says to be
        ({"source_fallback": "38123"}, NUMBER, NUMBER),
        ({"source_fallback": "38123", "source_map": {"SHOP": "BOUTIQUE"}}, SHOP, Source(3, 0, "38123")),
        ({"source_fallback": "38123", "source_map": {"SHOP": "36105"}}, SHOP, CODE),
        ({"source_ton": 0, "source_npi": 0}, NUMBER, Source(0, 0, "33700000001")),
        ({"source_ton": "auto", "source_npi": "auto"}, Source(0, 0, "SHOP"), SHOP),
        ({"source_ton": "auto"}, Source(0, 1, "+33700000001"), NUMBER),
        ({"source_npi": 8}, CODE, Source(3, 8, "36105")),
    ],
)
def test_what_a_carrier_is_given(keys: dict[str, Any], source: Source, becomes: Source) -> None:
    assert on_link(Link(kind="smpp", **keys), source) == becomes
