"""Twin of protocol.rcs.dialects.dotgo. The simulator writes the events that are read here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatewayd.simulate.rcs_dialects import write_event
from protocol.rcs.content import Text
from protocol.rcs.dialects.dotgo import DIALECT
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import Contact, Event, MessageEvent, ResponseEvent, Status, StatusEvent
from protocol.rcs.gsma import platform_of
from protocol.rcs.platform import Outgoing
from protocol.rcs.tokens import Credentials

NUMBER = "33612345678"
AT = 1795342286.0


def read(name: str, **message: Any) -> Event:
    body = write_event("pubsub", name, {"msgId": "m-1", "timestamp": "2026-11-22T10:11:26Z", **message}, NUMBER, "bot")
    assert body is not None
    (event,) = DIALECT.read_events(body)
    return event


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("displayed", Status.DISPLAYED),
        ("failed", Status.FAILED),
    ],
)
def test_what_became_of_a_message(word: str, status: Status) -> None:
    assert read("messageStatus", status=word) == StatusEvent("m-1", status, AT, number=NUMBER)


def test_a_failure_has_its_code() -> None:
    event = read("messageStatus", status="failed", reason={"code": 41200, "text": "not RCS"})
    assert event == StatusEvent("m-1", Status.FAILED, AT, "41200", NUMBER)


def test_what_a_user_sends() -> None:
    assert read("message", textMessage="Oui") == MessageEvent("m-1", Contact(NUMBER), Text("Oui"), AT)
    reply = {"response": {"reply": {"displayText": "OK", "postback": {"data": "ack:42"}}}}
    event = read("response", suggestedResponse=reply)
    assert event == ResponseEvent("m-1", Contact(NUMBER), "OK", "ack:42", AT)


def test_requests_go_to_a_path_of_their_own_and_live_for_seconds() -> None:
    message = Outgoing("bot", Contact(f"+{NUMBER}"), Text("x"), 1, 100.0, 110.0)
    request = platform_of(DIALECT).send(message)
    assert request.path == "/bot/v1/bot/messages/async"
    assert msgspec.json.decode(request.body)["ttl"] == "10s"
    assert "expiry" not in msgspec.json.decode(request.body)["RCSMessage"]


def test_the_grant_is_asked_for_in_the_url() -> None:
    request = next(DIALECT.grant(Credentials("bot", "https://auth.example/auth/oauth/token", "c", "s"), 0.0))
    assert request.target("") == "https://auth.example/auth/oauth/token?grant_type=client_credentials"
    assert (request.headers["Authorization"], request.body) == ("Basic Yzpz", b"")
    scoped = next(DIALECT.grant(Credentials("bot", "https://auth.example/token", "c", "s", scope="a b"), 0.0))
    assert scoped.target("").endswith("?grant_type=client_credentials&scope=a+b")


def test_what_is_no_envelope() -> None:
    with pytest.raises(RcsFault, match="bad_shape"):
        DIALECT.read_events(b"{}")
