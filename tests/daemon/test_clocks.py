"""The timers of a bind, with small times: who is silent is asked, and who stays silent is closed."""

from __future__ import annotations

from gatewayd.simulate.esme import Esme
from protocol.smpp.connection import Limits
from tests.daemon.conftest import Stage
from tests.daemon.process import PASSWORD
from tests.daemon.raw import ENQUIRE_LINK, RESPONSE, Raw, pdu
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33620000001"
QUICK = {"enquire_interval_s": 0.1, "response_timeout_s": 0.2}
# A busy machine may need longer for a bind: only for those who never do.
QUICK_TO_BIND = {"session_init_timeout_s": 0.2}


def raw(scene: Scene) -> Raw:
    return Raw(scene.daemon.smpp[0], scene.kept, "raw")


async def test_a_stranger_that_says_nothing_is_closed(stage: Stage) -> None:
    scene = await stage({"smpp": QUICK_TO_BIND})
    with raw(scene) as stranger:
        assert stranger.read() is None


async def test_enquire_link_before_a_bind_gains_no_time(stage: Stage) -> None:
    scene = await stage({"smpp": QUICK_TO_BIND})
    with raw(scene) as stranger:
        assert stranger.ask(pdu(ENQUIRE_LINK)) == (ENQUIRE_LINK | RESPONSE, 0, 1)
        assert stranger.read() is None


async def test_a_silent_bind_is_asked_and_then_closed(stage: Stage) -> None:
    scene = await stage({"smpp": QUICK})
    with raw(scene) as silent:
        assert silent.bind() == 0
        asked = silent.read()
        assert asked is not None
        assert (asked.command, asked.body) == (ENQUIRE_LINK, b"")
        assert silent.read() is None
    assert (await scene.samples()).value("gatewayd_binds", side="esme") == 0


async def test_a_bind_that_answers_may_stay(stage: Stage) -> None:
    scene = await stage({"smpp": QUICK})
    with raw(scene) as patient:
        assert patient.bind() == 0
        for _ in range(5):
            asked = patient.read()
            assert asked is not None
            patient.write(pdu(ENQUIRE_LINK | RESPONSE, sequence=asked.sequence))
        assert patient.submits_well()


async def test_an_application_may_ask_as_well(stage: Stage) -> None:
    scene = await stage()
    await scene.carrier_is_bound()
    esme = Esme("shop", PASSWORD, limits=Limits(enquire_interval_s=0.05, response_timeout_s=5.0))
    scene.esmes.append(esme)
    await esme.connect("127.0.0.1", scene.north.port)
    before = len(scene.kept[-1].octets)
    # The first answer is enough, however late: a machine that is busy answers seldom.
    await scene.until_samples(lambda _: len(scene.kept[-1].octets) > before + 1)
    assert esme.is_bound


async def test_a_bind_without_messages_is_ended_politely_where_that_is_wanted(stage: Stage) -> None:
    scene = await stage({"smpp": {"inactivity_timeout_s": 0.2}})
    esme = await scene.esme()
    await esme.wait_for(lambda: esme.closed_reason != "", WAIT_S)
    assert esme.closed_reason == "unbound_by_peer"


async def test_a_delivery_without_an_answer_is_offered_to_the_next_bind(stage: Stage) -> None:
    scene = await stage({"smpp": {"response_timeout_s": 0.3}})
    first = await scene.esme()
    first.deliver_status = None
    message_id = await scene.send(first, HANDSET, "?")
    await first.wait_for(lambda: first.ledger.counts["deliveries ignored"] == 1, WAIT_S)
    second = await scene.esme()
    first.deliver_status = 0
    await scene.until_samples(lambda s: s.value("gatewayd_deliveries_total", kind="receipt", outcome="delivered") == 1)
    receipts = [*first.ledger.receipts, *second.ledger.receipts]
    assert [receipt.message_id for receipt in receipts] == [message_id]


async def test_a_silent_carrier_is_asked_closed_and_bound_again(stage: Stage) -> None:
    scene = await stage({"links": {"carrier": {"enquire_interval_s": 0.1, "response_timeout_s": 0.2}}})
    await scene.carrier_is_bound()
    accepted = scene.smsc.ledger.binds_accepted
    scene.smsc.freeze()
    await scene.smsc.ledger.wait_for(lambda: scene.smsc.ledger.binds_accepted > accepted, WAIT_S)
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "?")) == "DELIVRD"
