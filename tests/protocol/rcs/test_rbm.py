"""Twin of protocol.rcs.rbm."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.simulate.rcs_assertion import read_assertion
from protocol.rcs import rbm
from protocol.rcs.answers import NotTaken, RevokeAnswer, SendAnswer, Taken, TokenRefused, TryLater, Unclear
from protocol.rcs.content import Content, Text
from protocol.rcs.errors import ContentFault, RcsFault
from protocol.rcs.events import Contact, Status, StatusEvent
from protocol.rcs.platform import Outgoing, Reading
from protocol.rcs.tokens import Credentials, Token
from tests.protocol.rcs.contents import CONTENTS
from tests.protocol.rcs.keys import expected, private_key

NUMBER = "+33612345678"
TOKEN = "client-token"


def outgoing(content: Content = CONTENTS[0], **changes: Any) -> Outgoing:
    known = {"bot_id": "shop", "contact": Contact(NUMBER), "content": content, "message_id": 42, "now": 1000.0}
    return Outgoing(**{**known, **changes})


NAME = rbm.name_of(outgoing())


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.text("0123456789", min_size=1, max_size=15),
    st.integers(0, 255),
)
def test_a_name_is_a_uuid_that_holds_the_handset(message_id: int, digits: str, attempt: int) -> None:
    name = rbm.message_name(message_id, f"+{digits}", attempt)
    assert str(UUID(name)) == name
    assert (UUID(name).version, UUID(name).variant) == (8, "specified in RFC 4122")
    assert rbm.number_in(name) == f"+{digits}"
    assert name == rbm.message_name(message_id, digits, attempt)


def test_names_differ_where_messages_do() -> None:
    names = {rbm.message_name(i, f"3361234567{d}", a) for i in range(5) for d in range(5) for a in range(2)}
    assert len(names) == 50
    for bad in ("", "+", "abc", "1234567890123456"):
        with pytest.raises(RcsFault, match="bad_contact"):
            rbm.message_name(1, bad)
    for strange in ("x", str(UUID(int=0))):
        with pytest.raises(RcsFault, match="bad_contact"):
            rbm.number_in(strange)


def test_a_message_with_everything() -> None:
    request = rbm.send_request(outgoing(Text("Bonjour"), expires_at=1600.2, traffic_type="TRANSACTION"))
    assert request.target("https://europe.example") == (
        f"https://europe.example/v1/phones/%2B33612345678/agentMessages?messageId={NAME}&agentId=shop"
    )
    assert json.loads(request.body) == {
        "contentMessage": {"text": "Bonjour"},
        "messageTrafficType": "TRANSACTION",
        "ttl": "601s",
    }


def test_a_life_has_its_bounds() -> None:
    def ttl(expires_at: float) -> Any:
        return json.loads(rbm.send_request(outgoing(expires_at=expires_at)).body).get("ttl")

    assert [ttl(0.0), ttl(1.0), ttl(9e9)] == [None, "1s", "1296000s"]


def test_what_is_not_sent() -> None:
    with pytest.raises(ContentFault, match="text: is empty"):
        rbm.send_request(outgoing(Text("")))
    with pytest.raises(RcsFault, match="bad_contact"):
        rbm.send_request(outgoing(contact=Contact("", "alias")))


def test_a_revoke_finds_the_handset_in_the_name() -> None:
    request = rbm.revoke_request("shop", NAME)
    assert (request.method, request.path) == ("DELETE", f"/v1/phones/%2B33612345678/agentMessages/{NAME}")
    assert request.query == (("agentId", "shop"),)


def test_a_question_has_a_number_of_its_own() -> None:
    first, second = (rbm.capability_request("shop", Contact(NUMBER), n) for n in (1, 2))
    assert first.path == "/v1/phones/%2B33612345678/capabilities"
    assert dict(first.query)["requestId"] != dict(second.query)["requestId"]


@pytest.mark.parametrize(
    ("status", "traffic", "answer"),
    [
        (200, "", Taken(NAME)),
        (409, "", Taken(NAME)),
        (400, "", NotTaken("http_400")),
        (401, "", TokenRefused()),
        (403, "", NotTaken("http_403")),
        (404, "", NotTaken("http_404", unreachable=True)),
        (429, "TRANSACTION", TryLater("http_429", 7.0, throttled=True, scope="agent")),
        (429, "PROMOTION", TryLater("http_429", 7.0, throttled=True, scope="user")),
        (408, "", Unclear("http_408")),
        (500, "", Unclear("http_500")),
        (503, "", Unclear("http_503")),
        (504, "", Unclear("http_504")),
    ],
)
def test_answers_to_a_send(status: int, traffic: str, answer: SendAnswer) -> None:
    body = b'{"error":{"code":%d,"message":"no","status":"NO"}}' % status
    assert rbm.read_send_response(status, body, "7", outgoing(traffic_type=traffic)) == answer


def test_answers_to_questions() -> None:
    assert rbm.read_revoke_response(200, b"{}") == RevokeAnswer(True)
    assert rbm.read_revoke_response(404, b"") == RevokeAnswer(False, "http_404")
    assert rbm.read_revoke_response(500, b"") == RevokeAnswer(None, "http_500", again=True)
    assert [rbm.read_capability_response(status, b"").capable for status in (200, 404, 403, 500)] == [
        True,
        False,
        None,
        None,
    ]


def test_a_token_is_granted_to_a_service_account() -> None:
    key = {"client_email": "a@b", "private_key": private_key(), "private_key_id": "k-1", "token_uri": "https://o/t"}
    account = rbm.read_service_account(json.dumps({"type": "service_account", **key}))
    credentials = Credentials("shop", account.token_uri, "a@b", private_key=account.private_key, key_id="k-1")
    grant = rbm.grant(credentials, 1000.0)
    request = next(grant)
    assertion = parse_qs(request.body.decode())["assertion"][0]
    assert read_assertion(assertion, expected("https://o/t", rbm.SCOPE, "a@b"), 1001.0).key_id == "k-1"
    with pytest.raises(StopIteration) as end:
        grant.send((200, b'{"access_token":"t","expires_in":3599}'))
    assert end.value.value == Token("t", 3599.0)
    assert "PRIVATE" not in repr(account)
    with pytest.raises(RcsFault, match="bad_key"):
        rbm.read_service_account("{}")


DELIVERED = {"senderPhoneNumber": NUMBER, "agentId": "shop", "eventType": "DELIVERED", "messageId": NAME}


def pushed(payload: dict[str, Any]) -> tuple[bytes, str]:
    data = msgspec.json.encode(payload)
    signature = b64encode(hmac.digest(TOKEN.encode(), data, hashlib.sha512)).decode()
    return msgspec.json.encode({"message": {"data": b64encode(data).decode()}}), signature


def test_a_signed_call_is_read() -> None:
    body, signature = pushed(DELIVERED)
    assert rbm.admits({}, TOKEN)
    assert not rbm.admits({}, "")
    reading = rbm.read_call({"X-Goog-Signature": signature}, body, TOKEN, "shop")
    assert reading == Reading([StatusEvent(NAME, Status.DELIVERED, 0.0, number=NUMBER)])
    whole = b64encode(hmac.digest(TOKEN.encode(), body, hashlib.sha512)).decode()
    assert rbm.read_call({"X-Goog-Signature": whole}, body, TOKEN, "shop") == reading


@pytest.mark.parametrize("headers", [{}, {"X-Goog-Signature": ""}, {"X-Goog-Signature": "AAAA"}])
def test_a_call_without_its_signature_is_turned_away(headers: dict[str, str]) -> None:
    with pytest.raises(RcsFault, match="unauthorized") as caught:
        rbm.read_call(headers, pushed(DELIVERED)[0], TOKEN, "shop")
    assert caught.value.http_status == 401


def test_the_platform_asks_whether_we_know_the_token() -> None:
    assert rbm.read_call({}, b'{"clientToken":"client-token","secret":"s-1"}', TOKEN, "shop") == Reading([], "s-1")
    with pytest.raises(RcsFault, match="unauthorized"):
        rbm.read_call({}, b'{"clientToken":"guess","secret":"s-1"}', TOKEN, "shop")


@pytest.mark.parametrize(("bot", "named"), [("shop", ""), ("shop@rbm.goog", ""), ("bank", "shop")])
def test_a_call_says_whose_it_is_if_not_ours(bot: str, named: str) -> None:
    body, signature = pushed(DELIVERED)
    assert rbm.read_call({"X-Goog-Signature": signature}, body, TOKEN, bot).bot == named
