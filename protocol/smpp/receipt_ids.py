"""The many spellings of one message id: what a carrier's response calls 0A, its receipt may call 10.

Knows no store: it gives the key to keep and the keys to look for, in order.

The response's side is the canonical one: whoever sends a message keeps ``canonical_key(id of the response, mode)``;
whoever reads a receipt looks for each of ``id_keys(id of the receipt, mode)`` until one is found. The modes are named
for what the carrier does, response first: ``hex_to_decimal`` is a response in hexadecimal and a receipt in decimal.
"""

from __future__ import annotations

import re
from typing import Final

MODES: Final = ("auto", "exact", "case", "hex_to_decimal", "decimal_to_hex")
LEARNT: Final = {"hex_to_decimal": "auto_hex_to_decimal", "decimal_to_hex": "auto_decimal_to_hex"}
"""What ``auto`` becomes where a carrier is known to do so: every spelling is looked for as before, that one first."""

ONE_KEY_MODES: Final = frozenset(MODES) - {"auto"}
"""In these a receipt's id can mean one message only."""

_DIGITS_MAX: Final = 32
_HEX_DIGITS: Final = "0123456789abcdefABCDEF"
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def canonical_key(response_id: str, mode: str) -> str:
    """Return the key under which the id of a submit_sm_resp is kept.

    ``auto`` folds case and leading zeros only of what can be a hexadecimal number or a GUID: elsewhere case may be what
    tells two ids apart. Its key is also the first of ``id_keys``.
    """
    if mode not in ONE_KEY_MODES:  # of each response and each receipt: ``_is_hex`` and ``_stripped`` are written out
        if 0 < len(response_id) <= _DIGITS_MAX and not response_id.strip(_HEX_DIGITS):
            return response_id.lower().lstrip("0") or "0"
        return response_id.lower() if _GUID.fullmatch(response_id) else response_id
    if mode == "exact":
        return response_id
    if mode == "case":
        return response_id.lower()
    if mode == "hex_to_decimal":
        return _to_decimal(response_id) or response_id
    return _to_hex(response_id) or response_id


def id_keys(carrier_id: str, mode: str) -> tuple[str, ...]:
    """Return the keys to look for when a receipt carries an id, the likeliest first, none twice, none empty."""
    if mode == "exact":
        return (carrier_id,)
    if mode == "case":
        return (carrier_id.lower(),)
    if mode == "hex_to_decimal":
        return (_stripped(carrier_id) if _is_decimal(carrier_id) else carrier_id,)
    if mode == "decimal_to_hex":
        return (_stripped(carrier_id.lower()) if _is_hex(carrier_id) else carrier_id,)
    is_decimal = _is_decimal(carrier_id)
    if mode == LEARNT["hex_to_decimal"] and is_decimal:
        return tuple(dict.fromkeys((_to_hex(carrier_id), *_decimal_keys(carrier_id))))
    if mode == LEARNT["decimal_to_hex"] and _is_hex(carrier_id):
        return tuple(dict.fromkeys((_to_decimal(carrier_id), *id_keys(carrier_id, "auto"))))
    if is_decimal:
        return _decimal_keys(carrier_id)
    return _hex_keys(carrier_id) if _is_hex(carrier_id) else _word_keys(carrier_id)


def spellings(carrier_id: str) -> dict[str, str]:
    """Return the key of each message that a receipt's id may mean, and which mode of the carrier's that would be.

    Where two modes lead to one key neither is told apart, and the id is ``exact``: it says nothing.
    """
    found = {canonical_key(carrier_id, "auto"): "exact"}
    found.setdefault(_to_hex(carrier_id), "hex_to_decimal")
    found.setdefault(_to_decimal(carrier_id), "decimal_to_hex")
    found.pop("", None)
    return found


def _decimal_keys(number: str) -> tuple[str, ...]:
    """The usual case: a decimal number, or a hexadecimal one that happens to have no letter."""
    stripped = _stripped(number)
    own = (stripped,) if stripped == number else (stripped, number)
    # A single digit is the same in both; otherwise reading as hexadecimal makes more of it, writing as such less.
    return own if len(stripped) == 1 else (*own, str(int(number, 16)), f"{int(number):x}")


def _hex_keys(number: str) -> tuple[str, ...]:
    """The other usual case: a hexadecimal number with a letter in it, which no decimal spelling can have."""
    lower, decimal = number.lower(), str(int(number, 16))
    stripped = lower.lstrip("0")
    if lower != number:
        return tuple(dict.fromkeys((stripped, number, lower, decimal)))
    return (number, decimal) if stripped == number else (stripped, number, decimal)


def _word_keys(carrier_id: str) -> tuple[str, ...]:
    keys = (canonical_key(carrier_id, "auto"), carrier_id, carrier_id.lower())
    return tuple(dict.fromkeys(key for key in keys if key))


def _is_hex(word: str) -> bool:
    """A third of the time of a regular expression, and asked twice for each message."""
    return 0 < len(word) <= _DIGITS_MAX and not word.strip(_HEX_DIGITS)


def _is_decimal(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _DIGITS_MAX


def _stripped(number: str) -> str:
    return number.lstrip("0") or "0"


def _to_decimal(number: str) -> str:
    return str(int(number, 16)) if _is_hex(number) else ""


def _to_hex(number: str) -> str:
    return f"{int(number):x}" if _is_decimal(number) else ""
