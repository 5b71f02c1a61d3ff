"""A delivery as the JSON that an application gets, signed as Standard Webhooks says. See docs/webhooks.md."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gatewayd.message import Encoding
from gatewayd.senders.names import name_of
from gatewayd.store.records import Delivery, Facts
from protocol.smpp import text
from protocol.smpp.headers import shift_of

TYPES: Final = {"receipt": "message.receipt", "mo": "message.received"}
DISPLAYED: Final = "message.displayed"
_NO_FACTS: Final = Facts()
_encode = msgspec.json.Encoder().encode


def event_id(delivery: Delivery) -> str:
    """By what a receiver knows that it has an event already: the same for each try."""
    return f"evt_{delivery.id:x}"


def body(delivery: Delivery) -> bytes:
    """The whole event."""
    return _encode(event(delivery))


def event(delivery: Delivery) -> dict[str, Any]:
    """The same, before it is written down."""
    facts = delivery.facts or _NO_FACTS
    kind = DISPLAYED if delivery.displayed else TYPES.get(delivery.kind) or f"session.{facts.event}"
    data = {"receipt": _receipt, "mo": _received}.get(delivery.kind, _session)(delivery, facts)
    return {
        "type": kind,
        "id": event_id(delivery),
        "timestamp": moment(delivery.created_at),
        "account": delivery.account,
        "data": {key: value for key, value in data.items() if value not in (None, "")},
    }


def signature(secrets: Sequence[bytes], webhook_id: str, timestamp: int, content: bytes) -> str:
    """The header webhook-signature: one for each secret, while they are exchanged."""
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, content)
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def moment(unix: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    whole = math.floor(unix)
    over, microsecond = divmod(round((unix - whole) * 1e6), 1_000_000)
    return f"{_second(whole + over)}.{microsecond // 1_000:03}Z"


@functools.lru_cache(maxsize=1_024)
def _second(unix: int) -> str:
    """Events of one time have moments of few seconds."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%S}"


def _receipt(delivery: Delivery, facts: Facts) -> dict[str, Any]:
    return {
        "message_id": name_of(delivery.message_id, delivery.known_as),
        "to": delivery.source,
        "from": delivery.destination,
        "state": delivery.state.value,
        "error": delivery.error,
        "channel": facts.channel,
        "submitted_at": moment(delivery.submitted_at),
        "done_at": moment(delivery.done_at),
        "user_message_reference": _reference(delivery),
        "part": _part(facts),
    }


def _received(delivery: Delivery, facts: Facts) -> dict[str, Any]:
    is_text = delivery.encoding is not Encoding.BINARY
    return {
        "from": delivery.source,
        "to": delivery.destination,
        "text": _words(delivery) if is_text else None,
        "payload": None if is_text else base64.b64encode(delivery.payload).decode(),
        "postback": delivery.postback,
        "media": _media(delivery),
        "place": delivery.place,
        "channel": facts.channel,
        "session": delivery.session_id,
        "session_sequence": delivery.session_sequence or None,
        "user_message_reference": _reference(delivery),
        "part": _part(facts),
    }


def _media(delivery: Delivery) -> dict[str, Any] | None:
    """What is known of the file whose address is the text."""
    attachment = delivery.attachment
    if attachment is None:
        return None
    facts = {"type": attachment.mime_type, "size": attachment.size, "name": attachment.name}
    return {key: value for key, value in facts.items() if value} or None


def _session(delivery: Delivery, facts: Facts) -> dict[str, Any]:
    record = facts.record
    return {
        "session": delivery.session_id,
        "to": delivery.source,
        "from": delivery.destination,
        "channel": facts.channel,
        "opened_at": moment(delivery.submitted_at),
        "closed_at": moment(delivery.done_at) if delivery.done_at else None,
        "replies": delivery.session_sequence,
        "last_message_id": f"{delivery.message_id:x}" if delivery.message_id else None,
        "user_message_reference": _reference(delivery),
        "billing": record
        and {
            "class": record.name,
            "rules": record.rules,
            "link": record.link,
            "is_free": record.is_free,
            "sent": record.mt_count,
            "received": record.mo_count,
        },
    }


def _reference(delivery: Delivery) -> int | None:
    return delivery.user_message_reference if delivery.user_message_reference >= 0 else None


def _part(facts: Facts) -> dict[str, int] | None:
    if facts.concat is None:
        return None
    reference, total, number = facts.concat
    return {"reference": reference, "total": total, "number": number}


def _words(delivery: Delivery) -> str:
    return text.decode(delivery.payload, delivery.encoding, "replace", shift_of(delivery.udh))
