"""What Google's platform refuses in a message: each limit of the documentation, and the element that breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatewayd.simulate.rbm_refusals import GoogleRefusal
from gatewayd.simulate.rbm_validation import AgentMessage, MessageChecks, Use, read_event, read_phone, read_uuid

PHONE = "+33612345678"
NOW = 1_800_006_000.0
KNOWN_FILE = "files/known"
REPLY = {"reply": {"text": "OK", "postbackData": "ok"}}


def read(body: Any, use: Use = "multi_use", card_suggestions_max: int = 4) -> AgentMessage:
    checks = MessageChecks(use, lambda name: name == KNOWN_FILE, card_suggestions_max)
    return checks.read_message(PHONE, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


def message(content: Any, **members: Any) -> dict[str, Any]:
    return {"contentMessage": content, "messageTrafficType": "TRANSACTION", **members}


def action(**members: Any) -> dict[str, Any]:
    return {"text": "hello", "suggestions": [{"action": {"text": "Do", "postbackData": "do", **members}}]}


def card(orientation: str = "VERTICAL", **members: Any) -> dict[str, Any]:
    content = members.pop("content", {"title": "t"})
    return {"richCard": {"standaloneCard": {"cardOrientation": orientation, "cardContent": content, **members}}}


def carousel(cards: list[Any], width: str = "SMALL") -> dict[str, Any]:
    return {"richCard": {"carouselCard": {"cardWidth": width, "cardContents": cards}}}


def media(height: str = "SHORT", **file: Any) -> dict[str, Any]:
    return {"height": height, **(file or {"contentInfo": {"fileUrl": "https://files.example/a.png"}})}


CALENDAR = {"startTime": "2027-01-15T10:00:00Z", "endTime": "2027-01-15T11:00:00Z", "title": "t"}

GOOD = [
    ({"text": "x" * 3072}, set()),
    ({"text": "hello", "suggestions": [REPLY] * 11}, set()),
    ({"contentInfo": {"fileUrl": "https://files.example/a", "thumbnailUrl": "https://t", "forceRefresh": True}}, set()),
    ({"uploadedRbmFile": {"fileName": KNOWN_FILE, "thumbnailName": KNOWN_FILE}}, set()),
    ({"fileName": KNOWN_FILE}, set()),
    (
        card("HORIZONTAL", thumbnailImageAlignment="LEFT", content={"title": "t", "media": media("TALL")}),
        {"standalone"},
    ),
    (card(content={"media": media(uploadedRbmFile={"fileName": KNOWN_FILE})}), {"standalone"}),
    (carousel([{"title": "x" * 200, "description": "x" * 2000, "suggestions": [REPLY] * 4}] * 10), {"carousel"}),
    (carousel([{"media": media("TALL")}] * 2, "MEDIUM"), {"carousel"}),
    (action(openUrlAction={"url": "https://example.org"}, fallbackUrl="https://example.org"), {"open"}),
    (action(openUrlAction={"url": "https://e", "application": "WEBVIEW", "webviewViewMode": "HALF"}), {"webview"}),
    (action(dialAction={"phoneNumber": "+33123456789"}), {"dial"}),
    (action(viewLocationAction={"latLong": {"latitude": 48.8, "longitude": 2}, "label": "l"}), {"view"}),
    (action(viewLocationAction={"query": "pizza"}), {"view"}),
    (action(shareLocationAction={}), {"share"}),
    (action(createCalendarEventAction={**CALENDAR, "description": "x" * 500}), {"calendar"}),
]
FEATURE = {
    "standalone": "RICHCARD_STANDALONE",
    "carousel": "RICHCARD_CAROUSEL",
    "open": "ACTION_OPEN_URL",
    "webview": "ACTION_OPEN_URL_IN_WEBVIEW",
    "dial": "ACTION_DIAL",
    "view": "ACTION_VIEW_LOCATION",
    "share": "ACTION_SHARE_LOCATION",
    "calendar": "ACTION_CREATE_CALENDAR_EVENT",
}

BAD = [
    ({"text": ""}, "contentMessage.text"),
    ({"text": "x" * 3073}, "contentMessage.text"),
    ({"text": 1}, "contentMessage.text"),
    ({}, "contentMessage"),
    ({"text": "a", "fileName": KNOWN_FILE}, "exactly one of"),
    ({"text": "a", "unknown": 1}, "unknown name 'unknown'"),
    ({"text": "a", "suggestions": [REPLY] * 12}, "12 given"),
    ({"text": "a", "suggestions": {}}, "not a list"),
    ({"text": "a", "suggestions": [{}]}, "exactly one of reply, action"),
    ({"text": "a", "suggestions": [{"reply": {"text": "x" * 26, "postbackData": "d"}}]}, "suggestions[0].reply.text"),
    ({"text": "a", "suggestions": [{"reply": {"text": "x"}}]}, "postbackData"),
    ({"text": "a", "suggestions": [{"reply": {"text": "x", "postbackData": "x" * 2049}}]}, "postbackData"),
    ({"fileName": "files/unknown"}, "no such file"),
    ({"uploadedRbmFile": {"fileName": KNOWN_FILE, "thumbnailName": "files/x"}}, "thumbnailName"),
    ({"contentInfo": {"fileUrl": "ftp://files.example"}}, "http"),
    ({"contentInfo": {"fileUrl": "https://" + "x" * 2048}}, "fileUrl"),
    ({"contentInfo": {"fileUrl": "https://f", "forceRefresh": "yes"}}, "forceRefresh"),
    ({"richCard": {}}, "exactly one of standaloneCard"),
    (card("DIAGONAL"), "cardOrientation"),
    (card("VERTICAL", thumbnailImageAlignment="LEFT"), "thumbnailImageAlignment"),
    (card("HORIZONTAL", thumbnailImageAlignment="TOP"), "thumbnailImageAlignment"),
    (card("HORIZONTAL", content={"media": media()}), "more than media"),
    (card(content={"suggestions": [REPLY]}), "needs media"),
    (card(content={"title": "x" * 201}), "cardContent.title"),
    (card(content={"description": "x" * 2001}), "cardContent.description"),
    (card(content={"title": "t", "suggestions": [REPLY] * 5}), "5 given"),
    (card(content={"media": media("HUGE")}), "height"),
    (card(content={"media": {"height": "TALL"}}), "exactly one of"),
    (card(content=None), "cardContent"),
    (carousel([{"title": "t"}]), "1 given, 2 to 10"),
    (carousel([{"title": "t"}] * 11), "11 given"),
    (carousel([{"title": "t"}] * 2, "LARGE"), "cardWidth"),
    (carousel([{"title": "t"}, {"media": media("TALL")}]), "cardContents[1].media.height"),
    (action(), "exactly one of"),
    (action(dialAction={"phoneNumber": "+33123456789"}, shareLocationAction={}), "exactly one of"),
    (action(composeAction={}), "paused"),
    (action(dialAction={"phoneNumber": "0123456789"}), "E.164"),
    (action(openUrlAction={"url": "javascript:1"}), "http"),
    (action(openUrlAction={"url": "https://e", "webviewViewMode": "FULL"}), "webview only"),
    (action(openUrlAction={"url": "https://e", "application": "OTHER"}), "application"),
    (action(viewLocationAction={"latLong": {"latitude": 91, "longitude": 2}}), "latitude"),
    (action(viewLocationAction={"latLong": {"latitude": True, "longitude": 2}}), "latitude"),
    (action(viewLocationAction={}), "exactly one of latLong, query"),
    (action(shareLocationAction={"x": 1}), "unknown name"),
    (action(createCalendarEventAction={**CALENDAR, "endTime": "2027-01-15T09:00:00Z"}), "ends before"),
    (action(createCalendarEventAction={**CALENDAR, "startTime": "tomorrow"}), "RFC 3339"),
    (action(createCalendarEventAction={**CALENDAR, "startTime": "2027-02-30T10:00:00Z"}), "exists"),
    (action(createCalendarEventAction={**CALENDAR, "title": "x" * 101}), "title"),
]


@pytest.mark.parametrize(("content", "features"), GOOD)
def test_what_is_allowed(content: Any, features: set[str]) -> None:
    assert read(message(content)).needed == {FEATURE[name] for name in features}


@pytest.mark.parametrize(("content", "words"), BAD)
def test_what_is_not(content: Any, words: str) -> None:
    with pytest.raises(GoogleRefusal, match="Invalid value") as caught:
        read(message(content))
    assert words in caught.value.message
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"ttl": "10"}, "ttl"),
        ({"ttl": 10}, "ttl"),
        ({"ttl": "0s"}, "longer than 0"),
        ({"ttl": f"{15 * 86400 + 1}s"}, "15 days"),
        ({"ttl": "10s", "expireTime": "2027-01-15T10:00:00Z"}, "exclude"),
        ({"expireTime": "2027-01-15T09:00:00Z"}, "longer than 0"),
        ({"expireTime": "soon"}, "RFC 3339"),
        ({"messageTrafficType": "MESSAGE_TRAFFIC_TYPE_UNSPECIFIED"}, "messageTrafficType"),
        ({"messageTrafficType": None}, "multi-use"),
        ({"sendTime": "2027-01-15T10:00:00Z"}, "unknown name 'sendTime'"),
    ],
)
def test_the_members_around_the_content(members: dict[str, Any], words: str) -> None:
    with pytest.raises(GoogleRefusal, match="Invalid value") as caught:
        read(message({"text": "hello"}, **members))
    assert words in caught.value.message


def test_life_times_are_counted_from_now() -> None:
    assert read(message({"text": "hello"})).expires_at == 0.0
    assert read(message({"text": "hello"}, ttl="3.5s")).expires_at == NOW + 3.5
    assert read(message({"text": "hello"}, expireTime="2027-01-15T10:41:00+01:00")).expires_at == NOW + 60.0


def test_what_is_no_message_at_all() -> None:
    for body in (b"", b"[]", b"null", b"{", b"\xff", b'{"messageTrafficType": "TRANSACTION"}'):
        with pytest.raises(GoogleRefusal):
            read(body)
    with pytest.raises(GoogleRefusal, match="250 KB"):
        read(message({"text": "hello", "pad": "x" * 260_000}))


def test_an_agent_of_one_use_need_not_name_it() -> None:
    assert read({"contentMessage": {"text": "hello"}}, "otp").traffic == "AUTHENTICATION"
    many = read(message(card(content={"title": "t", "suggestions": [REPLY] * 10})), card_suggestions_max=10)
    assert len(many.suggestions) == 10


def test_everything_that_can_be_tapped_is_found() -> None:
    tapped = read(message({**carousel([{"title": "t", "suggestions": [REPLY]}] * 2), "suggestions": [REPLY]}))
    assert len(tapped.suggestions) == 3
    assert len(read(message(card(content={"title": "t", "suggestions": [REPLY] * 2}))).suggestions) == 2


def test_events_phones_and_ids() -> None:
    assert read_event(b'{"eventType": "IS_TYPING"}') == ("IS_TYPING", "")
    with pytest.raises(GoogleRefusal, match="READ only"):
        read_event(b'{"eventType": "IS_TYPING", "messageId": "m"}')
    for phone in ("33612345678", "+0612345678", "+336 12"):
        with pytest.raises(GoogleRefusal, match=r"E\.164"):
            read_phone(phone)
    for value in ("", "message-1", "0b6f3a528f0e4c1d9a3e5f1f2f0a9d11"):
        with pytest.raises(GoogleRefusal, match="messageId"):
            read_uuid("messageId", value)
    assert read_uuid("messageId", "0B6F3A52-8F0E-4C1D-9A3E-5F1F2F0A9D11")
