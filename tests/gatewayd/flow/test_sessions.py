"""News of sessions: for accounts that want them, each opening and each end once, also over crashes and expiry."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.flow import sessions
from gatewayd.message import Accepted, Channel, Encoding, Inbound
from gatewayd.policy.billing import Record
from gatewayd.store.records import Delivery
from tests.gatewayd.flow.scene import ACCOUNTS, HANDSET, Scene

BOTH = schema.Account(sinks=("smpp", "webhook"), numbers=("36179",))


def scene_of(folder: Path, *, wanted: bool = True) -> Scene:
    scene = Scene(folder)
    if wanted:
        scene.desk.learn_accounts({**ACCOUNTS, "shop": BOTH, "bank": BOTH})
    scene.dispatcher.start()
    return scene


def news(scene: Scene) -> list[Delivery]:
    return [owed for owed in scene.outbox.deliveries if owed.kind == "session"]


def words(scene: Scene) -> list[tuple[str, str]]:
    return [(owed.account, owed.facts.event) for owed in news(scene) if owed.facts is not None]


async def send(scene: Scene, carrier_id: str, account: str = "shop") -> int:
    (message_id,) = await scene.submit(account=account)
    scene.carrier.answer(Accepted(carrier_id))
    await scene.settle()
    return message_id


async def test_a_session_opens_once_and_closes_with_what_it_was(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    first = await send(scene, "1")
    await send(scene, "2")
    (opened,) = news(scene)
    assert (opened.sink, opened.source, opened.destination, opened.session_id) == (
        "webhook", HANDSET, "36179", f"{first:x}",
    )  # fmt: skip
    assert opened.facts is not None
    assert opened.facts.channel is Channel.SMS
    scene.carrier.report(Inbound(1, 1, HANDSET, 1, 1, "36179", b"yes", Encoding.GSM))
    await scene.settle()
    await scene.wait(86_500.0)
    closed = news(scene)[-1]
    assert words(scene) == [("shop", "opened"), ("shop", "closed")]
    assert (closed.session_id, closed.session_sequence, closed.done_at - closed.submitted_at) == (
        f"{first:x}", 1, 86_400.0,
    )  # fmt: skip
    await scene.wait(100.0)
    assert len(news(scene)) == 2
    await scene.close()


async def test_a_session_that_another_account_takes_over_is_closed_first(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    await send(scene, "1")
    await send(scene, "2", "bank")
    assert words(scene) == [("shop", "opened"), ("shop", "closed"), ("bank", "opened")]
    await scene.close()


async def test_one_that_is_over_but_not_yet_forgotten_is_closed_before_the_next(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    await send(scene, "1")
    scene.now += 86_500.0
    await send(scene, "2")
    assert words(scene) == [("shop", "opened"), ("shop", "closed"), ("shop", "opened")]
    await scene.close()


async def test_of_many_that_end_at_once_each_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CLOSE_LIMIT", 2)
    scene = scene_of(tmp_path)
    for number in range(5):
        await scene.submit(destination=f"3361234560{number}")
        scene.carrier.answer(Accepted(f"{number}"))
        await scene.settle()
    await scene.wait(86_500.0)
    assert words(scene).count(("shop", "closed")) == 2
    for _ in range(2):
        await scene.tick()
    assert words(scene).count(("shop", "closed")) == 5
    await scene.close()


async def test_where_nobody_wants_them_there_are_none(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, wanted=False)
    await send(scene, "1")
    await scene.wait(86_500.0)
    assert news(scene) == []
    assert scene.spool.session("36179", HANDSET) is None
    await scene.close()


async def test_an_operators_class_is_told_once_it_is_final(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    message_id = await send(scene, "1")
    start_ms = round(scene.now * 1000)
    tell = scene.dispatcher._outbound.sessions.billed
    tell("36179", HANDSET, Record("single_message", start_ms, "orange_fr", "1", account="shop"))
    record = Record("conversation", start_ms, "orange_fr", "1", start_ms + 5_000, account="shop", mo_count=2)
    tell("36179", HANDSET, record)
    await scene.settle()
    billed = news(scene)[-1]
    assert words(scene) == [("shop", "opened"), ("shop", "billed")]
    assert billed.facts is not None
    assert (billed.facts.record, billed.session_id, billed.session_sequence) == (record, f"{message_id:x}", 2)
    await scene.close()


async def test_every_sink_is_owed_a_receipt_and_a_full_one_gives_up_its_oldest_alone(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    scene.outbox.full = {"shop/webhook"}
    await send(scene, "1")
    assert scene.desk.has_room("shop", "mo")
    scene.outbox.full = {"shop/webhook", "shop"}
    assert not scene.desk.has_room("shop", "mo")
    assert set(scene.outbox.dropped) == {"shop/webhook"}
    await scene.close()
