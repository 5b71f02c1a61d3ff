"""What the journal drops is in the history before; crashes repeat it, failures count it, and nothing waits for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.store import history as module
from gatewayd.store.database import Database, connect
from gatewayd.store.history import WRITE_OCTETS, History
from gatewayd.store.history_files import all_stretches, stretches
from gatewayd.store.history_index import find
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import MESSAGE, SEEN
from gatewayd.store.records import Seen
from gatewayd.store.rehoming import settle_journal
from tests.gatewayd.store.opening import copy_of, durable, kill, rows_of
from tests.gatewayd.store.test_history_lines import HANDSET, SECRET, message


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = 1_764_124_800.0

    def __call__(self) -> float:
        return self.now


def history(folder: Path, **options: Any) -> History:
    return History(folder / "history" / "worker-0", **{"keep_s": 86_400.0, **options})


def groups(folder: Path) -> list[dict[str, Any]]:
    """Every whole group, the oldest first."""
    found = []
    for _, stretch in reversed(list(all_stretches(folder))):
        index = find(stretch.index.read_bytes(), [])
        octets = stretch.groups.read_bytes()
        assert index.end == len(octets)
        decoder = octets.decode()
        texts = decoder.split('\n{"at":')
        found += [msgspec.json.decode(text if text.startswith("{") else '{"at":' + text) for text in texts]
    return found


async def test_what_is_folded_is_kept_before_it_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.spool", history=history(tmp_path))
    journal.put(MESSAGE, 17, message(17), new=True)
    await durable(journal)
    journal.note(17, {"word": "refused", "link": "carrier"})
    journal.delete(MESSAGE, 17)
    await durable(journal)
    await journal.fold()
    assert rows_of(tmp_path / "a.spool") == []
    first, second = groups(tmp_path)
    assert first["changes"][0][2]["destination"] == HANDSET
    assert second["changes"] == [["note", 17, {"word": "refused", "link": "carrier"}], ["message", 17, None]]
    assert [stretch for _, stretch in all_stretches(tmp_path) if SECRET in stretch.groups.read_bytes()] == []
    await journal.close()
    assert len(groups(tmp_path)) == 2  # the last fold was a group that holds nothing


async def test_a_crash_before_the_rows_are_dropped_repeats_groups(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.spool", history=history(tmp_path))
    journal.put(SEEN, "a", Seen(1.0))
    await durable(journal)
    copy = copy_of(tmp_path / "a.spool", tmp_path / "copy")
    await journal.close()
    before = groups(tmp_path)
    again = Journal(copy, history=history(tmp_path))
    await again.fold()
    await again.close()
    after = groups(tmp_path)
    assert [(g["sequence"], g["at"]) for g in after[len(before) :]][:1] == [(before[0]["sequence"], before[0]["at"])]


async def test_notes_are_in_no_table_and_a_replay_passes_over_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.spool", history=history(tmp_path))
    journal.put(SEEN, "a", Seen(1.0))
    journal.note(0, {"word": "pause"})
    await durable(journal)
    kill(journal)
    again = Journal(tmp_path / "a.spool")
    assert [key for key, _ in again.scan(SEEN)] == ["a"]
    await again.fold()
    await again.close()


async def test_what_is_arranged_for_other_workers_is_kept_as_well(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.spool", history=history(tmp_path))
    journal.put(SEEN, "a", Seen(1.0))
    journal.note(17, {"word": "refused"})
    await durable(journal)
    kill(journal)
    database, connection = Database(tmp_path / "a.spool"), connect(tmp_path / "a.spool")
    settle_journal(database, connection, history(tmp_path))
    database.close()
    assert [row[0] for row in connection.execute("SELECT key FROM seen")] == ["a"]
    connection.close()
    assert groups(tmp_path)[0]["changes"] == [["seen", "a", {"due": 1.0}], ["note", 17, {"word": "refused"}]]
    assert rows_of(tmp_path / "a.spool") == []


async def test_without_history_nothing_is_noted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.spool")
    journal.note(17, {"word": "refused"})
    assert journal.pending == 0
    await journal.close()
    assert not (tmp_path / "history").exists()


async def test_a_disk_that_refuses_history_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    own = history(tmp_path, clock=clock)
    journal = Journal(tmp_path / "a.spool", history=own)

    def refuse(descriptor: int, parts: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("gatewayd.store.history._write", refuse)
        journal.put(SEEN, "b", Seen(1.0))
        await durable(journal)
        await journal.fold()
    assert rows_of(tmp_path / "a.spool") == []
    assert own.lost == 1
    assert [r.message for r in caplog.records if "history cannot be written" in r.message] != []
    assert stretches(tmp_path / "history" / "worker-0") == []
    clock.now += 10
    journal.put(SEEN, "a", Seen(1.0))
    await journal.close()
    assert "history is written again" in caplog.text
    assert any(group["changes"][:1] == [["seen", "a", {"due": 1.0}]] for group in groups(tmp_path))


def test_what_is_written_waits_for_more(tmp_path: Path) -> None:
    own = history(tmp_path)
    row = b'[["seen","' + b"a" * (WRITE_OCTETS // 4) + b'",null]]'
    for sequence in range(3):
        own.append(sequence, 1_764_124_800.0, row)
    assert [stretch.octets for _, stretch in all_stretches(tmp_path)] == [0]
    own.append(3, 1_764_124_800.0, row)
    assert [group["sequence"] for group in groups(tmp_path)] == [0, 1, 2, 3]
    own.append(4, 1_764_124_800.0, row)
    own.sync()
    assert len(groups(tmp_path)) == 5
    own.append(5, 1_764_124_800.0, row)
    own.close()
    assert len(groups(tmp_path)) == 6


def test_little_of_it_is_not_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold or a full stretch would have the commits wait for all of it at once."""
    durable_octets: dict[int, int] = {}

    def noted(descriptor: int, fsync: Callable[[int], None] = os.fsync) -> None:
        fsync(descriptor)
        durable_octets[os.fstat(descriptor).st_ino] = os.fstat(descriptor).st_size

    monkeypatch.setattr(module, "WRITE_OCTETS", 100)
    monkeypatch.setattr(module, "SYNC_OCTETS", 1_000)
    monkeypatch.setattr(os, "fsync", noted)
    own = history(tmp_path)
    for number in range(1, 101):
        own.append(number, 1_764_124_800.0, b'[["seen","a",{"due":1.0}]]')
        for _, stretch in all_stretches(tmp_path):
            file = stretch.groups.stat()
            assert file.st_size - durable_octets.get(file.st_ino, 0) < 1_000
    assert len(groups(tmp_path)) > 90
    own.close()


def test_what_waited_for_a_disk_that_refuses_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = history(tmp_path)
    for sequence in range(3):
        own.append(sequence, 1_764_124_800.0, b'[["seen","a",null]]')

    def refuse(descriptor: int, parts: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gatewayd.store.history._write", refuse)
    own.close()
    assert own.lost == 3
    assert stretches(tmp_path / "history" / "worker-0") == []


def test_a_full_stretch_is_followed_by_another(tmp_path: Path) -> None:
    own = history(tmp_path, stretch_octets=160)
    for sequence in range(3):
        own.append(sequence, 1_764_124_800.0, b'[["seen","a",null]]' * 3)
    own.sync()
    own.close()
    assert len(list(all_stretches(tmp_path))) == 2


def test_an_old_stretch_is_followed_by_another(tmp_path: Path) -> None:
    clock = Clock()
    own = history(tmp_path, clock=clock)
    own.append(1, clock.now, b'[["seen","a",null]]')
    clock.now += 3_599
    own.append(2, clock.now, b'[["seen","a",null]]')
    clock.now += 1
    own.append(3, clock.now, b'[["seen","a",null]]')
    own.close()
    assert len(list(all_stretches(tmp_path))) == 2


def test_texts_are_kept_apart_where_they_are_wanted(tmp_path: Path) -> None:
    clock = Clock()
    own = history(tmp_path, text_s=400.0, clock=clock)
    row = b'[["message",17,' + msgspec.json.encode(message(17)) + b"]]"
    own.append(1, clock.now, row)
    clock.now += 100  # a quarter of a text's life is the longest that a stretch with texts lasts
    own.append(2, clock.now, b'[["seen","a",null]]')
    own.sync()
    own.close()
    first, second = stretches(tmp_path / "history" / "worker-0")
    assert SECRET not in first.groups.read_bytes()
    assert msgspec.json.decode(first.texts.read_bytes())["texts"] == [msgspec.json.decode(row)[0][2]["payload"]]
    assert not second.texts.exists()
    assert first.groups.stat().st_mode & 0o077 == 0


def test_a_moment_that_comes_again_has_a_file_of_its_own(tmp_path: Path) -> None:
    for _ in range(3):
        own = history(tmp_path)
        own.append(1, 1_764_124_800.0, b'[["seen","a",null]]')
        own.close()
    assert len(list(all_stretches(tmp_path))) == 3
