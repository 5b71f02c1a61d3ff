"""Ported numbers: an import in any order, the newest line of a number, a file that is replaced under its readers."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gatewayd.store import numbers
from gatewayd.store.numbers import (
    Import,
    NumberBook,
    NumbersFault,
    PortedNumbers,
    import_numbers,
    names_of,
    prefixes_of,
)

NAMES = {"frte": "orange"}
TODAY = datetime.date(2026, 11, 26).toordinal()


def take_in(target: Path, *lines: str, update: bool = False, run_records: int = 3) -> Import:
    source = io.BytesIO("\n".join(lines).encode())
    return import_numbers(source, target, names=NAMES, today=TODAY, update=update, run_records=run_records)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "lib" / "ported"


def known(target: Path) -> dict[int, str]:
    opened = PortedNumbers(target)
    try:
        return {number: opened.operators[operator] for number, operator in opened.pairs()}
    finally:
        opened.close()


def test_lines_in_any_order_and_any_spelling(target: Path) -> None:
    lines = ["number;operator;date", *(f"06{n:08d};FRTE;2026-01-01" for n in range(9, -1, -1)), "+33700000001;free", ""]
    done = take_in(target, *lines)
    assert done == Import(numbers=11, lines=13 - 1, future=0, unusable=0, faults=())
    assert known(target) == {**{33600000000 + n: "orange" for n in range(10)}, 33700000001: "free"}
    assert list(known(target)) == sorted(known(target))
    assert sorted(path.name for path in target.parent.iterdir()) == ["ported"], "nothing is left lying about"


def test_the_newest_line_of_a_number_counts(target: Path) -> None:
    done = take_in(
        target,
        "0600000001;sfr;2026-05-01",
        "0600000001;free;2026-03-01",
        "0600000002;sfr",
        "0600000003;sfr;2027-01-01",
        "0600000002;free",
        "0600000004;sfr;2026-01-01",
        "0600000004;;2026-02-01",
    )
    assert (done.numbers, done.future) == (2, 1)
    assert known(target) == {33600000001: "sfr", 33600000002: "free"}


def test_an_update_keeps_the_others_and_beats_what_was_there(target: Path) -> None:
    take_in(target, "0600000001;sfr;2026-05-01", "0600000002;sfr", "0600000003;sfr")
    take_in(target, "0600000001;free;2020-01-01", "0600000002;", "0600000009;bouygues", update=True)
    assert known(target) == {33600000001: "free", 33600000003: "sfr", 33600000009: "bouygues"}
    take_in(target, "0600000005;sfr")
    assert known(target) == {33600000005: "sfr"}


def test_lines_of_no_use_are_counted_and_the_first_are_told(target: Path) -> None:
    done = take_in(target, "0600000001;sfr", *("nonsense" for _ in range(30)), "0600000002;sfr")
    assert (done.numbers, done.lines, done.unusable) == (2, 32, 30)
    assert len(done.faults) == numbers.FAULTS_SHOWN_MAX
    assert done.faults[0] == "line 2: write number;operator or number;operator;date"


def test_progress_is_told_in_octets(target: Path) -> None:
    told: list[int] = []
    text = b"0600000001;sfr\n" * 45_000
    import_numbers(io.BytesIO(text), target, names={}, today=TODAY, progress=told.append)
    assert len(told) == 3
    assert told[-1] == len(text)


def test_an_import_that_fails_leaves_what_was_there(target: Path) -> None:
    take_in(target, "0600000001;sfr")

    class Torn(io.BytesIO):
        def __next__(self) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        import_numbers(Torn(b"0600000002;sfr\n"), target, names={}, today=TODAY)
    assert known(target) == {33600000001: "sfr"}
    assert [path.name for path in target.parent.iterdir()] == ["ported"]


@settings(max_examples=25, deadline=None)
@given(some.lists(some.tuples(some.integers(0, 30), some.sampled_from(["sfr", "free", ""]), some.integers(1, 25))))
def test_it_agrees_with_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]]
) -> None:
    target = tmp_path_factory.mktemp("numbers") / "ported"
    take_in(target, *(f"06000000{number:02d};{operator};2026-01-{day:02d}" for number, operator, day in rows))
    newest: dict[int, tuple[int, str]] = {}
    for number, operator, day in rows:
        if number not in newest or day >= newest[number][0]:
            newest[number] = (day, operator)
    expected = {33600000000 + number: operator for number, (_, operator) in newest.items() if operator}
    assert known(target) == expected
    opened = PortedNumbers(target)
    assert len(opened) == len(expected)
    assert {n: opened.operator_of(n) for n in range(33600000000, 33600000031)} == {
        n: expected.get(n) for n in range(33600000000, 33600000031)
    }
    opened.close()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 100])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ported"
    path.write_bytes(content)
    with pytest.raises(NumbersFault, match="is no file of numbers"):
        PortedNumbers(path)


def test_a_part_of_a_file_is_refused(target: Path) -> None:
    take_in(target, "0600000001;sfr", "0600000002;sfr")
    target.write_bytes(target.read_bytes()[:-8])
    with pytest.raises(NumbersFault, match="or a part of one"):
        PortedNumbers(target)


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    path = tmp_path / "prefixes.csv"
    path.write_text("prefix;operator\n336;sfr\n33607;FRTE\n")
    return path


@pytest.fixture
def book(target: Path, blocks: Path, tmp_path: Path) -> Iterator[NumberBook]:
    (tmp_path / "names.csv").write_text("FRTE;orange\n")
    book = NumberBook(target, blocks, tmp_path / "names.csv")
    yield book
    book.close()


def test_a_ported_number_beats_its_block(book: NumberBook, target: Path) -> None:
    assert book.operator_of("33607000001") == "orange"
    take_in(target, "0607000001;free")
    book.refresh()
    assert [book.explain(h) for h in ("33607000001", "33607000002", "34600000001")] == [
        ("free", "ported"),
        ("orange", "block"),
        ("", ""),
    ]
    assert [book.operator_of(h) for h in ("33607000001", "33607000002", "34600000001", "SHOP")] == [
        "free",
        "orange",
        "",
        "",
    ]


def test_a_running_reader_takes_up_what_was_replaced(book: NumberBook, target: Path, blocks: Path) -> None:
    take_in(target, "0607000001;free")
    book.refresh()
    take_in(target, "0607000001;bouygues")
    assert book.operator_of("33607000001") == "free"
    book.refresh()
    assert book.operator_of("33607000001") == "bouygues"
    blocks.write_text("prefix;operator\n336;free\n")
    book.refresh()
    assert book.operator_of("33607000002") == "free"
    assert book.operator_of("33607000001") == "bouygues"


def test_what_cannot_be_used_leaves_what_could(
    book: NumberBook, target: Path, blocks: Path, caplog: pytest.LogCaptureFixture
) -> None:
    take_in(target, "0607000001;free")
    book.refresh()
    spoilt = target.with_name("spoilt")
    spoilt.write_bytes(b"nothing of use")
    spoilt.replace(target)
    blocks.write_text("prefix;operator\n+336;free\n")
    book.refresh()
    assert book.operator_of("33607000001") == "free"
    assert book.operator_of("33607000002") == "orange"
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 2
    book.refresh()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2, "once is enough"
    target.unlink()
    book.refresh()
    assert book.operator_of("33607000001") == "free"


def test_no_files_know_nothing() -> None:
    book = NumberBook(None, None)
    assert book.operator_of("33607000001") == ""
    book.refresh()
    book.close()


def test_files_of_blocks_as_the_regulator_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "majnum.csv"
    path.write_bytes("EZABPQM;Tranche_Debut;Mnémo\r\n0607;0607000000;FRTE\r\n".encode("cp1252"))
    assert prefixes_of(path) == {"33607": "frte"}
    path.write_text("nothing\n")
    with pytest.raises(NumbersFault, match="line 1: the headings"):
        prefixes_of(path)
    with pytest.raises(NumbersFault, match="line 1: write code;operator"):
        names_of(path)
