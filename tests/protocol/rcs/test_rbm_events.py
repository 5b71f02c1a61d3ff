"""Twin of protocol.rcs.rbm_events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs import rbm_events
from protocol.rcs.content import File, Location, Text
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import Contact, Event, IgnoredEvent, MessageEvent, ResponseEvent, Status, StatusEvent

NUMBER = "+33612345678"
AT = 1795342286.0
SENT = {"senderPhoneNumber": NUMBER, "agentId": "shop", "sendTime": "2026-11-22T10:11:26Z"}


def read(**members: Any) -> Event:
    return rbm_events.read(msgspec.json.encode({**SENT, **members}))


@pytest.mark.parametrize(("word", "status"), list(rbm_events.STATUSES.items()))
def test_what_became_of_a_message(word: str, status: Status) -> None:
    event = read(eventType=word, eventId="e-1", messageId="m-1")
    assert event == StatusEvent("m-1", status, AT, number=NUMBER)


def test_an_event_of_the_server_names_the_number_otherwise() -> None:
    members = {"phoneNumber": NUMBER, "eventType": "TTL_EXPIRATION_REVOKED", "messageId": "m-1"}
    event = rbm_events.read(msgspec.json.encode(members))
    assert event == StatusEvent("m-1", Status.REVOKED, 0.0, number=NUMBER)


@pytest.mark.parametrize(
    ("members", "event"),
    [
        ({"text": "Bonjour"}, MessageEvent("u-1", Contact(NUMBER), Text("Bonjour"), AT)),
        ({"location": {"latitude": 48.5, "longitude": 2}}, MessageEvent("u-1", Contact(NUMBER), Location(48.5, 2), AT)),
        (
            {"userFile": {"payload": {"fileUri": "https://f", "mimeType": "image/png"}}},
            MessageEvent("u-1", Contact(NUMBER), File("https://f", "", "image/png"), AT),
        ),
        (
            {"fileMessage": {"fileUrl": "https://f"}},
            MessageEvent("u-1", Contact(NUMBER), File("https://f"), AT),
        ),
        (
            {"suggestionResponse": {"text": "OK", "postbackData": "ack:42", "type": "REPLY"}},
            ResponseEvent("u-1", Contact(NUMBER), "OK", "ack:42", AT),
        ),
        (
            {"suggestionResponse": {"text": "Suivre", "postbackData": "s", "type": "ACTION"}},
            ResponseEvent("u-1", Contact(NUMBER), "Suivre", "s", AT, is_action=True),
        ),
    ],
)
def test_what_a_user_sends(members: dict[str, Any], event: Event) -> None:
    assert read(messageId="u-1", **members) == event


def test_the_apps_own_switch_is_a_word_of_sms() -> None:
    stop = read(eventType="UNSUBSCRIBE", eventId="e-1")
    assert stop == MessageEvent("e-1", Contact(NUMBER), Text("STOP"), AT)
    assert read(eventType="SUBSCRIBE", eventId="e-2") == MessageEvent("e-2", Contact(NUMBER), Text("START"), AT)


def test_what_is_of_no_use() -> None:
    assert read(eventType="IS_TYPING", eventId="e-1") == IgnoredEvent("isTyping")
    assert read(eventType="TTL_EXPIRATION_REVOKE_FAILED", messageId="m") == IgnoredEvent("revokeFailed")
    assert rbm_events.read(b'{"agentId":"shop","launchState":"LAUNCHED"}') == IgnoredEvent("agentLaunch")


def test_an_event_names_its_agent() -> None:
    assert rbm_events.read_addressed(msgspec.json.encode({**SENT, "text": "x"}))[1] == "shop"
    assert rbm_events.read_addressed(b'{"senderPhoneNumber":"+33612345678","text":"x"}')[1] == ""


@pytest.mark.parametrize(
    ("named", "agent_id", "is_same"),
    [("shop", "shop@rbm.goog", True), ("shop@rbm.goog", "shop", True), ("bank", "shop", False), ("", "shop", False)],
)
def test_an_agent_has_a_domain_or_not(named: str, agent_id: str, is_same: bool) -> None:
    assert rbm_events.is_agent(named, agent_id) is is_same


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", "not_json"),
        (b"[]", "bad_shape"),
        (b'{"senderPhoneNumber":"+1"}', "no_content"),
        (b'{"senderPhoneNumber":"+1","fileMessage":3}', "bad_shape"),
        (b'{"senderPhoneNumber":"+1","eventType":"PARTY"}', "unknown_event"),
        (b'{"senderPhoneNumber":"+1","eventType":"READ"}', "no_msg_id"),
    ],
)
def test_what_breaks_the_rules(data: bytes, kind: str) -> None:
    with pytest.raises(RcsFault, match=kind):
        rbm_events.read(data)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100))
def test_no_octets_are_a_surprise(data: bytes) -> None:
    with pytest.raises(RcsFault):
        rbm_events.read(data)
