"""Each record is in its file once, wherever a crash comes between; numbers have no gap."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gatewayd.billing import outbox as module
from gatewayd.billing.outbox import CdrOutbox
from gatewayd.billing.record_files import RecordFiles, read_lines
from gatewayd.billing.record_table import NAME, RecordTable
from gatewayd.policy.billing import Record
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import CDR
from tests.gatewayd.store.opening import durable, kill

RECORD = Record("single_message", 1_790_000_000_000, "orange_fr", "1", message_ids=("7",))


class Place:
    """A spool, a folder of files, and the outbox between them."""

    def __init__(self, folder: Path, slot: int = 0) -> None:
        self.folder = folder
        self.slot = slot
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder / "a.spool", group_wait_s=0.0)
        self.files = RecordFiles(self.folder / "cdr", 10_000)
        self.files.prepare()
        self.table = RecordTable(self.folder / "cdr")
        self.outbox = CdrOutbox(self.journal, self.files, self.slot, self.table)

    async def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.outbox.add("bot", "33612345678", RECORD)
        await durable(self.journal)

    def die(self) -> None:
        kill(self.journal)
        self.table.close()

    def crash(self) -> None:
        self.die()
        self.open()

    @property
    def rows(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "cdr" / NAME)) as connection:
            return [name for (name,) in connection.execute("SELECT id FROM record ORDER BY worker, number")]

    @property
    def written(self) -> list[str]:
        return [line.id for line in read_lines(self.folder / "cdr")]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    it = Place(tmp_path)
    yield it
    it.table.close()


async def test_what_is_durable_is_written_and_forgotten_but_for_the_last(place: Place) -> None:
    place.outbox.add("bot", "33612345678", RECORD)
    place.outbox.tick()
    assert (place.outbox.unwritten, place.written) == (1, [])
    await place.add(2)
    assert place.outbox.unwritten == 3
    await place.outbox.close()
    assert place.written == place.rows == ["0-1", "0-2", "0-3"]
    assert place.outbox.unwritten == 0
    (left,) = (cdr for _, cdr in place.journal.scan(CDR))
    assert (left.sequence, left.is_written) == (3, True)
    await place.journal.close()


async def test_numbers_go_on_after_a_restart_even_without_the_files(place: Place) -> None:
    await place.add(2)
    await place.outbox.close()
    await durable(place.journal)
    (place.folder / "cdr" / "cdr-0.jsonl").unlink()
    place.crash()
    await place.add()
    await place.outbox.close()
    assert place.written == ["0-3"]
    await place.journal.close()


async def test_numbers_go_on_in_a_new_spool(place: Place) -> None:
    await place.add(2)
    await place.outbox.close()
    place.die()
    for path in place.folder.glob("a.spool*"):
        path.unlink()
    place.open()
    await place.add()
    await place.outbox.close()
    assert place.written == ["0-1", "0-2", "0-3"]
    await place.journal.close()


async def test_numbers_go_on_where_only_the_table_is_left(place: Place) -> None:
    await place.add(2)
    await place.outbox.close()
    place.die()
    for path in (*place.folder.glob("a.spool*"), place.folder / "cdr" / "cdr-0.jsonl"):
        path.unlink()
    with closing(sqlite3.connect(place.folder / "cdr" / NAME)) as connection, connection:
        connection.execute("DELETE FROM record WHERE number = 2")
    place.open()
    await place.add()
    await place.outbox.close()
    assert (place.written, place.rows) == (["0-3"], ["0-1", "0-3"])
    await place.journal.close()


@pytest.mark.parametrize(
    "cut",
    ["before the file", "within the file", "after the file", "within the table", "after the table", "after the end"],
)
async def test_a_crash(place: Place, cut: str) -> None:
    await place.add(3)
    left = [cdr for _, cdr in place.journal.scan(CDR)]
    if cut != "before the file":
        place.files.append(left)
    if cut == "within the table":
        place.table.append(left[:2])
    if cut == "after the table":
        place.table.append(left)
    if cut == "within the file":
        path = place.folder / "cdr" / "cdr-0.jsonl"
        path.write_bytes(path.read_bytes()[:-20])
    if cut == "after the end":
        await place.outbox.close()
        await durable(place.journal)
    place.crash()
    await place.add()
    await place.outbox.close()
    assert place.written == place.rows == ["0-1", "0-2", "0-3", "0-4"]
    await place.journal.close()


async def test_what_another_worker_left_is_written_under_its_name(place: Place) -> None:
    await place.add()
    (_, cdr), *_ = place.journal.scan(CDR)
    theirs = msgspec.structs.replace(cdr, origin=3, sequence=9)
    place.journal.put(CDR, theirs.key, theirs)
    await durable(place.journal)
    place.crash()
    await place.outbox.close()
    assert place.written == ["0-1", "3-9"]
    assert [key for key, _ in place.journal.scan(CDR)] == [cdr.key]
    await place.journal.close()


async def test_a_disk_that_refuses_is_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    (place.folder / "cdr").rmdir()
    for _ in range(2):
        await place.add()
        place.outbox.tick()
        assert place.outbox._writing is not None
        await asyncio.wait([place.outbox._writing])
        await asyncio.sleep(0)
    await place.outbox.close()  # does not wait for a disk that refuses
    assert place.outbox.unwritten == 2
    place.files.prepare()
    place.outbox.tick()
    assert place.outbox._writing is not None
    await asyncio.wait([place.outbox._writing])
    await asyncio.sleep(0)
    assert place.written == ["0-1", "0-2"]
    said = [record.message for record in caplog.records]
    assert ["cannot be written" in line for line in said] == [True, False]
    await place.journal.close()


async def test_a_table_that_is_damaged_waits_and_messages_go_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    await place.add()
    (place.folder / "cdr" / NAME).write_bytes(b"no table" * 1_000)
    place.crash()
    await place.add()
    await place.outbox.close()
    assert (place.written, place.outbox.unwritten) == (["0-1", "0-2"], 2)
    (place.folder / "cdr" / NAME).unlink()
    place.outbox.tick()
    assert place.outbox._writing is not None
    await asyncio.wait([place.outbox._writing])
    await asyncio.sleep(0)
    assert place.written == place.rows == ["0-1", "0-2"]
    said = [record.message for record in caplog.records]
    assert ["move it away" in line for line in said] == [True, True, False]
    await place.journal.close()
