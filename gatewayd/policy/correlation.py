"""Which application an inbound text belongs to: the open conversation first, then whoever owns the number or bot.

Pure: what is known is given, the answer comes back with its reason.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Owner(msgspec.Struct, frozen=True):
    """The account that gets an inbound text, and why."""

    account: str
    reason: Literal["session", "number"]


def owner_of(session_account: str | None, session_due: float, number_account: str | None, now: float) -> Owner | None:
    """``session_account`` is that of the last MT from this sender to this handset; its window ends at ``session_due``.

    The window is open while ``now < session_due`` (Unix seconds). Without an open window the text belongs to
    ``number_account``, the one that owns the number or bot. None: nobody's, which the carrier must be told.
    """
    if session_account is not None and now < session_due:
        return Owner(session_account, "session")
    if number_account is not None:
        return Owner(number_account, "number")
    return None


def session_info(replies: int, number: int) -> bytes:
    """its_session_info (SMPP 3.4 5.3.2.43): the session's number and the reply's place in it, both modulo their size.

    The lowest bit, end of session, is never set: a handset can always write again.
    """
    return bytes((number & 0xFF, (replies & 0x7F) << 1))
