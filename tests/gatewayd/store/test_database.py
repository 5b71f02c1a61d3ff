"""What is refused at the door, and how rows are read and written."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gatewayd.store import database
from gatewayd.store.database import MIGRATIONS, SCHEMA_VERSION, Database, StoreFault
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import BILLING, CDR, KINDS, ORDER, PROGRESS, SEEN, WANTED
from gatewayd.store.records import Seen
from gatewayd.store.segments import Segments
from tests.gatewayd.store.opening import durable, kill, rows_of, table_of

ROOMY = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.spool"


# -- at the door ----------------------------------------------------------------------------------------------------


def test_a_new_file_is_migrated_from_version_0(path: Path) -> None:
    Database(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    assert tables == {"journal", "folded", *(kind.name for kind in KINDS)}
    assert len(MIGRATIONS) == SCHEMA_VERSION


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0o022)
    try:
        spool = Database(path)
        assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.glob("a.spool*")} == {
            "a.spool": 0o600,
            "a.spool-wal": 0o600,
            "a.spool-shm": 0o600,
        }
        spool.close()
    finally:
        os.umask(before)


def test_a_new_file_is_one_line_in_the_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            Database(path).close()
    assert caplog.messages == [f"= store {path.name}: begun, with schema version {SCHEMA_VERSION}"]


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        MIGRATIONS[0](connection)
        connection.execute("CREATE TABLE journal (again)")

    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", (fail,))
        with pytest.raises(StoreFault, match="already exists"):
            Database(path)
    Database(path).close()


def test_a_file_of_version_1_is_brought_up_to_date(path: Path) -> None:
    """With what it held, in the tables and in the journal."""
    connection = sqlite3.connect(path)
    MIGRATIONS[0](connection)
    connection.execute("INSERT INTO seen VALUES ('carrier|1', '{\"due\":5.0}', 5.0)")
    connection.execute('INSERT INTO journal VALUES (1, 0.0, \'[["seen","carrier|2",{"due":6.0}]]\')')
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    assert tables == {"journal", "message", "progress", "sent", "delivery", "session", "parked", "capability", "seen"}
    opened = Database(path)
    assert list(opened.scan(SEEN)) == [("carrier|1", '{"due":5.0}')]
    assert list(opened.groups()) == [(1, 0.0, b'[["seen","carrier|2",{"due":6.0}]]')]
    assert [*opened.scan(BILLING), *opened.scan(CDR), *opened.due(BILLING, 1e10)] == []
    assert [*opened.scan(ORDER), *opened.scan(WANTED), *opened.due(WANTED, 1e10)] == []
    opened.close()


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    Database(tmp_path / "var" / "lib" / "a.spool").close()
    assert (tmp_path / "var" / "lib" / "a.spool").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFault, match=r"file: .*; give the daemon's user a writable daemon\.spool_dir"):
        Database(tmp_path / "file" / "a.spool")


def test_a_second_process_is_refused(path: Path) -> None:
    held = Database(path)
    code = f"from pathlib import Path; from gatewayd.store.database import Database; Database(Path({str(path)!r}))"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    held.close()
    assert second.returncode != 0
    assert "another gatewayd is using this spool; stop it first or choose another spool_dir" in second.stderr
    Database(path).close()


def test_a_newer_schema_is_refused(path: Path) -> None:
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for _ in range(2):  # the refusal lets go of the lock
        with pytest.raises(StoreFault, match=rf"version {SCHEMA_VERSION + 1} is newer .* \({SCHEMA_VERSION}\); start"):
            Database(path)


def test_a_file_that_is_no_spool_is_refused(path: Path) -> None:
    path.write_bytes(b"a letter to the editor, " * 400)
    for _ in range(2):
        with pytest.raises(StoreFault, match=r"not a database; the file is damaged or not a spool\. Restore"):
            Database(path)


def test_a_damaged_spool_is_refused(path: Path) -> None:
    Database(path).close()
    connection = database.connect(path)
    rows = [(f"{number:020}", "{}", 1.0) for number in range(2_000)]
    connection.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)
    connection.close()
    content = bytearray(path.read_bytes())
    for page in range(3 * 4096, len(content), 4096):
        content[page : page + 64] = os.urandom(64)
    path.write_bytes(content)
    with pytest.raises(StoreFault, match="Restore a backup, or move"):
        Database(path, "full")


def test_what_is_no_damage_is_not_called_so(path: Path) -> None:
    """A full disk or missing rights must not make anybody move a sound spool away."""
    path.mkdir()
    with pytest.raises(StoreFault, match="see that the disk has room and that the daemon's user may write there"):
        Database(path)


@pytest.mark.parametrize(("check", "pragmas"), [("quick", ["quick_check"]), ("full", ["integrity_check"]), ("off", [])])
def test_the_check_is_the_one_asked_for(
    check: str, pragmas: list[str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    checked = database._check

    def note(connection: sqlite3.Connection, path: Path, check: str) -> None:
        asked.append(check)
        checked(connection, path, check)

    monkeypatch.setattr(database, "_check", note)
    Database(path, check).close()
    assert [{"quick": "quick_check", "full": "integrity_check"}[word] for word in asked] == pragmas


# -- the journal at the door -----------------------------------------------------------------------------------------


async def left_behind(path: Path) -> Segments:
    """A spool whose process was killed after one group; and who goes on with its journal."""
    journal = Journal(path)
    journal.put(SEEN, "a", Seen(1.0))
    await durable(journal)
    kill(journal)
    return Segments(path, journal._database.identity)


async def test_a_damaged_group_is_refused_with_its_number(path: Path) -> None:
    (await left_behind(path)).append(2, 1.0, b"[[")
    for _ in range(2):  # the lock is free again, so the second says the same
        with pytest.raises(StoreFault, match=r"a\.spool: group 2 of the journal cannot be read .* Restore a backup"):
            Journal(path)


async def test_a_journal_with_a_hole_is_refused(path: Path) -> None:
    (await left_behind(path)).append(3, 1.0, b"[]")
    for _ in range(2):
        with pytest.raises(StoreFault, match=r"a\.spool\.journal-0+3: group 2 should be .* move a\.spool\* away"):
            Journal(path)


async def test_groups_of_an_older_program_or_of_a_copy_come_first(path: Path) -> None:
    """They are rows of a table there, until they are folded."""
    Database(path).close()
    connection = database.connect(path)
    for sequence, due in enumerate((1.0, 2.0), start=3):
        connection.execute("INSERT INTO journal VALUES (?, 0, ?)", (sequence, f'[["seen","a",{{"due":{due}}}]]'))
    connection.execute("UPDATE folded SET sequence = 2")
    journal = Journal(path)
    assert dict(journal.scan(SEEN)) == {"a": Seen(2.0)}
    journal.put(SEEN, "b", Seen(3.0))
    await durable(journal)
    kill(journal)
    assert [record[1] for record in rows_of(path)] == ["a", "a", "b"]
    journal = Journal(path)
    assert dict(journal.scan(SEEN)) == {"a": Seen(2.0), "b": Seen(3.0)}
    await journal.close()
    assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    assert connection.execute("SELECT sequence FROM folded").fetchone() == (6,)  # the fold was a group of its own
    connection.close()
    assert table_of(path, "seen") == {"a": {"due": 2.0}, "b": {"due": 3.0}}


async def test_a_kind_of_a_newer_program_is_refused(path: Path) -> None:
    empty = Database(path)
    empty.close()
    Segments(path, empty.identity).append(1, 1.0, b'[["unheard",1,null]]')
    with pytest.raises(StoreFault, match="group 1 of the journal"):
        Journal(path)


# -- reading --------------------------------------------------------------------------------------------------------


async def test_more_keys_than_a_statement_takes(path: Path) -> None:
    journal = Journal(path)
    count = 2 * database.READ_CHUNK + 3
    for number in range(count):
        journal.put(SEEN, f"{number:06}", Seen(float(number + 1)))
    await journal.fold()
    reader = journal._database
    assert len(list(reader.due(SEEN, 1e9))) == count
    assert [due for _, due in reader.due(SEEN, 1e9)] == sorted(due for _, due in reader.due(SEEN, 1e9))
    assert list(reader.read_values(PROGRESS, range(count))) == []
    await journal.close()


async def test_a_look_at_what_is_due_holds_no_old_state(path: Path) -> None:
    journal = Journal(path)
    for number in range(database.READ_CHUNK + 10):
        journal.put(SEEN, f"{number:06}", Seen(1.0))
    await journal.fold()
    half = journal.due(SEEN, 1e9)
    next(half)
    journal.put(SEEN, "new", Seen(7.0))
    await journal.fold()
    assert journal.get(SEEN, "new") == Seen(7.0)
    half.close()  # type: ignore[attr-defined]
    await journal.close()


# -- writing ----------------------------------------------------------------------------------------------------------


def test_a_slice_that_fails_half_way_is_undone(path: Path) -> None:
    Database(path).close()
    connection = database.connect(path)
    connection.execute("INSERT INTO seen VALUES ('old', '{\"due\":1.0}', 1.0)")
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON seen BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(sqlite3.DatabaseError, match="disk full"):
        database.write_slice(SEEN, [("old", None), ("new", b'["seen","new",{"due":2.0}]')], connection)
    assert not connection.in_transaction
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("SELECT key FROM seen").fetchall() == [("old",)]
    connection.close()


def test_what_is_deleted_is_not_written_once_more(tmp_path: Path) -> None:
    connection = database.connect(tmp_path / "one.spool")
    assert connection.execute("PRAGMA secure_delete").fetchone() == (2,)  # FAST, however SQLite was built
    connection.close()
