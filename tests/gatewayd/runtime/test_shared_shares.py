"""A share that all workers see, and change one at a time."""

from __future__ import annotations

from pathlib import Path

from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_shares import Share


def test_two_processes_see_one_share(tmp_path: Path) -> None:
    mine, theirs = (SharedLimits.open(tmp_path / "limits") for _ in range(2))
    here, there = Share(mine, "share:carrier"), Share(theirs, "share:carrier")
    assert here.read() == (0.0, 0.0)
    assert here.change(lambda share, at: (share + 0.5, at + 7.0))
    assert there.read() == (0.5, 7.0)
    assert not there.change(lambda share, at: None)
    assert there.change(lambda share, at: (share / 2, at))
    assert here.read() == (0.25, 7.0)
    assert Share(mine, "share:other").read() == (0.0, 0.0)
    mine.close()
    theirs.close()


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    table = SharedLimits.open(tmp_path / "limits")
    Share(table, "share:carrier").change(lambda share, at: (0.5, 1.0))
    table.close()
    table = SharedLimits.open(tmp_path / "limits")
    assert Share(table, "share:carrier").read() == (0.5, 1.0)
    table.close()
