"""A disk that is full or refuses every write, a spool that is damaged: no OK that is not durable, and back by itself.

A full disk is a small file system of its own where the test may mount one, and else a limit on the size of files. The
limit also stands for a disk that turned read-only: no write succeeds any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from gatewayd.simulate.esme import Esme
from gatewayd.simulate.esme_ledger import Submitted
from protocol.smpp.constants import Status
from tests.daemon.process import ROOT
from tests.faults.conftest import Opener
from tests.faults.ground import NORTH, Ground, all_final, send_many

TEMPORARY = {Status.ESME_RMSGQFUL, Status.ESME_RSYSERR}
DISK_MB, BALLAST_MB = 20, 12
REFUSED_AT_LEAST = 20
BATCH = 100
PATIENCE_S = 1.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing may be mounted here; the limit on the size of files stands in for it")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def set_size_limit(ground: Ground, octets: int) -> None:
    """No worker may write beyond so many octets of a file."""
    for pid in ground.workers().values():
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (octets, hard))


async def submit_until_refused(esme: Esme, first: int) -> list[Submitted]:
    """Send until so many were refused. What is on its way to a disk that refuses has no answer at all, for now."""
    submits: list[Submitted] = []
    while sum(bool(submit.status) for submit in submits) < REFUSED_AT_LEAST:
        batch = send_many(esme, NORTH, BATCH, first + len(submits))
        submits += batch
        with contextlib.suppress(TimeoutError):
            await esme.wait_for(partial(_is_answered, batch), PATIENCE_S)
    assert {submit.status for submit in submits if submit.status} <= TEMPORARY
    return submits


def _is_answered(batch: Sequence[Submitted]) -> bool:
    return all(submit.status is not None for submit in batch)


async def recovered(esme: Esme) -> None:
    """New messages are taken again, without a restart."""
    number = 500_000
    while True:
        number += 1
        (probe,) = batch = send_many(esme, NORTH, 1, number)
        await esme.wait_for(partial(_is_answered, batch))
        if probe.status == 0:
            return
        assert probe.status in TEMPORARY


async def test_a_disk_that_refuses_every_write(opened: Opener) -> None:
    ground = await opened({"store": {"fold_entries": 1_000}})
    esme = await ground.esme(window=3 * BATCH)
    await all_final(esme, send_many(esme, NORTH, 100))
    pids = ground.workers()
    set_size_limit(ground, 0)
    submits = await submit_until_refused(esme, 1_000)
    assert not any(submit.status == 0 for submit in submits), "nothing can have been written"
    assert "store cannot commit" in ground.daemon.log
    set_size_limit(ground, resource.RLIM_INFINITY)
    await recovered(esme)
    await esme.wait_answered()
    await all_final(esme, [submit for submit in submits if submit.status == 0])
    assert ground.workers() == pids


async def test_what_was_acknowledged_before_a_full_disk_survives_a_kill(opened: Opener) -> None:
    ground = await opened()
    esme, other = await ground.esme(window=100), await ground.esme("bank", window=2 * BATCH)
    ground.north.drop_binds()
    ground.north.bind_status = Status.ESME_RSYSERR
    submits = send_many(esme, NORTH, 200)
    await esme.wait_for(lambda: len(esme.ledger.answered()) > 50)
    set_size_limit(ground, 0)
    await submit_until_refused(other, 1_000)
    taken = [submit for submit in submits if submit.status == 0]
    await asyncio.to_thread(ground.daemon.kill)
    ground.north.bind_status = Status.ESME_ROK
    await ground.start()
    again = await ground.esme()
    ids = {submit.message_id for submit in taken}
    assert ids
    await again.wait_for(lambda: ids <= {receipt.message_id for receipt in again.ledger.receipts}, 30)


async def test_a_full_disk(opened: Opener, small_disk: Path) -> None:
    """The carrier is away, so that nothing leaves; space comes back when somebody takes something away."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_MB * 1024 * 1024))
    ground = await opened({"daemon": {"spool_dir": str(small_disk / "spool")}, "store": {"fold_entries": 1_000}})
    esme = await ground.esme(window=3 * BATCH)
    pids = ground.workers()
    ground.north.bind_status = Status.ESME_RSYSERR
    ground.north.drop_binds()
    submits = await submit_until_refused(esme, 0)
    taken = [submit for submit in submits if submit.status == 0]
    assert taken
    ballast.unlink()
    await recovered(esme)
    ground.north.bind_status = Status.ESME_ROK
    await esme.wait_answered()
    await all_final(esme, taken)
    assert ground.workers() == pids


def refusal(config: Path) -> str:
    """What the daemon says when it refuses to start."""
    command: list[str | Path] = [sys.executable, "-m", "gatewayd", "run", "--config", config]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "cannot start: " in line]
    return line


def damage_middle(spool: Path) -> None:
    octets = bytearray(spool.read_bytes())
    octets[4096:] = bytes(len(octets) - 4096)
    spool.write_bytes(octets)


def damage_all(spool: Path) -> None:
    spool.write_bytes(b"this is no database " * 1_000)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("damage", [damage_middle, damage_all])
async def test_a_damaged_spool_is_refused_at_start(
    opened: Opener, damage: Callable[[Path], None], workers: int
) -> None:
    ground = await opened({"daemon": {"workers": workers}})
    esme = await ground.esme()
    await all_final(esme, send_many(esme, NORTH, 20))
    await asyncio.to_thread(ground.daemon.terminate)
    spool = ground.daemon.config.parent / "spool" / f"worker-{workers - 1}.spool"
    damage(spool)
    line = await asyncio.to_thread(refusal, ground.daemon.config)
    assert str(spool) in line
    assert re.search(r"Restore a backup, or move .* away to start empty", line)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
async def test_a_spool_folder_that_may_not_be_written_is_refused_at_start(opened: Opener) -> None:
    ground = await opened()
    await asyncio.to_thread(ground.daemon.terminate)
    folder = ground.daemon.config.parent / "spool"
    folder.chmod(0o500)
    line = await asyncio.to_thread(refusal, ground.daemon.config)
    folder.chmod(0o700)
    assert str(folder) in line


def remount_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)


async def test_a_read_only_disk_is_refused_at_start(opened: Opener, small_disk: Path) -> None:
    ground = await opened({"daemon": {"spool_dir": str(small_disk / "spool")}})
    await asyncio.to_thread(ground.daemon.terminate)
    await asyncio.to_thread(remount_read_only, small_disk)
    line = await asyncio.to_thread(refusal, ground.daemon.config)
    assert str(small_disk / "spool") in line
    assert "read-only" in line.lower()
