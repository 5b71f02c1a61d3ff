"""Reads the webhook bodies of the GSMA MaaP chatbot API (FNW.11 notifications) into events.

Knows nothing of HTTP servers, of who may call them, nor of what is done with an event.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from protocol.rcs import timestamps
from protocol.rcs.answers import JSON_FAULTS, MsgId, code_of
from protocol.rcs.content import Inbound
from protocol.rcs.errors import RcsFault
from protocol.rcs.files import NotStored, Stored
from protocol.rcs.gsma_content import UserContent, decode
from protocol.rcs.gsma_files import read_event

NEW_USER_POSTBACK = "new_bot_user_initiation"


class Status(enum.StrEnum):
    """How far one of our messages came."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    FAILED = "failed"


# Samsung writes one l; Vi's platform was seen to say ``read``.
_STATUSES = {status.value: status for status in Status} | {"canceled": Status.CANCELLED, "read": Status.DISPLAYED}


class Contact(msgspec.Struct, frozen=True, gc=False):
    """Who: a number (E.164 with its plus) or, when the user is anonymised, an alias; both when they are linked."""

    number: str = ""
    alias: str = ""


class StatusEvent(msgspec.Struct, frozen=True, gc=False):
    """A status of our message ``msg_id``. ``error`` is the platform's code, if any; ``at`` Unix seconds or 0.

    ``number`` is the contact's, as the platform writes it; empty when it names none.
    """

    msg_id: str
    status: Status
    at: float
    error: str = ""
    number: str = ""


class MessageEvent(msgspec.Struct, frozen=True, gc=False):
    """Something a user wrote or sent. ``msg_id`` is the platform's name for it, empty when it has none."""

    msg_id: str
    contact: Contact
    content: Inbound
    at: float


class ResponseEvent(msgspec.Struct, frozen=True, gc=False):
    """A tapped suggestion (a reply, or an action), or a user who has just opened the conversation (``is_new_user``)."""

    msg_id: str
    contact: Contact
    display_text: str
    postback: str
    at: float
    is_action: bool = False
    is_new_user: bool = False


class FileEvent(msgspec.Struct, frozen=True, gc=False):
    """What became of a file that we uploaded, by the id that its upload was answered with."""

    file_id: str
    answer: Stored | NotStored


class AliasEvent(msgspec.Struct, frozen=True, gc=False):
    """The number and the alias of the contact are one user's."""

    contact: Contact


class IgnoredEvent(msgspec.Struct, frozen=True, gc=False):
    """Known, and of no use to a gateway of texts: ``name`` is isTyping, sharedData, alias or fileStatus (of none)."""

    name: str


Event = StatusEvent | MessageEvent | ResponseEvent | FileEvent | AliasEvent | IgnoredEvent


class _Contact(msgspec.Struct, rename="camel"):
    user_contact: str | None = None
    chat_id: str | None = None


class _Postback(msgspec.Struct):
    data: str | None = None


class _Tapped(msgspec.Struct, rename="camel"):
    display_text: str | None = None
    postback: _Postback | None = None


class _Response(msgspec.Struct):
    reply: _Tapped | None = None
    action: _Tapped | None = None


class _SuggestedResponse(msgspec.Struct):
    response: _Response


class _Message(UserContent, rename="camel"):
    msg_id: MsgId | None = None
    status: str | None = None
    timestamp: str | None = None
    suggested_response: _SuggestedResponse | None = None
    shared_data: dict[str, Any] | None = None
    is_typing: str | None = None
    reason: Any = None


class _Envelope(msgspec.Struct, rename="camel"):
    event: str | None = None
    message_contact: _Contact | None = None
    message: _Message | None = msgspec.field(default=None, name="RCSMessage")
    file: dict[str, Any] | None = None
    reason: Any = None


_envelope = msgspec.json.Decoder(_Envelope)


def read_webhook(body: bytes) -> list[Event]:
    """The events of one webhook body, in order; raises RcsFault and nothing else.

    A missing ``event`` is inferred from the members present, as Samsung may leave it out.
    """
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError:
        raise RcsFault("bad_shape") from None
    except JSON_FAULTS:
        raise RcsFault("not_json") from None
    read = _READERS.get(envelope.event or _inferred(envelope))
    if read is None:
        raise RcsFault("unknown_event")
    return [read(envelope)]


def _inferred(envelope: _Envelope) -> str:
    """The name of an event that does not say it, by the most telling member; empty when there is none."""
    message, contact = envelope.message, envelope.message_contact
    if message is None:
        if envelope.file is not None:
            return "fileStatus"
        is_alias = contact is not None and contact.user_contact and contact.chat_id
        return "alias" if is_alias else ""
    if message.suggested_response is not None:
        return "newUser" if _postback_of(message) == NEW_USER_POSTBACK else "response"
    if message.shared_data is not None:
        return "response"
    if message.is_typing is not None:
        return "isTyping"
    # A user's message can carry a status of its own, ours never carries content: content decides.
    if message.has_content:
        return "message"
    return "messageStatus" if message.status is not None else ""


def _status(envelope: _Envelope) -> Event:
    message = _message_of(envelope)
    status = _STATUSES.get(message.status or "")
    if status is None:
        raise RcsFault("unknown_status")
    msg_id = _id_of(message)
    if not msg_id:
        raise RcsFault("no_msg_id")
    error = code_of(message.reason) or code_of(envelope.reason)
    contact = envelope.message_contact
    number = (contact.user_contact or "") if contact is not None else ""
    return StatusEvent(msg_id, status, timestamps.read(message.timestamp), error, number)


def _user_message(envelope: _Envelope) -> Event:
    message = _message_of(envelope)
    at = timestamps.read(message.timestamp)
    return MessageEvent(_id_of(message), _contact_of(envelope), decode(message), at)


def _response(envelope: _Envelope) -> Event:
    message = _message_of(envelope)
    if message.suggested_response is None:
        if message.shared_data is None:
            raise RcsFault("no_content")
        return IgnoredEvent("sharedData")
    tapped = _tapped_of(message)
    if tapped is None:
        raise RcsFault("no_content")
    return ResponseEvent(
        msg_id=_id_of(message),
        contact=_contact_of(envelope),
        display_text=tapped.display_text or "",
        postback=_postback_of(message),
        at=timestamps.read(message.timestamp),
        is_action=message.suggested_response.response.reply is None,
    )


def _new_user(envelope: _Envelope) -> Event:
    message = envelope.message or _Message()
    tapped = _tapped_of(message) or _Tapped()
    return ResponseEvent(
        msg_id=_id_of(message),
        contact=_contact_of(envelope),
        display_text=tapped.display_text or "",
        postback=_postback_of(message) or NEW_USER_POSTBACK,
        at=timestamps.read(message.timestamp),
        is_new_user=True,
    )


def _file(envelope: _Envelope) -> Event:
    told = read_event(envelope.file or {})
    return FileEvent(*told) if told is not None else IgnoredEvent("fileStatus")


def _alias(envelope: _Envelope) -> Event:
    contact = _contact_of(envelope)
    return AliasEvent(contact) if contact.number and contact.alias else IgnoredEvent("alias")


def _ignored(name: str) -> Callable[[_Envelope], Event]:
    event = IgnoredEvent(name)
    return lambda envelope: event


# Names are case-sensitive as FNW.11 writes them; Vi's platform was seen to write ``message_status``.
_READERS: dict[str, Callable[[_Envelope], Event]] = {
    "message": _user_message,
    "response": _response,
    "messageStatus": _status,
    "message_status": _status,
    "newUser": _new_user,
    "isTyping": _ignored("isTyping"),
    "alias": _alias,
    "fileStatus": _file,
}


def _message_of(envelope: _Envelope) -> _Message:
    if envelope.message is None:
        raise RcsFault("no_content")
    return envelope.message


def _id_of(message: _Message) -> str:
    return "" if message.msg_id is None else str(message.msg_id)


def _contact_of(envelope: _Envelope) -> Contact:
    contact = envelope.message_contact or _Contact()
    return Contact(contact.user_contact or "", contact.chat_id or "")


def _tapped_of(message: _Message) -> _Tapped | None:
    suggested = message.suggested_response
    if suggested is None:
        return None
    return suggested.response.reply or suggested.response.action


def _postback_of(message: _Message) -> str:
    tapped = _tapped_of(message)
    return (tapped.postback.data or "") if tapped is not None and tapped.postback is not None else ""
