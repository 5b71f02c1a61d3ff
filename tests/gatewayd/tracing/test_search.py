"""What lies in history, journals and tables of several workers is found as one story, by id and by number."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatewayd.message import Encoding, Message, State
from gatewayd.policy.homes import id_of as made_id_of
from gatewayd.policy.homes import sequence_at
from gatewayd.policy.journey import Progress, Stage
from gatewayd.policy.short_ids import short_name
from gatewayd.senders.product_ids import uuid_of
from gatewayd.store.history import History
from gatewayd.store.journal import Journal
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Spool
from gatewayd.tracing.search import Archive, id_of, spellings_of
from tests.gatewayd.store.opening import durable

NUMBER = "33612345678"
NOW = 1_764_124_800.0


def spool_of(folder: Path, slot: int = 0, *, keeps: bool = True) -> Spool:
    history = History(folder / "history" / f"worker-{slot}", keep_s=86_400.0, text_s=86_400.0) if keeps else None
    return Spool(Journal(folder / f"worker-{slot}.spool", history=history), slot=slot)


def accept(spool: Spool, **facts: Any) -> Message:
    number = spool.new_id()
    given: dict[str, Any] = {"destination": NUMBER, "payload": b"secret", "accepted_at": (number >> 18) / 1000}
    message = Message(
        id=number,
        account="shop",
        source_ton=5,
        source_npi=0,
        source="SHOP",
        destination_ton=1,
        destination_npi=1,
        encoding=Encoding.GSM,
        registered_delivery=1,
        **{**given, **facts},
    )
    spool.accept(message, Progress(number, "shop", Stage.QUEUED, ("carrier",), queue="carrier"))
    return message


def finish(spool: Spool, message: Message) -> int:
    journey = spool.journey(message.id)
    assert journey is not None
    spool.finish(journey)
    receipt = Delivery(
        spool.new_id(), "shop", "receipt", 1, 1, message.destination, 5, 0, "SHOP", NOW, NOW + 9e9,
        message_id=message.id, state=State.DELIVRD,
    )  # fmt: skip
    spool.owe(receipt)
    return receipt.id


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("688577030600100", True),
        (uuid_of(0x688577030600100), True),
        (NUMBER, False),
        ("+" + NUMBER, False),
        ("336123456789012", False),
        ("00000000-0000-0000-0000-000000000000", False),
    ],
)
def test_ids_and_numbers_are_told_apart(text: str, is_id: bool) -> None:
    assert (id_of(text) is not None) == is_id


def test_short_ids_are_found_by_the_time_of_day() -> None:
    message_id = made_id_of(sequence_at(1_790_000_000.0), 1)
    name = short_name(message_id)
    assert re.fullmatch("[0-9a-f]{8}", name)
    assert id_of(f"0x{name}", 1_790_000_100.0) == message_id
    assert id_of("0a1b2c3d", 1_790_000_100.0) is not None
    assert id_of("33612345", 1_790_000_100.0) is None


def test_a_number_may_be_written_in_several_ways() -> None:
    assert spellings_of("+33 6 12 34 56 78") == [NUMBER, f"+{NUMBER}", f"00{NUMBER}"]
    assert spellings_of(f"00{NUMBER}")[0] == NUMBER


@pytest.mark.parametrize("written", ["0612345678", "06 12 34 56 78", "06-12-34-56-78", "+33 (6) 12 34 56 78"])
def test_a_number_may_be_written_as_it_is_dialled(written: str) -> None:
    assert NUMBER in spellings_of(written, ["FR"])
    assert "436123456" not in spellings_of("06123456", ["FR"])
    assert {"436123456", "49612345678"} & set(spellings_of("0612345678", ["DE", "AT"])) == {"49612345678"}
    assert spellings_of("36105", ["FR"]) == ["36105", "+36105", "0036105"]


@pytest.mark.parametrize("folds", [False, True])
async def test_one_message_from_first_to_last(tmp_path: Path, folds: bool) -> None:
    spool = spool_of(tmp_path)
    message, other = accept(spool), accept(spool, destination="33600000000")
    await durable(spool.journal)
    if folds:
        await spool.journal.fold()
    receipt = finish(spool, message)
    await durable(spool.journal)
    spool.note(receipt, "delivery_failed", status="ESME_RSYSERR")
    spool.settle_delivery(receipt)
    await durable(spool.journal)
    archive = Archive(tmp_path)
    (story,) = archive.stories([message.id])
    assert [event.word for event in story.events][-4:] == ["ended", "receipt_owed", "delivery_failed", "delivered"]
    assert story.message.get("payload") == "" or not folds
    await spool.journal.close()
    both = Archive(tmp_path, with_texts=True).stories([message.id, other.id])
    assert both[0].events == story.events
    assert [one.stage for one in both] == ["", "queued"]
    assert both[0].message["payload"] == "c2VjcmV0"
    assert archive.stories([12345 << 30])[0].is_known is False


async def test_the_latest_of_a_number_in_all_workers(tmp_path: Path) -> None:
    ids = []
    for slot in (0, 1):
        spool = spool_of(tmp_path, slot)
        for spelling in (NUMBER, f"+{NUMBER}", "33699999999"):
            message = accept(spool, destination=spelling)
            if spelling != "33699999999":
                ids.append(message.id)
        await durable(spool.journal)
        if not slot:
            await spool.journal.fold()
        await spool.journal.close()
    archive = Archive(tmp_path)
    assert archive.latest(NUMBER, 10) == sorted(ids, reverse=True)
    assert archive.latest(f"+{NUMBER}", 1) == [max(ids)]
    assert archive.latest("06.12.34.56.78", 10, ["DE", "FR"]) == sorted(ids, reverse=True)
    assert archive.latest("0612345678", 10) == []
    assert archive.latest("33611111111", 10) == []


@pytest.mark.parametrize("writes_first", [0, 1])
@pytest.mark.parametrize("keeps", [True, False], ids=["history", "tables"])
async def test_the_latest_is_what_came_last_whichever_worker_began_later(
    tmp_path: Path, keeps: bool, writes_first: int
) -> None:
    earlier, later = spools = spool_of(tmp_path, 0, keeps=keeps), spool_of(tmp_path, 1, keeps=keeps)
    later._sequence += 1_000_000  # a quarter of an hour
    ids = {}
    for spool in (spools[writes_first], spools[not writes_first]):
        for at in (1_790_000_001.0,) if spool is earlier else (1_790_000_000.0, 1_790_000_002.0):
            ids[at] = accept(spool, accepted_at=at).id
        await durable(spool.journal)
        await spool.journal.close()
    archive = Archive(tmp_path)
    latest = [ids[at] for at in sorted(ids, reverse=True)]
    assert archive.latest(NUMBER, 10) == latest
    assert archive.latest(NUMBER, 2) == latest[:2]


async def test_without_history_the_tables_tell_what_they_have(tmp_path: Path) -> None:
    spool = spool_of(tmp_path, keeps=False)
    message = accept(spool)
    await durable(spool.journal)
    await spool.journal.close()
    archive = Archive(tmp_path)
    assert archive.latest(NUMBER, 10) == [message.id]
    (story,) = archive.stories([message.id])
    assert [event.word for event in story.events] == ["accepted", "stored", "routed", "queued"]


async def test_parts_of_a_long_message_are_found_together(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    parts = [accept(spool, concat=(7, 3, number)) for number in (2, 1, 3)]
    accept(spool, concat=(8, 3, 1))
    accept(spool, concat=(7, 3, 1), destination="33600000000")
    await durable(spool.journal)
    await spool.journal.close()
    archive = Archive(tmp_path)
    (story,) = archive.stories([parts[0].id])
    assert archive.siblings(story) == [parts[1].id, parts[0].id, parts[2].id]
    alone = archive.stories([accept_id := parts[1].id])[0]
    assert archive.siblings(alone)[0] == accept_id


async def test_a_part_that_came_again_stands_beside_those_that_came_before_it(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    parts = [accept(spool, concat=(7, 2, number), accepted_at=NOW + number) for number in (1, 2)]
    again = accept(spool, concat=(7, 2, 2), accepted_at=NOW + 60.0)
    await durable(spool.journal)
    await spool.journal.close()
    archive = Archive(tmp_path)
    first, second, third = archive.stories([parts[0].id, parts[1].id, again.id])
    assert archive.siblings(first) == archive.siblings(second) == [parts[0].id, parts[1].id]
    assert archive.siblings(third) == [parts[0].id, again.id]


def test_there_is_nothing(tmp_path: Path) -> None:
    assert Archive(tmp_path).latest(NUMBER, 3) == []


async def test_what_a_fold_moves_meanwhile_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = spool_of(tmp_path)
    message = accept(spool)
    await durable(spool.journal)
    archive = Archive(tmp_path)
    looked: list[str] = []

    def watched(name: str, kept: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def look(asked: Any) -> Any:
            looked.append(name)
            return kept(asked)

        return look

    for name in ("_journals", "_stretches"):
        monkeypatch.setattr(archive, name, watched(name, getattr(archive, name)))
    assert archive.stories([message.id])[0].is_known
    assert looked[:2] == ["_journals", "_stretches"]
    await spool.journal.close()
