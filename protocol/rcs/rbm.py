"""Google's RCS for Business (RBM, REST v1) as a platform: send, revoke, ask, and be called.

Knows no server root: it is the region's, and configuration. Content is spelled in ``rbm_content``, events are read in
``rbm_events``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from protocol.rcs import answers, assertions, pubsub, rbm_events
from protocol.rcs.answers import (
    CapabilityAnswer,
    NotTaken,
    RevokeAnswer,
    SendAnswer,
    Taken,
    TokenRefused,
    TryLater,
    Unclear,
)
from protocol.rcs.callers import is_same, is_signed
from protocol.rcs.content import check
from protocol.rcs.errors import ContentFault, RcsFault
from protocol.rcs.events import Contact
from protocol.rcs.exchange import JSON_HEADERS, Request
from protocol.rcs.platform import Outgoing, Platform, Reading
from protocol.rcs.rbm_content import LIMITS, encode
from protocol.rcs.rbm_files import FILES
from protocol.rcs.tokens import Credentials, Grant, read_token_response

SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"
TTL_MAX_S = 15 * 86_400
REVOKE_GRACE_S = 5.0
SECRET_LENGTH_MAX = 1_024

TRAFFIC_TYPES: Mapping[str, str] = {"": "TRANSACTION", "otp": "AUTHENTICATION", "campaign": "PROMOTION"}
"""By the class of the traffic: an agent for many uses is refused without one, and soon all will be."""

_encode = msgspec.json.Encoder().encode

# A message's name holds our number for it (63 bits), the handset's digits behind a 1 (51 bits), and the attempt.
_HANDSET_BITS = 51
_ATTEMPT_BITS = 8
_HANDSET_DIGITS_MAX = 15


class ServiceAccount(msgspec.Struct, frozen=True):
    """What Google's key file says of a service account."""

    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""

    def __repr__(self) -> str:
        return f"ServiceAccount(client_email={self.client_email!r})"


def read_service_account(text: str) -> ServiceAccount:
    """The key file as Google writes it (JSON); raises RcsFault ``bad_key``."""
    try:
        return msgspec.json.decode(text.encode(), type=ServiceAccount)
    except answers.JSON_FAULTS:
        raise RcsFault("bad_key", 502) from None


def grant(credentials: Credentials, now_unix: float) -> Grant:
    """A token for the service account: ``client_id`` is its e-mail address, ``token_url`` its token_uri."""
    claims = {"iss": credentials.client_id, "scope": credentials.scope or SCOPE, "aud": credentials.token_url}
    assertion = assertions.sign(claims, credentials.private_key, now_unix, credentials.key_id)
    status, body = yield assertions.exchange_request(credentials.token_url, assertion)
    return read_token_response(status, body)


def message_name(message_id: int, number: str, attempt: int = 0) -> str:
    """The UUID (RFC 9562 version 8) by which the platform knows a message: the same whenever it is asked for.

    So a message whose answer was lost is sent again under its name, and arrives once. It holds the handset, because a
    revoke must name that too. Raises RcsFault ``bad_contact`` for what is no number of at most 15 digits.
    """
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _HANDSET_DIGITS_MAX):
        raise RcsFault("bad_contact")
    value = (message_id << _HANDSET_BITS | int("1" + digits)) << _ATTEMPT_BITS | attempt % (1 << _ATTEMPT_BITS)
    # 122 bits around the version (4 bits) and the variant (2 bits).
    high, middle, low = value >> 74, value >> 62 & 0xFFF, value & (1 << 62) - 1
    return str(UUID(int=high << 80 | 0x8 << 76 | middle << 64 | 0b10 << 62 | low))


def number_in(name: str) -> str:
    """The number (E.164 with its plus) in the name of a message of ours; raises RcsFault ``bad_contact``."""
    try:
        whole = UUID(name).int
    except ValueError:
        raise RcsFault("bad_contact") from None
    value = whole >> 80 << 74 | (whole >> 64 & 0xFFF) << 62 | whole & (1 << 62) - 1
    digits = str(value >> _ATTEMPT_BITS & (1 << _HANDSET_BITS) - 1)
    if len(digits) < 2 or digits[0] != "1":
        raise RcsFault("bad_contact")
    return f"+{digits[1:]}"


def send_request(outgoing: Outgoing) -> Request:
    """POST one message under its name; raises ContentFault beyond the limits, RcsFault for a user without a number."""
    check(outgoing.content, LIMITS)
    message: dict[str, Any] = {"contentMessage": encode(outgoing.content)}
    if outgoing.traffic_type:
        message["messageTrafficType"] = outgoing.traffic_type
    if outgoing.expires_at > 0:
        # Relative: what our clock and theirs disagree on does not shorten it.
        message["ttl"] = f"{min(max(1, math.ceil(outgoing.expires_at - outgoing.now)), TTL_MAX_S)}s"
    body = _encode(message)
    if len(body) > LIMITS.payload_size_max:
        raise ContentFault("too_large", "message", f"{len(body)} octets, at most {LIMITS.payload_size_max}")
    query = (("messageId", name_of(outgoing)), ("agentId", outgoing.bot_id))
    path = f"{_phone(outgoing.contact.number)}/agentMessages"
    return Request("POST", path, query=query, headers=JSON_HEADERS, body=body)


def name_of(outgoing: Outgoing) -> str:
    """The name that a message is sent under."""
    return message_name(outgoing.message_id, outgoing.contact.number)


def revoke_request(bot_id: str, name: str) -> Request:
    """DELETE a message that was not delivered yet; raises RcsFault ``bad_contact`` for a name that is not ours."""
    return Request("DELETE", f"{_phone(number_in(name))}/agentMessages/{name}", query=(("agentId", bot_id),))


def capability_request(bot_id: str, contact: Contact, unique: int) -> Request:
    """GET what one contact can do."""
    query = (("requestId", message_name(unique & (1 << 62) - 1, contact.number)), ("agentId", bot_id))
    return Request("GET", f"{_phone(contact.number)}/capabilities", query=query)


def read_send_response(status: int, body: bytes, retry_after: str | None, outgoing: Outgoing) -> SendAnswer:
    """What the answer to a send request means. 409 is not documented, and can only mean that it is there already."""
    if 200 <= status < 300 or status == 409:
        return Taken(name_of(outgoing))
    if status == 401:
        return TokenRefused()
    error = answers.error_word(status, answers.read_error_code(body))
    if status == 429:
        # Operators count the promotions that one user gets: such a 429 says nothing of other users.
        scope: answers.Scope = "user" if outgoing.traffic_type == "PROMOTION" else "agent"
        return TryLater(error, answers.read_retry_after(retry_after), throttled=True, scope=scope)
    if status >= 500 or status == 408:
        return Unclear(error)
    return NotTaken(error, unreachable=status == 404)


def read_revoke_response(status: int, body: bytes) -> RevokeAnswer:
    """200 is a yes that a delivery may still contradict for a while; 404 says too late, or that it is not known."""
    if 200 <= status < 300:
        return RevokeAnswer(True)
    error = answers.error_word(status, answers.read_error_code(body))
    return RevokeAnswer(False if status == 404 else None, error, again=answers.is_busy(status))


def read_capability_response(status: int, body: bytes) -> CapabilityAnswer:
    """A call that succeeds says that plain text can be sent; 404, that the number is not RCS or not for this agent."""
    if 200 <= status < 300:
        return CapabilityAnswer(True, "reachable")
    error = answers.error_word(status, answers.read_error_code(body))
    return CapabilityAnswer(False if status == 404 else None, error)


def admits(headers: Mapping[str, str], token: str) -> bool:
    """Nothing can be said before the body is there: what is signed, is in it."""
    return bool(token)


def read_call(headers: Mapping[str, str], body: bytes, token: str, bot_id: str) -> Reading:
    """The event of a signed push, or the answer to the platform's question whether we know the agreed token.

    The signature is that of the octets inside the envelope; one page of the guide has it of the whole body. Both need
    the token, so both are believed.
    """
    envelope = pubsub.unwrap(body)
    if envelope.client_token:
        if not is_same(envelope.client_token, token) or len(envelope.secret) > SECRET_LENGTH_MAX:
            raise RcsFault("unauthorized", 401)
        return Reading([], envelope.secret)
    if not is_signed(headers.get("X-Goog-Signature", ""), token, envelope.data, body):
        raise RcsFault("unauthorized", 401)
    event, agent = rbm_events.read_addressed(envelope.data)
    # A partner may have one address for all of its agents.
    return Reading([event], bot="" if not agent or rbm_events.is_agent(agent, bot_id) else agent)


def _phone(number: str) -> str:
    return f"/v1/phones/%2B{number.removeprefix('+')}"


PLATFORM = Platform(
    name="rbm",
    limits=LIMITS,
    grant=grant,
    send=send_request,
    read_send=read_send_response,
    revoke=revoke_request,
    read_revoke=read_revoke_response,
    capability=capability_request,
    read_capability=read_capability_response,
    admits=admits,
    is_proved_by_body=True,
    read_call=read_call,
    traffic_types=TRAFFIC_TYPES,
    repeats_safely=True,
    name_of=name_of,
    question_scope="agent",
    revoke_grace_s=REVOKE_GRACE_S,
    is_bot=rbm_events.is_agent,
    files=FILES,
)
