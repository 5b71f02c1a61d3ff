"""The folder of local files is listed with sizes, and what cannot be listed is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gatewayd.config import media_files

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

PROVIDER = "[providers.orange]\n"
NAMED = (PROVIDER, '[rcs]\nmedia_dir = "media"\n\n' + PROVIDER)


def test_without_a_folder_there_are_none(desk: Desk) -> None:
    assert desk.load().media == {}


def test_files_are_listed_below_the_folder(desk: Desk) -> None:
    (desk.folder / "media" / "sub").mkdir(parents=True)
    (desk.folder / "media" / ".git").mkdir()
    for name, size in (("b.png", 3), ("a.pdf", 0), ("sub/c.jpg", 9), (".hidden.png", 1), (".git/d.png", 1)):
        desk.put(f"media/{name}", b"x" * size)
    (desk.folder / "media" / "nowhere.png").symlink_to("gone.png")
    (desk.folder / "media" / "linked.png").symlink_to("b.png")
    loaded = desk.load(NAMED)
    assert loaded.media == {"a.pdf": 0, "b.png": 3, "linked.png": 3, "sub/c.jpg": 9}
    assert loaded.config.rcs.media_dir == str(desk.folder / "media")


def test_a_folder_that_is_not_there(desk: Desk) -> None:
    assert desk.faults(NAMED) == ['rcs.media_dir: there is no folder "DIR/media"; create it']


def test_a_folder_of_too_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_files, "_FILES_MAX", 2)
    (desk.folder / "media").mkdir()
    for name in "abc":
        desk.put(f"media/{name}", "x")
    fault = 'rcs.media_dir: holds more than 2 files: "DIR/media"; give it its own folder'
    assert desk.faults(NAMED) == [fault]


def test_a_file_that_may_not_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "media").mkdir()
    desk.put("media/a.png", "x")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert desk.warnings(NAMED) == [
        'rcs.media_dir: "DIR/media/a.png" cannot be read; let the daemon\'s user read it',
    ]
