"""Where a command looks for the daemon's socket: where the daemon with the same configuration puts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.control.client import DEFAULT_FOLDER, socket_of
from gatewayd.control.listener import SOCKET_NAME


def test_the_folder_is_the_daemons_where_none_is_named() -> None:
    assert str(DEFAULT_FOLDER) == schema.Daemon().runtime_dir


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("", DEFAULT_FOLDER),
        ("[smpp]\nwindow = 5\n", DEFAULT_FOLDER),
        ("daemon = 5\n", DEFAULT_FOLDER),
        ("[daemon\n", DEFAULT_FOLDER),
        ('[daemon]\nruntime_dir = "/srv/run"\n', Path("/srv/run")),
        ('\ufeff[daemon]\nruntime_dir = "run"\n', "run"),
    ],
)
def test_only_the_folder_is_read(tmp_path: Path, text: str, folder: str | Path) -> None:
    config = tmp_path / "gatewayd.toml"
    config.write_text(text, encoding="utf-8")
    assert socket_of(config) == tmp_path / folder / SOCKET_NAME


def test_a_configuration_need_not_be_there(tmp_path: Path) -> None:
    assert socket_of(tmp_path / "gatewayd.toml") == DEFAULT_FOLDER / SOCKET_NAME
