"""What becomes of messages whose route begins with RCS: who sees them where, and the one receipt in the end."""

from __future__ import annotations

import pytest

from gatewayd.simulate.rcs_behaviour import Rule
from protocol.smpp.records import SubmitSm
from tests.daemon.conftest import Stage
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33610000001"
# An expiry is told in whole seconds, so a deadline below one would have passed before it is read.
SOON = {"links": {"rcs": {"deadline_s": 1.05}}}
NEVER = Rule(sent_after_s=0.0, delivery="never", on_expiry="ignore")


def contents(scene: Scene, handset: str = HANDSET) -> list[str]:
    """The texts that the platform took for a handset."""
    return [record.submission.text for record in scene.platform.ledger.to(handset)]


def carried(scene: Scene) -> list[bytes]:
    """The texts that the carrier was given."""
    return [submit.pdu.short_message for submit in scene.smsc.ledger.submits]


async def test_a_message_is_delivered_over_rcs(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "Il a été payé 5 €")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert contents(scene) == ["Il a été payé 5 €"]
    assert carried(scene) == []
    samples = await scene.samples()
    assert samples.value("gatewayd_messages_total", link="rcs", channel="rcs", outcome="DELIVRD") == 1


async def test_a_number_with_the_dialling_prefix_is_the_same_handset(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    submitted = esme.submit(
        SubmitSm(
            source_addr="33700000001",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=HANDSET.replace("+", "00"),
            registered_delivery=1,
            short_message=b"?",
        )
    )
    await esme.wait_for(lambda: submitted.status is not None)
    assert submitted.status == 0
    assert await scene.final(esme, submitted.message_id) == "DELIVRD"
    assert contents(scene) == ["?"]


async def test_a_handset_without_rcs_gets_an_sms(stage: Stage) -> None:
    scene = await stage()
    scene.tell_handsets(Rule(capable=False))
    esme = await scene.esme()
    ids = [await scene.send(esme, HANDSET, f"{number}") for number in range(3)]
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 3
    assert (contents(scene), carried(scene)) == ([], [b"0", b"1", b"2"])
    asked = [request for request in scene.platform.ledger.requests if "contactCapabilities" in request.path]
    assert len(asked) == 1, "what was learnt of a handset is remembered"
    samples = await scene.samples()
    assert samples.value("gatewayd_fallbacks_total", link="rcs") == 3


async def test_what_is_not_delivered_in_time_is_revoked_and_sent_as_sms(stage: Stage) -> None:
    scene = await stage(SOON)
    scene.tell_handsets(NEVER)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (record,) = scene.platform.ledger.to(HANDSET)
    assert record.status == "cancelled"
    assert carried(scene) == [b"?"]
    samples = await scene.samples()
    # The platform says it twice, in its answer and over the webhook, and either may be first.
    assert (
        sum(samples.value("gatewayd_fallbacks_total", link="rcs", reason=why) for why in ("deadline", "revoked")) == 1
    )
    assert samples.value("gatewayd_messages_total", link="carrier", channel="sms", outcome="DELIVRD") == 1


@pytest.mark.parametrize("how", ["throttle", "error"])
async def test_a_revoke_that_the_platform_is_too_busy_for_is_asked_for_again(stage: Stage, how: str) -> None:
    routes = [{"links": ["rcs", "carrier"], "prefixes": ["3361"], "on_unknown": "prefer_silence"}]
    scene = await stage(SOON | {"routes": routes})
    busy = Rule(delivery="never", on_expiry="ignore", revoke=how, revoke_times=1, retry_after_s=1)  # type: ignore[arg-type]
    scene.tell_handsets(busy)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    (record,) = scene.platform.ledger.to(HANDSET)
    assert [entry.what for entry in record.history].count("revoke asked") == 2
    assert (record.status, carried(scene)) == ("cancelled", [b"?"])


async def test_what_arrives_while_it_is_revoked_is_sent_once(stage: Stage) -> None:
    scene = await stage(SOON)
    scene.tell_handsets(Rule(delivery="never", on_expiry="ignore", revoke="too_late"))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert carried(scene) == []


async def test_what_arrives_after_the_fallback_is_told_once(stage: Stage) -> None:
    """The platform said that it took the message back, and delivered it all the same."""
    scene = await stage(SOON)
    scene.tell_handsets(Rule(deliver_after_s=1.6, on_expiry="ignore", revoke="raced"))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    await scene.until_samples(lambda s: s.value("gatewayd_receipt_events_total", link="rcs", event="late_delivered"))
    assert len(esme.ledger.receipts) == 1


@pytest.mark.parametrize(
    "rule",
    [
        Rule(submit="refuse", refuse_status=404, refuse_code=41002),
        Rule(delivery="fail"),
        Rule(delivery="never", on_expiry="revoke", revoke="already"),
    ],
    ids=["refused", "failed", "expired"],
)
async def test_whatever_ends_the_rcs_leg_begins_the_sms_leg(stage: Stage, rule: Rule) -> None:
    scene = await stage({"links": {"rcs": {"deadline_s": 1.05, "capability": "assume"}}})
    scene.tell_handsets(rule)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert carried(scene) == [b"?"]


async def test_an_unanswered_submit_is_sent_as_sms(stage: Stage) -> None:
    """It may have been taken: ``prefer_duplicate`` does not let a handset wait for what may never come."""
    scene = await stage({"links": {"rcs": {"request_timeout_s": 0.3}}})
    scene.tell_handsets(Rule(submit="silent", taken=False))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "DELIVRD"
    assert carried(scene) == [b"?"]


async def test_silence_is_kept_where_it_is_preferred(stage: Stage) -> None:
    tables = {
        "links": {"rcs": {"request_timeout_s": 0.2, "deadline_s": 1.05}},
        "routes": [{"links": ["rcs", "carrier"], "on_unknown": "prefer_silence"}],
    }
    scene = await stage(tables)
    scene.tell_handsets(Rule(submit="silent", taken=False))
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    assert await scene.final(esme, message_id) == "UNKNOWN"
    assert carried(scene) == []


async def test_a_quota_that_is_exceeded_loses_nothing(stage: Stage) -> None:
    scene = await stage()
    scene.platform.throttle_next(1, retry_after_s=0.2)
    esme = await scene.esme()
    ids = [await scene.send(esme, HANDSET, f"{number}") for number in range(5)]
    assert [await scene.final(esme, message_id) for message_id in ids] == ["DELIVRD"] * 5
    assert sorted(contents(scene)) == ["0", "1", "2", "3", "4"]
    assert carried(scene) == []


async def test_tokens_that_are_taken_back_are_renewed(stage: Stage) -> None:
    scene = await stage()
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "1")) == "DELIVRD"
    scene.platform.tokens.revoke_all()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "2")) == "DELIVRD"
    assert contents(scene) == ["1", "2"]


async def test_webhooks_that_come_twice_are_told_once(stage: Stage) -> None:
    scene = await stage()
    scene.tell_handsets(Rule(webhook_duplicates=3, reply_text="Oui"))
    esme = await scene.esme()
    assert await scene.final(esme, await scene.send(esme, HANDSET, "?")) == "DELIVRD"
    await scene.until_samples(lambda s: s.value("gatewayd_mo_total", link="rcs", fate="duplicate") == 3)
    assert [text.text for text in esme.ledger.texts] == ["Oui"]


async def test_a_restart_between_rcs_and_its_receipt_loses_nothing(stage: Stage) -> None:
    scene = await stage({"links": {"rcs": {"deadline_s": 1.5}}})
    scene.tell_handsets(NEVER)
    esme = await scene.esme()
    message_id = await scene.send(esme, HANDSET, "?")
    await scene.platform.ledger.wait_for(lambda ledger: bool(ledger.to(HANDSET)), WAIT_S)
    await scene.until_samples(lambda s: s.value("gatewayd_link_results_total", link="rcs", outcome="accepted") == 1)
    await scene.kill()
    await scene.start()
    again = await scene.esme()
    assert await scene.final(again, message_id) == "DELIVRD"
    assert carried(scene) == [b"?"]


async def test_who_asks_hears_that_rcs_has_it_and_that_sms_takes_over(stage: Stage) -> None:
    """SMPP 3.4 section 5.2.17, bit 4: before the final receipt, in order."""
    scene = await stage(SOON)
    scene.tell_handsets(NEVER)
    esme = await scene.esme()
    to = HANDSET.removeprefix("+")
    submitted = esme.submit(
        SubmitSm(
            source_addr="33700000001",
            destination_addr=to,
            dest_addr_ton=1,
            registered_delivery=0x11,
            short_message=b"where is it",
        )
    )
    await esme.wait_for(lambda: bool(esme.ledger.receipts), WAIT_S)
    assert [(each.message_id, each.state) for each in esme.ledger.notices] == [(submitted.message_id, "ENROUTE")] * 2
    assert [receipt.state for receipt in esme.ledger.receipts] == ["DELIVRD"]
    assert not esme.ledger.texts
