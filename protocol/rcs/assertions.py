"""Signed assertions (JWT, RFC 7519 and 7523) by which a bot or a service account says who it is.

Keeps no key and knows no time: both are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from protocol.rcs.errors import RcsFault
from protocol.rcs.exchange import Request

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_S = 3600.0
"""How long an assertion is good for: the most that Google and Orange take."""


def prepare() -> None:
    """Load what signing needs, before anything hurries: 12 MB that a daemon which signs nothing need not have."""
    import jwt  # noqa: F401


def sign(claims: Mapping[str, object], private_key: str, now_unix: float, key_id: str = "") -> str:
    """The claims with ``iat`` and ``exp``, signed RS256 by an RSA key in PEM; raises RcsFault ``bad_key``.

    ``claims`` are taken as they are: one platform may want ``iss`` as a list.
    """
    import jwt

    issued = int(now_unix)
    payload = msgspec.json.encode({**claims, "iat": issued, "exp": issued + int(LIFETIME_S)})
    headers = {"typ": "JWT"} | ({"kid": key_id} if key_id else {})
    try:
        return jwt.PyJWS().encode(payload, private_key, algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):
        # Whatever is wrong with it, the exception might quote the key.
        raise RcsFault("bad_key", 502) from None


def exchange_request(url: str, assertion: str, authorization: str = "") -> Request:
    """POST an assertion for a token (RFC 7523 2.1), under an Authorization of its own where one is asked for."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    return Request("POST", url, headers=headers, body=urlencode({"grant_type": GRANT, "assertion": assertion}).encode())
