"""A pause is kept over restarts, by whom and since when; a file that cannot be read pauses nothing and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.control.pauses import FILE_NAME, Pauses


def test_a_pause_is_there_after_a_restart(tmp_path: Path) -> None:
    pauses = Pauses(tmp_path, clock=lambda: 7.0)
    assert pauses.names() == []
    pauses.set("carrier", "ann", paused=True)
    pauses.set("backup", "bob", paused=True)
    again = Pauses(tmp_path)
    assert again.names() == ["backup", "carrier"]
    pause = again.of("carrier")
    assert pause is not None
    assert (pause.since, pause.by) == (7.0, "ann")
    again.set("carrier", "bob", paused=False)
    assert Pauses(tmp_path).names() == ["backup"]
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_who_paused_it_first_stays_known(tmp_path: Path) -> None:
    pauses = Pauses(tmp_path)
    pauses.set("carrier", "ann", paused=True)
    pauses.set("carrier", "bob", paused=True)
    assert pauses.of("carrier") == Pauses(tmp_path).of("carrier")
    assert getattr(pauses.of("carrier"), "by", "") == "ann"


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{")
    pauses = Pauses(tmp_path)
    assert pauses.names() == []
    assert "no link is paused" in pauses.fault


def test_what_cannot_be_written_is_not_in_force(tmp_path: Path) -> None:
    pauses = Pauses(tmp_path / "no")
    with pytest.raises(OSError):
        pauses.set("carrier", "ann", paused=True)
    assert pauses.names() == []
