"""Addresses: canonical forms, validity, masking, patterns."""

from __future__ import annotations

import pytest

from gatewayd.policy.numbering import handset_of, is_repliable, is_valid_destination, mask, matches


@pytest.mark.parametrize(
    ("address", "ton", "canonical"),
    [
        ("33612345678", 1, "33612345678"),
        ("+33612345678", 1, "33612345678"),
        ("+33612345678", 0, "33612345678"),
        ("0033612345678", 1, "33612345678"),
        ("0033612345678", 0, "0033612345678"),
        ("0612345678", 2, "0612345678"),
        ("38100", 3, "38100"),
        ("Gateway", 5, "Gateway"),
        ("+Plus", 5, "+Plus"),
        ("", 1, ""),
    ],
)
def test_handset_of(address: str, ton: int, canonical: str) -> None:
    assert handset_of(address, ton, 1) == canonical


@pytest.mark.parametrize(
    ("address", "ton", "valid"),
    [
        ("33612345678", 1, True),
        ("+33612345678", 0, True),
        ("0033612345678", 1, True),
        ("123456789012345", 1, True),
        ("1234567890123456", 1, False),
        ("033612345678", 1, False),
        ("123456", 1, False),
        ("+12345", 0, False),
        ("38100", 0, True),
        ("38100", 3, True),
        ("112", 3, True),
        ("12", 3, False),
        ("Gateway", 5, False),
        ("33612345678", 5, False),
        ("3361234567a", 1, False),
        ("33 612345678", 1, False),
        ("٣٣٦١٢٣٤٥٦٧٨", 1, False),
        ("", 1, False),
        ("+", 1, False),
        ("++33612345678", 1, False),
    ],
)
def test_is_valid_destination(address: str, ton: int, valid: bool) -> None:
    assert is_valid_destination(address, ton, 1) is valid


@pytest.mark.parametrize(
    ("ton", "address", "repliable"),
    [
        (1, "33700000000", True),
        (0, "+33700000000", True),
        (3, "38100", True),
        (5, "38100", False),
        (0, "Shop", False),
        (1, "", False),
        (0, "+", False),
    ],
)
def test_is_repliable(ton: int, address: str, repliable: bool) -> None:
    assert is_repliable(ton, address) is repliable


@pytest.mark.parametrize(
    ("number", "masked"),
    [("33612345678", "3361*****78"), ("1234567", "1234*67"), ("123456", "******"), ("38100", "*****"), ("", "")],
)
def test_mask(number: str, masked: str) -> None:
    assert mask(number) == masked


@pytest.mark.parametrize(
    ("pattern", "value", "does"),
    [
        ("*", "", True),
        ("*", "x", True),
        ("336*", "33612", True),
        ("336*", "33", False),
        ("336", "336", True),
        ("336", "3361", False),
        ("Shop", "shop", False),
        ("", "", True),
        ("a*b", "a*b", True),
        ("a*b", "axb", False),
    ],
)
def test_matches(pattern: str, value: str, does: bool) -> None:
    assert matches(pattern, value) is does
