"""The GSMA MaaP chatbot API (FNW.11) as a platform, and its dialects as data: send, revoke, ask, and be called.

Knows no token and no server root. Answers are read in ``answers``, webhooks in ``events``; each dialect has a module
of its own in ``dialects``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from protocol.rcs import answers, gsma_files, timestamps
from protocol.rcs.answers import CapabilityAnswer, RevokeAnswer, SendAnswer
from protocol.rcs.callers import is_authorized
from protocol.rcs.content import Limits, check
from protocol.rcs.errors import ContentFault
from protocol.rcs.events import Contact, Event, read_webhook
from protocol.rcs.exchange import JSON_HEADERS, Request
from protocol.rcs.files import FileAnswer, FileApi
from protocol.rcs.gsma_content import encode
from protocol.rcs.platform import Outgoing, Platform, Reading
from protocol.rcs.tokens import Credentials, Grant, client_credentials

_encode = msgspec.json.Encoder().encode


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What makes one platform differ from the others that speak FNW.11; the defaults are the standard's.

    Paths stand below the server root, with ``{bot}`` and ``{msg_id}``; an empty ``files_path`` takes no
    files. ``expiry``: an absolute moment inside the message, or seconds (``ttl``) beside it. ``revoke_word`` is the
    status that asks for a revocation.
    ``unreachable_codes`` say that the number is not an RCS user's, or not of this operator.
    """

    name: str
    send_path: str = "/bot/v1/{bot}/messages"
    status_path: str = "/bot/v1/{bot}/messages/{msg_id}/status"
    capability_path: str = "/bot/v1/{bot}/contactCapabilities"
    files_path: str = "/bot/v1/{bot}/files"
    expiry: Literal["absolute", "ttl"] = "absolute"
    revoke_word: str = "cancelled"
    unreachable_codes: frozenset[str] = answers.UNREACHABLE_CODES
    read_error_code: Callable[[bytes], str] = answers.read_error_code
    read_events: Callable[[bytes], list[Event]] = read_webhook
    grant: Callable[[Credentials, float], Grant] = client_credentials
    limits: Limits = Limits()


def platform_of(dialect: Dialect) -> Platform:
    """The platform that speaks a dialect."""
    return Platform(
        name=f"gsma/{dialect.name}",
        limits=dialect.limits,
        grant=dialect.grant,
        send=partial(send_request, dialect),
        read_send=partial(_read_send, dialect),
        revoke=partial(revoke_request, dialect),
        read_revoke=partial(_read_revoke, dialect),
        capability=partial(capability_request, dialect),
        read_capability=partial(_read_capability, dialect),
        admits=_admits,
        read_call=partial(_read_call, dialect),
        unreachable_codes=dialect.unreachable_codes,
        files=_files_of(dialect) if dialect.files_path else None,
    )


def _files_of(dialect: Dialect) -> FileApi:
    """How a dialect takes files."""
    read = partial(_read_file, dialect)
    return FileApi(
        upload=lambda bot_id, file: gsma_files.upload(_path(dialect.files_path, bot_id), file),
        read_upload=read,
        status=lambda bot_id, file_id: Request("GET", f"{_path(dialect.files_path, bot_id)}/{quote(file_id, safe='')}"),
        read_status=read,
        size_max=dialect.limits.file_size_max,
    )


def send_request(dialect: Dialect, outgoing: Outgoing) -> Request:
    """POST one message; an expiry of 0 and an empty traffic type are left out.

    Raises ContentFault when the content breaks the dialect's limits.
    """
    check(outgoing.content, dialect.limits)
    message = encode(outgoing.content)
    if outgoing.traffic_type:
        message["trafficType"] = outgoing.traffic_type
    envelope: dict[str, Any] = {"RCSMessage": message, "messageContact": _contact(outgoing.contact)}
    if outgoing.expires_at > 0 and dialect.expiry == "ttl":
        envelope["ttl"] = f"{max(1, math.ceil(outgoing.expires_at - outgoing.now))}s"
    elif outgoing.expires_at > 0:
        message["expiry"] = timestamps.write(outgoing.expires_at)
    body = _encode(envelope)
    if len(body) > dialect.limits.payload_size_max:
        raise ContentFault("too_large", "message", f"{len(body)} octets, at most {dialect.limits.payload_size_max}")
    return Request("POST", _path(dialect.send_path, outgoing.bot_id), headers=JSON_HEADERS, body=body)


def revoke_request(dialect: Dialect, bot_id: str, msg_id: str) -> Request:
    """PUT the wish to take back a message that was not delivered yet; best effort at every platform."""
    body = _encode({"RCSMessage": {"status": dialect.revoke_word}})
    return Request("PUT", _path(dialect.status_path, bot_id, msg_id), headers=JSON_HEADERS, body=body)


def capability_request(dialect: Dialect, bot_id: str, contact: Contact, unique: int = 0) -> Request:
    """GET what one contact can do."""
    return Request("GET", _path(dialect.capability_path, bot_id), query=tuple(_contact(contact).items()))


@lru_cache(maxsize=256)
def _bot_path(template: str, bot_id: str) -> str:
    """The same for every message of a bot."""
    return template.format(bot=quote(bot_id, safe="@:"), msg_id="{msg_id}")


def _path(template: str, bot_id: str, msg_id: str = "") -> str:
    path = _bot_path(template, bot_id)
    return path.replace("{msg_id}", quote(msg_id, safe="")) if msg_id else path


def _contact(contact: Contact) -> dict[str, str]:
    """The number, or the alias of a user who has hidden it; never both (FNW.11 contactCapabilities)."""
    return {"userContact": contact.number} if contact.number else {"chatId": contact.alias}


def _read_send(dialect: Dialect, status: int, body: bytes, retry_after: str | None, outgoing: Outgoing) -> SendAnswer:
    code = dialect.read_error_code(body) if status >= 300 else ""
    return answers.read_send_response(status, body, retry_after, code, dialect.unreachable_codes)


def _read_revoke(dialect: Dialect, status: int, body: bytes) -> RevokeAnswer:
    return answers.read_revoke_response(status, body, dialect.read_error_code(body) if status >= 300 else "")


def _read_capability(dialect: Dialect, status: int, body: bytes) -> CapabilityAnswer:
    code = dialect.read_error_code(body) if status >= 300 else ""
    return answers.read_capability_response(status, body, code, dialect.unreachable_codes)


def _read_file(dialect: Dialect, status: int, body: bytes, retry_after: str | None, now_unix: float) -> FileAnswer:
    code = dialect.read_error_code(body) if status >= 300 else ""
    return gsma_files.read_answer(status, body, retry_after, code)


def _admits(headers: Mapping[str, str], token: str) -> bool:
    return is_authorized(headers.get("Authorization", ""), token)


def _read_call(dialect: Dialect, headers: Mapping[str, str], body: bytes, token: str, bot_id: str) -> Reading:
    return Reading(dialect.read_events(body))
