"""What is refused at the door, what a full disk does, and what is left after a kill."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from gatewayd.store import database
from gatewayd.store.database import MIGRATIONS, SCHEMA_VERSION, Database, StoreFault
from gatewayd.store.journal import Journal, JournalTimes
from gatewayd.store.kinds import BILLING, CDR, KINDS, ORDER, PROGRESS, SEEN, WANTED
from gatewayd.store.records import Seen
from tests.gatewayd.store.opening import PATIENCE_S, durable, kill, rows_of, table_of

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
    assert tables == {"journal", *(kind.name for kind in KINDS)}
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
    assert [sequence for sequence, _ in opened.journal()] == [1]
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


# -- a disk that refuses --------------------------------------------------------------------------------------------


class Disk:
    """Bounds what the writer's connection may allocate: SQLite then says what it says of a full disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._connections: list[sqlite3.Connection] = []
        connect = database.connect

        def connect_and_note(path: Path) -> sqlite3.Connection:
            self._connections.append(connect(path))
            return self._connections[-1]

        monkeypatch.setattr(database, "connect", connect_and_note)

    def allow(self, pages: int) -> None:
        """0 pages: no more than there are."""
        writer = self._connections[-1]
        found = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages or found}")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(database, "RETRY_FIRST_S", 0.005)
    return Disk(monkeypatch)


def refuses(journal: Journal) -> bool:
    return journal.is_failing


class Failures:
    """What the disk refused: the words, and an event for the first."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.hooks = JournalTimes(failed=self._failed)
        self._is_there = asyncio.Event()

    def _failed(self, reason: str) -> None:
        self.words.append(reason)
        self._is_there.set()

    async def first(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            await self._is_there.wait()
        return self.words[0]


async def test_a_full_disk_acknowledges_nothing_and_recovers_by_itself(
    path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    failures = Failures()
    journal = Journal(path, group_wait_s=0.0, hooks=failures.hooks)
    journal.put(SEEN, "before", Seen(1.0))
    await durable(journal)
    disk.allow(pages=0)
    acknowledged: list[str] = []
    for number in range(50):
        journal.put(SEEN, f"{number} " + "x" * 2_000, Seen(2.0))
        journal.then(acknowledged.extend, f"{number}")
        await asyncio.sleep(0)
    assert "full" in await failures.first()
    assert refuses(journal)
    assert acknowledged == [f"{number}" for number in range(len(rows_of(path)) - 1)]
    assert len(acknowledged) < 5, "what fitted into the last page"
    assert journal.get(SEEN, "before") == Seen(1.0)
    disk.allow(pages=ROOMY)
    with caplog.at_level(logging.WARNING):
        await journal.flush()
    assert acknowledged == [f"{number}" for number in range(50)]
    assert not refuses(journal)
    assert caplog.text.count("= store commits again") == 1
    assert len(rows_of(path)) == 51
    await journal.close()


async def test_a_fold_on_a_full_disk_goes_on_when_there_is_room(path: Path, disk: Disk) -> None:
    failures = Failures()
    journal = Journal(path, group_wait_s=0.0, hooks=failures.hooks)
    for number in range(200):
        journal.put(SEEN, f"{number} " + "x" * 500, Seen(2.0))
    await durable(journal)
    disk.allow(pages=0)

    async def make_room() -> None:
        assert "full" in await failures.first()
        assert refuses(journal)
        assert len(rows_of(path)) == 200
        disk.allow(pages=ROOMY)

    await asyncio.gather(journal.fold(), make_room())
    assert not refuses(journal), "a commit may never come, since nothing is accepted meanwhile"
    assert rows_of(path) == []
    assert len(table_of(path, "seen")) == 200
    await journal.close()


async def test_a_disk_that_refuses_does_not_hold_up_the_end(path: Path, disk: Disk) -> None:
    failures = Failures()
    journal = Journal(path, hooks=failures.hooks)
    for number in range(200):
        journal.put(SEEN, f"{number} " + "x" * 500, Seen(2.0))
    await durable(journal)
    disk.allow(pages=0)
    await journal.close(timeout_s=0.05)
    assert failures.words
    assert len(rows_of(path)) == 200, "a fold that was given up must not drop the journal"
    journal = Journal(path)
    assert len(list(journal.scan(SEEN))) == 200
    await journal.close()


async def test_commits_are_synced_again_after_a_slice_that_failed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[sqlite3.Connection] = []
    monkeypatch.setattr(database, "RETRY_FIRST_S", 0.001)
    row = database._row

    def fail_once(*args: Any) -> Any:
        monkeypatch.setattr(database, "_row", row)
        raise ValueError("a defect of ours")

    insist = database.Writer._insist

    def note(writer: database.Writer, job: Any, connection: sqlite3.Connection) -> bool:
        connections.append(connection)
        return insist(writer, job, connection)

    monkeypatch.setattr(database.Writer, "_insist", note)
    failures = Failures()
    journal = Journal(path, hooks=failures.hooks)
    monkeypatch.setattr(database, "_row", fail_once)
    journal.put(SEEN, "a", Seen(1.0))
    await journal.fold()
    assert failures.words == ["a defect of ours"]
    assert not refuses(journal)
    assert connections[-1].execute("PRAGMA synchronous").fetchone() == (2,)
    await journal.close()


def test_a_slice_that_fails_half_way_is_undone(path: Path) -> None:
    Database(path).close()
    connection = database.connect(path)
    connection.execute("INSERT INTO seen VALUES ('old', '{\"due\":1.0}', 1.0)")
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON seen BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(sqlite3.DatabaseError, match="disk full"):
        database._write_slice(SEEN, [("old", None), ("new", b'{"due":2.0}')], connection)
    assert not connection.in_transaction
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("SELECT key FROM seen").fetchall() == [("old",)]
    connection.close()


# -- kill -9 --------------------------------------------------------------------------------------------------------

CHILD = """
    import asyncio, itertools, sys
    from pathlib import Path
    from gatewayd.store.journal import Journal
    from gatewayd.store.kinds import SEEN
    from gatewayd.store.records import Seen

    async def main(path, prefix):
        journal = Journal(Path(path), group_wait_s=0.0, fold_entries=100)
        for number in itertools.count():
            journal.put(SEEN, f"{prefix}{number}", Seen(1.0))
            journal.put(SEEN, "last", Seen(float(number)))
            journal.then(lambda items: print(*items, sep="\\n", flush=True), f"{prefix}{number}")
            if number % 3 == 0:
                await asyncio.sleep(0)
            while journal.pending > 50:
                await asyncio.sleep(0)

    asyncio.run(main(*sys.argv[1:]))
"""


def promises_of(path: Path, prefix: str, count: int) -> set[str]:
    """What a process that commits in a loop promised before it was killed."""
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(path), prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        promised = {child.stdout.readline().strip() for _ in range(count)}
        child.send_signal(signal.SIGKILL)
        promised.update(line.strip() for line in child.stdout if line.endswith("\n"))
    return promised


async def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    rounds = [promises_of(path, f"{number}-", 400 + 77 * number) for number in range(3)]
    promised = set().union(*rounds)
    journal = Journal(path, check="full")
    found = {str(key) for key, _ in journal.scan(SEEN)}
    assert "" not in promised
    assert len(promised) > 1_000
    assert promised - found == set()
    newest = max(int(key.removeprefix("2-")) for key in rounds[-1])
    assert journal.get(SEEN, "last").due >= newest
    kill(journal)


def test_what_is_deleted_is_not_written_once_more(tmp_path: Path) -> None:
    connection = database.connect(tmp_path / "one.spool")
    assert connection.execute("PRAGMA secure_delete").fetchone() == (2,)  # FAST, however SQLite was built
    connection.close()
