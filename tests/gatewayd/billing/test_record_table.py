"""The table: a row for each record, once, whoever writes at the same time and whatever becomes of the file."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gatewayd.billing import record_table as module
from gatewayd.billing.record_table import NAME, RecordTable
from tests.gatewayd.billing.test_record_files import cdr


def ask(folder: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return connection.execute(question).fetchall()


def ids(folder: Path) -> list[str]:
    return [name for (name,) in ask(folder, "SELECT id FROM record ORDER BY worker, number")]


def test_a_row_says_all(tmp_path: Path) -> None:
    table = RecordTable(tmp_path)
    table.append([cdr(1, ids=2)])
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM record")
    assert dict(row) == {
        "id": "0-1",
        "worker": 0,
        "number": 1,
        "class": "conversation",
        "free": 0,
        "account": "shop",
        "agent": "bot",
        "user": "33612345678",
        "link": "",
        "start_time": "2026-09-21T14:13:20.500Z",
        "end_time": "2026-09-22T14:13:20.500Z",
        "message_ids": '["1.0","1.1"]',
        "mt": 2,
        "mo": 0,
        "segments": 0,
        "credits": 0.0,
        "rules": "orange_fr",
        "version": "2021-10",
    }
    assert json.loads(row["message_ids"]) == ["1.0", "1.1"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o640
    table.close()


def test_no_id_is_there_twice(tmp_path: Path) -> None:
    for batch in ([1, 2], [2, 3], [1, 2, 3]):
        table = RecordTable(tmp_path)
        table.append([cdr(number) for number in batch])
        table.close()
    assert ids(tmp_path) == ["0-1", "0-2", "0-3"]


def test_the_last_number_outlives_what_people_prune(tmp_path: Path) -> None:
    table = RecordTable(tmp_path)
    assert table.last_sequence(0) == 0
    assert not (tmp_path / NAME).exists(), "asking makes nothing"
    table.append([cdr(7), cdr(3), cdr(2, origin=1)])
    table.append([cdr(5)])
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("DELETE FROM record")
    assert [table.last_sequence(worker) for worker in range(3)] == [7, 2, 0]
    table.close()


def test_several_workers_at_once(tmp_path: Path) -> None:
    ready = threading.Barrier(4)
    faults: list[OSError] = []

    def work(worker: int) -> None:
        table = RecordTable(tmp_path)
        ready.wait()
        try:
            for number in range(1, 21):
                table.append([cdr(number, worker)])
        except OSError as error:
            faults.append(error)
        table.close()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert ids(tmp_path) == [f"{worker}-{number}" for worker in range(4) for number in range(1, 21)]
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "nothing is left beside it"


def test_a_reader_is_not_in_the_way_and_a_long_writer_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.01)
    table = RecordTable(tmp_path)
    table.append([cdr(1)])
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM record").fetchone() == (1,)
        table.append([cdr(2)])
        other.execute("COMMIT")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="locked"):
            table.append([cdr(3)])
        other.execute("COMMIT")
    table.append([cdr(3)])
    assert ids(tmp_path) == ["0-1", "0-2", "0-3"]
    table.close()


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    table = RecordTable(tmp_path)
    table.append([cdr(1)])
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(f"old-{path.name}"))
    table.append([cdr(2)])
    assert ids(tmp_path) == ["0-2"]
    table.close()


def test_a_later_schema_is_left_alone(tmp_path: Path) -> None:
    table = RecordTable(tmp_path)
    table.append([cdr(1)])
    table.close()
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(OSError, match="its version is 2, and not 1"):
        table.append([cdr(2)])
    assert ids(tmp_path) == ["0-1"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        RecordTable(tmp_path / "away").append([cdr(1)])
