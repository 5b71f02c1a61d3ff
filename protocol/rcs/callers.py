"""Who calls our webhook: the secrets that a platform presents, compared in constant time.

Knows no server and no body's meaning.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode


def is_authorized(header: str, token: str) -> bool:
    """Whether an Authorization header holds the token, bare or as a bearer; takes equally long for any wrong one."""
    presented = header.encode("utf-8", "surrogateescape")
    expected = token.encode()
    is_bare = hmac.compare_digest(presented, expected)
    is_bearer = hmac.compare_digest(presented, b"Bearer " + expected)
    return bool(token) and (is_bare or is_bearer)


def is_same(presented: str, token: str) -> bool:
    """Whether a secret is the one agreed on; never true for an empty one."""
    return bool(token) and hmac.compare_digest(presented.encode("utf-8", "surrogateescape"), token.encode())


def is_signed(signature: str, token: str, *octets: bytes) -> bool:
    """Whether a signature (base64 of HMAC-SHA512 under the token) is that of any of these octets."""
    presented = signature.encode("utf-8", "surrogateescape")
    fits = [hmac.compare_digest(presented, _signature(token, each)) for each in octets]
    return bool(token) and any(fits)


def _signature(token: str, octets: bytes) -> bytes:
    return b64encode(hmac.digest(token.encode(), octets, hashlib.sha512))
