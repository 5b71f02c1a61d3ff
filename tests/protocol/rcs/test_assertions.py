"""Twin of protocol.rcs.assertions. The simulator, which signs nothing with our library, is the judge."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from gatewayd.simulate.rcs_assertion import read_assertion
from protocol.rcs.assertions import GRANT, exchange_request, sign
from protocol.rcs.errors import RcsFault
from tests.protocol.rcs.keys import expected, private_key

NOW = 1_795_342_286.7
CLAIMS = {"iss": "bot-1", "scope": "s", "aud": "a"}


def test_a_stranger_believes_what_we_sign() -> None:
    assertion = read_assertion(sign(CLAIMS, private_key(), NOW, "k-1"), expected("a", "s"), NOW)
    assert (assertion.issuer, assertion.key_id) == ("bot-1", "k-1")
    assert (assertion.claims["iat"], assertion.claims["exp"]) == (1_795_342_286, 1_795_345_886)


def test_an_issuer_may_be_a_list() -> None:
    token = sign({**CLAIMS, "iss": ["bot-1"]}, private_key(), NOW)
    assert read_assertion(token, expected("a", "s", in_list=True), NOW).issuer == "bot-1"


@pytest.mark.parametrize("key", ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_key_that_is_none_is_not_quoted(key: str) -> None:
    with pytest.raises(RcsFault, match="bad_key") as caught:
        sign(CLAIMS, key, NOW)
    assert caught.value.__suppress_context__


def test_an_assertion_is_exchanged_by_a_form() -> None:
    request = exchange_request("https://auth.example/token", "a.b.c", "Bearer t")
    assert (request.method, request.path, request.headers["Authorization"]) == (
        "POST",
        "https://auth.example/token",
        "Bearer t",
    )
    assert parse_qs(request.body.decode()) == {"grant_type": [GRANT], "assertion": ["a.b.c"]}
    assert "Authorization" not in exchange_request("https://auth.example/token", "a.b.c").headers
