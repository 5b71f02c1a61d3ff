"""Named slots in a file: found by every process, zero when new, and locked one by one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gatewayd.runtime.shared_table import NAME_SIZE, SharedTable, SlotsExhausted


class Shelf(SharedTable):
    MAGIC, VERSION, SLOT_SIZE = b"gwshelf_", 1, 96


class OldShelf(Shelf):
    IS_OF_ONE_BOOT = False


def test_a_slot_is_found_by_everybody(tmp_path: Path) -> None:
    one, other = Shelf.open(tmp_path / "shelf", 2), Shelf.open(tmp_path / "shelf", 2)
    first = one.find("a")
    assert one.memory[first + NAME_SIZE : first + Shelf.SLOT_SIZE] == bytes(16)
    one.memory[first + NAME_SIZE] = 7
    assert other.find("a") == first
    assert other.memory[first + NAME_SIZE] == 7
    assert other.find("b") == first + Shelf.SLOT_SIZE
    assert one.names() == ["a", "b"]
    with pytest.raises(SlotsExhausted):
        one.find("c")
    one.close()
    other.close()


def test_what_a_dead_process_left_in_a_slot_it_had_not_taken_is_wiped(tmp_path: Path) -> None:
    shelf = Shelf.open(tmp_path / "shelf", 2)
    at = shelf.find("a") + Shelf.SLOT_SIZE
    shelf.memory[at : at + 90] = b"x" * 79 + b"\0" + b"y" * 10
    assert shelf.find("b") == at
    assert shelf.memory[at + NAME_SIZE : at + Shelf.SLOT_SIZE] == bytes(16)
    shelf.close()


@pytest.mark.parametrize(("shelf", "is_kept"), [(Shelf, False), (OldShelf, True)])
def test_another_boot(tmp_path: Path, shelf: type[SharedTable], is_kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shelf.open(tmp_path / "shelf", 2)
    before.find("a")
    before.close()
    monkeypatch.setattr("gatewayd.runtime.shared_table._boot_id", lambda: b"another boot")
    after = shelf.open(tmp_path / "shelf", 2)
    assert after.names() == (["a"] if is_kept else [])
    after.close()


def test_one_holds_a_slot_at_a_time(tmp_path: Path) -> None:
    one, other = Shelf.open(tmp_path / "shelf", 2), Shelf.open(tmp_path / "shelf", 2)
    a, b = one.find("a"), one.find("b")
    order: list[str] = []

    def second() -> None:
        with other.locked(b):
            order.append("b is free")
        with other.locked(a):
            order.append("second")

    with one.locked(a):
        thread = threading.Thread(target=second)
        thread.start()
        while not order:  # the other slot is not locked
            pass
        order.append("first")
    thread.join(30)
    assert order == ["b is free", "first", "second"]
    one.close()
    other.close()
