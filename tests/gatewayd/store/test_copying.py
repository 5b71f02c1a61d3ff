"""A copy is whole and of one moment, however much is written meanwhile; what is damaged is not called a copy."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from gatewayd.runtime.tasks import spawn
from gatewayd.store import copying, segments
from gatewayd.store.copying import CopyFault, copy_spool, digest, examine
from gatewayd.store.database import StoreFault, folded
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import SEEN
from gatewayd.store.records import Seen
from tests.gatewayd.store.opening import PATIENCE_S, kill


async def filled(path: Path, count: int = 2_000) -> Journal:
    journal = Journal(path)
    for number in range(count):
        journal.put(SEEN, f"{number:06}", Seen(float(number)))
    await journal.fold()
    journal.put(SEEN, "in the journal", Seen(1.0))
    await journal.flush()
    return journal


async def test_a_copy_is_opened_as_a_spool(tmp_path: Path) -> None:
    journal = await filled(tmp_path / "a.spool")
    steps: list[tuple[int, int]] = []
    copied = copy_spool(tmp_path / "a.spool", tmp_path / "b.spool", lambda done, total: steps.append((done, total)))
    await journal.close()
    assert copied.name == "b.spool"
    assert copied.groups == 1
    assert copied.octets == (tmp_path / "b.spool").stat().st_size
    assert copied.sha256 == digest(tmp_path / "b.spool")
    assert steps[-1][0] == steps[-1][1] > 0
    assert (tmp_path / "b.spool").stat().st_mode & 0o777 == 0o600
    again = Journal(tmp_path / "b.spool")
    assert len(list(again.scan(SEEN))) == 2_001
    await again.close()


async def test_what_is_written_meanwhile_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it make the copy begin anew, for ever: each slice here is followed by a change."""
    journal = await filled(tmp_path / "a.spool", 5_000)
    monkeypatch.setattr(copying, "PAGES", 2)
    monkeypatch.setattr(copying, "REST_S", 0.0)
    other = sqlite3.connect(tmp_path / "a.spool", isolation_level=None)
    slices = 0

    def write(done: int, total: int) -> None:
        nonlocal slices
        slices += 1
        other.execute("INSERT OR REPLACE INTO seen VALUES (?, '{\"due\":1}', 1)", (f"z{slices}",))

    copy_spool(tmp_path / "a.spool", tmp_path / "b.spool", write)
    other.close()
    await journal.close()
    assert 10 < slices < 1_000
    again = Journal(tmp_path / "b.spool")
    assert len(list(again.scan(SEEN))) == 5_001
    await again.close()


async def test_a_copy_is_of_one_moment_while_groups_are_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both keys change in every group: whichever moment it is, they are alike, and all that came before is there."""
    monkeypatch.setattr(copying, "PAGES", 5)
    journal = Journal(tmp_path / "a.spool", group_wait_s=0.0, fold_entries=20)
    copies, count, changed = 12, 0, threading.Semaphore(0)

    async def change() -> None:
        nonlocal count
        count += 1
        for key in ("one", "other", f"{count}"):
            journal.put(SEEN, key, Seen(float(count)))
        await journal.durable()
        changed.release()

    def step(done: int, total: int) -> None:
        """Each waits for a change that comes after it."""
        while changed.acquire(blocking=False):
            pass
        assert changed.acquire(timeout=PATIENCE_S)

    await change()
    for number in range(copies):
        under_way = spawn(
            asyncio.to_thread(copy_spool, tmp_path / "a.spool", tmp_path / f"copy-{number}.spool", step), name="copying"
        )
        while not under_way.done():
            await change()
        await under_way
    await journal.close()
    assert count > 10 * copies
    before = 0
    for number in range(copies):
        again = Journal(tmp_path / f"copy-{number}.spool")
        found = {key: value.due for key, value in again.scan(SEEN)}
        last = int(found.pop("one"))
        assert found.pop("other") == last >= before
        assert found == {f"{each}": each for each in range(1, last + 1)}
        await again.close()
        before = last


@pytest.mark.parametrize("is_first", [True, False], ids=["the first behind the tables", "one behind another"])
async def test_a_whole_fold_between_two_looks_is_seen(
    is_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was begun and dropped between them is missing in front of the next one."""
    monkeypatch.setattr(segments, "FILE_OCTETS", 1)  # each group has a file of its own
    journal, loop = await filled(tmp_path / "a.spool", 10), asyncio.get_running_loop()
    if is_first:
        await journal.fold()
    looks: list[int] = []

    async def go_on() -> None:
        for key in ("begun", "dropped with the fold"):
            journal.put(SEEN, key, Seen(1.0))
            await journal.durable()
        await journal.fold()
        journal.put(SEEN, "in the next file", Seen(1.0))
        await journal.durable()

    def looked(connection: sqlite3.Connection) -> tuple[str, int]:
        found = folded(connection)
        looks.append(found[1])
        if len(looks) == 1:
            asyncio.run_coroutine_threadsafe(go_on(), loop).result(PATIENCE_S)
        return found

    monkeypatch.setattr(copying, "folded", looked)
    await asyncio.to_thread(copy_spool, tmp_path / "a.spool", tmp_path / "b.spool")
    before, *after = looks
    assert before < min(after) == max(after), "the first try is given up, and the second one is the last"
    assert len(looks) == 4
    await journal.close()
    again = Journal(tmp_path / "b.spool")
    assert {"begun", "dropped with the fold", "in the next file"} < {key for key, _ in again.scan(SEEN)}
    await again.close()


async def test_a_copy_is_another_spool(tmp_path: Path) -> None:
    """Put by hand where the first one lay, it is not mixed with what that one's journal holds."""
    journal = await filled(tmp_path / "a.spool", 10)
    copy_spool(tmp_path / "a.spool", tmp_path / "b.spool")
    kill(journal)
    (tmp_path / "b.spool").replace(tmp_path / "a.spool")
    with pytest.raises(StoreFault, match=r"journal-\d+ is the journal of another spool .* move a\.spool\* away"):
        Journal(tmp_path / "a.spool")


async def test_no_copy_over_another_file(tmp_path: Path) -> None:
    journal = await filled(tmp_path / "a.spool", 10)
    (tmp_path / "b.spool").write_text("mine")
    with pytest.raises(CopyFault, match="File exists"):
        copy_spool(tmp_path / "a.spool", tmp_path / "b.spool")
    await journal.close()
    assert (tmp_path / "b.spool").read_text() == "mine"


def test_what_is_no_spool_is_no_copy(tmp_path: Path) -> None:
    with pytest.raises(CopyFault, match="unable to open"):
        copy_spool(tmp_path / "no.spool", tmp_path / "b.spool")
    (tmp_path / "c.spool").write_bytes(b"x" * 10_000)
    with pytest.raises(CopyFault, match="not a database"):
        examine(tmp_path / "c.spool")


async def test_a_damaged_copy_is_found(tmp_path: Path) -> None:
    journal = await filled(tmp_path / "a.spool")
    copy_spool(tmp_path / "a.spool", tmp_path / "b.spool")
    await journal.close()
    octets = bytearray((tmp_path / "b.spool").read_bytes())
    octets[4096 * 3 : 4096 * 40] = bytes(4096 * 37)
    (tmp_path / "b.spool").write_bytes(octets)
    with pytest.raises(CopyFault):
        examine(tmp_path / "b.spool")
