"""Tokens: who gets one, when it is good, and the code for each way in which it is not."""

from __future__ import annotations

import base64

import pytest

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_tokens import TokenFault, TokenOffice

GRANT = {"grant_type": "client_credentials", "scope": "botmessage"}
FORM = {**GRANT, "client_id": "gw", "client_secret": "s:1"}


def basic(words: str) -> str:
    return "Basic " + base64.b64encode(words.encode()).decode()


def office() -> TokenOffice:
    return TokenOffice("gw", "s:1", 3600.0)


def code_of(tokens: TokenOffice, header: str | None, now: float = 0.0) -> int:
    with pytest.raises(Refusal) as caught:
        tokens.check(header, now)
    assert caught.value.http_status == 401
    return caught.value.code


def test_both_ways_to_name_oneself_work() -> None:
    tokens = office()
    for token in (tokens.issue("", FORM, 0.0), tokens.issue(basic("gw:s:1"), GRANT, 0.0)):
        tokens.check(f"Bearer {token}", 3599.0)
    assert tokens.issued == 2


@pytest.mark.parametrize(
    ("authorization", "form", "error", "status"),
    [
        ("", GRANT, "invalid_client", 401),
        ("", {**FORM, "client_secret": "wrong"}, "invalid_client", 401),
        ("", {**FORM, "client_id": "other"}, "invalid_client", 401),
        (basic("gw:wrong"), GRANT, "invalid_client", 401),
        (basic("gw"), GRANT, "invalid_client", 401),
        ("Basic !!!", GRANT, "invalid_client", 401),
        ("Bearer abc", GRANT, "invalid_client", 401),
        (basic("gw:s:1"), FORM, "invalid_request", 400),
        (basic("gw:s:1"), {}, "invalid_request", 400),
        (basic("gw:s:1"), {"grant_type": "password"}, "unsupported_grant_type", 400),
        (basic("gw:s:1"), {**GRANT, "scope": "everything"}, "invalid_scope", 400),
    ],
)
def test_bad_requests_get_no_token(authorization: str, form: dict[str, str], error: str, status: int) -> None:
    with pytest.raises(TokenFault) as caught:
        office().issue(authorization, form, 0.0)
    assert (caught.value.error, caught.value.http_status) == (error, status)


def test_each_bad_header_has_its_code() -> None:
    tokens = office()
    token = tokens.issue("", FORM, 0.0)
    assert code_of(tokens, None) == 40001
    assert code_of(tokens, token) == 40002
    assert code_of(tokens, f"Basic {token}") == 40002
    assert code_of(tokens, f"Bearer  {token}") == 40005
    assert code_of(tokens, f"Bearer {token}x") == 40003
    assert code_of(tokens, f"Bearer {token}", 3600.0) == 40004
    tokens.revoke_all()
    assert code_of(tokens, f"Bearer {token}") == 40003


def test_it_can_be_told_to_fail_for_a_while() -> None:
    tokens = office()
    tokens.fail_next, tokens.fail_status = 1, 500
    with pytest.raises(TokenFault) as caught:
        tokens.issue("", FORM, 0.0)
    assert caught.value.http_status == 500
    assert tokens.issue("", FORM, 0.0)
