"""Requests of the GSMA MaaP chatbot API (FNW.11): send, revoke, ask for capabilities.

Knows no token and no server root; answers are read in ``answers``, webhooks in ``events``.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from protocol.rcs import timestamps
from protocol.rcs.content import Content, Limits, check
from protocol.rcs.exchange import JSON_HEADERS, Request
from protocol.rcs.gsma_content import encode

_encode = msgspec.json.Encoder().encode

REVOKE_WORD = "cancelled"
"""The status that asks for a revocation. One platform spells it with a single l."""


def send_request(bot_id: str, content: Content, contact: str, expiry_unix: float, traffic_type: str) -> Request:
    """POST one message. ``contact`` is E.164 with its plus; ``expiry_unix`` 0, an empty ``traffic_type`` are left out.

    Raises RcsFault when the content breaks the API's limits.
    """
    check(content, Limits())
    message = encode(content)
    if traffic_type:
        message["trafficType"] = traffic_type
    if expiry_unix > 0:
        message["expiry"] = timestamps.write(expiry_unix)
    body = _encode({"RCSMessage": message, "messageContact": {"userContact": contact}})
    return Request("POST", f"{_bot(bot_id)}/messages", headers=JSON_HEADERS, body=body)


def revoke_request(bot_id: str, msg_id: str) -> Request:
    """PUT the wish to take back a message that was not delivered yet; best effort at every platform."""
    body = _encode({"RCSMessage": {"status": REVOKE_WORD}})
    return Request("PUT", f"{_bot(bot_id)}/messages/{quote(msg_id, safe='')}/status", headers=JSON_HEADERS, body=body)


def capability_request(bot_id: str, contact: str) -> Request:
    """GET what one contact (E.164 with its plus) can do."""
    return Request("GET", f"{_bot(bot_id)}/contactCapabilities", query=(("userContact", contact),))


def _bot(bot_id: str) -> str:
    return f"/bot/v1/{quote(bot_id, safe='@:')}"
