"""One RSA key for all tests that sign, made once in each process, and what a stranger believes that knows it."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gatewayd.simulate.rcs_assertion import Expected, public_key_of


@cache
def private_key() -> str:
    """A private key in PEM (PKCS 8)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, serialization.NoEncryption()).decode()


def expected(audience: str, scope: str, issuer: str = "*", *, in_list: bool = False) -> Expected:
    """What the simulator believes, if that key signed it."""
    keys = {issuer: public_key_of(private_key())}
    return Expected(keys=keys, audiences=(audience,), scope=scope, issuer_in_list=in_list)
