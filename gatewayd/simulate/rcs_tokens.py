"""The token endpoint's office: who may have a token, which tokens are good, and until when.

Time is an argument. Knows nothing of HTTP beyond the values of headers and form fields.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_quota import Quota

TOKENS_MAX = 10_000
SCOPES = ("", "botmessage")


class TokenFault(Exception):
    """A token request refused, in the words of RFC 6749 section 5.2."""

    def __init__(self, error: str, http_status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.http_status = http_status


class TokenOffice:
    """Issues bearer tokens to one client, and can be told to fail, to be short-lived, or to take all back.

    ``basic_only`` takes no credentials in the form; ``per_minute`` bounds the requests for a token, 0 does not.
    """

    def __init__(
        self, client_id: str, client_secret: str, lifetime_s: float, *, basic_only: bool = False, per_minute: int = 0
    ) -> None:
        self._basic_only = basic_only
        self._quota = Quota(per_minute)
        self._client_id = client_id
        self._client_secret = client_secret
        self.lifetime_s = lifetime_s
        self.fail_next = 0
        self.fail_status = 503
        self.issued = 0
        self._tokens: dict[str, float] = {}

    def issue(self, authorization: str, form: Mapping[str, str], now: float) -> str:
        """A new token for a client that names itself by HTTP Basic or in the form, never both."""
        if self.fail_next:
            self.fail_next -= 1
            raise TokenFault("temporarily_unavailable", self.fail_status)
        if self._quota.take(now):
            raise TokenFault("temporarily_unavailable", 429)
        self._check_client(authorization, form)
        if form.get("grant_type") != "client_credentials":
            raise TokenFault("unsupported_grant_type" if form.get("grant_type") else "invalid_request")
        if form.get("scope", "") not in SCOPES:
            raise TokenFault("invalid_scope")
        while len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        token = secrets.token_urlsafe(24)
        self._tokens[token] = now + self.lifetime_s
        self.issued += 1
        return token

    def check(self, authorization: str | None, now: float) -> None:
        """Refuse a request whose ``Authorization`` header is not the bearer of a good token."""
        if authorization is None:
            raise Refusal(40001)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(40002)
        if token != token.strip() or not token.isascii():
            raise Refusal(40005)
        expires_at = self._tokens.get(token)
        if expires_at is None:
            raise Refusal(40003)
        if now >= expires_at:
            raise Refusal(40004)

    def revoke_all(self) -> None:
        """Take every token back: each further use of one answers 401."""
        self._tokens.clear()

    def _check_client(self, authorization: str, form: Mapping[str, str]) -> None:
        in_form = "client_id" in form or "client_secret" in form
        if authorization and in_form:
            raise TokenFault("invalid_request")
        if self._basic_only and not authorization:
            raise TokenFault("invalid_client", 401)
        if authorization:
            client_id, secret = _basic(authorization)
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        good_id = hmac.compare_digest(client_id.encode(), self._client_id.encode())
        if not hmac.compare_digest(secret.encode(), self._client_secret.encode()) or not good_id:
            raise TokenFault("invalid_client", 401)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise TokenFault("invalid_client", 401)
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise TokenFault("invalid_client", 401) from None
    if not colon:
        raise TokenFault("invalid_client", 401)
    return client_id, secret
