"""Applications and handsets know each other by their own addresses, whatever holds between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gatewayd.flow.known_as import is_answerable, seen_as
from gatewayd.message import Addresses, Encoding, Inbound
from tests.gatewayd.flow.scene import LINKS, Scene

Stage_ = Callable[..., Scene]
WRITTEN = Addresses(5, 0, "SHOP", 0, 0, "06 11 22 33 44")
HANDSET = "33611223344"


def links(**keys: Any) -> Any:
    return {**LINKS, "carrier": msgspec.structs.replace(LINKS["carrier"], **keys)}


def reply(to: str) -> Inbound:
    return Inbound(1, 1, HANDSET, 3, 0, to, b"Oui", Encoding.GSM, dedup_id=to)


async def test_receipt_and_reply_bear_what_was_written(stage: Stage_) -> None:
    scene = stage("carrier", links=links(source_map={"33700000009": "36105"}))
    await scene.submit(source="33700000009", destination=HANDSET, written=WRITTEN)
    scene.carrier.accept("c1")
    await scene.settle()
    scene.carrier.receipt("c1")
    scene.carrier.report(reply("36105"))
    await scene.settle()
    receipt, text = scene.outbox.deliveries
    assert (receipt.source, receipt.destination, receipt.destination_ton) == ("06 11 22 33 44", "SHOP", 5)
    assert (text.kind, text.source, text.destination, text.destination_ton) == ("mo", "06 11 22 33 44", "SHOP", 5)
    assert text.session_id


async def test_without_rules_a_reply_comes_as_the_carrier_writes_it(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit(source="+33700000009", destination=HANDSET)
    scene.carrier.accept("c1")
    await scene.settle()
    scene.carrier.report(reply("33700000009"))
    await scene.settle()
    (text,) = scene.outbox.deliveries
    assert (text.source, text.destination) == (HANDSET, "33700000009")


@pytest.mark.parametrize(
    ("keys", "seen", "can_answer"),
    [
        ({}, "SHOP", False),
        ({"source_map": {"SHOP": "+33700000009"}}, "33700000009", True),
        ({"source_fallback": "38123"}, "38123", True),
        ({"source_map": {"SHOP": "Shop"}}, "Shop", False),
    ],
)
async def test_what_the_handset_sees(stage: Stage_, keys: dict[str, Any], seen: str, can_answer: bool) -> None:
    scene = stage("carrier")
    link = links(**keys)["carrier"]
    message = scene.message(source="SHOP", source_ton=5)
    assert (seen_as(link, message), is_answerable(link, message)) == (seen, can_answer)
