"""A carrier that closes, resets, falls silent, answers half a PDU, too late or wrongly, or refuses binds.

Nothing is lost, nobody reconnects in a hot loop, and the other carrier's messages notice nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.constants import Status
from tests.faults.conftest import Opener
from tests.faults.ground import NORTH, SOUTH, all_final, copies, processor_s, send_many

WINDOW = 20
MESSAGES = 200
# The daemon waits a second for an answer.
TOO_LATE_S = 1.5

Fault = Callable[[Smsc], None]

FAULTS: dict[str, tuple[Fault, int]] = {
    "closes": (lambda smsc: smsc.script.tell(Rule(answer="close", times=3)), 3 * WINDOW),
    "resets": (lambda smsc: smsc.drop_binds(), WINDOW),
    "answers half a PDU": (lambda smsc: smsc.script.tell(Rule(answer="half", times=3)), 3 * WINDOW),
    "never answers some": (lambda smsc: smsc.script.tell(Rule(answer="silent", times=15)), 15),
    "answers some too late": (lambda smsc: smsc.script.tell(Rule(delay_s=TOO_LATE_S, times=15)), 15),
    "answers what was not asked": (lambda smsc: smsc.script.tell(Rule(answer="wrong_sequence", times=15)), 15),
    "throttles": (lambda smsc: smsc.script.tell(Rule(answer="throttle", times=30)), 0),
    "sends receipts before answers": (lambda smsc: smsc.script.tell(Rule(receipt="before", times=MESSAGES)), 0),
    "sends receipts three times": (lambda smsc: smsc.script.tell(Rule(receipt_copies=3, times=MESSAGES)), 0),
}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_message_is_lost(opened: Opener, fault: str, workers: int) -> None:
    ground = await opened({"daemon": {"workers": workers}, "links": {"north": {"window": WINDOW}}})
    esme = await ground.esme()
    befall, at_stake = FAULTS[fault]
    befall(ground.north)
    submits = send_many(esme, NORTH, MESSAGES)
    await ground.north.ledger.wait_for(lambda: len(ground.north.ledger.submits) > MESSAGES // 4)
    if fault == "resets":
        befall(ground.north)
        at_stake *= 2
    await all_final(esme, submits)
    seen = copies(ground.north, submits)
    assert min(seen.values()) >= 1
    assert seen.total() - len(seen) <= at_stake


async def test_a_silent_carrier_holds_nobody_else_up(opened: Opener) -> None:
    ground = await opened()
    esme, other = await ground.esme(), await ground.esme("bank")
    ground.north.freeze()
    stuck = send_many(esme, NORTH, MESSAGES)
    await esme.wait_answered()
    await all_final(other, send_many(other, SOUTH, MESSAGES))
    assert not esme.ledger.receipts
    ground.north.thaw()
    await all_final(esme, stuck)


async def test_a_silent_carrier_is_left_and_found_again(opened: Opener) -> None:
    """It reads no enquire_link either: the connection is given up, and what was on it goes over the next."""
    ground = await opened({"links": {"north": {"enquire_interval_s": 0.3, "response_timeout_s": 0.5}}})
    esme = await ground.esme()
    ground.north.freeze()
    submits = send_many(esme, NORTH, MESSAGES)
    await ground.north.ledger.wait_for(lambda: ground.north.ledger.binds_accepted > 1)
    await all_final(esme, submits)


async def test_refused_binds_come_at_a_bounded_rate(opened: Opener) -> None:
    """Waits double from 0.05 s to 0.4 s, each at least half of that: ten refusals take no less than 1.375 s."""
    ground = await opened()
    esme, other = await ground.esme(), await ground.esme("bank")
    (worker,) = ground.workers().values()
    ground.north.bind_status = Status.ESME_RSYSERR
    ground.north.drop_binds()
    began, cost_s = time.monotonic(), processor_s(worker)
    submits = send_many(esme, NORTH, MESSAGES)
    await all_final(other, send_many(other, SOUTH, MESSAGES))
    ledger = ground.north.ledger
    await ledger.wait_for(lambda: ledger.binds_refused >= 10, 20)
    elapsed_s = time.monotonic() - began
    assert elapsed_s > 1.3
    assert processor_s(worker) - cost_s < elapsed_s / 2
    ground.north.bind_status = Status.ESME_ROK
    await all_final(esme, submits)
    assert copies(ground.north, submits).total() == MESSAGES


async def test_a_carrier_that_is_away_is_not_stormed(opened: Opener) -> None:
    """The port is closed for a while; the daemon counts its attempts."""
    ground = await opened()
    esme = await ground.esme()
    port = ground.north.port
    await ground.north.stop()
    submits = send_many(esme, NORTH, MESSAGES)
    await esme.wait_answered()
    began = time.monotonic()
    name = "gatewayd_faults_total"
    before = (await ground.samples()).value(name, side="carrier", kind="connect_failed")
    after = await ground.until_samples(
        lambda samples: samples.value(name, side="carrier", kind="connect_failed") >= before + 5
    )
    attempts = after.value(name, side="carrier", kind="connect_failed") - before
    assert attempts / (time.monotonic() - began) < 25
    await ground.north.start(port=port)
    await all_final(esme, submits)
