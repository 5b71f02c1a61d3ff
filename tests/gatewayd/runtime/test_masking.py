"""One number is always masked alike, under one key that all processes of a daemon share."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from gatewayd.runtime.masking import KEY_FILE, Masker, bare_of, made_key, mask, read_key, shown_address

NUMBER = "33612345678"


@pytest.mark.parametrize("number", ["", "1", "123456"])
def test_short_numbers_show_nothing(number: str) -> None:
    assert mask(number) == "*" * len(number)


def test_mask_keeps_head_and_tail() -> None:
    assert mask("1234567") == "1234*67"


def test_without_a_key_there_is_no_hash() -> None:
    assert Masker()(NUMBER) == "3361*****78"


def test_the_hash_follows_a_number_through_its_spellings() -> None:
    masker = Masker(b"k" * 32)
    assert {masker(spelling) for spelling in (NUMBER, f"+{NUMBER}", f"00{NUMBER}")} == {masker(NUMBER)}
    head, _, tail = masker(NUMBER).partition("#")
    assert head == "3361*****78"
    assert len(tail) == 6
    assert masker("33612345978").partition("#")[0] == head
    assert masker("33612345978") != masker(NUMBER)
    assert Masker(b"l" * 32)(NUMBER) != masker(NUMBER)


@pytest.mark.parametrize(("number", "bare"), [("0012", "0012"), ("+3361", "3361"), ("0612345678", "0612345678")])
def test_what_may_be_a_number_of_its_own_stays(number: str, bare: str) -> None:
    assert bare_of(number) == bare


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        (NUMBER, "3361*****78"),
        (f"+{NUMBER}", "3361*****78"),
        ("1234567", "1234*67"),
        ("+1234567", "1234*67"),
        ("36180", "36180"),
        ("123456", "123456"),
        ("Shop", "Shop"),
        ("shop@bot.example", "shop@bot.example"),
        ("", ""),
    ],
)
def test_only_what_may_be_a_handset_is_masked(address: str, seen: str) -> None:
    assert shown_address(address, Masker()) == seen


def test_the_key_is_made_once_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    assert read_key(folder) == b""
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(made_key(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {read_key(folder)}
    assert len(read_key(folder)) == 32
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_a_folder_that_takes_no_file_gives_no_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert made_key(tmp_path / "file") == b""


def test_a_broken_key_is_none(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("no hex")
    assert read_key(tmp_path) == b""
