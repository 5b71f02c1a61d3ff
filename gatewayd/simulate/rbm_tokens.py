"""Google's token endpoint for service accounts: a signed assertion in, a bearer token out.

Time is an argument. Knows nothing of HTTP beyond the values of headers and form fields.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from gatewayd.simulate.rbm_refusals import GoogleRefusal
from gatewayd.simulate.rcs_assertion import AssertionFault, Expected, new_key, public_key_of, read_assertion

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"
TOKENS_MAX = 10_000


class ServiceAccount(msgspec.Struct, frozen=True):
    """Google's JSON key of a service account, as far as anybody needs it."""

    client_email: str
    private_key_id: str
    private_key: str
    token_uri: str
    type: str = "service_account"
    project_id: str = "simulated"


def new_service_account(token_uri: str, client_email: str = "gateway@simulated.iam.gserviceaccount.com") -> bytes:
    """A fresh key file (JSON) for a client of the simulator."""
    return msgspec.json.encode(ServiceAccount(client_email, secrets.token_hex(20), new_key(), token_uri))


def read_service_account(content: bytes) -> ServiceAccount:
    """A key file; raises ``ValueError`` with a sentence."""
    try:
        return msgspec.json.decode(content, type=ServiceAccount)
    except msgspec.DecodeError as error:
        raise ValueError(f"the service account's key is unreadable: {error}") from None


class TokenRefusal(Exception):
    """A token request refused, in Google's words."""

    def __init__(self, http_status: int, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}")
        self.http_status = http_status
        self.body = msgspec.json.encode({"error": error, "error_description": description})


class GoogleTokens:
    """Issues tokens to the service accounts it knows, and can be told to fail or to take all back."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self.fail_next = 0
        self.fail_status = 503
        self.issued = 0
        self._keys: dict[str, str] = {}
        self._key_ids: dict[str, str] = {}
        self._tokens: dict[str, float] = {}

    def trust(self, account: ServiceAccount) -> None:
        """Know a service account from now on."""
        self._keys[account.client_email] = public_key_of(account.private_key)
        self._key_ids[account.client_email] = account.private_key_id

    def issue(self, form: Mapping[str, str], audiences: tuple[str, ...], now: float, wall: float) -> str:
        """A token for a good assertion that names one of ``audiences``; raises ``TokenRefusal``."""
        if self.fail_next:
            self.fail_next -= 1
            raise TokenRefusal(self.fail_status, "temporarily_unavailable")
        if form.get("grant_type") != GRANT:
            raise TokenRefusal(400, "unsupported_grant_type", "Invalid grant_type")
        try:
            expected = Expected(keys=self._keys, audiences=audiences, scope=SCOPE)
            assertion = read_assertion(form.get("assertion", ""), expected, wall)
        except AssertionFault as fault:
            raise TokenRefusal(400, "invalid_grant", f"Invalid JWT: {fault}") from None
        if assertion.key_id not in ("", self._key_ids[assertion.issuer]):
            raise TokenRefusal(400, "invalid_grant", "Invalid JWT: kid is no key of this account")
        while len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        token = "ya29." + secrets.token_urlsafe(40)
        self._tokens[token] = now + self.lifetime_s
        self.issued += 1
        return token

    def check(self, authorization: str | None, now: float) -> None:
        """Refuse a request whose ``Authorization`` header is not the bearer of a good token."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise GoogleRefusal(401, "Request is missing required authentication credential.")
        expires_at = self._tokens.get(token, 0.0)
        if now >= expires_at:
            raise GoogleRefusal(401, "Request had invalid authentication credentials.")

    def revoke_all(self) -> None:
        """Take every token back: each further use of one answers 401."""
        self._tokens.clear()
