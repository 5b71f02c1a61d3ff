"""A folder is synced, and let go of; what is no folder is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatewayd.runtime.syncing import sync_folder


def test_the_folder_itself_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, Path]] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append((file, Path(f"/proc/self/fd/{file}").readlink())))
    sync_folder(tmp_path)
    ((descriptor, path),) = synced
    assert path == tmp_path.resolve()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    for path in (file, tmp_path / "nowhere"):
        with pytest.raises(OSError, match=path.name):
            sync_folder(path)
