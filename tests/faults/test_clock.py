"""The wall clock is stepped by an hour, forward or back, under a running daemon: timers and pacing are unaffected."""

from __future__ import annotations

import os
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.rcs_quota import busiest
from protocol.smpp.constants import Status
from protocol.smpp.records import SubmitSm
from tests.faults.conftest import Opener
from tests.faults.ground import NORTH, all_final, send_many

STEPPED = Path(__file__).with_name("stepped")
HOUR_S = 3_600.0
RATE, BURST, PACED = 50, 5, 150
# How long the daemon lets a message rest after a temporary error.
REST_S = 5.0


class Wall:
    """The wall clock of the daemon's processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(struct.pack("<d", 0.0))

    def step(self, seconds: float) -> None:
        """From now on it is so much ahead."""
        with self._path.open("r+b") as file:
            file.write(struct.pack("<d", seconds))


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wall:
    """A clock for every daemon that starts from now on."""
    path = tmp_path / "clock"
    monkeypatch.setenv("STEPPED_CLOCK", str(path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(STEPPED), os.environ.get("PYTHONPATH")))))
    return Wall(path)


steps = pytest.mark.parametrize(
    "step", [pytest.param(HOUR_S, marks=pytest.mark.long), -HOUR_S], ids=["forward", "back"]
)


@steps
async def test_the_pace_is_kept_and_no_bind_is_lost(opened: Opener, wall: Wall, step: float) -> None:
    ground = await opened({"links": {"north": {"rate_per_s": RATE, "burst": BURST, "enquire_interval_s": 0.3}}})
    esme = await ground.esme()
    began = time.monotonic()
    submits = send_many(esme, NORTH, PACED)
    ledger = ground.north.ledger
    await ledger.wait_for(lambda: len(ledger.submits) > PACED // 3)
    wall.step(step)
    await all_final(esme, submits)
    assert time.monotonic() - began > (PACED - 2 * BURST) / RATE
    assert busiest([submit.at for submit in ledger.submits], 0.9) <= RATE + BURST
    assert ledger.binds_accepted == 1
    assert esme.is_bound


@steps
async def test_a_rest_lasts_as_long_as_it_should(opened: Opener, wall: Wall, step: float) -> None:
    ground = await opened()
    esme = await ground.esme()
    ground.north.script.tell(Rule(answer="refuse", status="ESME_RSYSERR", times=5))
    submits = send_many(esme, NORTH, 5)
    ledger = ground.north.ledger
    await ground.until_samples(lambda samples: samples.value("gatewayd_link_results_total", outcome="deferred") == 5)
    wall.step(step)
    await all_final(esme, submits)
    first, last = ledger.submits[0].at, ledger.submits[-1].at
    assert REST_S * 0.9 < last - first < REST_S + 5.0


@steps
async def test_a_validity_lasts_as_long_as_it_should(opened: Opener, wall: Wall, step: float) -> None:
    """The carrier is away. One message may wait for two seconds, the other for ten minutes."""
    ground = await opened()
    esme = await ground.esme()
    ground.north.bind_status = Status.ESME_RSYSERR
    ground.north.drop_binds()
    short, long = (
        esme.submit(
            SubmitSm(
                source_addr="shop",
                destination_addr=f"{NORTH}{number:06d}",
                dest_addr_ton=1,
                dest_addr_npi=1,
                registered_delivery=1,
                validity_period=validity,
                short_message=b"until when?",
            )
        )
        for number, validity in enumerate(("000000000002000R", "000000001000000R"))
    )
    await esme.wait_answered()
    wall.step(step)
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(short.message_id)), 10)
    ground.north.bind_status = Status.ESME_ROK
    await esme.wait_for(lambda: bool(esme.ledger.receipts_of(long.message_id)), 10)
    fates = Counter((receipt.message_id, receipt.state) for receipt in esme.ledger.receipts)
    assert fates == {(short.message_id, "EXPIRED"): 1, (long.message_id, "DELIVRD"): 1}
