"""What a full disk does, and what is left after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.policy.journey import Progress, Stage
from gatewayd.store import database, writer
from gatewayd.store.journal import Journal, JournalTimes
from gatewayd.store.kinds import PROGRESS, SEEN, SENT, Kind
from gatewayd.store.records import Seen, Sent
from tests.gatewayd.store.opening import PATIENCE_S, durable, kill, rows_of, table_of

ROOMY = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.spool"


# -- a disk that refuses --------------------------------------------------------------------------------------------


class Disk:
    """Bounds what the writer may write. SQLite then says what it says of a full disk; of the journal, the kernel
    refuses what would make a file too long."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._connections: list[sqlite3.Connection] = []
        connect = database.connect

        def connect_and_note(path: Path) -> sqlite3.Connection:
            self._connections.append(connect(path))
            return self._connections[-1]

        monkeypatch.setattr(writer, "connect", connect_and_note)

    @contextlib.contextmanager
    def full(self, path: Path, room: int) -> Iterator[None]:
        """The journal's file may grow by so many octets."""
        (segment,) = path.parent.glob(f"{path.name}.journal-*")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (segment.stat().st_size + room, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def allow(self, pages: int) -> None:
        """0 pages: no more than there are."""
        connection = self._connections[-1]
        found = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages or found}")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(writer, "RETRY_FIRST_S", 0.005)
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
    acknowledged: list[str] = []
    with disk.full(path, room=5_000):  # two groups, and a part of the third
        for number in range(50):
            journal.put(SEEN, f"{number} " + "x" * 2_000, Seen(2.0))
            journal.then(acknowledged.extend, f"{number}")
            await durable(journal) if number < 2 else await asyncio.sleep(0)
        assert await failures.first() == "File too large"
        assert refuses(journal)
        assert acknowledged == ["0", "1"]
        assert len(rows_of(path)) == 3
        assert journal.get(SEEN, "before") == Seen(1.0)
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
    monkeypatch.setattr(writer, "RETRY_FIRST_S", 0.001)
    row = database._row

    def fail_once(*args: Any) -> Any:
        monkeypatch.setattr(database, "_row", row)
        raise ValueError("a defect of ours")

    insist = writer.Writer._insist

    def note(its: writer.Writer, job: Any, connection: sqlite3.Connection) -> bool:
        connections.append(connection)
        return insist(its, job, connection)

    monkeypatch.setattr(writer.Writer, "_insist", note)
    failures = Failures()
    journal = Journal(path, hooks=failures.hooks)
    monkeypatch.setattr(database, "_row", fail_once)
    journal.put(SEEN, "a", Seen(1.0))
    await journal.fold()
    assert failures.words == ["a defect of ours"]
    assert not refuses(journal)
    assert connections[-1].execute("PRAGMA synchronous").fetchone() == (2,)
    await journal.close()


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


# -- folds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PROGRESS, SENT], ids=lambda kind: kind.name)
async def test_neighbours_are_in_one_slice_of_a_fold(path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """In whatever order they came and went: a page of a table is written once, and not for each row of it."""
    keys: list[Any] = [number if kind.integer_key else f"carrier|{number}" for number in range(100, 200)]
    written: list[list[Any]] = []
    write = database.write_slice

    def note_and_write(kind: Kind, items: list[Any], connection: sqlite3.Connection) -> None:
        written.append([key for key, _ in items])
        write(kind, items, connection)

    monkeypatch.setattr(writer, "FOLD_SLICE", 30)
    monkeypatch.setattr(writer, "write_slice", note_and_write)
    journal, rng = Journal(path), random.Random(7)
    for key in rng.sample(keys, 100):
        journal.put(kind, key, Sent(7) if kind is SENT else Progress(key, "shop", Stage.SENT, ("carrier",)), new=True)
    await journal.fold()
    assert written == [keys[:30], keys[30:60], keys[60:90], keys[90:]]
    written.clear()
    for key in rng.sample(keys, 100):
        journal.delete(kind, key)
    await journal.fold()
    assert written == [keys[:30], keys[30:60], keys[60:90], keys[90:]]
    await journal.close()
