"""Twin of protocol.rcs.gsma."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.rcs import gsma
from protocol.rcs.answers import CapabilityAnswer, NotTaken, RevokeAnswer, Taken
from protocol.rcs.content import Card, Carousel, Limits, Reply, Text
from protocol.rcs.errors import ContentFault
from protocol.rcs.events import Contact, Event, IgnoredEvent
from protocol.rcs.gsma import Dialect, platform_of
from protocol.rcs.platform import Outgoing, Reading
from protocol.rcs.tokens import Credentials, Grant, Token

NUMBER = Contact("+33612345678")
STANDARD = platform_of(Dialect(name="standard"))


def outgoing(**changes: Any) -> Outgoing:
    known = {"bot_id": "bot-1", "contact": NUMBER, "content": Text("x"), "message_id": 1, "now": 1795359000.0}
    return Outgoing(**{**known, **changes})


def test_a_text_with_everything() -> None:
    content = Text("Votre colis arrive a 14h", (Reply("OK", "ack:42"),))
    request = STANDARD.send(outgoing(content=content, expires_at=1795359600.0, traffic_type="payment"))
    assert (request.method, request.path, request.query) == ("POST", "/bot/v1/bot-1/messages", ())
    assert request.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(request.body) == {
        "RCSMessage": {
            "textMessage": "Votre colis arrive a 14h",
            "trafficType": "payment",
            "expiry": "2026-11-22T15:00:00Z",
            "suggestedChipList": {"suggestions": [{"reply": {"displayText": "OK", "postback": {"data": "ack:42"}}}]},
        },
        "messageContact": {"userContact": "+33612345678"},
    }


def test_what_is_not_asked_for_is_left_out() -> None:
    assert msgspec.json.decode(STANDARD.send(outgoing(content=Text("é€😀"))).body) == {
        "RCSMessage": {"textMessage": "é€😀"},
        "messageContact": {"userContact": "+33612345678"},
    }


def test_a_user_who_hides_the_number_is_written_to_by_alias() -> None:
    contact = Contact("", "tok-1")
    assert msgspec.json.decode(STANDARD.send(outgoing(contact=contact)).body)["messageContact"] == {"chatId": "tok-1"}
    assert STANDARD.capability("bot-1", contact, 1).query == (("chatId", "tok-1"),)


def test_content_that_would_be_refused_is_not_sent() -> None:
    with pytest.raises(ContentFault, match="text: is empty"):
        STANDARD.send(outgoing(content=Text("")))
    fat = Carousel((Card("x", "y" * 2000),) * 10)
    with pytest.raises(ContentFault, match=r"message: .* octets, at most 9000"):
        platform_of(Dialect(name="narrow", limits=Limits(payload_size_max=9000))).send(outgoing(content=fat))


def test_a_revoke_names_the_message() -> None:
    request = STANDARD.revoke("bot-1", "7f0c/3d?1e")
    assert (request.method, request.path) == ("PUT", "/bot/v1/bot-1/messages/7f0c%2F3d%3F1e/status")
    assert msgspec.json.decode(request.body) == {"RCSMessage": {"status": "cancelled"}}


def test_capabilities_are_asked_for_one_contact() -> None:
    request = STANDARD.capability("bot@rcs.example", NUMBER, 1)
    assert request.target("https://maap.example/rcs") == (
        "https://maap.example/rcs/bot/v1/bot@rcs.example/contactCapabilities?userContact=%2B33612345678"
    )
    assert (request.method, request.body) == ("GET", b"")


def test_a_bot_id_cannot_leave_its_place_in_the_path() -> None:
    assert STANDARD.capability("../x?y#z", NUMBER, 1).path == "/bot/v1/..%2Fx%3Fy%23z/contactCapabilities"
    assert STANDARD.revoke("{msg_id}", "{bot}").path == "/bot/v1/%7Bmsg_id%7D/messages/%7Bbot%7D/status"


def test_only_who_knows_the_token_is_let_in() -> None:
    assert STANDARD.admits({"Authorization": "Bearer hook"}, "hook")
    assert not STANDARD.admits({"Authorization": "hook!"}, "hook")
    assert STANDARD.read_call({}, b'{"event":"isTyping"}', "hook", "bot-1") == Reading([IgnoredEvent("isTyping")])


def _grant(credentials: Credentials, now_unix: float) -> Grant:
    status, _ = yield gsma.capability_request(Dialect(name="x"), "token", Contact("+1"))
    return Token(f"{credentials.client_id}-{status}", 60.0)


def _read_events(body: bytes) -> list[Event]:
    return [IgnoredEvent(body.decode())]


def _read_error_code(body: bytes) -> str:
    return body.decode().partition("|")[2]


INVENTED = Dialect(
    name="invented",
    send_path="/v9/{bot}/out",
    status_path="/v9/{bot}/out/{msg_id}",
    capability_path="/v9/{bot}/who",
    expiry="ttl",
    revoke_word="canceled",
    unreachable_codes=frozenset({"E777"}),
    read_error_code=_read_error_code,
    read_events=_read_events,
    grant=_grant,
    limits=Limits(text_max=10),
)


def test_a_dialect_is_one_value_and_nothing_else_is_touched() -> None:
    """All that a platform may do differently is said in the dialect: this one lives in this test alone."""
    platform = platform_of(INVENTED)
    request = platform.send(outgoing(expires_at=1795359060.5))
    assert request.path == "/v9/bot-1/out"
    assert msgspec.json.decode(request.body)["ttl"] == "61s"
    with pytest.raises(ContentFault, match="text: 11 characters, at most 10"):
        platform.send(outgoing(content=Text("x" * 11)))
    revoke = platform.revoke("bot-1", "m-1")
    assert (revoke.path, revoke.body) == ("/v9/bot-1/out/m-1", b'{"RCSMessage":{"status":"canceled"}}')
    assert platform.capability("bot-1", NUMBER, 1).path == "/v9/bot-1/who"
    assert platform.read_send(400, b"no|E777", None, outgoing()) == NotTaken("E777", unreachable=True)
    assert platform.read_send(200, b'{"RCSMessage":{"msgId":"m"}}', None, outgoing()) == Taken("m")
    assert platform.read_capability(400, b"no|E777") == CapabilityAnswer(False, "E777")
    assert platform.read_revoke(400, b"no|E778") == RevokeAnswer(None, "E778")
    assert platform.read_call({}, b"party", "hook", "bot-1").events == [IgnoredEvent("party")]
    grant = platform.grant(Credentials("bot-1", "https://t.example", "me"), 0.0)
    next(grant)
    with pytest.raises(StopIteration) as end:
        grant.send((200, b""))
    assert end.value.value == Token("me-200", 60.0)
