"""What is read from the journal's files is what was appended, up to where a crash cut; everything else is refused."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gatewayd.store import segments
from gatewayd.store.segments import DamagedJournal, Group, Segments, drop, files_of, folded_files, read, replay

SPOOL = "0123456789abcdef"
OTHER = "fedcba9876543210"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker-0.spool"


def group(sequence: int, octets: int = 100) -> Group:
    return sequence, 1_764_124_800.0 + sequence / 8, random.Random(sequence).randbytes(octets).hex().encode()


def fill(path: Path, *stretches: range, octets: int = 100) -> list[Group]:
    """A file for each stretch."""
    own, made = Segments(path, SPOOL), [group(sequence, octets) for stretch in stretches for sequence in stretch]
    for stretch in stretches:
        for sequence in stretch:
            own.append(*group(sequence, octets))
        own.turn_over()
    return made


def replayed(path: Path, after: int = 0) -> list[Group]:
    return list(replay(path, SPOOL, after))


@pytest.mark.parametrize("octets", [0, 1, 2_559, 2_560, 2_561, 70_000], ids=lambda octets: f"{octets}")
def test_what_was_appended_is_read_in_order(path: Path, octets: int) -> None:
    made = fill(path, range(1, 4), range(4, 5), range(5, 9), octets=octets)
    assert replayed(path) == made
    assert [first for first, _ in files_of(path)] == [1, 4, 5]


def test_a_file_that_is_large_enough_is_followed_by_another(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FILE_OCTETS", 500)
    made = fill(path, range(1, 8), range(8, 9))  # of some 240 octets each
    assert [first for first, _ in files_of(path)] == [1, 3, 5, 7, 8]
    assert replayed(path) == made
    assert [file.name[-1] for file in folded_files(path, 7)] == ["1", "3", "5", "7"]


def test_without_files_there_is_nothing(path: Path) -> None:
    assert replayed(path) == []


def test_what_is_folded_already_is_passed_over(path: Path) -> None:
    made = fill(path, range(1, 4), range(4, 8))
    assert replayed(path, after=5) == made[5:]
    drop(path, 3)
    assert replayed(path, after=5) == made[5:]
    drop(path, 7)
    assert (replayed(path, after=7), files_of(path)) == ([], [])


def test_a_file_is_its_owners_alone_and_a_line_tells_whose(path: Path) -> None:
    before = os.umask(0o022)
    try:
        fill(path, range(42, 43))
    finally:
        os.umask(before)
    file = path.with_name("worker-0.spool.journal-000000000042")
    assert file.stat().st_mode & 0o777 == 0o600
    title, head, records, rest = file.read_bytes().split(b"\n")
    assert (title, records, rest) == (b"gatewayd journal 1 0123456789abcdef", group(42)[2], b"")
    assert head.split()[:3] == [b"42", b"1764124805.250000", b"200"]


def test_a_group_that_was_cut_short_is_none(path: Path) -> None:
    """At any octet; and what is acknowledged in the next life follows it."""
    made = fill(path, range(1, 4))
    (_, file), whole = files_of(path)[0], files_of(path)[0][1].read_bytes()
    title = len(b"gatewayd journal 1 \n") + len(SPOOL)
    length = (len(whole) - title) // 3
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        left = replayed(path)
        assert left == made[: max(0, size - title) // length]
        own, following = Segments(path, SPOOL), group(len(left) + 1, 7)
        own.append(*following)
        own.turn_over()
        assert replayed(path) == [*left, following]
        for _, each in files_of(path)[1:]:
            each.unlink()


def test_a_length_beyond_all_measure_is_damage(path: Path) -> None:
    made = fill(path, range(1, 3))
    _, file = files_of(path)[0]
    whole = file.read_bytes()
    file.write_bytes(whole + b"3 1764124800.000000 999999999999 00000000\n[]\n")
    assert replayed(path) == made
    file.write_bytes(whole.replace(b" 200 ", b" 999999999999 ", 1))
    with pytest.raises(DamagedJournal, match="is damaged, and more groups follow"):
        replayed(path)


@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_no_octet_can_be_another(path: Path, bits: int) -> None:
    """Of the last group it is as if that had been cut short; of any other, the start is refused."""
    made = fill(path, range(1, 4), octets=10)
    _, file = files_of(path)[0]
    whole = file.read_bytes()
    last = whole.rindex(b"\n3 ") + 1
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= bits
        file.write_bytes(damaged)
        if place >= last:
            assert replayed(path) == made[:2]
        else:
            with pytest.raises(DamagedJournal, match=r"worker-0\.spool\.journal-000000000001"):
                replayed(path)


def test_a_hole_is_refused(path: Path) -> None:
    fill(path, range(1, 3), range(3, 5), range(5, 7))
    files_of(path)[1][1].unlink()
    with pytest.raises(DamagedJournal, match=r"journal-000000000005: group 3 should be in front of it, and is missing"):
        replayed(path)
    files_of(path)[0][1].unlink()
    with pytest.raises(DamagedJournal, match="group 1 should be in front"):
        replayed(path)
    assert replayed(path, after=4) == [group(5), group(6)]


def test_the_journal_of_another_spool_is_refused(path: Path) -> None:
    fill(path, range(1, 3))
    with pytest.raises(
        DamagedJournal, match=r"0001 is the journal of another spool than the worker-0\.spool beside it"
    ):
        list(replay(path, OTHER, 0))


def test_a_group_is_written_over_what_was_taken_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, pwritev = Segments(path, SPOOL), os.pwritev
    own.append(*group(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", lambda file, parts, at: pwritev(file, [b"".join(parts)[:50]], at))
        patch.setattr(os, "pwrite", lambda file, octets, at: 0)
        for _ in range(2):
            with pytest.raises(OSError, match="a part of a group only went"):
                own.append(*group(2))
    assert replayed(path) == [group(1)]
    own.append(*group(2))
    own.append(*group(3))
    own.turn_over()
    assert replayed(path) == [group(1), group(2), group(3)]


@pytest.mark.parametrize("taken", [0, 20, 36, 60])
def test_a_file_whose_first_write_was_cut_is_begun_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    own, pwritev = Segments(path, SPOOL), os.pwritev
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", lambda file, parts, at: pwritev(file, [b"".join(parts)[:taken]], at))
        patch.setattr(os, "pwrite", lambda file, octets, at: 0)
        with pytest.raises(OSError, match="a part of a group only went"):
            own.append(*group(1))
    assert replayed(path) == []
    own.append(*group(1))
    own.append(*group(2))
    own.turn_over()
    assert replayed(path) == [group(1), group(2)]


def test_a_folder_that_cannot_be_synced_acknowledges_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, synced = Segments(path, SPOOL), []

    def sync(folder: Path) -> None:
        synced.append(folder)
        if len(synced) == 1:
            raise OSError("no")

    monkeypatch.setattr(segments, "sync_folder", sync)
    with pytest.raises(OSError, match="no"):
        own.append(*group(1))
    own.append(*group(1))
    own.append(*group(2))
    own.turn_over()
    assert synced == [path.parent] * 2
    assert replayed(path) == [group(1), group(2)]


def test_a_file_can_be_read_while_it_is_written(path: Path) -> None:
    own = Segments(path, SPOOL)
    own.append(*group(1))
    _, file = files_of(path)[0]
    with file.open("rb") as reading:
        assert list(read(reading)) == [group(1)]
        end = reading.tell()
        own.append(*group(2))
        assert list(read(reading, end)) == [group(1)]
        assert list(read(reading)) == [group(1), group(2)]
    own.turn_over()


def test_a_file_of_another_name_is_none(path: Path) -> None:
    fill(path, range(1, 2))
    path.with_name("worker-0.spool.journal-old").write_bytes(b"mine")
    path.with_name("worker-1.spool.journal-000000000001").write_bytes(b"another worker's")
    assert len(files_of(path)) == 1
