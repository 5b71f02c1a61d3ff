"""Every parcel arrives as what it was sent, whatever else is in its frame."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from gatewayd.carriers.link import Result
from gatewayd.flow import parcels
from gatewayd.message import (
    Accepted,
    Deferred,
    Encoding,
    Inbound,
    Linked,
    Message,
    Outcome,
    Receipt,
    Refused,
    State,
    Unknown,
)
from gatewayd.store.records import Delivery, Session

MESSAGE = Message(
    id=2**62,
    account="shop",
    source_ton=5,
    source_npi=0,
    source="SHOP",
    destination_ton=1,
    destination_npi=1,
    destination="33612345678",
    payload=b"\x00\xff\xe9",
    encoding=Encoding.UCS2,
    accepted_at=1.5,
    concat=(7, 3, 2),
    udh=b"\x05\x00\x03\x07\x03\x02",
    tlvs=((0x0204, b"\x00\x2a"), (0x1501, b"")),
)
INBOUND = Inbound(1, 1, "33612345678", 1, 1, "36179", b"yes", Encoding.GSM, postback="yes", dedup_id="d")
LINKED = Linked("999123456000001", "shop-bot", "tok-1", "33612345678", True)
RECEIPT = Receipt("77", State.DELIVRD, "042", 2.5, aliases=("4d",), handset="336")
DELIVERY = Delivery(5, "shop", "mo", 1, 1, "336", 1, 1, "36179", 1.0, 2.0, payload=b"\xff", tlvs=((1, b"\x00"),))
OUTCOMES: tuple[Outcome, ...] = (Accepted("77"), Refused("no", True), Deferred("later", 1.5, True), Unknown("timeout"))
ALL: list[parcels.Parcel] = [
    parcels.Submit(1, MESSAGE),
    parcels.Stored([1, 2]),
    parcels.Rejected(1, 0x14, "store_full"),
    parcels.Hungry("link:carrier", 3),
    parcels.Grant("account:shop", 3),
    parcels.GiveBack("link:carrier", 3),
    parcels.Send("carrier", MESSAGE, [0, 2], 3.5),
    parcels.Done("carrier", [Result(2**62, number, outcome, 0.5) for number, outcome in enumerate(OUTCOMES)]),
    parcels.Told("carrier", 1, RECEIPT),
    parcels.Told("bot", 2, INBOUND),
    parcels.Told("bot", 3, LINKED),
    parcels.Continue("bot", LINKED, Session("a", "shop", 1, 1, "36179", 1.0, 2.0, 3)),
    parcels.Acked("carrier", [1, 2], True),
    parcels.Stray("carrier", RECEIPT),
    parcels.Claimed("carrier", RECEIPT),
    parcels.Deliver(DELIVERY),
    parcels.Delivered("shop", 5, -1, "lost"),
    parcels.Snapshot(1),
    parcels.Snapshot(1, b"\x00\xff"),
    parcels.Offer("carrier"),
    parcels.Seek("bot", 500),
    parcels.Due("bot", ["33612345678"]),
    parcels.Learned("bot", ["33612345678"], []),
    parcels.Known(1, 2**62),
    parcels.Ask(1, "query", b"{}"),
    parcels.Reply(1, b""),
]


def test_all_in_one_frame() -> None:
    frame = msgspec.msgpack.encode(ALL)
    assert msgspec.msgpack.decode(frame, type=list[parcels.Parcel]) == ALL


@pytest.mark.parametrize("kind", get_args(parcels.Parcel), ids=lambda kind: kind.__name__)
def test_every_kind_is_proved_here_and_has_a_number_of_its_own(kind: type) -> None:
    assert any(type(parcel) is kind for parcel in ALL)
    tags = [other.__struct_config__.tag for other in get_args(parcels.Parcel)]
    assert len(set(tags)) == len(tags)
