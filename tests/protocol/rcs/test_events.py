"""Twin of protocol.rcs.events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs.content import Audio, File, Inbound, Location, Text
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import (
    NEW_USER_POSTBACK,
    AliasEvent,
    Contact,
    Event,
    FileEvent,
    IgnoredEvent,
    MessageEvent,
    ResponseEvent,
    Status,
    StatusEvent,
    read_webhook,
)
from protocol.rcs.files import NotStored, Stored

HANDSET = Contact("+33612345678")
AT = 1795342286.0
CONTACT = {"userContact": "+33612345678"}


def read_one(message: dict[str, Any] | None = None, **members: Any) -> Event:
    body: dict[str, Any] = {"messageContact": CONTACT, **members}
    if message is not None:
        body["RCSMessage"] = message
    (event,) = read_webhook(msgspec.json.encode(body))
    return event


def fault_of(body: bytes) -> str:
    with pytest.raises(RcsFault) as caught:
        read_webhook(body)
    assert caught.value.http_status == 400
    return caught.value.kind


def stamped(**members: Any) -> dict[str, Any]:
    return {"msgId": "u-881", "timestamp": "2026-11-22T10:11:26Z", **members}


REPLY = {"response": {"reply": {"displayText": "OK", "postback": {"data": "ack:42"}}}}
ACTION = {"response": {"action": {"displayText": "Suivre", "postback": {"data": "suivi:42"}}}}
NEW_USER = {"response": {"reply": {"displayText": "Start", "postback": {"data": NEW_USER_POSTBACK}}}}


def test_a_tapped_reply_as_it_comes_over_the_wire() -> None:
    body = b"""{"event":"response","messageContact":{"userContact":"+33612345678"},
     "RCSMessage":{"msgId":"u-881","timestamp":"2026-11-22T10:12:03.120Z",
      "suggestedResponse":{"response":{"reply":{"displayText":"OK","postback":{"data":"ack:42"}}}}}}"""
    (event,) = read_webhook(body)
    assert isinstance(event, ResponseEvent)
    assert event.at == pytest.approx(1795342323.12)
    assert (event.msg_id, event.contact, event.display_text, event.postback) == ("u-881", HANDSET, "OK", "ack:42")
    assert not event.is_action
    assert not event.is_new_user


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", Status.PENDING),
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("displayed", Status.DISPLAYED),
        ("read", Status.DISPLAYED),
        ("cancelled", Status.CANCELLED),
        ("canceled", Status.CANCELLED),
        ("revoked", Status.REVOKED),
        ("failed", Status.FAILED),
    ],
)
@pytest.mark.parametrize("name", ["messageStatus", "message_status", None])
def test_every_status_in_every_spelling(word: str, status: Status, name: str | None) -> None:
    members = {"event": name} if name else {}
    event = read_one({"msgId": "m-1", "status": word, "timestamp": "2026-11-22T10:11:26Z"}, **members)
    assert event == StatusEvent("m-1", status, AT, number="+33612345678")


@pytest.mark.parametrize(
    ("inside", "beside", "error"),
    [
        ({"reason": {"code": 41200, "text": "not an RCS user"}}, {}, "41200"),
        ({"reason": "41007"}, {}, "41007"),
        ({}, {"reason": {"code": "41001"}}, "41001"),
        ({"reason": {"text": "call +33612345678"}}, {}, ""),
        ({"reason": "call +33612345678"}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_the_reason_of_a_failure_is_a_code_or_nothing(
    inside: dict[str, Any], beside: dict[str, Any], error: str
) -> None:
    event = read_one({"msgId": "m-1", "status": "failed", **inside}, event="messageStatus", **beside)
    assert event == StatusEvent("m-1", Status.FAILED, 0.0, error, "+33612345678")


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ({"textMessage": "Bonjour"}, Text("Bonjour")),
        ({"textMessage": ""}, Text("")),
        (
            {"fileMessage": {"fileUrl": "https://f.example/a", "fileName": "a", "fileMIMEType": "t/p", "fileSize": 9}},
            File("https://f.example/a", "a", "t/p", 9),
        ),
        ({"fileMessage": {"fileUrl": "https://f.example/a", "fileSize": None}}, File("https://f.example/a")),
        (
            {"audioMessage": {"fileUrl": "https://f.example/b", "playingLength": 3}},
            Audio("https://f.example/b", length_s=3),
        ),
        ({"geolocationPushMessage": {"pos": "48.8566 2.3522", "label": "P"}}, Location(48.8566, 2.3522, "P")),
        ({"geolocationPushMessage": {"pos": "-33.9,18.4"}}, Location(-33.9, 18.4)),
    ],
)
@pytest.mark.parametrize("name", ["message", None])
def test_what_a_user_sends(members: dict[str, Any], content: Inbound, name: str | None) -> None:
    event = read_one(stamped(**members), **({"event": name} if name else {}))
    assert event == MessageEvent("u-881", HANDSET, content, AT)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (stamped(suggestedResponse=REPLY), ResponseEvent("u-881", HANDSET, "OK", "ack:42", AT)),
        (stamped(suggestedResponse=ACTION), ResponseEvent("u-881", HANDSET, "Suivre", "suivi:42", AT, is_action=True)),
        (stamped(suggestedResponse={"response": {"reply": {}}}), ResponseEvent("u-881", HANDSET, "", "", AT)),
        (stamped(sharedData={"deviceSpecifics": {"deviceModel": "x"}}), IgnoredEvent("sharedData")),
    ],
)
@pytest.mark.parametrize("name", ["response", None])
def test_responses_named_and_inferred(message: dict[str, Any], event: Event, name: str | None) -> None:
    assert read_one(message, **({"event": name} if name else {})) == event


@pytest.mark.parametrize("name", ["newUser", None])
def test_a_new_user_has_the_postback_that_says_so(name: str | None) -> None:
    event = read_one(stamped(suggestedResponse=NEW_USER), **({"event": name} if name else {}))
    assert event == ResponseEvent("u-881", HANDSET, "Start", NEW_USER_POSTBACK, AT, is_new_user=True)


def test_a_new_user_without_a_response_is_one_all_the_same() -> None:
    assert read_one(event="newUser") == ResponseEvent("", HANDSET, "", NEW_USER_POSTBACK, 0.0, is_new_user=True)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"event": "isTyping", "RCSMessage": {"isTyping": "active"}}, "isTyping"),
        ({"messageContact": CONTACT, "RCSMessage": {"isTyping": "idle"}}, "isTyping"),
        ({"event": "alias", "messageContact": CONTACT}, "alias"),
        ({"event": "alias"}, "alias"),
        ({"event": "fileStatus"}, "fileStatus"),
        ({"file": {"fileId": [], "status": "ready"}}, "fileStatus"),
    ],
)
def test_what_is_known_and_of_no_use(body: dict[str, Any], name: str) -> None:
    assert read_webhook(msgspec.json.encode(body)) == [IgnoredEvent(name)]


@pytest.mark.parametrize("members", [{"event": "fileStatus"}, {}], ids=["named", "unnamed"])
def test_what_became_of_a_file(members: dict[str, Any]) -> None:
    file = {"fileId": "f", "fileUrl": "https://x.example/f", "status": "ready", "validity": "2026-11-22T10:11:26Z"}
    (event,) = read_webhook(msgspec.json.encode({**members, "file": file}))
    assert event == FileEvent("f", Stored("https://x.example/f", "f", True, AT))
    (event,) = read_webhook(msgspec.json.encode({**members, "file": {**file, "status": "failed"}}))
    assert event == FileEvent("f", NotStored("file_failed"))


@pytest.mark.parametrize("named", [{"event": "alias"}, {}])
def test_two_addresses_of_one_user(named: dict[str, str]) -> None:
    body = {**named, "messageContact": {"userContact": "+33612345678", "chatId": "c"}}
    assert read_webhook(msgspec.json.encode(body)) == [AliasEvent(Contact("+33612345678", "c"))]


def test_an_anonymised_user_has_an_alias_only() -> None:
    event = read_one(stamped(textMessage="x"), messageContact={"chatId": "tok"})
    assert isinstance(event, MessageEvent)
    assert event.contact == Contact("", "tok")


def test_members_that_platforms_add_are_passed_over() -> None:
    contact = {**CONTACT, "tParticipantAddress": "sip:bot@example"}
    event = read_one(stamped(textMessage="x", callbackURL="https://c.example"), messageContact=contact, extra=[1])
    assert event == MessageEvent("u-881", HANDSET, Text("x"), AT)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b'{"event":"mess\xff"}', "not_json"),
        (b'{"event":"\\ud800"}', "not_json"),
        (b'{"file":' + b"[" * 100_000, "bad_shape"),
        (b'{"other":' + b"[" * 100_000, "not_json"),
        (b'{"reason":' + b"[" * 100_000, "not_json"),
        (b"[]", "bad_shape"),
        (b"null", "bad_shape"),
        (b'{"event":7}', "bad_shape"),
        (b'{"RCSMessage":"x"}', "bad_shape"),
        (b'{"RCSMessage":{"textMessage":7}}', "bad_shape"),
        (b'{"RCSMessage":{"textMessage":"%s"}}' % (b"x" * 16_001), "bad_shape"),
        (b'{"RCSMessage":{"msgId":"%s","status":"sent"}}' % (b"x" * 256), "bad_shape"),
        (b'{"event":"message","RCSMessage":{"fileMessage":{}}}', "bad_shape"),
        (b"{}", "unknown_event"),
        (b'{"RCSMessage":{}}', "unknown_event"),
        (b'{"messageContact":{"userContact":"+1"}}', "unknown_event"),
        (b'{"event":"MessageStatus","RCSMessage":{"msgId":"m","status":"sent"}}', "unknown_event"),
        (b'{"event":"messageStatus"}', "no_content"),
        (b'{"event":"messageStatus","RCSMessage":{"msgId":"m"}}', "unknown_status"),
        (b'{"event":"messageStatus","RCSMessage":{"msgId":"m","status":"lost"}}', "unknown_status"),
        (b'{"event":"messageStatus","RCSMessage":{"status":"sent"}}', "no_msg_id"),
        (b'{"event":"messageStatus","RCSMessage":{"msgId":"","status":"sent"}}', "no_msg_id"),
        (b'{"event":"message"}', "no_content"),
        (b'{"event":"message","RCSMessage":{"msgId":"m"}}', "no_content"),
        (b'{"event":"response","RCSMessage":{"msgId":"m"}}', "no_content"),
        (b'{"event":"response","RCSMessage":{"suggestedResponse":{"response":{}}}}', "no_content"),
        (b'{"RCSMessage":{"geolocationPushMessage":{"pos":"here"}}}', "bad_position"),
        (b'{"RCSMessage":{"geolocationPushMessage":{"pos":"1 2 3"}}}', "bad_position"),
        (b'{"RCSMessage":{"geolocationPushMessage":{"pos":"nan 2"}}}', "bad_position"),
        (b'{"RCSMessage":{"geolocationPushMessage":{"pos":"91 2"}}}', "bad_position"),
    ],
)
def test_what_breaks_the_rules_has_a_name(body: bytes, kind: str) -> None:
    assert fault_of(body) == kind


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "event",
                    "RCSMessage",
                    "messageContact",
                    "userContact",
                    "msgId",
                    "status",
                    "textMessage",
                    "fileMessage",
                    "fileUrl",
                    "pos",
                    "reason",
                    "geolocationPushMessage",
                    "suggestedResponse",
                    "response",
                    "reply",
                    "action",
                    "displayText",
                    "postback",
                    "data",
                    "isTyping",
                    "sharedData",
                    "timestamp",
                    "code",
                    "file",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
NAMES = st.sampled_from(["message", "response", "messageStatus", "newUser", "isTyping", "alias", "fileStatus", "", "x"])


def reads_or_faults(body: bytes) -> None:
    try:
        events = read_webhook(body)
    except RcsFault:
        return
    assert events


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_octets_are_a_surprise(body: bytes) -> None:
    reads_or_faults(body)


@settings(max_examples=200, deadline=None)
@given(NAMES, TREES, TREES)
def test_no_json_is_a_surprise(name: str, message: object, contact: object) -> None:
    reads_or_faults(msgspec.json.encode({"event": name, "RCSMessage": message, "messageContact": contact}))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 250), st.integers(0, 255))
def test_one_wrong_octet_is_no_surprise(place: int, octet: int) -> None:
    body = bytearray(
        b'{"event":"response","messageContact":{"userContact":"+33612345678"},'
        b'"RCSMessage":{"msgId":"u-881","timestamp":"2026-11-22T10:12:03.120Z",'
        b'"suggestedResponse":{"response":{"reply":{"displayText":"OK","postback":{"data":"ack:42"}}}}}}'
    )
    body[place % len(body)] = octet
    reads_or_faults(bytes(body))
