"""Access tokens as RCS platforms grant them: by OAuth 2.0 client credentials (RFC 6749 4.4), or in steps of their own.

Keeps no token and knows no time; when to ask again is the caller's business.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Generator
from urllib.parse import urlencode

import msgspec

from protocol.rcs.answers import JSON_FAULTS
from protocol.rcs.errors import RcsFault
from protocol.rcs.exchange import Request

LIFETIME_DEFAULT_S = 300.0
"""How long a token is taken to live when the answer does not say."""

LIFETIME_MIN_S = 1.0
LIFETIME_MAX_S = 86_400.0
"""The bounds of what is believed: nobody is asked for tokens without a pause, nor trusted for more than a day."""


class Token(msgspec.Struct, frozen=True, gc=False):
    """An access token and how long it lives from the moment of the answer.

    ``headers`` are what a platform wants beside the bearer in each request, such as a bot's own assertion.
    """

    value: str
    lifetime_s: float
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Token(lifetime_s={self.lifetime_s})"


class Credentials(msgspec.Struct, frozen=True):
    """What one agent was given to prove itself with; what its platform has no use for is empty.

    ``scope``: what a token is asked for with; None is the dialect's own, empty none. ``private_key`` is PEM.
    ``assertion_…``: who an assertion is for, in which header it goes after which prefix, or at which URL it is
    exchanged; ``issuer_in_list`` writes its issuer as a list of one.
    """

    bot_id: str
    token_url: str
    client_id: str = ""
    client_secret: str = ""
    scope: str | None = None
    private_key: str = ""
    key_id: str = ""
    assertion_audience: str = ""
    assertion_header: str = ""
    assertion_prefix: str = ""
    assertion_url: str = ""
    issuer_in_list: bool = False

    def __repr__(self) -> str:
        return f"Credentials(bot_id={self.bot_id!r})"


Answered = tuple[int, bytes]
"""Status and body of an HTTP answer."""

Grant = Generator[Request, Answered, Token]
"""How a token is fetched: yields requests, is sent their answers, and returns the token; raises RcsFault."""


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


_answer = msgspec.json.Decoder(_Answer)


def client_credentials(credentials: Credentials, now_unix: float) -> Grant:
    """One request with the client's credentials; the scope is ``botmessage`` unless another was given."""
    scope = "botmessage" if credentials.scope is None else credentials.scope
    request = token_request(credentials.token_url, credentials.client_id, credentials.client_secret, scope)
    status, body = yield request
    return read_token_response(status, body)


def token_request(token_url: str, client_id: str, secret: str, scope: str = "botmessage") -> Request:
    """POST for a token, with the client's credentials in HTTP Basic; an empty ``scope`` is left out.

    The credentials go as they are (RFC 7617): the extra form encoding of RFC 6749 2.3.1 is undone by few servers.
    """
    credentials = b64encode(f"{client_id}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    headers = {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return Request("POST", token_url, headers=headers, body=urlencode(form).encode())


def read_token_response(status: int, body: bytes) -> Token:
    """The token in an answer; raises RcsFault (``token_http_NNN``, ``token_bad_shape``).

    ``expires_in`` may be a number or, as at Orange, a numeric string.
    """
    if status != 200:
        raise RcsFault(f"token_http_{status}", 502)
    try:
        answer = _answer.decode(body)
    except JSON_FAULTS:
        raise RcsFault("token_bad_shape", 502) from None
    value = answer.access_token
    # It becomes a header: a line break or a space in it would be somebody else's header.
    if not value or not value.isascii() or any(not "!" <= char <= "~" for char in value):
        raise RcsFault("token_bad_shape", 502)
    return Token(value, _lifetime(answer.expires_in))


def _lifetime(expires_in: float | str | None) -> float:
    if expires_in is None:
        return LIFETIME_DEFAULT_S
    try:
        lifetime_s = float(expires_in)
    except ValueError:
        return LIFETIME_DEFAULT_S
    if not lifetime_s > 0:
        return LIFETIME_DEFAULT_S
    return min(max(lifetime_s, LIFETIME_MIN_S), LIFETIME_MAX_S)
