"""Orange BotHub: one application's token for many bots, and behind it each bot's own signed assertion.

How the two travel together is not public, so both ways are here: the assertion in a header beside the token, or
exchanged at a URL for the token that is then used. Which, is the operator's configuration.
"""

from __future__ import annotations

from protocol.rcs import assertions
from protocol.rcs.gsma import Dialect
from protocol.rcs.tokens import Credentials, Grant, Token, read_token_response, token_request

SCOPE = "Chatbot message"
ASSERTION_HEADER, ASSERTION_PREFIX = "X-Bot-Authorization", "Bearer "
"""Where the assertion goes when the operator's configuration does not say: a guess, no published fact."""

AUDIENCE = "https://api.orange.com/bothub/v1/gsma"


def grant(credentials: Credentials, now_unix: float) -> Grant:
    """The application's token, then the bot's assertion."""
    scope = credentials.scope or ""
    status, body = yield token_request(credentials.token_url, credentials.client_id, credentials.client_secret, scope)
    application = read_token_response(status, body)
    claims = {
        "iss": [credentials.bot_id] if credentials.issuer_in_list else credentials.bot_id,
        "scope": SCOPE,
        "aud": credentials.assertion_audience or AUDIENCE,
    }
    assertion = assertions.sign(claims, credentials.private_key, now_unix, credentials.key_id)
    if credentials.assertion_url:
        bearer = f"Bearer {application.value}"
        status, body = yield assertions.exchange_request(credentials.assertion_url, assertion, bearer)
        return read_token_response(status, body)
    lifetime_s = min(application.lifetime_s, assertions.LIFETIME_S)
    return Token(application.value, lifetime_s, (_header(credentials, assertion),))


def _header(credentials: Credentials, assertion: str) -> tuple[str, str]:
    if credentials.assertion_header:
        return credentials.assertion_header, credentials.assertion_prefix + assertion
    return ASSERTION_HEADER, (credentials.assertion_prefix or ASSERTION_PREFIX) + assertion


DIALECT = Dialect(name="orange", grant=grant)
