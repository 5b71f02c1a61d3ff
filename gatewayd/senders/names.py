"""The names by which applications know their messages: an id in hexadecimal, or in decimal where an account wants that;
or a short form of it for SMPP 3.3.

Knows no message.
"""

from __future__ import annotations

from typing import Final

from gatewayd.policy.short_ids import ids_named, short_name

__all__ = ["decimal_text", "ids_of", "message_id_text", "name_of", "short_name"]

SHORT_MAX: Final = 8
_LONG_MAX: Final = 16
_DECIMAL_MAX: Final = 20
_ID_END: Final = 1 << 62
"""Ids, and those that follow them in a group, stay below this for 500 years; the store has no room for greater ones."""


def message_id_text(message_id: int) -> str:
    """A message id as applications see it, in submit_sm_resp and in receipts alike."""
    return f"{message_id:x}"


def decimal_text(message_id: int) -> str:
    """The same for an application that takes ids for decimal numbers; kept with the message (Message.known_as)."""
    return str(message_id)


def name_of(message_id: int, known_as: str) -> str:
    """The name of a message that may have another one than its id."""
    return known_as or f"{message_id:x}"


def ids_of(text: str, sequence_now: int) -> tuple[str, tuple[int, ...]]:
    """The name that an application wrote, as we write it, and the ids that it may stand for; none for no name of ours.

    Capitals and leading zeros do not matter. ``sequence_now`` is about where ids are now (Spool.sequence_now). More
    digits than a hexadecimal id can have are a decimal one, whatever the account is told now.
    """
    digits = text.strip().lower().lstrip("0")
    if _LONG_MAX < len(digits) <= _DECIMAL_MAX and digits.isascii() and digits.isdigit():
        return (digits, (number,)) if (number := int(digits)) < _ID_END else ("", ())
    if not digits or len(digits) > _LONG_MAX or not digits.isascii() or not digits.isalnum():
        return "", ()
    try:
        number = int(digits, 16)
    except ValueError:
        return "", ()
    if len(digits) <= SHORT_MAX:
        return f"{number:08x}", ids_named(number, sequence_now)
    return (digits, (number,)) if number < _ID_END else ("", ())
