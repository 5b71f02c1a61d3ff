"""Events as applications get them, key by key."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gatewayd.message import Attachment, Channel, Encoding, State
from gatewayd.policy.billing import Record
from gatewayd.senders.webhook_payload import event, moment, signature
from gatewayd.store.records import Delivery, Facts

AT = 1_795_683_600.25


def delivery(kind: Any, **fields: Any) -> Delivery:
    return Delivery(
        0x1F, "shop", kind, 1, 1, "33600000001", 5, 0, "SHOP", AT, AT + 9.0, sink="webhook", **fields
    )  # fmt: skip


def test_a_receipt() -> None:
    facts = Facts(Channel.SMS, (9, 3, 2))
    told = delivery(
        "receipt", message_id=0xAB, state=State.UNDELIV, error="042", submitted_at=AT - 2, done_at=AT - 1,
        user_message_reference=42, facts=facts,
    )  # fmt: skip
    assert event(told) == {
        "type": "message.receipt",
        "id": "evt_1f",
        "timestamp": "2026-11-26T09:00:00.250Z",
        "account": "shop",
        "data": {
            "message_id": "ab",
            "to": "33600000001",
            "from": "SHOP",
            "state": "UNDELIV",
            "error": "042",
            "channel": Channel.SMS,
            "submitted_at": "2026-11-26T08:59:58.250Z",
            "done_at": "2026-11-26T08:59:59.250Z",
            "user_message_reference": 42,
            "part": {"reference": 9, "total": 3, "number": 2},
        },
    }


def test_a_message_that_was_read() -> None:
    told = event(delivery("receipt", message_id=0xAB, state=State.DELIVRD, displayed="READ", follows=0x1E))
    assert (told["type"], told["data"]["message_id"], told["data"]["state"]) == ("message.displayed", "ab", "DELIVRD")


def test_a_picture_and_a_place() -> None:
    picture = delivery("mo", payload=b"https://x.example/1", attachment=Attachment("image/png", 0, "cat.png"))
    assert event(picture)["data"]["media"] == {"type": "image/png", "name": "cat.png"}
    assert event(delivery("mo", place="geo:48.850000,2.350000"))["data"]["place"] == "geo:48.850000,2.350000"
    assert "media" not in event(delivery("mo", attachment=Attachment()))["data"]


def test_a_reply() -> None:
    told = delivery(
        "mo", payload="Oui €".encode("utf-16-be"), encoding=Encoding.UCS2, postback="yes", session_id="ab",
        session_sequence=2, facts=Facts(Channel.RCS),
    )  # fmt: skip
    assert event(told)["type"] == "message.received"
    assert event(told)["data"] == {
        "from": "33600000001",
        "to": "SHOP",
        "text": "Oui €",
        "postback": "yes",
        "channel": Channel.RCS,
        "session": "ab",
        "session_sequence": 2,
    }


def test_text_in_national_tables_is_words() -> None:
    data = event(delivery("mo", payload=b"\x1bs", encoding=Encoding.GSM, udh=b"\x03\x24\x01\x01"))["data"]
    assert data["text"] == "ş"


def test_octets_that_are_no_text() -> None:
    data = event(delivery("mo", payload=b"\xff\x00", encoding=Encoding.BINARY))["data"]
    assert (data["payload"], "text" in data) == (base64.b64encode(b"\xff\x00").decode(), False)


def test_sessions() -> None:
    opened = event(delivery("session", session_id="ab", submitted_at=AT, facts=Facts(Channel.RCS, event="opened")))
    assert opened["type"] == "session.opened"
    assert opened["data"] == {
        "session": "ab", "to": "33600000001", "from": "SHOP", "channel": Channel.RCS,
        "opened_at": "2026-11-26T09:00:00.250Z", "replies": 0,
    }  # fmt: skip
    record = Record("conversation", 1, "orange_fr", "1", 2, link="bot", mt_count=1, mo_count=3)
    facts = Facts(Channel.RCS, event="billed", record=record)
    billed = event(delivery("session", submitted_at=AT, done_at=AT, session_sequence=3, facts=facts))
    assert billed["type"] == "session.billed"
    assert billed["data"]["billing"] == {
        "class": "conversation", "rules": "orange_fr", "link": "bot", "is_free": False, "sent": 1, "received": 3,
    }  # fmt: skip


def test_signatures_are_one_for_each_secret() -> None:
    both = signature([b"one", b"two"], "evt_1", 5, b"{}")
    assert both == f"{signature([b'one'], 'evt_1', 5, b'{}')} {signature([b'two'], 'evt_1', 5, b'{}')}"
    assert both.startswith("v1,")


@pytest.mark.parametrize(
    ("unix", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795683600.25, "2026-11-26T09:00:00.250Z"),
        (1795683600.251, "2026-11-26T09:00:00.251Z"),
        (1795683600.9999999, "2026-11-26T09:00:01.000Z"),
        (1795683599.9996, "2026-11-26T08:59:59.999Z"),
    ],
)
def test_moments(unix: float, text: str) -> None:
    assert moment(unix) == text
