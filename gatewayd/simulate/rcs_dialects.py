"""The platforms' dialects as data: where they listen, how tokens are fetched, what they add, how they spell events.

Pure; a new dialect is one more value here.
"""

from __future__ import annotations

import base64
from typing import Literal

import msgspec

Bulk = Literal["", "jobs", "at_once"]
Shape = Literal["gsma", "vi", "pubsub"]

PUBSUB_WORDS = {"sent": "SENT", "delivered": "DELIVERED", "displayed": "READ", "failed": "FAILED"}


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What makes one platform differ from FNW.11.

    ``root`` stands before ``/bot/v1`` where the options name none. ``basic_only``: the token client names itself by
    HTTP Basic, never in the form; ``grant_in_query``: grant_type is in the URL. ``two_layers``: calls need a signed
    assertion of the bot beside (or exchanged with) the token. ``portal``: a filter in front answers credentials and
    quotas in words of its own. ``takes_ttl``: a relative life time beside RCSMessage. ``bulk``: asynchronous jobs by
    night, or one answer at once. ``shape``: how events are written.
    """

    name: str
    root: str = ""
    token_path: str = "/oauth2/v1/token"
    basic_only: bool = False
    grant_in_query: bool = False
    expires_in_text: bool = False
    tokens_per_minute: int = 0
    two_layers: bool = False
    portal: bool = False
    send_path: str = "/messages"
    takes_ttl: bool = False
    bulk: Bulk = ""
    shape: Shape = "gsma"


STANDARD = Dialect(name="standard")
ORANGE = Dialect(
    name="orange",
    root="/bothub/v1/gsma",
    token_path="/oauth/v3/token",
    basic_only=True,
    expires_in_text=True,
    two_layers=True,
    portal=True,
    bulk="jobs",
)
DOTGO = Dialect(
    name="dotgo",
    root="/rcs",
    token_path="/auth/oauth/token",
    basic_only=True,
    grant_in_query=True,
    send_path="/messages/async",
    takes_ttl=True,
    bulk="at_once",
    shape="pubsub",
)
VI = msgspec.structs.replace(DOTGO, name="vi", tokens_per_minute=60, shape="vi")

DIALECTS = {dialect.name: dialect for dialect in (STANDARD, ORANGE, DOTGO, VI)}


def dialect_of(name: str) -> Dialect:
    """The dialect of that name; raises ``ValueError`` with a sentence for any other."""
    if name not in DIALECTS:
        raise ValueError(f"{name!r} is no dialect; there are {', '.join(DIALECTS)}")
    return DIALECTS[name]


def write_event(
    shape: Shape, name: str, message: dict[str, object], contact: str, bot: str, *, named: bool = True
) -> bytes | None:
    """The body of a webhook, or None where this platform has no such event. ``named`` False leaves ``event`` out."""
    if shape == "pubsub":
        return _pubsub(name, message, contact, bot)
    if shape == "vi" and name == "messageStatus":
        name = "message_status"
        if message.get("status") == "displayed":
            message = {**message, "status": "read"}
    member = "userContact" if contact.startswith("+") else "chatId"
    body: dict[str, object] = {"RCSMessage": message, "messageContact": {member: contact}}
    if named:
        body["event"] = name
    return msgspec.json.encode(body)


def _pubsub(name: str, message: dict[str, object], contact: str, bot: str) -> bytes | None:
    """A push of Google's Pub/Sub around a flat event; the number has no plus there."""
    inner: dict[str, object] = {
        "messageId": message.get("msgId", ""),
        "senderPhoneNumber": contact.removeprefix("+"),
        "sendTime": message.get("timestamp", ""),
    }
    if name == "messageStatus":
        word = PUBSUB_WORDS.get(str(message.get("status")))
        if word is None:
            return None
        inner["eventType"] = word
        _add_reason(inner, message.get("reason"))
    else:
        word = "MESSAGE"
        inner.update(_from_handset(message))
    data = base64.b64encode(msgspec.json.encode(inner)).decode()
    attributes = {"event_type": word, "business_id": bot}
    return msgspec.json.encode({"message": {"data": data, "attributes": attributes}})


def _add_reason(inner: dict[str, object], reason: object) -> None:
    if isinstance(reason, dict):
        inner["reason"], inner["code"] = reason["text"], reason["code"]


def _from_handset(message: dict[str, object]) -> dict[str, object]:
    """What a handset said, in the words of Google's API, which this platform borrows."""
    if "textMessage" in message:
        return {"text": message["textMessage"]}
    tapped = message.get("suggestedResponse")
    if isinstance(tapped, dict):
        (body,) = tapped["response"].values()
        return {"suggestionResponse": {"text": body["displayText"], "postbackData": body["postback"]["data"]}}
    return {key: value for key, value in message.items() if key not in ("msgId", "timestamp")}
