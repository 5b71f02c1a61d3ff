"""What the HTTP API answers when it does not do what it was asked: problems as RFC 9457 says, each with a stable type.

Knows no call: whoever meets a problem raises it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "/docs#"


class Kind(msgspec.Struct, frozen=True):
    """One type of problem: its HTTP status, and what it means."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "bad-json": Kind(400, "The body is not JSON, or is nested too deeply."),
        "bad-request": Kind(400, "The call lacks something, or a parameter is not what it must be."),
        "unauthorized": Kind(401, "No key, or not a key of this gateway, or one that has ended."),
        "address-not-allowed": Kind(403, "The account does not send from this address."),
        "insufficient-scope": Kind(403, "The key may not do this."),
        "sender-not-allowed": Kind(403, "The sender is not one of the account's."),
        "class-not-allowed": Kind(403, "The account may not ask for this class of traffic."),
        "not-found": Kind(404, "There is no such thing, or not any more."),
        "method-not-allowed": Kind(405, "This path does not know this method."),
        "timeout": Kind(408, "The body did not arrive in time."),
        "too-late": Kind(409, "The message has left already, or has come to its end."),
        "body-too-large": Kind(
            413, "The body is bigger than http.body_size_max, or over MQTT than mqtt.message_size_max."
        ),
        "unsupported-media-type": Kind(415, "The body must be application/json, not compressed."),
        "bad-shape": Kind(422, "A field is missing, unknown or not of its type."),
        "invalid-destination": Kind(422, "The recipient is no number in international form."),
        "invalid-sender": Kind(422, "The sender is neither a number nor a name of at most 11 characters."),
        "invalid-text": Kind(422, "The text is missing, or is longer than a message can be."),
        "invalid-content": Kind(422, "The rich content is one that no platform would take; `element` names the place."),
        "invalid-template": Kind(422, "There is no such template for this account, or it lacks a parameter."),
        "invalid-schedule": Kind(422, "The moment has passed, or lies further ahead than the account may schedule."),
        "invalid-validity": Kind(422, "The message would be over before it goes."),
        "no-route": Kind(422, "No route takes this message."),
        "idempotency-key-reused": Kind(422, "The key named another message to this recipient before."),
        "refused": Kind(422, "The message was not taken; `reason` says why."),
        "batch-too-large": Kind(422, "The batch holds more messages than http.batch_max."),
        "rate-limited": Kind(429, "Faster than the account's rate_per_s: send again after Retry-After."),
        "too-many-failures": Kind(429, "Too many wrong keys from this address."),
        "headers-too-large": Kind(431, "The headers are too big."),
        "internal": Kind(500, "A fault of the gateway; it is in its log."),
        "busy": Kind(503, "Nothing can be taken now: send again after Retry-After."),
        "not-confirmed": Kind(503, "Whether it was taken is not known. With an Idempotency-Key it is safe to repeat."),
    }
)

_OF_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rate": "rate-limited",
        "sender_not_allowed": "sender-not-allowed",
        "sender_name_length": "invalid-sender",
        "invalid_destination": "invalid-destination",
        "no_route": "no-route",
        "too_long": "invalid-text",
        "expired": "invalid-validity",
        "expires_before_schedule": "invalid-validity",
        "schedule_past": "invalid-schedule",
        "schedule_too_far": "invalid-schedule",
        "schedule_not_allowed": "invalid-schedule",
        "class_not_allowed": "class-not-allowed",
        "idempotency_key_reused": "idempotency-key-reused",
        "not_confirmed": "not-confirmed",
    }
)


# Where in a message the cause stands, when it comes out only as the message is handed in.
_ELEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sender-not-allowed": "from",
        "invalid-sender": "from",
        "invalid-destination": "to",
        "no-route": "to",
        "class-not-allowed": "class",
        "invalid-text": "text",
        "invalid-schedule": "schedule_at",
        "invalid-validity": "validity_s",
    }
)


class ProblemDocument(msgspec.Struct, omit_defaults=True, rename={"kind": "type"}):
    """A problem, as application/problem+json. ``reason`` is a word for programs, ``element`` where in the call."""

    kind: str
    title: str
    status: int
    detail: str = ""
    reason: str = ""
    element: str = ""


class Problem(Exception):
    """Something stands against what was asked. ``retry_s``: when it may be asked again, if that helps."""

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        reason: str = "",
        element: str = "",
        retry_s: float = 0.0,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = KINDS[kind].status
        self.document = ProblemDocument(TYPE_PREFIX + kind, KINDS[kind].title, self.status, detail, reason, element)
        self.headers = dict(headers)
        if retry_s > 0:
            self.headers["Retry-After"] = str(math.ceil(retry_s))


def problem_of(refusal: Refusal, retry_s: float = 1.0) -> Problem:
    """What a refused submit is to a caller. ``retry_s`` is for those that may come again."""
    if refusal.kind.startswith("content_"):
        return Problem("invalid-content", refusal.problem, reason=refusal.kind, element=refusal.element)
    kind = _OF_REFUSALS.get(refusal.kind)
    if kind is None and refusal.status in (Status.ESME_RMSGQFUL, Status.ESME_RSYSERR):
        kind = "busy"
    kind = kind or "refused"
    is_passing = kind in ("rate-limited", "busy", "not-confirmed")
    return Problem(
        kind,
        refusal.problem,
        reason=refusal.kind,
        element=_ELEMENTS.get(kind, ""),
        retry_s=retry_s if is_passing else 0.0,
    )
