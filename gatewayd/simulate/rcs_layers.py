"""The second layer of credentials: each call says by a signed assertion for which bot it speaks.

Two ways in which it may travel: in a header beside the token, or exchanged for a token of its own. Knows HTTP headers
and forms; the time is an argument.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal

import msgspec

from gatewayd.simulate.rcs_assertion import AssertionFault, Expected, read_assertion
from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_tokens import TOKENS_MAX, TokenFault

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Strategy = Literal["header", "exchange"]


class LayerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a bot proves that it is itself. ``bot_keys``: public or private keys (PEM) by bot, ``*`` for any bot.

    ``header`` and ``prefix`` are a guess, no published fact: the same that the dialect makes, held equal by a test.
    """

    strategy: Strategy = "header"
    header: str = "X-Bot-Authorization"
    prefix: str = "Bearer "
    exchange_path: str = "/oauth/bot/token"
    bot_keys: dict[str, str] = {}
    audience: str = "https://api.orange.com/bothub/v1/gsma"
    scope: str = "Chatbot message"
    issuer_in_list: bool = False


class SecondLayer:
    """Checks assertions, and issues the tokens they are exchanged for."""

    def __init__(self, options: LayerOptions, keys: Mapping[str, str], lifetime_s: float) -> None:
        self.options = options
        self.lifetime_s = lifetime_s
        self.exchanged = 0
        self._expected = Expected(
            keys=keys, audiences=(options.audience,), scope=options.scope, issuer_in_list=options.issuer_in_list
        )
        self._tokens: dict[str, tuple[str, float]] = {}

    def check_header(self, headers: Mapping[str, str], bot: str, wall: float) -> None:
        """The assertion beside the token; raises ``Refusal`` (401) unless it is this bot's and good."""
        value = headers.get(self.options.header)
        if value is None:
            raise Refusal(40008, f"there is no {self.options.header}")
        if not value.startswith(self.options.prefix):
            raise Refusal(40008, f"{self.options.header} does not begin as agreed")
        try:
            assertion = read_assertion(value.removeprefix(self.options.prefix), self._expected, wall)
        except AssertionFault as fault:
            raise Refusal(40008, str(fault)) from None
        if assertion.issuer != bot:
            raise Refusal(40008, "iss is another bot")

    def exchange(self, form: Mapping[str, str], now: float, wall: float) -> str:
        """A token for an assertion; raises ``TokenFault`` (401 for an assertion that is not good)."""
        if form.get("grant_type") != GRANT:
            raise TokenFault("unsupported_grant_type")
        try:
            assertion = read_assertion(form.get("assertion", ""), self._expected, wall)
        except AssertionFault:
            raise TokenFault("invalid_grant", 401) from None
        while len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (assertion.issuer, now + self.lifetime_s)
        self.exchanged += 1
        return token

    def check_token(self, authorization: str | None, bot: str, now: float) -> None:
        """The token that came of an exchange; raises ``Refusal`` (401) unless it is this bot's and good."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(40001)
        issuer, expires_at = self._tokens.get(token, ("", 0.0))
        if not issuer:
            raise Refusal(40003)
        if now >= expires_at:
            raise Refusal(40004)
        if issuer != bot:
            raise Refusal(40008, "the token is another bot's")

    def revoke_all(self) -> None:
        """Take back every token that came of an exchange."""
        self._tokens.clear()
