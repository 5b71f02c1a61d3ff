"""Keys of the HTTP API: made, hashed and recognised, and when they end.

Knows no account, and never logs. A key is 256 random bits, which nobody can guess and no dictionary holds, so that one
round of SHA-256 protects it as well as a slow hash would; a password is short, and needs the slow one.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
from datetime import UTC, datetime
from typing import Final

PREFIX: Final = "gwk_"
_SECRET_SIZE: Final = 32
_HASH_PREFIX: Final = "sha256:"
_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def make_key(rng: random.Random) -> str:
    """A new key. ``rng`` is a SystemRandom, except in tests."""
    return PREFIX + base64.urlsafe_b64encode(rng.randbytes(_SECRET_SIZE)).decode("ascii").rstrip("=")


def hash_key(key: str) -> str:
    """``sha256:`` and the digest in hexadecimal, as a configuration holds it."""
    return _HASH_PREFIX + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key_hash(text: str) -> bool:
    """Whether the text is what ``hash_key`` makes."""
    return _HASH.fullmatch(text) is not None


def end_of(text: str) -> float:
    """The Unix seconds at which a key ends: ``2027-01-31`` is its last day in UTC, ``2027-01-31T12:00:00Z`` a moment.

    0.0 for the empty text. Raises ValueError for any other.
    """
    if not text:
        return 0.0
    moment = datetime.fromisoformat(text)
    if len(text) == len("2027-01-31"):
        return moment.replace(hour=23, minute=59, second=59, tzinfo=UTC).timestamp() + 1.0
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
