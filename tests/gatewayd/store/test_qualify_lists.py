"""A list is read by every worker, each taking its own, and goes when all have it."""

from __future__ import annotations

from pathlib import Path

from gatewayd.policy.homes import home_of
from gatewayd.store.qualify_lists import FAULTS_SHOWN_MAX, FOLDER, Delivered, QualifyLists, deliver

HANDSETS = [f"336000000{number:02}" for number in range(30)]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).iterdir())


def test_lines_as_people_write_them(tmp_path: Path) -> None:
    lines = ["# remark", "", "\ufeff06 00 00 00 01;Mme X", '"+33600000002",x', "nonsense", "0033600000003"]
    assert deliver(tmp_path, "orange", lines) == Delivered(3, 1, ("line 5: the number is not made of digits",))
    part = QualifyLists(tmp_path).take(100)
    assert part is not None
    assert part[:2] == ("orange", ["33600000001", "33600000002", "33600000003"])


def test_faults_are_bounded_and_nothing_is_left_of_nothing(tmp_path: Path) -> None:
    told = deliver(tmp_path, "orange", ["x"] * 100)
    assert (told.numbers, told.unusable, len(told.faults)) == (0, 100, FAULTS_SHOWN_MAX)
    assert left(tmp_path) == []


def test_part_by_part(tmp_path: Path) -> None:
    deliver(tmp_path, "orange", HANDSETS)
    lists = QualifyLists(tmp_path)
    taken: list[str] = []
    for _ in range(3):
        part = lists.take(10)
        assert part is not None
        assert part[2] is None
        taken += part[1]
    last = lists.take(10)
    assert last is not None
    assert (last[1], taken) == ([], HANDSETS)
    assert last[2] is not None
    assert len(left(tmp_path)) == 1
    assert lists.take(10) is None, "it was read, and is not marked yet"
    last[2]()
    assert left(tmp_path) == []
    assert lists.take(10) is None


def test_every_worker_takes_its_own(tmp_path: Path) -> None:
    deliver(tmp_path, "orange", HANDSETS)
    workers = [QualifyLists(tmp_path, slot, 3) for slot in range(3)]
    for slot, lists in enumerate(workers):
        part = lists.take(100)
        assert part is not None
        assert part[1] == [handset for handset in HANDSETS if home_of(handset, 3) == slot]
        assert part[2] is not None
        part[2]()
        assert lists.take(100) is None, "each reads it once"
    assert left(tmp_path) == []


def test_a_worker_that_starts_anew_begins_again(tmp_path: Path) -> None:
    deliver(tmp_path, "orange", HANDSETS)
    QualifyLists(tmp_path).take(10)
    part = QualifyLists(tmp_path).take(100)
    assert part is not None
    assert part[1] == HANDSETS


def test_lists_wait_for_their_turn(tmp_path: Path) -> None:
    for link in ("orange", "google"):
        deliver(tmp_path, link, HANDSETS[:2])
    lists = QualifyLists(tmp_path)
    seen = []
    while part := lists.take(100):
        seen.append(part[0])
        assert part[2] is not None
        part[2]()
    assert sorted(seen) == ["google", "orange"]


def test_no_folder_is_no_list(tmp_path: Path) -> None:
    assert QualifyLists(tmp_path / "away").take(10) is None
