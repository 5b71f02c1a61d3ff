"""Nothing is acknowledged before it is durable, groups go in order, and a fold changes nothing that can be seen."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatewayd.policy.journey import Progress, Stage
from gatewayd.runtime.tasks import spawn
from gatewayd.store import database, segments, writer
from gatewayd.store import journal as module
from gatewayd.store.journal import Journal, JournalTimes
from gatewayd.store.kinds import DELIVERY, MESSAGE, PROGRESS, SEEN
from gatewayd.store.records import Seen
from tests.gatewayd.store.opening import PATIENCE_S, copy_of, durable, kill, rows_of, table_of

Open = Callable[..., Journal]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens journals, and closes those that the test did not."""
    journals: list[Journal] = []

    def open_journal(path: Path = tmp_path / "a.spool", **options: Any) -> Journal:
        journals.append(Journal(path, **options))
        return journals[-1]

    yield open_journal
    for journal in journals:
        if journal._writer._thread.is_alive():
            await journal.close()


def seen(journal: Journal) -> dict[Any, float]:
    return {key: value.due for key, value in journal.scan(SEEN)}


def progress(number: int, **facts: Any) -> Progress:
    return Progress(number, "shop", facts.pop("stage", Stage.SENT), ("carrier",), **facts)


class Gate:
    """Holds the writer thread at the n-th slice of a fold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
        self.is_open = threading.Event()
        self.is_reached = threading.Event()
        self._left = after
        self._write = database.write_slice
        monkeypatch.setattr(writer, "write_slice", self)

    def __call__(self, *args: Any) -> None:
        if self._left <= 0:
            self.is_reached.set()
            assert self.is_open.wait(PATIENCE_S)
        self._left -= 1
        self._write(*args)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.is_reached.wait, PATIENCE_S)


# -- groups ---------------------------------------------------------------------------------------------------------


async def test_durable_before_acknowledged(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    found: list[Any] = []
    done = asyncio.get_running_loop().create_future()

    def acknowledge(items: list[Any]) -> None:
        found.extend(rows_of(tmp_path / "a.spool"))
        done.set_result(items)

    journal.put(SEEN, "a", Seen(1.0))
    journal.then(acknowledge, "first")
    journal.put(SEEN, "b", Seen(2.0))
    journal.delete(SEEN, "a")
    journal.then(acknowledge, "second")
    assert journal.pending == 3
    assert rows_of(tmp_path / "a.spool") == []
    assert await done == ["first", "second"]
    assert found == [["seen", "a", {"due": 1.0}], ["seen", "b", {"due": 2.0}], ["seen", "a", None]]
    assert journal.pending == 0


async def test_who_waits_until_all_is_durable_may_go_away(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    journal.put(SEEN, "a", Seen(1.0))
    gone = spawn(journal.durable(), name="waiting")
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await journal.durable()
    assert rows_of(tmp_path / "a.spool") == [["seen", "a", {"due": 1.0}]]


async def test_a_group_that_is_on_its_way_is_still_pending(opened: Open) -> None:
    journal = opened()
    journal.put(SEEN, "a", Seen(1.0))
    await asyncio.sleep(0)
    assert journal.pending == 1
    await durable(journal)
    assert journal.pending == 0


async def test_what_comes_alone_is_committed_at_once_and_what_comes_in_crowds_together(opened: Open) -> None:
    sizes: list[int] = []
    journal = opened(group_wait_s=0.3, hooks=JournalTimes(committed=lambda seconds, records: sizes.append(records)))
    journal.put(SEEN, "alone", Seen(1.0))
    journal.then(lambda items: None, None)
    await asyncio.sleep(0)  # no timer: it is sealed at the end of this very turn
    assert journal._in_flight is not None
    for number in range(100):
        journal.put(SEEN, f"crowd {number}", Seen(1.0))
        await asyncio.sleep(0)
    await durable(journal)
    assert sizes == [1, 100]


@pytest.mark.parametrize("is_awaited_later", [True, False])
async def test_what_nobody_waits_for_goes_with_the_next_group_or_alone_in_a_while(
    opened: Open, monkeypatch: pytest.MonkeyPatch, is_awaited_later: bool
) -> None:
    monkeypatch.setattr("gatewayd.store.journal.UNAWAITED_WAIT_S", 3_600.0 if is_awaited_later else 0.001)
    committed: asyncio.Queue[int] = asyncio.Queue()
    hooks = JournalTimes(committed=lambda seconds, records: committed.put_nowait(records))
    journal = opened(group_wait_s=0.0, hooks=hooks)
    journal.put(SEEN, "first", Seen(1.0))
    journal.delete(SEEN, "second")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert journal._in_flight is None
    if is_awaited_later:
        journal.put(SEEN, "third", Seen(1.0))
        await durable(journal)
    async with asyncio.timeout(20):
        assert await committed.get() == 2 + is_awaited_later
    journal.put(SEEN, "fourth", Seen(1.0))
    await journal.flush()  # whoever asks for all is not kept waiting
    assert committed.get_nowait() == 1


async def test_groups_are_committed_and_acknowledged_in_order(opened: Open, tmp_path: Path) -> None:
    journal = opened(group_wait_s=0.0)
    acknowledged: list[int] = []
    for number in range(300):
        journal.put(SEEN, f"{number}", Seen(1.0))
        journal.then(acknowledged.extend, number)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await journal.flush()
    assert acknowledged == list(range(300))
    assert [record[1] for record in rows_of(tmp_path / "a.spool")] == [f"{number}" for number in range(300)]


async def test_one_failing_callback_keeps_nobody_from_an_answer(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    journal = opened()

    def fail(items: list[Any]) -> None:
        raise ValueError("a waiter's own fault")

    journal.then(fail, None)
    await durable(journal)
    assert "a callback after a commit failed" in caplog.text


async def test_a_callback_may_put_more(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    journal.then(lambda items: journal.put(SEEN, "late", Seen(3.0)), None)
    await durable(journal)
    await journal.flush()
    assert [record[1] for record in rows_of(tmp_path / "a.spool")] == ["late"]


# -- reading --------------------------------------------------------------------------------------------------------


async def spread(journal: Journal, gate: Gate) -> None:
    """Keys in every place where a value can be: 1 in a table, 2 in a fold under way, 3 changed, 4 fresh.

    Higher ones are shadowed: 12 was in a table and is in the fold, 13 deleted in the fold, 14 and 24 deleted since.
    """
    for key in (1, 12, 13, 14):
        journal.put(PROGRESS, key, progress(key, due=float(key)), new=True)
    gate.is_open.set()
    await journal.fold()
    gate.is_open.clear()
    gate.is_reached.clear()
    journal.put(PROGRESS, 2, progress(2, due=2.0), new=True)
    journal.put(PROGRESS, 3, progress(3, due=3.0), new=True)
    journal.put(PROGRESS, 24, progress(24, due=24.0), new=True)
    journal.put(PROGRESS, 12, progress(12, due=112.0))
    journal.delete(PROGRESS, 13)
    journal._fold_wanted = True
    await durable(journal)
    await gate.reached()
    journal.put(PROGRESS, 3, progress(3, due=103.0))
    journal.put(PROGRESS, 4, progress(4, due=4.0), new=True)
    journal.delete(PROGRESS, 14)
    journal.delete(PROGRESS, 24)


async def test_reading_wherever_a_value_is(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    journal = opened()
    await spread(journal, gate)
    expected = {1: 1.0, 2: 2.0, 3: 103.0, 4: 4.0, 12: 112.0}
    for _ in range(3):
        found = {key: journal.get(PROGRESS, key) for key in range(30)}
        assert {key: value.due for key, value in found.items() if value} == expected
        many = journal.get_many(PROGRESS, range(30))
        assert {key: value.due for key, value in many.items()} == expected
        scanned = [(key, value.due) for key, value in journal.scan(PROGRESS)]
        assert len(scanned) == len(expected)
        assert dict(scanned) == expected
        gate.is_open.set()  # once while the fold waits, once after it, once when everything is in the tables
        await journal.fold()
    assert dict(journal.due(PROGRESS, 1_000.0)) == expected


async def test_due_leaves_out_what_changed_since(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    journal = opened()
    await spread(journal, gate)
    assert list(journal.due(PROGRESS, 1_000.0)) == [(1, 1.0)]
    assert list(journal.due(PROGRESS, 1.0)) == []  # before, not at
    gate.is_open.set()


async def test_due_is_not_starved_by_what_was_dealt_with(opened: Open) -> None:
    """Rows that were deleted since the last fold come first in the table, and must not stand in the way."""
    journal = opened()
    count = 3 * database.READ_CHUNK + 1
    for number in range(count):
        journal.put(SEEN, f"{number:06}", Seen(float(number % 50 + 1)))
    await journal.fold()
    taken: list[str] = []
    while keys := [key for key, _ in itertools.islice(journal.due(SEEN, 1_000.0), 400)]:
        taken += keys
        for key in keys:
            journal.delete(SEEN, key)
    assert len(set(taken)) == len(taken) == count


async def test_column_is_everything_after_a_fold(opened: Open) -> None:
    journal = opened()
    journal.put(PROGRESS, 7, progress(7, queue="carrier", lane=2), new=True)
    journal.put(PROGRESS, 5, progress(5, stage=Stage.SENDING), new=True)
    journal.put(PROGRESS, 6, progress(6), new=True)
    await journal.fold()
    assert list(journal.column(PROGRESS, "queue")) == [(5, "!"), (7, "carrier|2|shop")]


# -- folds ----------------------------------------------------------------------------------------------------------


async def test_what_came_and_went_between_two_folds_never_touches_a_table(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    monkeypatch.setattr(writer, "write_slice", lambda kind, items, connection: written.extend(items))
    journal = opened()
    journal.put(PROGRESS, 1, progress(1), new=True)
    journal.put(PROGRESS, 1, progress(1, due=5.0))
    journal.delete(PROGRESS, 1)
    await journal.fold()
    assert written == []
    assert rows_of(tmp_path / "a.spool") == []


async def test_the_ends_of_what_a_fold_wrote_do_not_bring_on_the_next(opened: Open, tmp_path: Path) -> None:
    journal = opened(fold_entries=40)
    for number in range(40):
        journal.put(SEEN, f"{number}", Seen(9.0))
    await durable(journal)
    await journal.flush()
    for number in range(40):
        journal.delete(SEEN, f"{number}")
    for number in range(30):
        journal.put(SEEN, f"later {number}", Seen(9.0))
    await durable(journal)
    await journal.flush()
    assert len(table_of(tmp_path / "a.spool", "seen")) == 40, "30 and 40 that are gone are less than 40"
    for number in range(5):
        journal.put(SEEN, f"last {number}", Seen(9.0))
    await durable(journal)
    await journal.flush()
    assert len(table_of(tmp_path / "a.spool", "seen")) == 35


@pytest.mark.parametrize("by", ["entries", "octets", "age"])
async def test_a_fold_begins_by_itself(by: str, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(fold_entries=3 if by == "entries" else 50_000)
    if by == "octets":
        monkeypatch.setattr(module, "FOLD_OCTETS", 50)
    for number in range(3):
        journal.put(SEEN, f"{number}", Seen(9.0))
    await durable(journal)
    if by == "age":
        assert len(rows_of(tmp_path / "a.spool")) == 3
        monkeypatch.setattr(module, "FOLD_INTERVAL_S", -1.0)
        journal.tick()
    await journal.flush()
    assert rows_of(tmp_path / "a.spool") == []
    assert len(table_of(tmp_path / "a.spool", "seen")) == 3


async def test_an_idle_journal_writes_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    journal = opened(hooks=JournalTimes(committed=lambda seconds, records: commits.append(records)))
    monkeypatch.setattr(module, "FOLD_INTERVAL_S", -1.0)
    journal.tick()
    await journal.flush()
    assert commits == []


async def test_a_fold_asked_for_during_a_fold_follows_it(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    journal = opened()
    journal.put(SEEN, "a", Seen(1.0))
    journal._fold_wanted = True
    await durable(journal)
    await gate.reached()
    journal.put(SEEN, "b", Seen(2.0))
    gate.is_open.set()
    await journal.fold()
    assert rows_of(tmp_path / "a.spool") == []
    assert set(table_of(tmp_path / "a.spool", "seen")) == {"a", "b"}


async def test_groups_go_between_the_slices_of_a_fold(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FOLD_SLICE", 1)
    gate = Gate(monkeypatch, after=2)
    journal = opened(group_wait_s=0.0)
    for number in range(10):
        journal.put(SEEN, f"{number}", Seen(1.0))
    journal._fold_wanted = True
    await durable(journal)
    await gate.reached()
    commit, slices_before = writer.Writer._commit, []

    def note(*args: Any) -> None:
        slices_before.append(len(table_of(tmp_path / "a.spool", "seen")))
        commit(*args)

    monkeypatch.setattr(writer.Writer, "_commit", note)
    journal.put(SEEN, "urgent", Seen(2.0))
    journal.then(lambda items: None, None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert journal._in_flight is not None
    gate.is_open.set()
    await journal.flush()
    assert slices_before == [3]
    assert len(table_of(tmp_path / "a.spool", "seen")) == 10


# -- the end, foreseen and not --------------------------------------------------------------------------------------


async def test_closing_keeps_everything_and_folds(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    journal.put(SEEN, "a", Seen(1.0))
    await journal.close()
    assert rows_of(tmp_path / "a.spool") == []
    assert seen(opened()) == {"a": 1.0}


async def test_after_a_crash_what_was_acknowledged_is_there_and_no_more(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    journal.put(SEEN, "kept", Seen(1.0))
    journal.put(SEEN, "gone", Seen(1.0))
    journal.delete(SEEN, "gone")
    await durable(journal)
    journal.put(SEEN, "unheard of", Seen(2.0))
    copy = copy_of(tmp_path / "a.spool", tmp_path / "copy")
    assert seen(opened(copy)) == {"kept": 1.0}


@pytest.mark.parametrize("slices", range(5))
async def test_a_half_done_fold_is_no_harm(
    slices: int, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FOLD_SLICE", 2)
    journal = opened()
    for number in range(6):
        journal.put(SEEN, f"{number}", Seen(1.0))
    await journal.fold()
    for number in range(0, 8, 2):
        journal.put(SEEN, f"{number}", Seen(2.0))
    journal.delete(SEEN, "1")
    journal.delete(SEEN, "3")
    await durable(journal)
    gate = Gate(monkeypatch, after=slices)
    journal._fold_wanted = True
    journal.put(SEEN, "4", Seen(3.0))  # after the fold's values, before its end
    await durable(journal)
    if slices < 3:
        await gate.reached()
        journal.put(SEEN, "6", Seen(4.0))
    expected = {"0": 2.0, "2": 2.0, "4": 3.0, "5": 1.0, "6": 2.0}
    copy = copy_of(tmp_path / "a.spool", tmp_path / "copy") if slices < 3 else None
    gate.is_open.set()
    await journal.flush()
    if copy is None:
        copy = copy_of(tmp_path / "a.spool", tmp_path / "copy")
    assert seen(opened(copy)) == expected


@pytest.mark.parametrize(("octets", "left"), [(segments.FILE_OCTETS, [6, 6, 0]), (1, [6, 6, 5, 4, 3, 2, 1, 0, 0])])
async def test_a_journal_that_is_half_dropped_is_no_harm(
    octets: int, left: list[int], opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folded and not marked so; marked and not dropped; some files dropped (the last holds an empty group); dropped."""
    monkeypatch.setattr(segments, "FILE_OCTETS", octets)
    journal = opened(group_wait_s=0.0)
    for number in range(6):
        journal.put(SEEN, "same", Seen(float(number)))
        await durable(journal)
    copies: list[Path] = []

    def copied(step: Callable[..., None]) -> Callable[..., None]:
        def stepped(*args: Any) -> None:
            copies.append(copy_of(tmp_path / "a.spool", tmp_path / f"copy {len(copies)}"))
            step(*args)

        return stepped

    for owner, name in ((writer, "end_fold"), (writer.Writer, "_drop")):
        monkeypatch.setattr(owner, name, copied(getattr(owner, name)))
    await journal.fold()
    copies.append(copy_of(tmp_path / "a.spool", tmp_path / f"copy {len(copies)}"))
    monkeypatch.undo()
    assert [len(rows_of(copy)) for copy in copies] == left
    for copy in copies:
        again = opened(copy)
        assert seen(again) == {"same": 5.0}
        again.put(SEEN, "more", Seen(6.0))
        await durable(again)
        kill(again)
        assert seen(opened(copy)) == {"same": 5.0, "more": 6.0}


async def test_the_highest_key_counts_what_was_deleted_too(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    assert journal.highest_key((MESSAGE, PROGRESS, DELIVERY)) == 0
    journal.put(PROGRESS, 7, progress(7), new=True)
    await journal.fold()
    journal.put(PROGRESS, 9, progress(9), new=True)
    journal.delete(PROGRESS, 9)
    await durable(journal)
    assert journal.highest_key((MESSAGE, PROGRESS)) == 7
    kill(journal)
    journal = opened()
    assert journal.highest_key((MESSAGE, PROGRESS)) == 9
    assert journal.highest_key((DELIVERY,)) == 0


async def test_sequences_go_on_after_a_crash(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    for number in range(3):
        journal = opened(path)
        journal.put(SEEN, f"{number}", Seen(1.0))
        await durable(journal)
        kill(journal)
    assert [record[1] for record in rows_of(path)] == ["0", "1", "2"]
    assert set(seen(opened(path))) == {"0", "1", "2"}


async def test_closing_says_what_the_disk_did_not_take(
    opened: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    journal = opened()
    monkeypatch.setattr(writer.Writer, "_commit", refuse)
    acknowledged: list[Any] = []
    journal.put(SEEN, "a", Seen(1.0))
    journal.then(acknowledged.extend, "a")
    with caplog.at_level(logging.ERROR):
        await journal.close(timeout_s=0.1)
    assert acknowledged == []
    assert "closed with 1 changes that the disk did not take; none was acknowledged" in caplog.text
