"""Every rule of the platform's strict checks, by the code it refuses with."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.simulate.rcs_catalogue import CATALOGUE, Refusal
from gatewayd.simulate.rcs_validation import read_contact_query, read_new_status, read_submission

NOW = 1_800_000_000.0
CONTACT: dict[str, Any] = {"userContact": "+33612345678"}
REPLY = {"reply": {"displayText": "OK", "postback": {"data": "ack:42"}}}
MEDIA = {"mediaUrl": "https://e/m", "mediaContentType": "image/png", "mediaFileSize": 9, "height": "SHORT_HEIGHT"}
LAYOUT = {"cardOrientation": "VERTICAL"}


def body(message: Any, contact: Any = CONTACT) -> bytes:
    return json.dumps({"RCSMessage": message, "messageContact": contact}).encode()


def card(layout: Any = LAYOUT, content: Any = None, kind: str = "generalPurposeCard") -> dict[str, Any]:
    return {"richcardMessage": {"message": {kind: {"layout": layout, "content": content or {"title": "t"}}}}}


def carousel(count: int, width: str = "SMALL_WIDTH", content: Any = None) -> dict[str, Any]:
    return card({"cardWidth": width}, [content or {"title": "t"}] * count, "generalPurposeCardCarousel")


def chips(*suggestions: Any) -> dict[str, Any]:
    return {"textMessage": "hello", "suggestedChipList": {"suggestions": list(suggestions)}}


def action(**kinds: Any) -> dict[str, Any]:
    return {"action": {"displayText": "Go", "postback": {"data": "x"}, **kinds}}


def code_of(raw: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        read_submission(raw, NOW)
    return caught.value.code


GOOD: list[dict[str, Any]] = [
    {"textMessage": "é"},
    {"textMessage": "x" * 3072, "trafficType": "payment", "expiry": "2027-12-31T00:00:00Z"},
    {"textMessage": "x", "expiry": "2027-12-31T00:00:00.123+02:00"},
    {"isTyping": "active"},
    {"fileMessage": {"fileUrl": "https://e/f", "fileSize": 12}},
    {"audioMessage": {"fileUrl": "https://e/f", "playingLength": 3}},
    {"geolocationPushMessage": {"pos": "48.85 2.35", "label": "Paris"}},
    {"geolocationPushMessage": {"pos": "48.85 2.35", "radius": 12.5, "timeOffset": -540}},
    chips(*[REPLY] * 11),
    chips(action(urlAction={"openUrl": {"url": "https://e"}})),
    chips(action(urlAction={"openUrl": {"url": "https://e", "application": "webview", "viewMode": "half"}})),
    chips(action(dialerAction={"dialPhoneNumber": {"phoneNumber": "+331"}})),
    chips(action(dialerAction={"dialEnrichedCall": {"phoneNumber": "+331", "subject": "s"}})),
    chips(action(mapAction={"showLocation": {"location": {"latitude": 1.0, "longitude": 2}}})),
    chips(action(mapAction={"showLocation": {"location": {"query": "cafe"}}})),
    chips(action(mapAction={"requestLocationPush": {}})),
    chips(
        action(
            calendarAction={
                "createCalendarEvent": {
                    "startTime": "2027-01-01T10:00:00Z",
                    "endTime": "2027-01-01T11:00:00Z",
                    "title": "t",
                }
            }
        )
    ),
    chips(action(composeAction={"composeTextMessage": {"phoneNumber": "+331", "text": "t"}})),
    chips(action(composeAction={"composeRecordingMessage": {"phoneNumber": "+331", "type": "AUDIO"}})),
    chips(action(deviceAction={"requestDeviceSpecifics": {}})),
    chips(action(settingsAction={"disableAnonymization": {}})),
    card(content={"media": MEDIA, "suggestions": [REPLY] * 4}),
    card({"cardOrientation": "HORIZONTAL", "imageAlignment": "LEFT", "titleFontStyle": ["bold"]}),
    carousel(2),
    carousel(10, "MEDIUM_WIDTH", {"media": {**MEDIA, "height": "TALL_HEIGHT"}}),
]

BAD: list[tuple[Any, int]] = [
    ({}, 42009),
    ({"textMessage": None}, 42009),
    ({"textMessage": "a", "isTyping": "active"}, 42010),
    ({"textMessage": ""}, 42015),
    ({"textMessage": 7}, 42002),
    ({"textMessage": "x" * 3073}, 42002),
    ({"textMessage": "x", "msgId": "mine"}, 42002),
    ({"textMessage": "x", "status": "pending"}, 42002),
    ({"isTyping": "perhaps"}, 42012),
    ({"textMessage": "x", "trafficType": "gossip"}, 42013),
    ({"textMessage": "x", "expiry": "tomorrow"}, 42207),
    ({"textMessage": "x", "expiry": 1_900_000_000}, 42207),
    ({"textMessage": "x", "expiry": "2027-12-31T00:00:00"}, 42207),
    ({"textMessage": "x", "expiry": "2027-12-32T00:00:00Z"}, 42207),
    ({"textMessage": "x", "expiry": "2026-01-01T00:00:00Z"}, 42208),
    ({"fileMessage": {}}, 42101),
    ({"fileMessage": {"fileUrl": "https://e", "fileSize": -1}}, 42206),
    ({"fileMessage": {"fileUrl": "https://e", "thumbnailUrl": "https://e"}}, 42100),
    ({"audioMessage": {}}, 42102),
    ({"geolocationPushMessage": {}}, 42103),
    ({"geolocationPushMessage": {"pos": "48.85,2.35"}}, 42103),
    ({"geolocationPushMessage": {"pos": "99 2.35"}}, 42103),
    ({"geolocationPushMessage": {"pos": "1 2", "label": "x" * 201}}, 42201),
    ({"geolocationPushMessage": {"pos": "1 2", "timestamp": "now"}}, 42003),
    ({"geolocationPushMessage": {"pos": "1 2", "radius": -1}}, 42002),
    ({"geolocationPushMessage": {"pos": "1 2", "timeOffset": "60"}}, 42002),
    ({"suggestedChipList": {"suggestions": [REPLY]}}, 42014),
    ({"isTyping": "active", "suggestedChipList": {"suggestions": [REPLY]}}, 42014),
    (chips(), 42043),
    (chips(*[REPLY] * 12), 42044),
    (chips({}), 42045),
    (chips({**REPLY, **action()}), 42046),
    (chips(action()), 42050),
    (chips(action(deviceAction={}, settingsAction={})), 42047),
    (chips({"reply": {"displayText": "x" * 26, "postback": {"data": "x"}}}), 42050),
    (chips({"reply": {"postback": {"data": "x"}}}), 42050),
    (chips({"reply": {"displayText": "x"}}), 42108),
    (chips({"reply": {"displayText": "x", "postback": {}}}), 42108),
    (chips({"reply": {"displayText": "x", "postback": {"data": "x" * 2049}}}), 42049),
    (chips(action(mapAction={})), 42053),
    (chips(action(mapAction={"showLocation": {}, "requestLocationPush": {}})), 42054),
    (chips(action(mapAction={"showLocation": {"location": {}}})), 42051),
    (chips(action(mapAction={"showLocation": {"location": {"latitude": 1}}})), 42051),
    (chips(action(mapAction={"showLocation": {"location": {"latitude": 1, "longitude": 1, "query": "x"}}})), 42052),
    (chips(action(dialerAction={})), 42055),
    (chips(action(dialerAction={"dialPhoneNumber": {}, "dialVideoCall": {}})), 42056),
    (chips(action(composeAction={})), 42057),
    (chips(action(composeAction={"composeTextMessage": {}, "composeRecordingMessage": {}})), 42058),
    (chips(action(settingsAction={})), 42059),
    (chips(action(settingsAction={"disableAnonymization": {}, "enableDisplayedNotifications": {}})), 42060),
    (chips(action(urlAction={"openUrl": {"url": "https://e", "viewMode": "half"}})), 42002),
    ({"richcardMessage": {}}, 42031),
    ({"richcardMessage": {"message": {}}}, 42031),
    ({"richcardMessage": {"message": {"generalPurposeCard": {}, "generalPurposeCardCarousel": {}}}}, 42032),
    ({"richcardMessage": {"message": {"generalPurposeCard": {"content": {"title": "t"}}}}}, 42034),
    ({"richcardMessage": {"message": {"generalPurposeCard": {"layout": LAYOUT}}}}, 42035),
    (card({"cardOrientation": "DIAGONAL"}), 42036),
    (card({"cardOrientation": "HORIZONTAL"}), 42037),
    (card({"cardOrientation": "HORIZONTAL", "imageAlignment": "UP"}), 42038),
    (card({"cardOrientation": "VERTICAL", "imageAlignment": "LEFT"}), 42039),
    (card(content={"suggestions": [REPLY]}), 42042),
    (card(content={"title": "t", "suggestions": [REPLY] * 5}), 42048),
    (card(content={"title": "x" * 201}), 42203),
    (card(content={"description": "x" * 2001}), 42204),
    (card(content={"media": {**MEDIA, "mediaUrl": None}}), 42104),
    (card(content={"media": {**MEDIA, "mediaContentType": None}}), 42105),
    (card(content={"media": {**MEDIA, "mediaFileSize": None}}), 42106),
    (card(content={"media": {**MEDIA, "height": "HUGE"}}), 42107),
    (card(content={"media": {**MEDIA, "contentDescription": "x" * 201}}), 42202),
    (card(content={"media": {**MEDIA, "thumbnailUrl": "https://e"}}), 42100),
    (carousel(1), 42033),
    (carousel(11), 42205),
    (carousel(2, "WIDE"), 42040),
    (carousel(2, "SMALL_WIDTH", {"media": {**MEDIA, "height": "TALL_HEIGHT"}}), 42041),
    (card(content={"title": "t", "description": "d" * 2000, "suggestions": "none"}), 42002),
]

BAD_CONTACTS: list[tuple[Any, int]] = [
    (None, 42004),
    ({}, 42004),
    ({"userContact": "33612345678"}, 42005),
    ({"userContact": "+0612345678"}, 42005),
    ({"userContact": "+33 6 12 34 56 78"}, 42005),
    ({"userContact": "+33612345678901234"}, 42005),
    ({"userContact": "tel:+33612345678"}, 42005),
    ({"userContact": "+33612345678\n"}, 42005),
    ({"userContact": 33612345678}, 42005),
    ({"userContact": "+33612345678", "chatId": "a"}, 42002),
    ({"userContact": "+33612345678", "nickname": "a"}, 42002),
]


@pytest.mark.parametrize("message", GOOD, ids=lambda message: str(message)[:60])
def test_good_messages_pass(message: dict[str, Any]) -> None:
    assert read_submission(body(message), NOW).contact == "+33612345678"


@pytest.mark.parametrize(("message", "code"), BAD, ids=lambda value: str(value)[:60])
def test_bad_messages_are_refused(message: Any, code: int) -> None:
    assert code_of(body(message)) == code


@pytest.mark.parametrize(("contact", "code"), BAD_CONTACTS, ids=lambda value: str(value)[:60])
def test_bad_contacts_are_refused(contact: Any, code: int) -> None:
    assert code_of(body({"textMessage": "x"}, contact)) == code


def test_what_is_read_from_a_message() -> None:
    message = {**chips(REPLY), "expiry": "2027-01-15T08:00:01Z"}
    read = read_submission(body(message), NOW)
    assert (read.kind, read.text, read.expiry, read.suggestions) == ("textMessage", "hello", NOW + 1.0, (REPLY,))


def test_an_alias_stands_for_the_number() -> None:
    assert read_submission(body({"textMessage": "x"}, {"chatId": "alias-1"}), NOW).contact == "alias-1"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"RCSMessage":{}}x'])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    assert code_of(raw) == 42002


def test_members_beside_the_two_are_refused() -> None:
    raw = json.dumps({"RCSMessage": {"textMessage": "x"}, "messageContact": CONTACT, "ttl": "10s"}).encode()
    assert code_of(raw) == 42002


def test_a_card_beyond_its_size_is_refused() -> None:
    assert code_of(body(card(content={"title": "t", "description": "\u20ac" * 90_000}))) == 42002


@pytest.mark.parametrize(("raw", "status"), [(b'{"RCSMessage":{"status":"cancelled"}}', "cancelled")])
def test_a_new_status_is_read(raw: bytes, status: str) -> None:
    assert read_new_status(raw) == status


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"{}", 42002), (b'{"RCSMessage":{}}', 42011), (b'{"RCSMessage":{"status":7}}', 42011), (b"[", 42002)],
)
def test_a_bad_new_status_is_refused(raw: bytes, code: int) -> None:
    with pytest.raises(Refusal) as caught:
        read_new_status(raw)
    assert caught.value.code == code


def test_a_plus_that_was_not_escaped_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read_contact_query({"userContact": " 33612345678"})
    assert caught.value.code == 42005
    with pytest.raises(Refusal) as caught:
        read_contact_query({})
    assert caught.value.code == 42004


def test_every_code_that_is_tested_is_in_the_catalogue() -> None:
    assert {code for _, code in (*BAD, *BAD_CONTACTS)} <= CATALOGUE.keys()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["RCSMessage", "messageContact", "userContact", "textMessage", "richcardMessage", "message"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON | st.builds(lambda message: {"RCSMessage": message, "messageContact": CONTACT}, JSON))
def test_no_json_surprises_the_checks(value: Any) -> None:
    with contextlib.suppress(Refusal):
        read_submission(json.dumps(value).encode(), NOW)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_surprise_the_checks(raw: bytes) -> None:
    with pytest.raises(Refusal):
        read_submission(raw, NOW)
