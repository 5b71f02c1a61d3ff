"""Assertions as such: keys that are no RSA keys, and claims of the wrong form."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gatewayd.simulate.rcs_assertion import AssertionFault, Expected, public_key_of, read_assertion
from tests.gatewayd.simulate.rbm_agent import loaded_key, one_key

NOW = 1000.0


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    kind, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(kind, form).decode()


def expecting(key: str, *, issuer_in_list: bool = False) -> Expected:
    return Expected(keys={"me": key}, audiences=("you",), scope="all", issuer_in_list=issuer_in_list)


def signed(payload: bytes) -> str:
    return jwt.api_jws.encode(payload, loaded_key(), algorithm="RS256")


GOOD = b'{"iss":"me","aud":"you","scope":"all","iat":1000,"exp":1600}'


def test_a_good_one_says_who_it_is() -> None:
    assertion = read_assertion(signed(GOOD), expecting(public_key_of(one_key())), NOW)
    assert (assertion.issuer, assertion.key_id, assertion.claims["exp"]) == ("me", "", 1600)
    assert public_key_of(public_key_of(one_key())) == public_key_of(one_key())
    listed = signed(GOOD.replace(b'"me"', b'["me"]'))
    assert read_assertion(listed, expecting(public_key_of(one_key()), issuer_in_list=True), NOW).issuer == "me"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"[]", "not an object"),
        (b"nonsense", "not JSON"),
        (b'{"aud":"you"}', "iss is missing"),
        (GOOD.replace(b'"me"', b'["me"]'), "no string"),
        (GOOD.replace(b"1600", b"1000"), "expired"),
        (GOOD.replace(b'"iat":1000', b'"iat":1601'), "future"),
        (GOOD.replace(b'"iat":1000', b'"iat":true'), "numbers"),
        (GOOD.replace(b'"iat":1000,', b""), "numbers"),
    ],
)
def test_claims_of_the_wrong_form(payload: bytes, words: str) -> None:
    with pytest.raises(AssertionFault, match=words):
        read_assertion(signed(payload), expecting(public_key_of(one_key())), NOW)


def test_only_rsa_keys_are_known() -> None:
    with pytest.raises(ValueError, match="not an RSA key"):
        public_key_of(elliptic())
    with pytest.raises(AssertionFault, match="not an RSA key"):
        read_assertion(signed(GOOD), expecting(elliptic()), NOW)
