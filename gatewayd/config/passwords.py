"""Password hashes of accounts: made and checked with scrypt.

Knows no account, and never logs. Checking costs about 50 ms of CPU: callers on an event loop use a thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
import re

import msgspec

_N, _R, _P = 2**14, 8, 1
_SALT_SIZE, _KEY_SIZE = 16, 32
_MEMORY_MAX = 64 * 1024 * 1024
_STORED = re.compile(
    r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/]{1,100})\$([A-Za-z0-9+/]{1,100})", re.ASCII
)


class _Stored(msgspec.Struct, frozen=True):
    n: int
    r: int
    p: int
    salt: bytes
    key: bytes


def hash_password(password: str, rng: random.Random) -> str:
    """``scrypt$n$r$p$salt$hash``, salt and hash in base64 without padding.

    ``rng`` gives the salt: a SystemRandom, except in tests.
    """
    salt = rng.randbytes(_SALT_SIZE)
    key = _derive(password, _Stored(_N, _R, _P, salt, b"\0" * _KEY_SIZE))
    return f"scrypt${_N}${_R}${_P}${_encode(salt)}${_encode(key)}"


def verify_password(password: str, stored: str) -> bool:
    """Whether the password is the one behind the hash; False, never an error, when the hash itself is not sound."""
    parsed = _parse(stored)
    return parsed is not None and hmac.compare_digest(_derive(password, parsed), parsed.key)


def is_password_hash(stored: str) -> bool:
    """Whether the text is a hash that ``verify_password`` can work with, within its bounds of time and memory."""
    return _parse(stored) is not None


def _parse(stored: str) -> _Stored | None:
    match = _STORED.fullmatch(stored)
    if match is None:
        return None
    n, r, p = (int(match[index]) for index in (1, 2, 3))
    salt, key = _decode(match[4]), _decode(match[5])
    # A hash comes from a file that others may write: it must not be able to ask for hours or gigabytes.
    is_bounded = 2**10 <= n <= 2**17 and n.bit_count() == 1 and 1 <= r <= 32 and 1 <= p <= 4
    if not is_bounded or 128 * n * r > _MEMORY_MAX or not 8 <= len(salt) <= 64 or not 16 <= len(key) <= 64:
        return None
    return _Stored(n, r, p, salt, key)


def _derive(password: str, how: _Stored) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=how.salt, n=how.n, r=how.r, p=how.p, maxmem=2 * _MEMORY_MAX, dklen=len(how.key))


def _encode(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
