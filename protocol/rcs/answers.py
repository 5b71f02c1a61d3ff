"""What a platform's HTTP answers mean, as values: sent messages, revocations and capabilities.

Knows neither the gateway's words for outcomes nor how long anything should wait by default.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

RETRY_AFTER_MAX_S = 3600.0

_CODE = re.compile(r"[A-Z]{0,4}[0-9]{3,6}")
# Samsung MaaP codes; other platforms are free to use the same numbers, and none is known to use them otherwise.
UNREACHABLE_CODES = frozenset({"41200"})
_THROTTLED = frozenset({"41003", "42601"})
_BUSY = frozenset({"41004", "41005"})
_TIMED_OUT = "41001"
_DELIVERED_ALTHOUGH_REVOKED = "41010"
_ALREADY_REVOKED = "41011"


Scope = Literal["", "user", "agent", "application"]
"""Whom a platform asked to wait: one user's messages, one agent's, all of the application's; empty: not said."""


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The platform took the message and named it."""

    msg_id: str


class NotTaken(msgspec.Struct, frozen=True, gc=False):
    """The platform refused for good; ``unreachable``: the number is not an RCS user's, or is unknown."""

    error: str
    unreachable: bool = False


class TryLater(msgspec.Struct, frozen=True, gc=False):
    """Not now. ``throttled``: all of ``scope`` must wait. ``retry_s`` is the platform's own word, or None."""

    error: str
    retry_s: float | None = None
    throttled: bool = False
    scope: Scope = ""


class TokenRefused(msgspec.Struct, frozen=True, gc=False):
    """The access token is not valid (any more)."""

    error: str = "http_401"


class Unclear(msgspec.Struct, frozen=True, gc=False):
    """The message may have been taken, but the answer does not name it."""

    error: str


SendAnswer = Taken | NotTaken | TryLater | TokenRefused | Unclear


class CapabilityAnswer(msgspec.Struct, frozen=True, gc=False):
    """Whether a bot can reach the contact; None when the platform did not say. ``reason`` is a short word."""

    capable: bool | None
    reason: str


class RevokeAnswer(msgspec.Struct, frozen=True, gc=False):
    """Whether the message was taken back; False: it was delivered before, or is not known. None: nobody knows.

    ``again``: the platform did not look at it, and it is worth while to ask once more later.
    """

    revoked: bool | None
    error: str = ""
    again: bool = False


MsgId = Annotated[str, msgspec.Meta(max_length=255)] | int
"""A platform's name for a message, as JSON may hold it; bounded, because it becomes a key."""


class _SentMessage(msgspec.Struct, rename="camel"):
    msg_id: MsgId | None = None


class _Sent(msgspec.Struct):
    message: _SentMessage | None = msgspec.field(default=None, name="RCSMessage")


class _Capabilities(msgspec.Struct):
    capabilities: list[str]


_sent = msgspec.json.Decoder(_Sent)
_capabilities = msgspec.json.Decoder(_Capabilities)
# What broken JSON can lead to: RecursionError comes from absurdly nested input.
JSON_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def code_of(reason: object) -> str:
    """The code in a reason or error object (or the object itself when it is a code), or nothing.

    Only short codes pass: free text might hold a number or a message, and would make metrics grow without end.
    """
    if isinstance(reason, dict):
        reason = reason.get("code")
    if isinstance(reason, str | int) and _CODE.fullmatch(str(reason)[:16]):
        return str(reason)
    return ""


def read_error_code(body: bytes) -> str:
    """The platform's code in an error body, or nothing.

    Three shapes are known: ``{"reason": {"code", "text"}}`` (FNW.11), ``{"error": {"code", "message", "status"}}``
    and ``{"status", "error": {"code", "message"}}``.
    """
    if not body:
        return ""
    try:
        tree: Any = msgspec.json.decode(body)
    except JSON_FAULTS:
        return ""
    if not isinstance(tree, dict):
        return ""
    return code_of(tree.get("reason")) or code_of(tree.get("error"))


def is_busy(status: int) -> bool:
    """Whether a question that was answered so may find more of an answer later; a token may be replaced, too."""
    return status in (401, 408, 429) or status >= 500


def error_word(status: int, code: str) -> str:
    """One short word: the platform's code when it says more than the HTTP status does, else ``http_NNN``."""
    return code if code and code != str(status) else f"http_{status}"


def read_retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, bounded. The date form needs a clock and is left to the default pause."""
    text = (value or "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:9]), RETRY_AFTER_MAX_S)


def read_send_response(
    status: int,
    body: bytes,
    retry_after: str | None,
    code: str | None = None,
    unreachable_codes: frozenset[str] = UNREACHABLE_CODES,
) -> SendAnswer:
    """What the answer to a send request means (FNW.11 send message).

    ``code`` is the platform's, for those whose errors have a shape of their own; here and below.
    """
    if 200 <= status < 300:
        return _read_taken(body)
    if status == 401:
        return TokenRefused()
    code = read_error_code(body) if code is None else code
    error = error_word(status, code)
    if status == 429 or code in _THROTTLED:
        return TryLater(error, read_retry_after(retry_after), throttled=True)
    if status == 504 or code == _TIMED_OUT:
        # A portal lost patience with the platform, or that with the network: the message may well have been taken.
        return Unclear(error)
    if status >= 500 or status == 408 or code in _BUSY:
        return TryLater(error, read_retry_after(retry_after))
    return NotTaken(error, unreachable=status == 404 or code in unreachable_codes)


def _read_taken(body: bytes) -> Taken | Unclear:
    try:
        message = _sent.decode(body).message
    except JSON_FAULTS:
        return Unclear("no_msg_id")
    if message is None or message.msg_id in (None, ""):
        return Unclear("no_msg_id")
    return Taken(str(message.msg_id))


def read_capability_response(
    status: int, body: bytes, code: str | None = None, unreachable_codes: frozenset[str] = UNREACHABLE_CODES
) -> CapabilityAnswer:
    """What the answer to a contactCapabilities request means: a bot needs ``chatBotCommunication``."""
    if 200 <= status < 300:
        try:
            capable = "chatBotCommunication" in _capabilities.decode(body).capabilities
        except JSON_FAULTS:
            return CapabilityAnswer(None, "bad_shape")
        return CapabilityAnswer(capable, "chatbot" if capable else "no_chatbot")
    code = read_error_code(body) if code is None else code
    unreachable = status == 404 or (status < 500 and code in unreachable_codes)
    return CapabilityAnswer(False if unreachable else None, error_word(status, code))


def read_revoke_response(status: int, body: bytes, code: str | None = None) -> RevokeAnswer:
    """What the answer to a revoke request means."""
    if 200 <= status < 300:
        return RevokeAnswer(True)
    code = read_error_code(body) if code is None else code
    error = error_word(status, code)
    if code == _ALREADY_REVOKED:
        return RevokeAnswer(True, error)
    if status in (404, 409) or code == _DELIVERED_ALTHOUGH_REVOKED:
        return RevokeAnswer(False, error)
    return RevokeAnswer(None, error, again=is_busy(status) or code in _THROTTLED | _BUSY)
