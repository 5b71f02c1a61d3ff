"""Reads what Google's platform tells of handsets and messages (UserMessage, UserEvent, ServerEvent) into events.

Knows nothing of envelopes, signatures or HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from protocol.rcs import gsma_content, rbm_content, timestamps
from protocol.rcs.answers import JSON_FAULTS, MsgId, code_of
from protocol.rcs.content import Text
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import Contact, Event, IgnoredEvent, MessageEvent, ResponseEvent, Status, StatusEvent

STATUSES: Mapping[str, Status] = {
    "DELIVERED": Status.DELIVERED,
    "READ": Status.DISPLAYED,
    "TTL_EXPIRATION_REVOKED": Status.REVOKED,
}

# The messaging app's own switch is the wish that users of SMS write out (Google: opt-in and opt-out of users).
_WISHES = {"UNSUBSCRIBE": "STOP", "SUBSCRIBE": "START"}
# Nothing is decided by an attempt to revoke that failed: a delivery report may follow, and our own deadline will.
_IGNORED = {"IS_TYPING": "isTyping", "TTL_EXPIRATION_REVOKE_FAILED": "revokeFailed"}


class _Tapped(msgspec.Struct, rename="camel"):
    postback_data: str | None = None
    text: str | None = None
    type: str | None = None


class _Payload(rbm_content.UserContent, rename="camel"):
    sender_phone_number: str | None = None
    phone_number: str | None = None
    agent_id: str | None = None
    message_id: MsgId | None = None
    event_id: MsgId | None = None
    event_type: str | None = None
    send_time: str | None = None
    suggestion_response: _Tapped | None = None
    reason: Any = None
    code: Any = None


_payload = msgspec.json.Decoder(_Payload)
_gsma = msgspec.json.Decoder(gsma_content.UserContent)


def is_agent(named: str, agent_id: str) -> bool:
    """Whether a name is that of an agent, with its domain or without."""
    return named.partition("@")[0] == agent_id.partition("@")[0]


def read(data: bytes, statuses: Mapping[str, Status] = STATUSES) -> Event:
    """The event in the octets of one push; raises RcsFault and nothing else."""
    return read_addressed(data, statuses)[0]


def read_addressed(data: bytes, statuses: Mapping[str, Status] = STATUSES) -> tuple[Event, str]:
    """The same, and the agent that it is for; empty when it names none."""
    try:
        payload = _payload.decode(data)
    except msgspec.ValidationError:
        raise RcsFault("bad_shape") from None
    except JSON_FAULTS:
        raise RcsFault("not_json") from None
    return _read(payload, data, statuses), payload.agent_id or ""


def _read(payload: _Payload, data: bytes, statuses: Mapping[str, Status]) -> Event:
    if payload.event_type is not None:
        return _event(payload, payload.event_type, statuses)
    if payload.sender_phone_number is None:
        return IgnoredEvent("agentLaunch")
    return _message(payload, data)


def _event(payload: _Payload, word: str, statuses: Mapping[str, Status]) -> Event:
    status = statuses.get(word)
    at = timestamps.read(payload.send_time)
    if status is not None:
        msg_id = _text_of(payload.message_id)
        if not msg_id:
            raise RcsFault("no_msg_id")
        error = code_of(payload.code) or code_of(payload.reason)
        return StatusEvent(msg_id, status, at, error, payload.sender_phone_number or payload.phone_number or "")
    if word in _WISHES:
        return MessageEvent(_text_of(payload.event_id), _contact_of(payload), Text(_WISHES[word]), at)
    if word in _IGNORED:
        return IgnoredEvent(_IGNORED[word])
    raise RcsFault("unknown_event")


def _message(payload: _Payload, data: bytes) -> Event:
    # One page of the documentation shows eventId in the place of messageId.
    msg_id = _text_of(payload.message_id) or _text_of(payload.event_id)
    at = timestamps.read(payload.send_time)
    tapped = payload.suggestion_response
    if tapped is not None:
        return ResponseEvent(
            msg_id=msg_id,
            contact=_contact_of(payload),
            display_text=tapped.text or "",
            postback=tapped.postback_data or "",
            at=at,
            is_action=tapped.type == "ACTION",
        )
    return MessageEvent(msg_id, _contact_of(payload), _content_of(payload, data), at)


def _content_of(payload: _Payload, data: bytes) -> Any:
    try:
        return rbm_content.decode(payload)
    except RcsFault as fault:
        # A copy of the envelope may hold GSMA's members inside.
        try:
            members = _gsma.decode(data)
        except msgspec.ValidationError:
            raise RcsFault("bad_shape") from None
        if not members.has_content:
            raise fault from None
        return gsma_content.decode(members)


def _contact_of(payload: _Payload) -> Contact:
    return Contact(payload.sender_phone_number or payload.phone_number or "")


def _text_of(msg_id: MsgId | None) -> str:
    return "" if msg_id is None else str(msg_id)
