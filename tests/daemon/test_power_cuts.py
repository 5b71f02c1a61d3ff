"""The promise: nothing that was acknowledged is lost, whatever ends the process and whatever was under way.

Every message has a text of its own, so that the carrier's ledger says which arrived, and how often.
"""

from __future__ import annotations

from collections import Counter

import pytest

from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.scene import Scene

HANDSET, RCS_HANDSET = "+33620000001", "+33610000001"
ROUNDS, MESSAGES = 3, 1_500
WINDOW = 100
# In flight is what the carrier has not answered, and what it has and the disk has not: a window together.
IN_FLIGHT = WINDOW
WAIT_S = 30.0
QUIET = {"daemon": {"log_level": "info"}, "links": {"carrier": {"window": WINDOW}}}


class Tally:
    """What applications were told over all rounds."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}
        self.receipts: Counter[str] = Counter()
        self.states: set[str] = set()

    def add(self, esme: Esme) -> None:
        """The end of one bind."""
        for submitted in esme.ledger.submits:
            if submitted.status == 0:
                self.acknowledged[submitted.message_id] = submitted.pdu.short_message.decode()
        self.receipts.update(receipt.message_id for receipt in esme.ledger.receipts)
        self.states |= {receipt.state for receipt in esme.ledger.receipts}

    def missing(self, esme: Esme) -> set[str]:
        """The messages that were acknowledged and have no receipt, those of the present bind not counted."""
        return self.acknowledged.keys() - self.receipts.keys() - {r.message_id for r in esme.ledger.receipts}


async def load(scene: Scene, name: str, handset: str = HANDSET, window: int = 500) -> Esme:
    esme = await scene.esme(window=window)
    for number in range(MESSAGES):
        esme.send("33700000001", handset, f"{name} {number}")
    return esme


async def settle(scene: Scene, tally: Tally) -> None:
    """Bind once more and wait until everything that was promised has come."""
    esme = await scene.esme()
    await esme.wait_for(lambda: not tally.missing(esme), WAIT_S)
    tally.add(esme)


def carried(scene: Scene) -> Counter[str]:
    return Counter(submit.pdu.short_message.decode() for submit in scene.smsc.ledger.submits)


async def test_kill_under_load_loses_nothing_that_was_acknowledged(stage: Stage) -> None:
    scene = await stage(QUIET)
    tally = Tally()
    for number in range(ROUNDS):
        esme = await load(scene, f"round {number}")
        # Each round dies at another stage: much is accepted and little sent, or receipts are coming back.
        done = (number + 1) * MESSAGES // (ROUNDS + 1)
        await esme.wait_for(lambda esme=esme, done=done: esme.ledger.counts["answers"] >= done, WAIT_S)  # type: ignore[misc]
        await scene.kill()
        await esme.wait_for(lambda esme=esme: esme.closed_reason != "", WAIT_S)  # type: ignore[misc]
        tally.add(esme)
        await scene.start()
    await settle(scene, tally)
    assert len(tally.acknowledged) >= ROUNDS * MESSAGES // 4
    arrived = carried(scene)
    assert set(tally.acknowledged.values()) - arrived.keys() == set()
    assert sum(arrived.values()) - len(arrived) <= ROUNDS * IN_FLIGHT, "no more copies than were in flight"
    assert tally.states == {"DELIVRD"}


async def test_sigterm_under_load_ends_well_and_loses_nothing(stage: Stage) -> None:
    scene = await stage(QUIET)
    tally = Tally()
    esme = await load(scene, "first", window=5)  # so slowly that the end comes in the middle
    await esme.wait_for(lambda: esme.ledger.counts["answers"] >= MESSAGES // 3, WAIT_S)
    assert await scene.terminate() == 0
    await esme.wait_for(lambda: esme.closed_reason != "", WAIT_S)
    tally.add(esme)
    assert len(tally.acknowledged) < MESSAGES
    await scene.start()
    await settle(scene, tally)
    arrived = carried(scene)
    assert set(tally.acknowledged.values()) - arrived.keys() == set()
    assert max(arrived.values()) == 1, "what is asked to stop waits for the carrier's answers"
    assert max(tally.receipts.values()) == 1


@pytest.mark.long
async def test_sigterm_does_not_wait_for_a_carrier_that_is_silent(stage: Stage) -> None:
    scene = await stage({"daemon": {"drain_timeout_s": 0.5}})
    esme = await scene.esme()
    await scene.carrier_is_bound()
    scene.smsc.freeze()
    (submitted,) = esme.send("33700000001", HANDSET, "?")
    await esme.wait_answered()
    await scene.until_samples(lambda s: s.value("gatewayd_window_used", side="carrier") == 1)
    assert await scene.terminate() == 0
    scene.smsc.drop_binds()
    await scene.start()
    again = await scene.esme()
    assert await scene.final(again, submitted.message_id) == "DELIVRD"


async def test_nobody_is_let_in_after_the_end(stage: Stage) -> None:
    scene = await stage()
    assert await scene.terminate() == 0
    with pytest.raises(NotBoundError) as refusal:
        await scene.stranger().connect("127.0.0.1", scene.north.port)
    assert refusal.value.status == 0
    await scene.start()


async def test_kill_under_rcs_load_sends_nothing_twice_over_rcs(stage: Stage) -> None:
    """Whoever was asked and gave no answer may have it: after a restart such a message goes by SMS instead."""
    scene = await stage({"daemon": {"log_level": "info"}, "links": {"rcs": {"window": 20, "capability": "assume"}}})
    scene.tell_handsets(Rule(deliver_after_s=0.05))
    tally = Tally()
    esme = await scene.esme(window=500)
    for number in range(300):
        esme.send("33700000001", RCS_HANDSET, f"rcs {number}")
    await esme.wait_for(lambda: esme.ledger.counts["receipts"] >= 50, WAIT_S)
    await scene.kill()
    await esme.wait_for(lambda: esme.closed_reason != "", WAIT_S)
    tally.add(esme)
    await scene.start()
    await settle(scene, tally)
    by_rcs = Counter(record.submission.text for record in scene.platform.ledger.messages.values())
    assert max(by_rcs.values()) == 1
    by_sms = carried(scene)
    assert set(tally.acknowledged.values()) - by_rcs.keys() - by_sms.keys() == set()
    assert sum(by_sms.values()) <= 20, "only what was in flight"
