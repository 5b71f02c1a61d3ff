"""Signed assertions (JWT, RFC 7519 and 7523): is this one by that key, for us, and of this hour?

Written from the RFCs on bare RSA, so that it shares no library with those whom it judges. The time is an argument.
"""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

LIFETIME_MAX_S = 3600
SKEW_S = 10
ANYONE = "*"


class AssertionFault(Exception):
    """An assertion that is not to be believed, and why."""


class Assertion(msgspec.Struct, frozen=True):
    """What a good assertion says."""

    issuer: str
    key_id: str
    claims: dict[str, object]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an assertion must say. ``keys``: public keys (PEM) by issuer, ``*`` for any; ``audiences``: any of these.

    ``issuer_in_list`` takes an ``iss`` that is a list of one.
    """

    keys: Mapping[str, str]
    audiences: tuple[str, ...]
    scope: str
    issuer_in_list: bool = False


def read_assertion(token: str, expected: Expected, now: float) -> Assertion:
    """Check all of an assertion at Unix time ``now``; raises ``AssertionFault`` for the first thing that is wrong."""
    parts = token.split(".")
    if len(parts) != 3:
        raise AssertionFault("it does not have three parts")
    header, claims = _record(parts[0], "header"), _record(parts[1], "claims")
    if header.get("alg") != "RS256":
        raise AssertionFault("alg is not RS256")
    if header.get("typ") != "JWT":
        raise AssertionFault("typ is not JWT")
    issuer = _issuer(claims, expected.issuer_in_list)
    pem = expected.keys.get(issuer, expected.keys.get(ANYONE, ""))
    if not pem:
        raise AssertionFault("iss is not known here")
    _check_signature(pem, f"{parts[0]}.{parts[1]}".encode(), _octets(parts[2], "signature"))
    if claims.get("aud") not in expected.audiences:
        raise AssertionFault("aud is not us")
    if claims.get("scope") != expected.scope:
        raise AssertionFault("scope is not the one that it takes")
    _check_times(claims, now)
    return Assertion(issuer, str(header.get("kid", "")), claims)


def new_key() -> str:
    """A fresh RSA key of 2048 bits: the private key as PEM (PKCS 8)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, form, serialization.NoEncryption()).decode()


@functools.cache
def public_key_of(pem: str) -> str:
    """The public half (PEM) of a private key, or a public key itself; raises ``ValueError`` for anything else."""
    encoded = pem.encode()
    if b"PRIVATE KEY" in encoded:
        public = serialization.load_pem_private_key(encoded, None).public_key()
    else:
        public = serialization.load_pem_public_key(encoded)
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("the key is not an RSA key")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def _octets(part: str, what: str) -> bytes:
    if "=" in part or not part.isascii():
        raise AssertionFault(f"the {what} is not base64url without padding")
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise AssertionFault(f"the {what} is not base64url without padding") from None


def _record(part: str, what: str) -> dict[str, object]:
    try:
        value = msgspec.json.decode(_octets(part, what))
    except (msgspec.DecodeError, RecursionError):
        raise AssertionFault(f"the {what} are not JSON") from None
    if not isinstance(value, dict):
        raise AssertionFault(f"the {what} are not an object")
    return value


def _issuer(claims: Mapping[str, object], in_list: bool) -> str:
    issuer = claims.get("iss")
    if in_list and isinstance(issuer, list) and len(issuer) == 1:
        issuer = issuer[0]
    if not isinstance(issuer, str) or not issuer:
        raise AssertionFault("iss is missing or no string")
    return issuer


def _check_signature(pem: str, signed: bytes, signature: bytes) -> None:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise AssertionFault("the key known for iss is not an RSA key")
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise AssertionFault("the signature is wrong") from None


def _check_times(claims: Mapping[str, object], now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    for value in (issued, expires):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AssertionFault("iat and exp must be numbers")
    assert isinstance(issued, int | float)
    assert isinstance(expires, int | float)
    if issued > now + SKEW_S:
        raise AssertionFault("iat lies in the future")
    if expires <= now:
        raise AssertionFault("it has expired")
    if not 0 < expires - issued <= LIFETIME_MAX_S:
        raise AssertionFault("exp must come after iat, by an hour at most")
