"""Receipts find their message, replies their application, and a carrier hears "taken" only of what is durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatewayd.flow import inbound as module
from gatewayd.message import Encoding, Inbound, Receipt, State
from gatewayd.policy.journey import Stage
from gatewayd.store.kinds import PARKED
from tests.gatewayd.flow.scene import ACCOUNTS, HANDSET, Scene
from tests.gatewayd.store.opening import rows_of

Stage_ = Callable[..., Scene]


def reply(destination: str = "36179", ton: int = 1, words: str = "yes", **facts: Any) -> Inbound:
    return Inbound(1, 1, HANDSET, ton, 1, destination, words.encode(), Encoding.GSM, **facts)


# -- receipts ---------------------------------------------------------------------------------------------------------


async def test_a_receipt_is_acknowledged_once_it_is_durable(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello")
    scene.carrier.accept("17")
    await scene.settle()
    seen: list[Any] = []
    acknowledge = scene.carrier.acknowledge

    def note(tokens: Any, stored: bool) -> None:
        seen.extend(record[:2] for record in rows_of(scene.folder / "a.spool"))
        acknowledge(tokens, stored)

    scene.carrier.acknowledge = note  # type: ignore[method-assign]
    scene.carrier.receipt("17")
    assert scene.carrier.acknowledged == []
    await scene.settle()
    assert scene.carrier.acknowledged == [(Receipt("17", State.DELIVRD), True)]
    assert seen[-1][0] == "delivery"


async def test_reports_of_one_read_are_acknowledged_together_and_in_order(stage: Stage_) -> None:
    scene = stage("carrier")
    receipts = [Receipt(f"{number}", State.DELIVRD) for number in range(5)]
    scene.carrier.report(*receipts)
    await scene.settle()
    assert scene.carrier.acknowledged == [(receipt, True) for receipt in receipts]


async def test_a_receipt_before_its_response_is_parked_and_joined(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.receipt("17")
    await scene.settle()
    assert scene.outbox.fates == []
    assert scene.counted("receipt_events", "carrier", "parked") == 1
    scene.carrier.accept("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.counted("receipt_events", "carrier", "early") == 1
    assert list(scene.journal.scan(PARKED)) == []


async def test_a_parked_receipt_outlives_a_crash(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.receipt("17")
    await scene.settle()
    await scene.crash()
    assert scene.carrier.sent == [(message, 0)], "the answer is lost, so it goes again"
    scene.carrier.accept("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize(
    "receipt",
    [
        Receipt("0011", State.DELIVRD, aliases=("11", "17")),  # as older versions kept it
        Receipt("11", State.DELIVRD, written="0011"),
    ],
)
async def test_an_id_may_be_spelled_otherwise_in_the_receipt(receipt: Receipt, is_early: bool, stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    if is_early:
        scene.carrier.report(receipt)
        await scene.settle()
    scene.carrier.accept("17")
    if not is_early:
        scene.carrier.report(receipt)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert list(scene.journal.scan(PARKED)) == []


async def test_several_early_receipts_are_joined_in_their_order(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.receipt("17", State.ACCEPTD)
    scene.carrier.receipt("17", State.UNDELIV, error="042")
    scene.carrier.receipt("17")
    scene.carrier.accept("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "UNDELIV")]
    assert scene.outbox.deliveries[0].error == "042"


async def test_a_parked_receipt_is_given_up_in_time(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.receipt("stranger")
    await scene.settle()
    await scene.wait(86_399.0)
    assert scene.counted("receipt_events", "carrier", "parked_expired") == 0
    await scene.wait(2.0)
    assert scene.counted("receipt_events", "carrier", "parked_expired") == 1
    assert list(scene.journal.scan(PARKED)) == []
    assert scene.outbox.deliveries == [], "and never taken for a text"


async def test_parking_is_bounded(stage: Stage_, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARKED_MAX", 3)
    scene = stage("carrier")
    for number in range(5):
        scene.carrier.receipt(f"{number}")
    for _ in range(module.PARKED_EACH_MAX + 5):
        scene.carrier.receipt("0")
    await scene.settle()
    assert len(list(scene.journal.scan(PARKED))) == 3
    assert all(len(parked.receipts) <= module.PARKED_EACH_MAX for _, parked in scene.journal.scan(PARKED))
    assert all(stored for _, stored in scene.carrier.acknowledged)


async def test_strangers_do_not_crowd_out_a_receipt_before_its_response(
    stage: Stage_, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A carrier that sends every receipt twice fills the place in minutes; what comes early is known in seconds."""
    monkeypatch.setattr(module, "PARKED_MAX", 3)
    scene = stage("carrier")
    for number in range(5):
        scene.carrier.receipt(f"twice-{number}")
    (message,) = await scene.submit("hello")
    scene.carrier.receipt("17")
    await scene.settle()
    scene.carrier.accept("17")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.counted("receipt_events", "carrier", "parked_full") == 3


async def test_an_intermediate_receipt_ends_nothing(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello")
    scene.carrier.accept("17")
    scene.carrier.receipt("17", State.ENROUTE)
    await scene.settle()
    assert scene.stage(message) is Stage.SENT
    assert scene.counted("receipt_events", "carrier", "intermediate") == 1


@pytest.mark.parametrize(
    ("registered", "state", "is_told"),
    [
        (0, State.DELIVRD, False),
        (1, State.DELIVRD, True),
        (1, State.UNDELIV, True),
        (2, State.DELIVRD, False),
        (2, State.UNDELIV, True),
        (0x11, State.DELIVRD, True),
    ],
)
async def test_a_receipt_is_owed_to_those_who_asked(
    registered: int, state: State, is_told: bool, stage: Stage_
) -> None:
    """SMPP 3.4 5.2.17."""
    scene = stage("carrier")
    (message,) = await scene.submit("hello", registered_delivery=registered)
    scene.carrier.accept("17")
    scene.carrier.receipt("17", state)
    await scene.settle()
    assert scene.outbox.fates == ([(message, state.value)] if is_told else [])


async def test_a_full_outbox_loses_its_oldest_and_takes_the_receipt(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello")
    scene.outbox.full.add("shop")
    scene.carrier.accept("17")
    scene.carrier.receipt("17")
    await scene.settle()
    assert scene.outbox.dropped == ["shop"]
    assert len(scene.outbox.fates) == 1


# -- MO ---------------------------------------------------------------------------------------------------------------


async def test_a_reply_goes_to_whoever_wrote_last(stage: Stage_) -> None:
    scene = stage("carrier")
    (message,) = await scene.submit("hello", account="bank", source="36179", tlvs=((0x0204, b"\x00\x07"),))
    scene.carrier.accept("17")
    scene.carrier.report(reply())
    scene.carrier.report(reply(words="again"))
    await scene.settle()
    first, second = scene.outbox.deliveries
    assert (first.account, first.kind, first.payload, first.destination) == ("bank", "mo", b"yes", "36179")
    assert first.session_id == second.session_id == f"{message:x}"
    assert (first.session_sequence, second.session_sequence) == (1, 2)
    assert first.user_message_reference == 7
    assert scene.counted("mo", "carrier", "bank", "session") == 2


async def test_a_reply_names_the_message_that_came_last(stage: Stage_) -> None:
    scene = stage("carrier")
    first, _ = [
        *await scene.submit("one", tlvs=((0x0204, b"\x00\x01"),)),
        *await scene.submit("two", tlvs=((0x0204, b"\x00\x02"),)),
    ]
    scene.carrier.accept("17", "18")
    scene.carrier.report(reply())
    await scene.settle()
    (owed,) = scene.outbox.deliveries
    assert (owed.session_id, owed.user_message_reference) == (f"{first:x}", 2)


async def test_a_reply_to_a_bot_comes_back_to_the_sender_that_the_application_knows(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("hello", source="SHOP", source_ton=5)
    scene.bot.accept("x")
    scene.bot.report(reply("shop-bot", ton=5, postback="order=1", dedup_id="m1"))
    await scene.settle()
    (owed,) = scene.outbox.deliveries
    assert (owed.destination, owed.destination_ton, owed.postback) == ("SHOP", 5, "order=1")


async def test_without_a_session_the_owner_of_the_number_gets_it(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.carrier.report(reply(), reply("33700000000"))
    await scene.settle()
    assert [owed.account for owed in scene.outbox.deliveries] == ["shop", "bank"]
    assert scene.counted("mo", "carrier", "bank", "number") == 1
    assert [owed.session_id for owed in scene.outbox.deliveries] == ["", ""]


async def test_an_old_session_is_no_session(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", account="bank", source="36179")
    scene.carrier.accept("17")
    await scene.wait(24 * 3_600.0)
    scene.carrier.report(reply())
    await scene.settle()
    assert [owed.account for owed in scene.outbox.deliveries if owed.kind == "mo"] == ["shop"]


async def test_the_session_of_an_account_that_is_gone_gives_way_to_the_owner(
    stage: Stage_, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = stage("carrier")
    await scene.submit("hello", account="bank", source="36179")
    scene.carrier.accept("17")
    await scene.settle()
    monkeypatch.delitem(ACCOUNTS, "bank")
    scene.carrier.report(reply())
    await scene.settle()
    assert [owed.account for owed in scene.outbox.deliveries] == ["shop"]


async def test_nobodys_text_is_refused(stage: Stage_) -> None:
    scene = stage("carrier")
    text = reply("99999")
    scene.carrier.report(text, Receipt("17", State.DELIVRD))
    assert scene.carrier.acknowledged == [(text, False)]
    await scene.settle()
    assert scene.carrier.acknowledged[1:] == [(Receipt("17", State.DELIVRD), True)]
    assert scene.outbox.deliveries == []
    assert scene.counted("mo", "carrier", "", "unrouted") == 1


async def test_a_name_cannot_be_answered_so_it_opens_no_session(stage: Stage_) -> None:
    scene = stage("carrier")
    await scene.submit("hello", source="SHOP", source_ton=5)
    scene.carrier.accept("17")
    text = reply("SHOP", ton=5)
    scene.carrier.report(text)
    await scene.settle()
    assert (text, False) in scene.carrier.acknowledged


async def test_a_full_outbox_leaves_the_text_with_the_carrier(stage: Stage_) -> None:
    scene = stage("carrier")
    scene.outbox.full.add("shop")
    text = reply(dedup_id="m1")
    scene.carrier.report(text)
    await scene.settle()
    assert scene.carrier.acknowledged == [(text, False)]
    assert scene.counted("mo", "carrier", "shop", "outbox_full") == 1
    scene.outbox.full.clear()
    scene.carrier.report(text)
    await scene.settle()
    assert scene.carrier.acknowledged[1:] == [(text, True)]
    assert len(scene.outbox.deliveries) == 1


async def test_what_a_platform_repeats_is_taken_once(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("hello")
    scene.bot.accept("x")
    text = reply("shop-bot", ton=5, dedup_id="m1")
    scene.bot.report(text)
    scene.bot.report(text)
    await scene.settle()
    await scene.crash()
    scene.bot.report(text, reply("shop-bot", ton=5, dedup_id="m2"))
    await scene.settle()
    assert len([owed for owed in scene.outbox.deliveries if owed.kind == "mo"]) == 2
    assert len(list(scene.spool.owed())) <= 2
    assert scene.counted("mo", "bot", "", "duplicate") == 1
