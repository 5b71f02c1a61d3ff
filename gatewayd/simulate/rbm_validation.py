"""Strict checks of an agent's whole message and event (Google's RBM API).

Pure: the time is an argument. Knows nothing of rules, tokens or HTTP.
"""

from __future__ import annotations

import re
import uuid
from typing import Literal

import msgspec

from gatewayd.simulate.rbm_cards import FILES, CardChecks, IsFile
from gatewayd.simulate.rbm_members import E164, moment, only_one, record, text, word
from gatewayd.simulate.rbm_refusals import GoogleRefusal, invalid
from gatewayd.simulate.rbm_suggestions import CHIPS_MAX, check_suggestions

TEXT_MAX = 3072
MESSAGE_SIZE_MAX = 250 * 1024
LIFE_MAX_S = 15 * 86400.0
TTL = re.compile(r"\d{1,7}(\.\d{1,9})?s", re.ASCII)
TRAFFIC = ("AUTHENTICATION", "TRANSACTION", "PROMOTION", "SERVICEREQUEST", "ACKNOWLEDGEMENT")
TRAFFIC_OF_USE = {
    "otp": "AUTHENTICATION",
    "transactional": "TRANSACTION",
    "promotional": "PROMOTION",
    "multi_use": "",
}
CONTENTS = ("text", "richCard", *FILES)

Use = Literal["otp", "transactional", "promotional", "multi_use"]


class AgentMessage(msgspec.Struct, frozen=True):
    """A message that passed every check. ``expires_at`` is Unix seconds, 0 when it has no life time of its own.

    ``needed`` are the features that a device must have; ``suggestions`` all that can be tapped, chips first.
    """

    phone: str
    kind: str
    text: str
    traffic: str
    body: dict[str, object]
    expires_at: float = 0.0
    needed: frozenset[str] = frozenset()
    suggestions: tuple[dict[str, object], ...] = ()


class MessageChecks:
    """What an agent's messages are checked against: its use, its files, and how many suggestions a card may have."""

    def __init__(self, use: Use, is_file: IsFile, card_suggestions_max: int) -> None:
        self._use = use
        self._cards = CardChecks(is_file, card_suggestions_max)

    def read_message(self, phone: str, body: bytes, now: float) -> AgentMessage:
        """Check the body of ``POST …/agentMessages`` at Unix time ``now``; raises ``GoogleRefusal``."""
        if len(body) > MESSAGE_SIZE_MAX:
            raise invalid("agent_message", "it is larger than 250 KB")
        known = ("contentMessage", "messageTrafficType", "expireTime", "ttl")
        message = record(read_json(body), "agent_message", known)
        traffic = self._traffic(message)
        expires_at = _expires_at(message, now)
        content = record(message.get("contentMessage"), "contentMessage", (*CONTENTS, "suggestions"))
        kind = only_one(content, "contentMessage", CONTENTS)
        needed: set[str] = set()
        if kind == "text":
            text(content, "text", "contentMessage", TEXT_MAX)
        elif kind == "richCard":
            needed |= self._cards.check_rich_card(content[kind], "contentMessage.richCard")
        else:
            self._cards.check_file(content, "contentMessage")
        if "suggestions" in content:
            needed |= check_suggestions(content["suggestions"], "contentMessage.suggestions", CHIPS_MAX)
        words = str(content["text"]) if kind == "text" else ""
        return AgentMessage(
            phone, kind, words, traffic, message, expires_at, frozenset(needed), tuple(suggestions_of(content))
        )

    def _traffic(self, message: dict[str, object]) -> str:
        if "messageTrafficType" in message:
            return word(message, "messageTrafficType", "agent_message", TRAFFIC)
        traffic = TRAFFIC_OF_USE[self._use]
        if not traffic:
            raise invalid("agent_message.messageTrafficType", "a multi-use agent must name it")
        return traffic


def read_event(body: bytes) -> tuple[str, str]:
    """Check the body of ``POST …/agentEvents``: the event's type, and the user's message that it names ("": none)."""
    event = record(read_json(body), "agent_event", ("eventType", "messageId"))
    kind = word(event, "eventType", "agent_event", ("IS_TYPING", "READ"))
    if kind == "READ":
        return kind, text(event, "messageId", "agent_event", 200)
    if "messageId" in event:
        raise invalid("agent_event.messageId", "it goes with READ only")
    return kind, ""


def read_phone(phone: str) -> str:
    """A number in a path."""
    if not E164.fullmatch(phone):
        raise invalid("phone", "it is not of E.164 with a leading +")
    return phone


def read_uuid(name: str, value: str) -> str:
    """An id that the client chose: a UUID with its hyphens."""
    try:
        if str(uuid.UUID(value)) == value.lower():
            return value
    except ValueError:
        pass
    raise invalid(name, "it is missing or no UUID")


def read_json(body: bytes) -> object:
    """The JSON of a body."""
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise GoogleRefusal(400, "Invalid JSON payload received.") from None
    return decoded


def suggestions_of(content: dict[str, object]) -> list[dict[str, object]]:
    """Everything that can be tapped in a content that passed the checks, chips first."""
    found = content.get("suggestions")
    tapped = list(found) if isinstance(found, list) else []
    card = content.get("richCard")
    if isinstance(card, dict):
        (shown,) = [member for member in card.values() if member is not None]
        for one in shown.get("cardContents") or [shown.get("cardContent")]:
            tapped.extend(one.get("suggestions") or [])
    return tapped


def _expires_at(message: dict[str, object], now: float) -> float:
    if "ttl" in message and "expireTime" in message:
        raise invalid("agent_message", "ttl and expireTime exclude each other")
    if "ttl" in message:
        ttl = message["ttl"]
        if not isinstance(ttl, str) or not TTL.fullmatch(ttl):
            raise invalid("agent_message.ttl", "it is not a number of seconds such as 10s")
        life_s = float(ttl[:-1])
    elif "expireTime" in message:
        life_s = moment(message["expireTime"], "agent_message.expireTime") - now
    else:
        return 0.0
    if not 0.0 < life_s <= LIFE_MAX_S:
        raise invalid("agent_message", "a message lives longer than 0 s and at most 15 days")
    return now + life_s
