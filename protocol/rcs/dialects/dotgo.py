"""Dotgo (Gupshup): answers at once and works later, life times in seconds, events in envelopes as Google's are."""

from __future__ import annotations

from base64 import b64encode

from protocol.rcs import pubsub, rbm_events
from protocol.rcs.events import Event, Status
from protocol.rcs.exchange import Request
from protocol.rcs.gsma import Dialect
from protocol.rcs.tokens import Credentials, Grant, read_token_response

STATUSES = {**rbm_events.STATUSES, "SENT": Status.SENT, "FAILED": Status.FAILED}


def grant(credentials: Credentials, now_unix: float) -> Grant:
    """Client credentials, with the grant in the URL and no body; a scope only where one is given."""
    pair = b64encode(f"{credentials.client_id}:{credentials.client_secret}".encode()).decode()
    # A form with nothing in it: some servers insist on its type all the same.
    headers = {
        "Authorization": f"Basic {pair}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    query = (("grant_type", "client_credentials"),) + ((("scope", credentials.scope),) if credentials.scope else ())
    status, body = yield Request("POST", credentials.token_url, query=query, headers=headers)
    return read_token_response(status, body)


def read_events(body: bytes) -> list[Event]:
    """The one event of an envelope; raises RcsFault."""
    return [rbm_events.read(pubsub.unwrap(body).data, STATUSES)]


DIALECT = Dialect(
    name="dotgo",
    send_path="/bot/v1/{bot}/messages/async",
    expiry="ttl",
    grant=grant,
    read_events=read_events,
)
