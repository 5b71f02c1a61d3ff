"""Applications that never read, read a byte a second, flood, hold idle connections or die within a PDU.

Memory stays bounded, and whoever behaves is answered as fast as before: at 99 %, within twice the time and a little.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import pytest

from gatewayd.simulate.esme import Esme
from tests.daemon.process import ROOT
from tests.faults.conftest import Opener
from tests.faults.ground import NORTH, Ground, all_final, percentile, ping

PINGS = 100
FLOOR_S = 0.02
# A machine that does something else for a moment is not the daemon's fault: what counts must come three times.
TRIES = 3
MEMORY_MAX_MB = 64.0
IDLE = 5_000
MANNERS = ["never reads", "reads a byte a second", "floods", "dies within a PDU", "holds idle connections"]


@contextlib.asynccontextmanager
async def rude(ground: Ground, manner: str, count: int) -> AsyncIterator[int]:
    """Somebody who behaves badly for as long as the block lasts; gives how many there are."""
    host, port = ground.daemon.smpp[0]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.rude_actor", host, str(port), manner, str(count)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield int(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("manner", MANNERS)
async def test_others_are_served_as_before(opened: Opener, manner: str, workers: int) -> None:
    ground = await opened({"daemon": {"workers": workers}, "smpp": {"connections_max": 2 * IDLE}})
    esme = await ground.esme("bank")
    count = IDLE if manner == "holds idle connections" else 2
    await ping(esme, NORTH, PINGS, 0)
    before_mb = ground.memory_mb()
    figures = []
    for number in range(1, 1 + TRIES):
        undisturbed_s = await _p99(esme, 2 * number)
        async with rude(ground, manner, count) as there:
            assert there > 0.9 * IDLE or count < IDLE
            disturbed_s = await _p99(esme, 2 * number + 1)
            assert ground.memory_mb() - before_mb < MEMORY_MAX_MB
        figures.append((undisturbed_s, disturbed_s))
        if disturbed_s < 2 * undisturbed_s + FLOOR_S:
            break
    else:
        pytest.fail(f"seconds at 99 %, before and with one who {manner}: {figures}")
    await all_final(esme, list(esme.ledger.submits))


async def _p99(esme: Esme, number: int) -> float:
    return percentile(await ping(esme, NORTH, PINGS, number * PINGS), 99)
