"""Strict checks of whole requests: a message to send, a status to set, a contact (GSMA FNW.11).

Pure: the time is an argument. Knows nothing of rules, tokens or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from gatewayd.simulate.rcs_cards import check_rich_card
from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_members import absent, latitude_longitude, moment, record, size, text
from gatewayd.simulate.rcs_suggestions import URL_MAX, check_chip_list

TTL = re.compile(r"\d{1,8}(\.\d{1,9})?s", re.ASCII)
E164 = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)
TRAFFIC_TYPES = ("advertisement", "payment", "premium", "subscription")
CONTENTS = ("textMessage", "fileMessage", "audioMessage", "geolocationPushMessage", "richcardMessage", "isTyping")
TEXT_MAX = 3072  # FNW.11's own limit is not public; this is the widest that a network is known to take
CARD_SIZE_MAX = 250 * 1024


class Submission(msgspec.Struct, frozen=True):
    """A message that passed every check. ``expiry`` is Unix seconds, 0 when none was given."""

    contact: str
    kind: str
    text: str
    message: dict[str, object]
    expiry: float = 0.0
    suggestions: tuple[dict[str, object], ...] = ()


def read_submission(body: bytes, now: float, text_max: int = TEXT_MAX, *, takes_ttl: bool = False) -> Submission:
    """Check the body of ``POST …/messages`` at Unix time ``now``; raises ``Refusal`` for the first fault.

    ``takes_ttl``: this platform knows a relative life time, in place of an expiry.
    """
    named = ("RCSMessage", "messageContact", "ttl") if takes_ttl else ("RCSMessage", "messageContact")
    envelope = record(_json(body), "the body", required=(), optional=named)
    if absent(envelope, "RCSMessage"):
        raise Refusal(42002, "RCSMessage is missing")
    message = record(
        envelope["RCSMessage"],
        "RCSMessage",
        required=(),
        optional=(*CONTENTS, "suggestedChipList", "trafficType", "expiry"),
    )
    contact = _read_contact(envelope.get("messageContact"))
    kind = _read_kind(message)
    if not absent(message, "trafficType") and message["trafficType"] not in TRAFFIC_TYPES:
        raise Refusal(42013)
    expiry = _read_expiry(message, now)
    if not absent(envelope, "ttl"):
        expiry = _read_ttl(envelope["ttl"], expiry, now)
    _check_content(kind, message, text_max)
    suggestions: tuple[dict[str, object], ...] = ()
    if not absent(message, "suggestedChipList"):
        check_chip_list(message["suggestedChipList"])
        suggestions = _chips(message["suggestedChipList"])
    words = message["textMessage"] if kind == "textMessage" else ""
    return Submission(contact, kind, str(words), message, expiry, suggestions)


def read_new_status(body: bytes) -> str:
    """Check the body of ``PUT …/messages/{id}/status``: the one word it sets."""
    envelope = record(_json(body), "the body", required=("RCSMessage",))
    message = record(envelope["RCSMessage"], "RCSMessage", required=(), optional=("status",))
    status = message.get("status")
    if not isinstance(status, str):
        raise Refusal(42011)
    return status


def read_contact_query(query: Mapping[str, str]) -> str:
    """Check the query of ``GET …/contactCapabilities``: exactly one of userContact and chatId."""
    if not query:
        raise Refusal(42004)
    return _read_contact(dict(query))


def _json(body: bytes) -> object:
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(42002, "the body is not JSON") from None
    return decoded


def _read_contact(value: object) -> str:
    if value is None:
        raise Refusal(42004)
    contact = record(value, "messageContact", required=(), optional=("userContact", "chatId"))
    if absent(contact, "userContact"):
        return text(contact, "chatId", "messageContact", most=200, missing=42004)
    if not absent(contact, "chatId"):
        raise Refusal(42002, "userContact and chatId exclude each other")
    number = contact["userContact"]
    if not isinstance(number, str) or not E164.fullmatch(number):
        raise Refusal(42005)
    return number


def _read_kind(message: dict[str, object]) -> str:
    kinds = [name for name in CONTENTS if not absent(message, name)]
    has_chips = not absent(message, "suggestedChipList")
    if has_chips and (not kinds or "isTyping" in kinds):
        raise Refusal(42014)
    if not kinds:
        raise Refusal(42009)
    if len(kinds) > 1:
        raise Refusal(42010, ", ".join(kinds))
    return kinds[0]


def _read_expiry(message: dict[str, object], now: float) -> float:
    if absent(message, "expiry"):
        return 0.0
    expiry = moment(message["expiry"], 42207, "RCSMessage.expiry")
    if expiry <= now:
        raise Refusal(42208)
    return expiry


def _read_ttl(value: object, expiry: float, now: float) -> float:
    if not isinstance(value, str) or not TTL.fullmatch(value) or not float(value[:-1]):
        raise Refusal(42207, "ttl is not a number of seconds such as 10s")
    if expiry:
        raise Refusal(42002, "ttl and expiry exclude each other")
    return now + float(value[:-1])


def _check_content(kind: str, message: dict[str, object], text_max: int) -> None:
    value = message[kind]
    if kind == "textMessage":
        if value == "":
            raise Refusal(42015)
        text(message, kind, "RCSMessage", most=text_max)
    elif kind == "fileMessage":
        _check_file(value)
    elif kind == "audioMessage":
        _check_audio(value)
    elif kind == "geolocationPushMessage":
        _check_location(value)
    elif kind == "richcardMessage":
        if len(msgspec.json.encode(value)) > CARD_SIZE_MAX:
            raise Refusal(42002, "the card is larger than 250 KB")
        check_rich_card(value)
    elif value not in ("active", "idle"):
        raise Refusal(42012)


def _check_file(value: object) -> None:
    where = "fileMessage"
    thumbnail = ("thumbnailUrl", "thumbnailFileName", "thumbnailMIMEType", "thumbnailFileSize")
    body = record(value, where, required=(), optional=("fileUrl", "fileName", "fileMIMEType", "fileSize", *thumbnail))
    text(body, "fileUrl", where, most=URL_MAX, missing=42101)
    text(body, "fileName", where, most=255, required=False)
    text(body, "fileMIMEType", where, most=200, required=False)
    size(body, "fileSize", where)
    if not absent(body, "thumbnailUrl"):
        text(body, "thumbnailUrl", where, most=URL_MAX)
        text(body, "thumbnailMIMEType", where, most=200, missing=42100)
        size(body, "thumbnailFileSize", where, missing=42100)


def _check_audio(value: object) -> None:
    where = "audioMessage"
    named = ("fileUrl", "fileName", "fileMIMEType", "fileSize", "playingLength")
    body = record(value, where, required=(), optional=named)
    text(body, "fileUrl", where, most=URL_MAX, missing=42102)
    text(body, "fileName", where, most=255, required=False)
    text(body, "fileMIMEType", where, most=200, required=False)
    size(body, "fileSize", where)
    size(body, "playingLength", where)


def _check_location(value: object) -> None:
    where = "geolocationPushMessage"
    named = ("pos", "label", "timestamp", "expiry", "timeOffset", "radius")
    body = record(value, where, required=(), optional=named)
    pos = text(body, "pos", where, most=100, missing=42103)
    try:
        latitude, longitude = (float(part) for part in pos.split(" "))
    except ValueError:
        raise Refusal(42103, where) from None
    latitude_longitude(latitude, longitude, 42103, where)
    text(body, "label", where, most=200, code=42201, required=False)
    for name in ("timestamp", "expiry"):
        if not absent(body, name):
            moment(body[name], 42003, f"{where}.{name}")
    radius, offset = body.get("radius"), body.get("timeOffset")
    if radius is not None and (isinstance(radius, bool) or not isinstance(radius, int | float) or radius < 0):
        raise Refusal(42002, f"{where}.radius is not a number of metres")
    if offset is not None and (isinstance(offset, bool) or not isinstance(offset, int) or abs(offset) > 14 * 60):
        raise Refusal(42002, f"{where}.timeOffset is not a number of minutes")


def _chips(value: object) -> tuple[dict[str, object], ...]:
    return tuple(value["suggestions"]) if isinstance(value, dict) else ()
