"""Twin of protocol.rcs.gsma."""

from __future__ import annotations

import msgspec
import pytest

from protocol.rcs import gsma
from protocol.rcs.content import Dial, OpenUrl, Reply, Text
from protocol.rcs.errors import RcsFault


def test_a_text_with_everything() -> None:
    content = Text("Votre colis arrive a 14h", (Reply("OK", "ack:42"),))
    request = gsma.send_request("bot-1", content, "+33612345678", 1795359600.0, "payment")
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
    request = gsma.send_request("bot-1", Text("é€😀"), "+33612345678", 0.0, "")
    assert msgspec.json.decode(request.body) == {
        "RCSMessage": {"textMessage": "é€😀"},
        "messageContact": {"userContact": "+33612345678"},
    }


def test_actions_stand_beside_their_words_and_postback() -> None:
    chips = (OpenUrl("Suivre", "suivi:42", "https://exemple.fr/suivi"), Dial("Appeler", "appel", "+33123456789"))
    request = gsma.send_request("bot-1", Text("x", chips), "+33612345678", 0.0, "")
    assert msgspec.json.decode(request.body)["RCSMessage"]["suggestedChipList"]["suggestions"] == [
        {
            "action": {
                "urlAction": {"openUrl": {"url": "https://exemple.fr/suivi"}},
                "displayText": "Suivre",
                "postback": {"data": "suivi:42"},
            }
        },
        {
            "action": {
                "dialerAction": {"dialPhoneNumber": {"phoneNumber": "+33123456789"}},
                "displayText": "Appeler",
                "postback": {"data": "appel"},
            }
        },
    ]


def test_content_that_would_be_refused_is_not_sent() -> None:
    with pytest.raises(RcsFault, match="text: is empty"):
        gsma.send_request("bot-1", Text(""), "+33612345678", 0.0, "")


def test_a_revoke_names_the_message() -> None:
    request = gsma.revoke_request("bot-1", "7f0c/3d?1e")
    assert (request.method, request.path) == ("PUT", "/bot/v1/bot-1/messages/7f0c%2F3d%3F1e/status")
    assert msgspec.json.decode(request.body) == {"RCSMessage": {"status": "cancelled"}}


def test_capabilities_are_asked_for_one_contact() -> None:
    request = gsma.capability_request("bot@rcs.example", "+33612345678")
    assert request.target("https://maap.example/rcs") == (
        "https://maap.example/rcs/bot/v1/bot@rcs.example/contactCapabilities?userContact=%2B33612345678"
    )
    assert (request.method, request.body) == ("GET", b"")


def test_a_bot_id_cannot_leave_its_place_in_the_path() -> None:
    assert gsma.capability_request("../x?y#z", "+1").path == "/bot/v1/..%2Fx%3Fy%23z/contactCapabilities"
