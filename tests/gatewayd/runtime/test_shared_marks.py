"""Marks are shared by all who open the file, found again, and give way to those that matter more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.shared_marks import NOTHING, WAYS, Key, Known, SharedMarks

NOW = 1_790_000_000.0
HERE = bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 7))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedMarks]:
    opened = SharedMarks.open(tmp_path / "marks", 1)  # one place: all marks meet in it
    yield opened
    opened.close()


def put(file: SharedMarks, key: Key, known: Known, at: float = NOW) -> None:
    file.change(key, at, lambda old: known)


def test_what_one_process_notes_another_sees(file: SharedMarks, tmp_path: Path) -> None:
    other = SharedMarks.open(tmp_path / "marks", 1)
    key = Key("shop", HERE)
    assert file.look(key) == NOTHING
    assert file.change(key, NOW, lambda old: Known(old.times + 1, NOW, 0.0)) == Known(1, NOW, 0.0)
    assert other.change(key, NOW, lambda old: Known(old.times + 1, old.since, 0.0)) == Known(2, NOW, 0.0)
    assert file.look(key) == Known(2, NOW, 0.0)
    assert [*other.all()] == [(key, Known(2, NOW, 0.0))]
    other.close()


def test_an_account_an_address_and_the_two_together_are_three(file: SharedMarks) -> None:
    keys = [Key("shop", HERE), Key("shop", b""), Key("", HERE)]
    for number, key in enumerate(keys, 1):
        put(file, key, Known(number, NOW, 0.0))
    assert [file.look(key).times for key in keys] == [1, 2, 3]
    assert {key for key, _ in file.all()} == set(keys)


def test_they_outlive_who_wrote_them(tmp_path: Path) -> None:
    for times in (1, 2):
        file = SharedMarks.open(tmp_path / "marks", 1)
        assert file.change(Key("shop", b""), NOW, lambda old: Known(old.times + 1)).times == times
        file.close()


def test_who_was_seldom_wrong_gives_way_and_who_is_locked_out_goes_last(file: SharedMarks) -> None:
    locked, often = Key("locked", HERE), Key("often", HERE)
    put(file, locked, Known(0, 0.0, NOW + 300.0), NOW - 50)
    put(file, often, Known(9, NOW, 0.0), NOW - 60)
    for number in range(10 * WAYS):
        put(file, Key("", bytes(15) + bytes((number + 1,))), Known(1, NOW, 0.0), NOW + number)
    assert file.look(locked).until == NOW + 300.0
    assert file.look(often).times == 9
    assert len([*file.all()]) == WAYS, "a stranger with many addresses costs nothing more"


@pytest.mark.parametrize(
    ("account", "address", "left"),
    [
        (None, None, set()),
        ("shop", None, {Key("", HERE), Key("bank", HERE)}),
        (None, HERE, {Key("shop", b"")}),
    ],
)
def test_forgetting(file: SharedMarks, account: str | None, address: bytes | None, left: set[Key]) -> None:
    keys = {Key("shop", HERE), Key("shop", b""), Key("", HERE), Key("bank", HERE)}
    for key in keys:
        put(file, key, Known(1, NOW, 0.0))
    assert file.forget(account, address) == len(keys - left)
    assert {key for key, _ in file.all()} == left


def test_a_name_that_is_too_long_is_cut(file: SharedMarks) -> None:
    put(file, Key("x" * 40, b""), Known(1, NOW, 0.0))
    assert file.look(Key("x" * 16, b"")).times == 1


def test_as_many_places_as_there_are_are_used(tmp_path: Path) -> None:
    file = SharedMarks.open(tmp_path / "marks", 64)
    for number in range(200):
        put(file, Key(f"account-{number}", HERE), Known(number + 1, NOW, 0.0))
    assert [file.look(Key(f"account-{number}", HERE)).times for number in range(200)] == [*range(1, 201)]
    file.close()
