"""What is old goes, texts before the rest; of what is too much the oldest goes, and never what is being written."""

from __future__ import annotations

import os
from pathlib import Path

from gatewayd.store.history_files import (
    Purged,
    Stretch,
    all_stretches,
    folder_of,
    folders,
    name_of,
    purge,
    stretches,
)

NOW = 1_764_124_800.0
HOUR_S = 3_600.0


def stretch(spool: Path, slot: int, hours_ago: float, octets: int = 100, texts: bool = False) -> Stretch:
    folder = folder_of(spool, slot)
    folder.mkdir(parents=True, exist_ok=True)
    made = Stretch(folder / name_of(NOW - hours_ago * HOUR_S), NOW - hours_ago * HOUR_S)
    for path in (made.groups, made.index, *([made.texts] if texts else [])):
        path.write_bytes(bytes(octets))
        os.utime(path, (made.since, made.since))
    return made


def left(spool: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name[11:13]}{path.suffix}" for path in spool.rglob("*") if path.is_file())


def test_a_name_tells_its_moment(tmp_path: Path) -> None:
    made = stretch(tmp_path, 0, 1.5)
    assert made.groups.name == "2025-11-26T01-10-00.000Z.json" or made.groups.name.endswith("Z.json")
    assert stretches(folder_of(tmp_path, 0)) == [made]
    (made.groups.parent / "notes.txt").write_text("not ours")
    assert [found.since for found in stretches(made.groups.parent)] == [made.since]


def test_all_workers_the_newest_first(tmp_path: Path) -> None:
    made = [stretch(tmp_path, slot, ago) for slot, ago in ((0, 3), (1, 2), (10, 1))]
    (tmp_path / "history" / "worker-x").mkdir()
    assert [slot for slot, _ in folders(tmp_path)] == [0, 1, 10]
    assert list(all_stretches(tmp_path)) == [(10, made[2]), (1, made[1]), (0, made[0])]
    assert list(all_stretches(tmp_path / "nowhere")) == []


def test_what_is_old_goes_texts_first(tmp_path: Path) -> None:
    for ago in (30, 20, 10, 1):
        stretch(tmp_path, 0, ago, texts=True)
    purged = purge(tmp_path, NOW, keep_s=24 * HOUR_S, text_s=12 * HOUR_S, size_max=10_000)
    assert purged == Purged(age=1, size=0, text=1, octets=800)
    assert len([name for name in left(tmp_path) if name.endswith(".texts")]) == 2
    assert len([name for name in left(tmp_path) if name.endswith(".json")]) == 3


def test_texts_that_are_no_longer_wanted_go(tmp_path: Path) -> None:
    stretch(tmp_path, 0, 1, texts=True)
    assert purge(tmp_path, NOW, keep_s=24 * HOUR_S, text_s=0, size_max=10_000).text == 1


def test_nothing_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    stretch(tmp_path, 0, 1, texts=True)
    assert purge(tmp_path, NOW, keep_s=0, text_s=0, size_max=10_000) == Purged(age=1)
    assert left(tmp_path) == []


def test_the_oldest_of_all_workers_goes_when_it_is_too_much(tmp_path: Path) -> None:
    for slot, ago in ((0, 5), (1, 4), (0, 3), (1, 2)):
        stretch(tmp_path, slot, ago)
    purged = purge(tmp_path, NOW, keep_s=24 * HOUR_S, text_s=0, size_max=500)
    assert (purged.size, purged.octets) == (2, 400)
    assert [slot for slot, _ in all_stretches(tmp_path)] == [1, 0]


def test_what_is_being_written_stays_however_big(tmp_path: Path) -> None:
    stretch(tmp_path, 0, 5)
    stretch(tmp_path, 1, 4)
    assert purge(tmp_path, NOW, keep_s=24 * HOUR_S, text_s=0, size_max=1).size == 0


def test_there_need_be_none(tmp_path: Path) -> None:
    assert purge(tmp_path, NOW, keep_s=1, text_s=0, size_max=1) == Purged()
