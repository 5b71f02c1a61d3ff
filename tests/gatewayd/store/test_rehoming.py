"""Another number of workers: every record at its home, none lost and none twice, also after a death at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.message import Encoding, Message, Receipt, State
from gatewayd.policy.homes import home_of, id_of
from gatewayd.policy.journey import Progress, Stage
from gatewayd.store import database, kinds, rehoming
from gatewayd.store.database import Database, StoreFault
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import Key, Kind
from gatewayd.store.records import Capability, Delivery, File, Parked, Seen, Sent, Session
from gatewayd.store.rehoming import arrange, spool_path
from tests.gatewayd.store.opening import durable, kill, rows_of
from tests.support.arranger import KILLED

ROOT = Path(__file__).resolve().parents[3]
LATER = 1_900_000_000.0
Records = dict[str, dict[Key, Any]]


def handset(number: int) -> str:
    return f"336{number:08}"


def records() -> list[tuple[Kind, Key, str, Any]]:
    """(kind, key, handset, value) of every kind of record that there is."""
    made: list[tuple[Kind, Key, str, Any]] = []
    for number in range(10):
        who, key = handset(number * 7), id_of(number + 1, number % 3)
        made += [
            (kinds.MESSAGE, key, who, message(key, who)),
            (kinds.PROGRESS, key, who, progress(key)),
            (kinds.SENT, f"carrier|{number}", who, Sent(key, 0, due=LATER)),
            (kinds.DELIVERY, id_of(number + 100, 1), who, delivery(id_of(number + 100, 1), who, "receipt")),
            (kinds.DELIVERY, id_of(number + 200, 1), f"+{who}", delivery(id_of(number + 200, 1), f"+{who}", "mo")),
            (kinds.DELIVERY, id_of(number + 300, 1), who, delivery(id_of(number + 300, 1), who, "session", "webhook")),
            (kinds.DEAD_LETTER, id_of(number + 400, 1), who, delivery(id_of(number + 400, 1), who, "mo", "webhook")),
            (kinds.SESSION, f"36179|{who}", who, session(who)),
            (kinds.CAPABILITY, f"bot|{who}", who, Capability(True, "yes", 1.0, LATER)),
            (kinds.PARKED, f"carrier|early{number}", who, Parked("carrier", [receipt(f"early{number}", who)], LATER)),
            (kinds.SEEN, f"bot|{number}", who, Seen(LATER)),
            (kinds.FILE, f"bot|{number:064}", who, File("bot", "r", "f", "image/png", 9, True, 1.0, LATER)),
        ]
    return made


def message(key: int, who: str) -> Message:
    return Message(
        id=key,
        account="shop",
        source_ton=1,
        source_npi=1,
        source="36179",
        destination_ton=1,
        destination_npi=1,
        destination=who,
        payload=b"hello",
        encoding=Encoding.GSM,
        accepted_at=1.0,
    )


def progress(key: int) -> Progress:
    return Progress(id=key, account="shop", stage=Stage.QUEUED, links=("carrier",), queue="carrier", due=LATER)


def delivery(key: int, who: str, kind: Any, sink: str = "") -> Delivery:
    return Delivery(
        id=key,
        account="shop",
        kind=kind,
        source_ton=1,
        source_npi=1,
        source=who,
        destination_ton=1,
        destination_npi=1,
        destination="36179",
        created_at=1.0,
        due=LATER,
        sink=sink,
    )


def session(who: str) -> Session:
    return Session("s", "shop", 1, 1, "36179", 1.0, LATER, 5)


def receipt(carrier_id: str, who: str) -> Receipt:
    return Receipt(carrier_id, State.DELIVRD, handset=who)


async def fill(folder: Path, count: int) -> Records:
    """Spools as ``count`` workers leave them when they are killed: half folded, half in the journal, some gone."""
    made: Records = {kind.name: {} for kind in kinds.KINDS}
    journals = [Journal(spool_path(folder, slot), group_wait_s=0.0) for slot in range(count)]
    for number, (kind, key, who, value) in enumerate(records()):
        journal = journals[home_of(who, count)]
        journal.put(kind, key, value)
        made[kind.name][key] = msgspec.to_builtins(value)
        if number % 7 == 0:
            await durable(journal)
        if number == 50:
            for each in journals:
                await each.fold()
    gone = id_of(1, 0)
    journals[home_of(handset(0), count)].delete(kinds.MESSAGE, gone)
    del made["message"][gone]
    for journal in journals:
        await durable(journal)
        kill(journal)
    (folder / "workers").write_text(f"{count}", encoding="ascii")
    return made


def slots_in(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("worker-")) for path in folder.glob("worker-*.spool"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(folder: Path, slot: int) -> Records:
    connection = sqlite3.connect(spool_path(folder, slot))
    try:
        assert rows_of(spool_path(folder, slot)) == []
        return {
            kind.name: {
                key: msgspec.to_builtins(msgspec.json.decode(text, type=kind.type))
                for key, text in connection.execute(f"SELECT key, value FROM {kind.name}")
            }
            for kind in kinds.KINDS
        }
    finally:
        connection.close()


def check(folder: Path, count: int, made: Records) -> None:
    """Nothing lost, nothing twice, each at its home."""
    assert slots_in(folder) == list(range(count))
    assert (folder / "workers").read_text(encoding="ascii") == f"{count}"
    found = [content(folder, slot) for slot in range(count)]
    homes = {(kind.name, key): home_of(who, count) for kind, key, who, _ in records()}
    for kind in kinds.KINDS:
        together = [(key, slot) for slot in range(count) for key in found[slot][kind.name]]
        values = {key: found[slot][kind.name][key] for key, slot in together}
        assert values == made[kind.name]
        if kind in (kinds.SEEN, kinds.FILE):
            assert len(together) in (len(values), count * len(values)), "every home knows them"
            continue
        # What names a message that is no more may lie anywhere, and after a death twice: it is only counted.
        named = [(key, slot) for key, slot in together if key not in ("carrier|0", id_of(1, 0))]
        assert len(named) == len({key for key, _ in named}), "nothing twice"
        assert all(slot == homes[kind.name, key] for key, slot in named)


@pytest.mark.parametrize("before", [1, 2, 4])
@pytest.mark.parametrize("after", [1, 3, 4, 7])
async def test_every_record_goes_home(tmp_path: Path, before: int, after: int) -> None:
    made = await fill(tmp_path, before)
    moved = arrange(tmp_path, after)
    if before == after:
        assert moved == 0
        for slot in range(after):
            await settled(tmp_path, slot)
    check(tmp_path, after, made)
    assert arrange(tmp_path, after) == 0


async def settled(folder: Path, slot: int) -> None:
    """What is in the journal is folded by the next worker."""
    journal = Journal(spool_path(folder, slot))
    await journal.close()


async def test_one_to_four_to_three_to_one(tmp_path: Path) -> None:
    made = await fill(tmp_path, 1)
    for count in (4, 3, 1):
        arrange(tmp_path, count)
        for slot in range(count):
            await settled(tmp_path, slot)
        check(tmp_path, count, made)


async def test_the_columns_by_which_records_are_found_go_with_them(tmp_path: Path) -> None:
    await fill(tmp_path, 1)
    arrange(tmp_path, 2)
    waiting = []
    for slot in range(2):
        journal = Journal(spool_path(tmp_path, slot))
        waiting += [queue for _, queue in journal.column(kinds.PROGRESS, "queue")]
        assert [account for _, account in journal.column(kinds.DELIVERY, "account")]
        await journal.close()
    assert waiting == ["carrier|0|shop"] * 10


class Stop(Exception):
    """A death, as far as a process can play its own."""


@contextlib.contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> Iterator[list[int]]:
    """End at one of the moments between two batches, counted from 0."""
    passed = [0]

    def watched(step: Callable[..., None]) -> Callable[..., None]:
        def stepped(*args: Any, **facts: Any) -> None:
            if passed[0] == at:
                raise Stop
            passed[0] += 1
            step(*args, **facts)

        return stepped

    def connect(path: Path) -> sqlite3.Connection:
        connection = original(path)
        connection.execute("PRAGMA synchronous = OFF")  # no death of this kind needs the disk
        return connection

    original = database.connect
    with monkeypatch.context() as patch:
        patch.setattr(rehoming, "BATCH", 5)
        patch.setattr(rehoming, "connect", connect)
        for name in ("_copy", "_drop"):
            patch.setattr(rehoming._Move, name, watched(getattr(rehoming._Move, name)))
        patch.setattr(rehoming, "settle_journal", watched(rehoming.settle_journal))
        yield passed


@pytest.mark.parametrize(
    ("before", "after", "then"), [(1, 4, 4), (4, 3, 3), (3, 1, 1), (4, 3, 1), (1, 4, 2), (3, 1, 4)]
)
async def test_a_death_between_any_two_batches_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int, then: int
) -> None:
    """The next start goes on, also for yet another number."""
    made = await fill(tmp_path / "made", before)
    at = 0
    while True:
        folder = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "made", folder)
        with dying(monkeypatch, at) as passed, contextlib.suppress(Stop):
            arrange(folder, after)
        if passed[0] < at:
            break
        arrange(folder, then)
        check(folder, then, made)
        shutil.rmtree(folder)
        at += 1
    assert at > 30, "there are many such moments"


@pytest.mark.parametrize(("before", "after", "then"), [(1, 4, 4), (4, 1, 1), (4, 3, 2)])
async def test_a_process_killed_at_any_statement_loses_nothing(
    tmp_path: Path, before: int, after: int, then: int
) -> None:
    made = await fill(tmp_path / "made", before)
    shutil.copytree(tmp_path / "made", tmp_path / "counted")
    total = int(arranger(tmp_path / "counted", after, 0, 0).stdout)
    assert total > 60
    for at in range(1, total, total // 6):
        folder = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "made", folder)
        arranger(folder, after, at, KILLED)
        arrange(folder, then)
        check(folder, then, made)


def arranger(folder: Path, count: int, last: int, expected: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.arranger", str(folder), f"{count}", "5", f"{last}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stderr
    return done


async def test_a_spool_that_is_in_use_is_not_touched(tmp_path: Path) -> None:
    await fill(tmp_path, 2)
    journal = Journal(spool_path(tmp_path, 1))
    with pytest.raises(StoreFault, match="another gatewayd is using this spool"):
        arrange(tmp_path, 3)
    assert (tmp_path / "workers").read_text(encoding="ascii") == "2", "whoever uses it has arranged it so"
    await journal.close()
    assert arrange(tmp_path, 3) > 0


async def test_all_locks_are_free_afterwards(tmp_path: Path) -> None:
    await fill(tmp_path, 3)
    arrange(tmp_path, 2)
    for slot in range(2):
        Database(spool_path(tmp_path, slot)).close()
    assert names_in(tmp_path) == ["worker-0.lock", "worker-0.spool", "worker-1.lock", "worker-1.spool", "workers"]


async def test_a_spool_of_a_worker_that_is_no_more_is_found_whatever_the_mark_says(tmp_path: Path) -> None:
    """As when a backup was put back over a spool folder."""
    made = await fill(tmp_path, 4)
    (tmp_path / "workers").write_text("2", encoding="ascii")
    arrange(tmp_path, 2)
    check(tmp_path, 2, made)


async def test_spools_without_a_mark_are_those_of_as_many_workers(tmp_path: Path) -> None:
    made = await fill(tmp_path, 1)
    (tmp_path / "workers").unlink()
    assert arrange(tmp_path, 1) == 0
    await settled(tmp_path, 0)
    check(tmp_path, 1, made)


def test_a_first_start_only_makes_its_mark(tmp_path: Path) -> None:
    assert arrange(tmp_path / "new", 4) == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["workers"]


async def test_a_damaged_spool_is_reported_and_no_record_is_moved(tmp_path: Path) -> None:
    await fill(tmp_path, 2)
    arrange(tmp_path, 2)
    await settled(tmp_path, 1)  # so that there is no log that could mend it
    spool_path(tmp_path, 1).write_bytes(b"no spool at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreFault, match="damaged"):
        arrange(tmp_path, 1)
    assert (tmp_path / "workers").read_text(encoding="ascii") == "2"


async def test_a_disk_that_fills_up_is_reported_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await fill(tmp_path, 1)
    copy = rehoming._Move._copy

    def full(self: Any, to: int, kind: Kind, rows: Any, **facts: Any) -> None:
        if kind is kinds.DELIVERY:
            raise sqlite3.OperationalError("database or disk is full")
        copy(self, to, kind, rows, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(rehoming._Move, "_copy", full)
        with pytest.raises(StoreFault, match="disk is full"):
            arrange(tmp_path, 3)
    arrange(tmp_path, 3)
    check(tmp_path, 3, made)


# -- records that meet ------------------------------------------------------------------------------------------------


async def put(folder: Path, count: int, *records: tuple[int, Kind, Key, Any]) -> None:
    """(slot, kind, key, value) of each record, as it lies."""
    journals = [Journal(spool_path(folder, slot)) for slot in range(count)]
    for slot, kind, key, value in records:
        journals[slot].put(kind, key, value)
    await asyncio.gather(*(journal.close() for journal in journals))
    (folder / "workers").write_text(f"{count}", encoding="ascii")


async def test_receipts_of_one_name_that_came_to_two_homes_stay_together(tmp_path: Path) -> None:
    one, two = (receipt("77", handset(number)) for number in (1, 2))
    await put(
        tmp_path,
        2,
        (0, kinds.PARKED, "carrier|77", Parked("carrier", [one], LATER)),
        (1, kinds.PARKED, "carrier|77", Parked("carrier", [two, one], LATER + 1)),
    )
    arrange(tmp_path, 1)
    assert content(tmp_path, 0)["parked"] == {
        "carrier|77": msgspec.to_builtins(Parked("carrier", [one, two], LATER + 1))
    }


@pytest.mark.parametrize(("alive", "dead"), [(0, 1), (1, 0)])
async def test_a_name_that_outlived_its_message_does_not_take_the_place_of_a_living_one(
    tmp_path: Path, alive: int, dead: int
) -> None:
    """Carriers use their names again."""
    key = id_of(5, 0)
    await put(
        tmp_path,
        2,
        (alive, kinds.MESSAGE, key, message(key, handset(1))),
        (alive, kinds.SENT, "carrier|77", Sent(key, 2, due=LATER)),
        (dead, kinds.SENT, "carrier|77", Sent(id_of(4, 0), 0, due=LATER)),
        (dead, kinds.SENT, "bot|88", Sent(id_of(3, 0), ended=True, due=LATER)),
    )
    arrange(tmp_path, 1)
    names = content(tmp_path, 0)["sent"]
    assert names["carrier|77"] == msgspec.to_builtins(Sent(key, 2, due=LATER))
    assert names["bot|88"]["ended"]


async def test_what_may_still_be_read_goes_to_the_home_of_its_handset(tmp_path: Path) -> None:
    """Its message is gone, but whoever hears that it was read must find its receipt."""
    number = next(n for n in range(100) if home_of(handset(n), 2) == 1)
    told = Delivery(7, "shop", "receipt", 1, 1, handset(number), 1, 1, "SHOP", 0.0, LATER, state=State.DELIVRD)
    await put(tmp_path, 1, (0, kinds.SENT, "bot|88", Sent(id_of(3, 0), ended=True, due=LATER, told=(told,))))
    arrange(tmp_path, 2)
    assert content(tmp_path, 1)["sent"]["bot|88"]["told"][0]["source"] == handset(number)
    assert "bot|88" not in content(tmp_path, 0).get("sent", {})
