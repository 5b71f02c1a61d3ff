"""Addresses for users who have hidden their number: digits that an application can write to, from the alias they use.

Knows no store: who keeps which address stands for which alias is not decided here.

An address is 15 digits: 999, a country code that is nobody's (ITU-T E.164), six digits that may be changed when two
aliases meet, and six that never are, because they say which worker is the handset's home.
"""

from __future__ import annotations

import hashlib
from typing import Final

PREFIX: Final = "999"
DIGITS: Final = 15
_MIDDLE: Final = 1_000_000


def address_of(bot_id: str, alias: str, meeting: int = 0) -> str:
    """The address of an alias at a bot: always the same, and of no use for learning the alias.

    ``meeting`` counts the aliases that were found at the addresses tried before.
    """
    digest = hashlib.blake2b(alias.encode(), key=hashlib.blake2b(bot_id.encode()).digest(), digest_size=8).digest()
    middle, end = divmod(int.from_bytes(digest, "big") % _MIDDLE**2, _MIDDLE)
    return f"{PREFIX}{(middle + meeting) % _MIDDLE:06d}{end:06d}"


def is_pseudonym(handset: str) -> bool:
    """Whether a handset (canonical digits) is such an address."""
    return len(handset) == DIGITS and handset.startswith(PREFIX)
