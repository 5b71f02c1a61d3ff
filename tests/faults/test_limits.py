"""Shared limits hold while workers die under full load, are used up, and nobody waits for a dead one's lock."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.daemon.process import ROOT
from tests.faults.conftest import Opener
from tests.faults.ground import NORTH, all_final, chaos, send_many

# A run of its own may take longer than a test usually does, on a machine that is busy.
pytestmark = pytest.mark.timeout(180)

# Takes the lock of a limit as a worker does, and dies with it.
_HOLDER = """
import fcntl, sys
from gatewayd.runtime.shared_limits import SharedLimits
table = SharedLimits.open(sys.argv[1])
slot = table.slot("link:north")
fcntl.fcntl(slot._descriptor, fcntl.F_OFD_SETLKW, slot._lock)
print("held", flush=True)
sys.stdin.read()
"""


def test_no_quota_is_exceeded_and_none_is_wasted(tmp_path: Path) -> None:
    figures = chaos(tmp_path, "--limits", "10", "--workers", "4", "--seed", "41")
    assert figures["kills"] > 0
    assert (figures["sms_over"], figures["rcs_over"]) == (0, 0)
    assert figures["sms_used"] >= 0.99
    assert figures["rcs_used"] >= 0.99


async def test_who_dies_with_a_lock_blocks_nobody(opened: Opener, tmp_path: Path) -> None:
    ground = await opened()
    esme = await ground.esme()
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "run" / "limits")]
    holder = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    submits = send_many(esme, NORTH, 10)
    holder.kill()
    await holder.wait()
    await all_final(esme, submits)
