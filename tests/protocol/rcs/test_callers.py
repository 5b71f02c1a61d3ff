"""Twin of protocol.rcs.callers."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

from protocol.rcs.callers import is_authorized, is_same, is_signed

TOKEN = "hook-token"


def test_a_token_comes_bare_or_as_a_bearer() -> None:
    assert is_authorized(TOKEN, TOKEN)
    assert is_authorized(f"Bearer {TOKEN}", TOKEN)
    assert not is_authorized(f"bearer {TOKEN}", TOKEN)
    assert not is_authorized("", "")
    assert not is_authorized("Bearer ", "")


def test_any_octets_may_be_presented() -> None:
    assert not is_authorized("\udcff", TOKEN)
    assert is_authorized("clé", "clé")
    assert not is_same("\udcff", TOKEN)
    assert not is_signed("\udcff", TOKEN, b"x")


def test_a_secret_is_the_agreed_one() -> None:
    assert is_same(TOKEN, TOKEN)
    assert not is_same("", "")


def test_a_signature_is_of_one_of_the_octets() -> None:
    signature = b64encode(hmac.new(TOKEN.encode(), b"data", hashlib.sha512).digest()).decode()
    assert is_signed(signature, TOKEN, b"data")
    assert is_signed(signature, TOKEN, b"other", b"data")
    assert not is_signed(signature, TOKEN, b"other")
    assert not is_signed(signature, "another", b"data")
    empty = b64encode(hmac.new(b"", b"data", hashlib.sha512).digest()).decode()
    assert not is_signed(empty, "", b"data")
