"""The envelope of a Pub/Sub push, in which Google's platform, and those that copy it, bring their events.

Knows no event and no signature.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

import msgspec

from protocol.rcs.answers import JSON_FAULTS
from protocol.rcs.errors import RcsFault


class Envelope(msgspec.Struct, frozen=True):
    """What was pushed: the octets inside, or the two words of a platform that asks whether we are who we should be."""

    data: bytes = b""
    client_token: str = ""
    secret: str = ""


class _Message(msgspec.Struct):
    data: str


class _Push(msgspec.Struct, rename="camel"):
    message: _Message | None = None
    client_token: str | None = None
    secret: str | None = None


_push = msgspec.json.Decoder(_Push)


def unwrap(body: bytes) -> Envelope:
    """Read a push; raises RcsFault ``not_json`` or ``bad_shape``. Everything beside ``message.data`` may be absent."""
    try:
        push = _push.decode(body)
    except msgspec.ValidationError:
        raise RcsFault("bad_shape") from None
    except JSON_FAULTS:
        raise RcsFault("not_json") from None
    if push.message is None:
        if push.client_token is None or push.secret is None:
            raise RcsFault("bad_shape")
        return Envelope(client_token=push.client_token, secret=push.secret)
    try:
        return Envelope(b64decode(push.message.data, validate=True))
    except (binascii.Error, ValueError):
        raise RcsFault("bad_shape") from None
