"""Google's webhook calls: the Pub/Sub envelope around an event, and the signature that vouches for it.

Pure; knows nothing of how they are sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

import msgspec

Signing = Literal["good", "bad", "none"]
SignedPart = Literal["data", "body"]


class PushOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How calls are signed: with ``client_token`` over the decoded data, or over the whole body where told so."""

    client_token: str = "client-token"
    signing: Signing = "good"
    signed_part: SignedPart = "data"
    subscription: str = "projects/simulated/subscriptions/rbm"


def write_push(data: dict[str, object], push_id: str, agent: str, sent_at: str, options: PushOptions) -> bytes:
    """The envelope: only ``message.data`` is to be relied on."""
    kind = "event" if "eventType" in data else "message"
    message = {
        "data": base64.b64encode(msgspec.json.encode(data)).decode(),
        "messageId": push_id,
        "publishTime": sent_at,
        "attributes": {"business_id": agent, "product": "RBM", "type": kind},
    }
    return msgspec.json.encode({"message": message, "subscription": options.subscription})


def sign_push(body: bytes, options: PushOptions) -> dict[str, str]:
    """The headers that vouch for an envelope."""
    if options.signing == "none":
        return {}
    signed = body
    if options.signed_part == "data":
        signed = base64.b64decode(msgspec.json.decode(body)["message"]["data"])
    key = options.client_token if options.signing == "good" else options.client_token + "?"
    digest = hmac.new(key.encode(), signed, hashlib.sha512).digest()
    return {"X-Goog-Signature": base64.b64encode(digest).decode()}
