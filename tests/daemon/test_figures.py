"""What Prometheus reads after some traffic: every series that a board needs, and nobody's number."""

from __future__ import annotations

import pytest

from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage

SERIES = {
    "gatewayd_submits_total": {"account": "shop", "status": "ESME_ROK"},
    "gatewayd_messages_total": {"account": "shop", "link": "rcs", "channel": "rcs", "outcome": "DELIVRD"},
    "gatewayd_link_results_total": {"link": "rcs", "outcome": "accepted", "error": ""},
    "gatewayd_receipts_total": {"link": "rcs", "state": "DELIVRD"},
    "gatewayd_fallbacks_total": {"link": "rcs", "reason": "failed"},
    "gatewayd_mo_total": {"link": "rcs", "account": "shop", "fate": "session"},
    "gatewayd_deliveries_total": {"account": "shop", "kind": "receipt", "outcome": "delivered"},
    "gatewayd_binds_refused_total": {"status": "ESME_RINVPASWD"},
    "gatewayd_faults_total": {"side": "esme", "kind": "invalid_destination"},
    "gatewayd_submit_response_seconds_count": {"account": "shop"},
    "gatewayd_accept_to_carrier_seconds_count": {"link": "carrier"},
    "gatewayd_carrier_receipt_seconds_count": {"link": "carrier"},
    "gatewayd_receipt_to_esme_seconds_count": {"account": "shop"},
    "gatewayd_store_commit_seconds_count": {},
    "gatewayd_binds": {"side": "esme", "name": "shop"},
    "gatewayd_window_size": {"side": "carrier", "name": "carrier"},
    "gatewayd_link_up": {"link": "carrier"},
    "gatewayd_build_info": {},
}
STANDING = {
    "gatewayd_queue_messages",
    "gatewayd_queue_oldest_age_seconds",
    "gatewayd_outbox_deliveries",
    "gatewayd_outbox_oldest_age_seconds",
    "gatewayd_window_used",
    "gatewayd_limiter_paused_seconds",
    "gatewayd_store_pending_records",
    "process_cpu_seconds",
    "process_resident_memory_bytes",
    "process_open_fds",
}
NUMBERS = ("33610000001", "33610000002", "33700000001")


async def test_the_metrics_and_health_after_some_traffic(stage: Stage) -> None:
    scene = await stage()
    esme, forger = await scene.esme(), Esme("shop", "wrong")
    with pytest.raises(NotBoundError):
        await forger.connect("127.0.0.1", scene.north.port)
    scene.tell_handsets(Rule(handset=".*1", reply_text="Oui"), Rule(delivery="fail"))
    for handset in ("+33610000001", "+33610000002"):
        assert await scene.final(esme, await scene.send(esme, handset, "?")) == "DELIVRD"
    (refused,) = esme.send("33700000001", "33X", "?")
    await esme.wait_for(lambda: refused.status is not None and bool(esme.ledger.texts))
    samples = await scene.until_samples(lambda s: s.value("gatewayd_deliveries_total", outcome="delivered") == 3)
    assert [name for name, labels in SERIES.items() if samples.value(name, **labels) < 1] == []
    assert set(samples.families) >= STANDING
    assert [number for number in NUMBERS if number in samples.page + scene.daemon.log] == []
    assert scene.daemon.page("/healthz") == "ok\n"
