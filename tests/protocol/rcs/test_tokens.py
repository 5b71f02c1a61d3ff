"""Twin of protocol.rcs.tokens."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs.errors import RcsFault
from protocol.rcs.tokens import Credentials, Token, client_credentials, read_token_response, token_request


def test_credentials_go_in_basic_and_the_grant_in_a_form() -> None:
    request = token_request("https://auth.example/oauth2/v1/token", "client", "se:cr/et")
    assert (request.method, request.target("https://x")) == ("POST", "https://auth.example/oauth2/v1/token")
    scheme, _, credentials = request.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(credentials)) == ("Basic", b"client:se:cr/et")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["botmessage"]}


def test_no_scope_is_asked_for_where_none_is_known() -> None:
    assert token_request("https://h/t", "c", "s", scope="").body == b"grant_type=client_credentials"


@pytest.mark.parametrize(
    ("body", "lifetime_s"),
    [
        (b'{"access_token":"abc","token_type":"Bearer","expires_in":3600}', 3600.0),
        (b'{"access_token":"abc","expires_in":"3600"}', 3600.0),
        (b'{"access_token":"abc","expires_in":59.5}', 59.5),
        (b'{"access_token":"abc"}', 300.0),
        (b'{"access_token":"abc","expires_in":null}', 300.0),
        (b'{"access_token":"abc","expires_in":"soon"}', 300.0),
        (b'{"access_token":"abc","expires_in":"nan"}', 300.0),
        (b'{"access_token":"abc","expires_in":-1}', 300.0),
        (b'{"access_token":"abc","expires_in":0.001}', 1.0),
        (b'{"access_token":"abc","expires_in":1e300}', 86_400.0),
    ],
)
def test_how_long_a_token_lives(body: bytes, lifetime_s: float) -> None:
    assert read_token_response(200, body) == Token("abc", lifetime_s)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", "token_http_401"),
        (500, b'{"access_token":"abc"}', "token_http_500"),
        (200, b"", "token_bad_shape"),
        (200, b"{}", "token_bad_shape"),
        (200, b'{"access_token":""}', "token_bad_shape"),
        (200, b'{"access_token":"a\\r\\nHost: b"}', "token_bad_shape"),
        (200, '{"access_token":"é"}'.encode(), "token_bad_shape"),
    ],
)
def test_what_is_no_token(status: int, body: bytes, kind: str) -> None:
    with pytest.raises(RcsFault) as caught:
        read_token_response(status, body)
    assert caught.value.kind == kind


def test_a_token_does_not_show_itself() -> None:
    assert "abc" not in repr(Token("abc", 1.0))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100))
def test_no_answer_is_a_surprise(body: bytes) -> None:
    with pytest.raises(RcsFault):
        read_token_response(200, body)


def test_a_grant_is_a_request_and_its_answer() -> None:
    grant = client_credentials(Credentials("bot", "https://h/t", "c", "s", scope=""), 0.0)
    assert next(grant) == token_request("https://h/t", "c", "s", "")
    with pytest.raises(StopIteration) as end:
        grant.send((200, b'{"access_token":"abc","expires_in":60}'))
    assert end.value.value == Token("abc", 60.0)
    usual = next(client_credentials(Credentials("bot", "https://h/t", "c", "s"), 0.0))
    assert usual.body.endswith(b"scope=botmessage")
