"""Putting a backup back: whose the files are afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatewayd.cli.backups import put_back
from gatewayd.control.backup import Contents


def test_what_root_puts_back_and_keeps_belongs_to_the_daemons_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spool_dir = tmp_path / "backup", tmp_path / "spool"
    for each in (folder, spool_dir):
        each.mkdir()
        (each / "worker-0.spool").write_text(each.name)
    beside = [f"worker-0.spool{end}" for end in ("-wal", "-shm", ".journal-000000000042")]
    for name in beside:
        (spool_dir / name).touch()
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.update({Path(path).name: (uid, gid)}))
    kept = put_back(folder, Contents("1", 0.0, 1, [{"name": "worker-0.spool"}], []), spool_dir)
    assert kept is not None
    assert ((spool_dir / "worker-0.spool").read_text(), (kept / "worker-0.spool").read_text()) == ("backup", "spool")
    assert not any((spool_dir / name).exists() for name in beside), "they are no part of what was put back"
    assert all((kept / name).exists() for name in beside)
    owner = spool_dir.stat()
    assert given == dict.fromkeys((".restoring-worker-0.spool", kept.name), (owner.st_uid, owner.st_gid))
