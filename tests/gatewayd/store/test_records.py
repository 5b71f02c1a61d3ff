"""What is stored comes back as it was, short, and older rows stay readable."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatewayd.message import Channel, Encoding, Message, Receipt, State
from gatewayd.policy.billing import Conversation, Event, Pair, Record
from gatewayd.policy.journey import Progress, Segment, Stage
from gatewayd.store.kinds import KINDS
from gatewayd.store.records import (
    Alias,
    Capability,
    Cdr,
    Delivery,
    Facts,
    File,
    Order,
    Parked,
    Result,
    Seen,
    Sent,
    Session,
    Taken,
    Wanted,
)

RECORDS: list[Any] = [
    Sent(7, 2, ended=True, due=9.5),
    Delivery(1, "shop", "receipt", 1, 1, "33612345678", 5, 0, "SHOP", 1.0, 2.0, state=State.DELIVRD, error="000"),
    Delivery(
        2, "shop", "mo", 1, 1, "33612345678", 1, 1, "36179", 1.0, 2.0, payload=bytes(range(256)),
        encoding=Encoding.BINARY, udh=b"\x05\x00\x03\x01\x02\x01", tlvs=((0x0204, b"\x00\x01"),), postback="yes|é",
    ),
    Delivery(
        3, "shop", "session", 1, 1, "33612345678", 1, 1, "36179", 1.0, 2.0, session_id="1f", sink="webhook",
        facts=Facts(Channel.RCS, (1, 2, 1), "billed", Record("conversation", 1, "orange_fr", "1"), "expired", 3.0),
    ),
    Session("1f", "shop", 5, 0, "SHOP é", 1.0, 2.0, 7, user_message_reference=3, replies=2),
    Parked("carrier", [Receipt("17", State.UNDELIV, "042", 1.5, aliases=("11", "0011"))], 5.0),
    Capability(capable=False, reason="404", at=1.0, due=2.0),
    Seen(1.0),
    Wanted(1.0),
    Alias("tok-1", 1.0),
    Taken(7, "0f", 2.0),
    Result("shop", "SHOP", "+33612345678", State.UNDELIV, "042", Channel.RCS, 1.0, 2.0, 3.0, reference=9),
    File("bot", "https://x.example/1", "f-1", "image/png", 9, True, 1.0, 2.0),
    Order("r-1", ["33612345678"], 1.0),
    Pair(
        "orange_fr", 5.0, "1|2|bot", 7, Conversation("conversation", 1, 2, "1", message_ids=["7"], mt_count=1),
        [Event(1, "mt", "8", "shop")], Event(2, "mo", "x"), [Event(3, "mo", "y")], {"9": Event(4, "mt", "9")},
    ),
    Cdr(1, 17, "bot", "336", Record("single_message", 1, "orange_fr", "1", message_ids=("7",)), is_written=True),
    Progress(
        7, "shop", Stage.SENT, ("bot", "carrier"), position=1, segments=[Segment("a", State.DELIVRD, is_taken=True)],
        parts=(7, 8), payload=b"\x00\xff", rcs_link="bot", rcs_id="x",
    ),
    Message(7, "shop", 5, 0, "SHOP", 1, 1, "33612345678", b"\x1b\x65", Encoding.GSM, 1.0, concat=(1, 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_it_comes_back_as_it_was(record: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_every_kind_is_among_them() -> None:
    assert {kind.type for kind in KINDS} == {type(record) for record in RECORDS}


def test_defaults_cost_nothing() -> None:
    assert msgspec.json.encode(Sent(7)) == b'{"message_id":7}'
    assert msgspec.json.encode(Progress(7, "shop", Stage.SENT, ("carrier",), segments=[Segment("a")])) == (
        b'{"id":7,"account":"shop","stage":"sent","links":["carrier"],"segments":[{"carrier_id":"a"}]}'
    )


def test_a_row_of_an_older_or_newer_program_is_readable() -> None:
    """New keys have defaults, and keys that went away are passed over."""
    assert msgspec.json.decode(b'{"message_id":7,"gone":1}', type=Sent) == Sent(7)


def test_segments_are_nobody_elses() -> None:
    one, other = (Progress(number, "shop", Stage.SENT, ("carrier",)) for number in (1, 2))
    one.segments.append(Segment())
    assert other.segments == []
