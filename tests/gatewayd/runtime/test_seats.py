"""Seats between real processes: never two holders of one, free at the moment of a death, and known who holds which."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.runtime.seats import SEATS_MAX, SeatFile

HOLDER = "tests.support.seat_holder"
ROOT = Path(__file__).resolve().parents[3]


class Holder:
    """A worker's process, as far as seats go."""

    def __init__(self, path: Path, slot: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", HOLDER, str(path), str(slot)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say("", "ready")

    def take(self, name: str, count: int) -> int | None:
        answer = self._say(f"take {name} {count}\n")
        return None if answer == "None" else int(answer)

    def give_back(self, name: str, number: int) -> None:
        self._say(f"give {name} {number}\n", "given")

    def ask(self, name: str, count: int) -> None:
        """Like take, without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"take {name} {count}\n" * count)
        self._process.stdin.flush()

    def answers(self, count: int) -> list[int]:
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline().strip() for _ in range(count)]
        return [int(line) for line in lines if line != "None"]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _say(self, line: str, expected: str = "") -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if line:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert not expected or answer == expected
        return answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seats"


@pytest.fixture
def holders(path: Path) -> Iterator[list[Holder]]:
    started = [Holder(path, slot) for slot in (1, 2)]
    yield started
    for holder in started:
        holder.close()


@pytest.fixture
def file(path: Path) -> Iterator[SeatFile]:
    opened = SeatFile(path, 0)
    yield opened
    opened.close()


def test_no_seat_has_two_holders_and_all_know_who_holds_which(file: SeatFile, holders: list[Holder]) -> None:
    one, two = holders
    seats = file.group("link:x", 4)
    assert (one.take("link:x", 4), two.take("link:x", 4), seats.take(), one.take("link:x", 4)) == (0, 1, 2, 3)
    assert (one.take("link:x", 4), two.take("link:x", 4), seats.take()) == (None, None, None)
    assert seats.holders() == [1, 2, 0, 1]


def test_a_dead_holders_seats_are_free_at_once(file: SeatFile, holders: list[Holder]) -> None:
    one, two = holders
    for _ in range(3):
        one.take("link:x", 4)
    two.take("link:x", 4)
    seats = file.group("link:x", 4)
    assert seats.holders() == [1, 1, 1, 2]
    one.kill()
    assert seats.holders() == [None, None, None, 2]
    assert [seats.take(), two.take("link:x", 4), seats.take(), seats.take()] == [0, 1, 2, None]


def test_a_seat_given_back_is_anybodys(file: SeatFile, holders: list[Holder]) -> None:
    one, _ = holders
    seats = file.group("link:x", 1)
    assert one.take("link:x", 1) == 0
    assert seats.take() is None
    one.give_back("link:x", 0)
    assert seats.take() == 0
    seats.give_back(0)
    seats.give_back(0)
    assert one.take("link:x", 1) == 0


def test_many_at_once_take_each_seat_once(file: SeatFile, path: Path, holders: list[Holder]) -> None:
    count = 200
    ours: list[int] = []
    seats = file.group("link:x", count)

    def take_all() -> None:
        while (number := seats.take()) is not None:
            ours.append(number)

    for holder in holders:
        holder.ask("link:x", count)
    thread = threading.Thread(target=take_all)
    thread.start()
    theirs = [number for holder in holders for number in holder.answers(count)]
    thread.join()
    assert sorted(ours + theirs) == list(range(count))
    assert seats.holders().count(0) == len(ours)


def test_neighbouring_locks_are_told_apart_whatever_the_slots(path: Path) -> None:
    """The kernel joins locks that touch, and then a holder's number would be read from too long a lock."""
    files = [SeatFile(path, slot) for slot in (0, 63, 254, 255)]
    try:
        taken = [file.group("link:x", 8).take() for file in files for _ in range(2)]
        assert taken == list(range(8))
        assert files[0].group("link:x", 8).holders() == [0, 0, 63, 63, 254, 254, 255, 255]
        assert files[3].group("link:x", 8).holders() == [0, 0, 63, 63, 254, 254, 255, 255]
        files[1].group("link:x", 8).give_back(2)
        assert files[0].group("link:x", 8).holders() == [0, 0, None, 63, 254, 254, 255, 255]
    finally:
        for file in files:
            file.close()


def test_only_seats_that_may_be_taken_are_taken(file: SeatFile) -> None:
    seats = file.group("link:x", 4)
    assert seats.take([2, 3]) == 2
    assert seats.take([2]) is None
    assert seats.take([9]) is None, "there is no such seat"
    assert seats.take([]) is None


def test_groups_know_nothing_of_each_other(file: SeatFile, path: Path) -> None:
    names = [f"account:{n}" for n in range(500)]
    other = SeatFile(path, 1)
    try:
        assert [file.group(name, 1).take() for name in names[::2]] == [0] * 250
        assert [other.group(name, 1).take() for name in names[1::2]] == [0] * 250
        assert [other.group(name, 1).holders() for name in names] == [[0], [1]] * 250
    finally:
        other.close()


def test_a_name_has_one_group_for_its_locks_cannot_tell_two_of_a_process_apart(file: SeatFile) -> None:
    seats = file.group("account:x", 1)
    assert seats.take() == 0
    assert file.group("account:x", 1).take() is None


def test_fewer_seats_are_not_filled_while_those_beyond_are_held(file: SeatFile, holders: list[Holder]) -> None:
    seats = file.group("account:x", 4)
    assert [seats.take() for _ in range(3)] == [0, 1, 2]
    assert holders[0].take("account:x", 4) == 3
    seats.resize(2)
    seats.give_back(0)
    assert seats.take() is None, "three are held, and two may be"
    seats.give_back(1)
    assert seats.take() is None
    seats.give_back(2)
    assert seats.take() == 0
    assert seats.take() is None
    seats.resize(4)
    assert seats.take() == 1


def test_a_group_has_its_bound(file: SeatFile) -> None:
    assert len(file.group("link:x", 5_000).holders()) == SEATS_MAX


def test_nothing_is_ever_written(file: SeatFile, path: Path) -> None:
    assert file.group("link:x", 4).take() == 0
    assert path.stat().st_size == 0
    assert path.stat().st_mode & 0o777 == 0o600
