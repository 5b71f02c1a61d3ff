"""Addresses as people dial and carriers write them: their one canonical form, their validity, their masking.

Knows no country's dialling rules: a national number stays as it was written.
"""

from __future__ import annotations

from typing import Final

# SMPP 3.4 sections 5.2.5 and 5.2.6.
TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NATIONAL: Final = 2
TON_NETWORK_SPECIFIC: Final = 3
TON_ALPHANUMERIC: Final = 5
NPI_UNKNOWN: Final = 0
NPI_ISDN: Final = 1
# How many digits a number has.
E164_MAX: Final = 15
INTERNATIONAL_MIN: Final = 7
SHORT_CODE_MIN: Final = 3
SHORT_CODE_MAX: Final = 6

_MASK_HEAD: Final = 4
_MASK_TAIL: Final = 2


def handset_of(address: str, ton: int, npi: int) -> str:
    """Return the canonical form of an address: E.164 digits without a plus where it is international.

    The dialling prefix 00 is dropped only where the TON says international: elsewhere it may be part of the number.
    Short codes, national numbers and alphanumeric names stay as they are. ``npi`` changes nothing so far.
    """
    if ton == TON_ALPHANUMERIC:
        return address
    if address.startswith("+"):
        return address[1:]
    if ton == TON_INTERNATIONAL and address.startswith("00"):
        return address[2:]
    return address


def is_valid_destination(address: str, ton: int, npi: int) -> bool:
    """Return whether a message can be sent to an address at all: digits, not too few and at most fifteen."""
    if ton == TON_ALPHANUMERIC:
        return False
    digits = handset_of(address, ton, npi)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > E164_MAX:
        return False
    if ton == TON_INTERNATIONAL or address.startswith("+"):
        return len(digits) >= INTERNATIONAL_MIN and digits[0] != "0"
    return len(digits) >= SHORT_CODE_MIN


def is_repliable(ton: int, address: str) -> bool:
    """Return whether a handset can answer a sender: a number can be answered, a name can't."""
    digits = address.removeprefix("+")
    return ton != TON_ALPHANUMERIC and digits.isascii() and digits.isdigit()


def mask(number: str) -> str:
    """Return a number as logs may show it: its first four and last two digits, stars between."""
    hidden = len(number) - _MASK_HEAD - _MASK_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return f"{number[:_MASK_HEAD]}{'*' * hidden}{number[-_MASK_TAIL:]}"


def matches(pattern: str, value: str) -> bool:
    """Return whether a value is the pattern, or begins with it where the pattern ends in ``*``."""
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern
