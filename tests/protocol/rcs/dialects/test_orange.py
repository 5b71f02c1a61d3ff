"""Twin of protocol.rcs.dialects.orange."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from gatewayd.simulate.rcs_assertion import read_assertion
from gatewayd.simulate.rcs_layers import LayerOptions
from protocol.rcs.dialects.orange import ASSERTION_HEADER, ASSERTION_PREFIX, AUDIENCE, DIALECT, SCOPE
from protocol.rcs.errors import RcsFault
from protocol.rcs.tokens import Credentials, Grant, Token
from tests.protocol.rcs.keys import expected, private_key

NOW = 1_795_342_286.0
LAYER_1 = (200, b'{"access_token":"app-token","expires_in":"3600","token_type":"Bearer"}')


def credentials(**changes: Any) -> Credentials:
    known = {"bot_id": "bot-1", "token_url": "https://api.example/oauth/v3/token", "client_id": "c"}
    return Credentials(**{**known, "client_secret": "s", "private_key": private_key(), **changes})


def end_of(grant: Grant, answer: tuple[int, bytes]) -> Token:
    with pytest.raises(StopIteration) as end:
        grant.send(answer)
    token: Token = end.value.value
    return token


def test_the_assertion_in_a_header() -> None:
    grant = DIALECT.grant(credentials(assertion_header="X-Bot", assertion_prefix="JWT "), NOW)
    request = next(grant)
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["Authorization"].startswith("Basic ")
    token = end_of(grant, LAYER_1)
    assert (token.value, token.lifetime_s) == ("app-token", 3600.0)
    ((name, value),) = token.headers
    assert (name, value[:4]) == ("X-Bot", "JWT ")
    assert read_assertion(value[4:], expected(AUDIENCE, SCOPE, "bot-1"), NOW).issuer == "bot-1"


@pytest.mark.parametrize("prefix", ["", "JWT "])
def test_where_it_goes_while_nobody_has_said(prefix: str) -> None:
    grant = DIALECT.grant(credentials(assertion_prefix=prefix), NOW)
    next(grant)
    ((name, value),) = end_of(grant, LAYER_1).headers
    assert name == ASSERTION_HEADER
    assert value.startswith(prefix or ASSERTION_PREFIX)


def test_the_simulator_expects_it_where_it_goes_by_default() -> None:
    options = LayerOptions()
    assert (options.header, options.prefix) == (ASSERTION_HEADER, ASSERTION_PREFIX)
    assert (options.audience, options.scope) == (AUDIENCE, SCOPE)


def test_a_scope_of_the_applications_token() -> None:
    request = next(DIALECT.grant(credentials(scope="openid"), NOW))
    assert request.body == b"grant_type=client_credentials&scope=openid"


def test_the_assertion_exchanged() -> None:
    grant = DIALECT.grant(credentials(assertion_url="https://api.example/bot", assertion_audience="us"), NOW)
    next(grant)
    request = grant.send(LAYER_1)
    assert (request.path, request.headers["Authorization"]) == ("https://api.example/bot", "Bearer app-token")
    (assertion,) = parse_qs(request.body.decode())["assertion"]
    read_assertion(assertion, expected("us", SCOPE, "bot-1"), NOW)
    assert end_of(grant, (200, b'{"access_token":"bot-token","expires_in":60}')) == Token("bot-token", 60.0)


def test_an_issuer_in_a_list() -> None:
    grant = DIALECT.grant(credentials(assertion_header="X-Bot", issuer_in_list=True), NOW)
    next(grant)
    ((_, value),) = end_of(grant, LAYER_1).headers
    assert read_assertion(value, expected(AUDIENCE, SCOPE, "bot-1", in_list=True), NOW).claims["iss"] == ["bot-1"]


@pytest.mark.parametrize(("answer", "kind"), [((401, b""), "token_http_401"), (LAYER_1, "bad_key")])
def test_what_ends_without_a_token(answer: tuple[int, bytes], kind: str) -> None:
    grant = DIALECT.grant(credentials(private_key="none"), NOW)
    next(grant)
    with pytest.raises(RcsFault, match=kind):
        grant.send(answer)


def test_credentials_do_not_show_themselves() -> None:
    assert "PRIVATE" not in repr(credentials())
