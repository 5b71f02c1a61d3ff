"""The declared metrics, as a real scraper's parser reads them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from prometheus_client import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from gatewayd.runtime.instruments import Counters, Timings
from gatewayd.runtime.metrics import GAUGES, Metrics

COUNTERS = {
    "gatewayd_submits_total": ("account", "status"),
    "gatewayd_billing_records_total": ("class", "link"),
    "gatewayd_messages_total": ("account", "link", "channel", "outcome"),
    "gatewayd_link_results_total": ("link", "outcome", "error"),
    "gatewayd_link_unreachable_total": ("link",),
    "gatewayd_receipts_total": ("link", "state"),
    "gatewayd_receipt_events_total": ("link", "event"),
    "gatewayd_fallbacks_total": ("link", "reason"),
    "gatewayd_capability_answers_total": ("link", "source", "answer"),
    "gatewayd_bulk_questions_total": ("link", "outcome"),
    "gatewayd_uploads_total": ("link", "outcome"),
    "gatewayd_mo_total": ("link", "account", "fate"),
    "gatewayd_deliveries_total": ("account", "kind", "outcome"),
    "gatewayd_faults_total": ("side", "kind"),
    "gatewayd_binds_refused_total": ("status",),
    "gatewayd_limiter_waits_total": ("limit",),
    "gatewayd_limiter_pauses_total": ("limit", "scope"),
    "gatewayd_store_commit_failures_total": (),
}
TIMINGS = {
    "gatewayd_submit_response_seconds": ("account",),
    "gatewayd_accept_to_carrier_seconds": ("link",),
    "gatewayd_carrier_receipt_seconds": ("link",),
    "gatewayd_receipt_to_esme_seconds": ("account",),
    "gatewayd_store_commit_seconds": (),
    "gatewayd_store_group_records": (),
}


@pytest.fixture
def metrics() -> Metrics:
    """Every metric with at least one series."""
    metrics = Metrics("1.2.3")
    for family in vars(metrics).values():
        if isinstance(family, Counters):
            family.labels(*(f"some {name}" for name in family.label_names)).value += 1
        elif isinstance(family, Timings):
            family.labels(*(f"some {name}" for name in family.label_names)).observe(0.2)
    for name, (_, labels) in GAUGES.items():
        readings = [(tuple(f"a {label}" for label in labels), 5.0)]
        metrics.gauges.register(name, readings.copy)
    metrics.store_commit_failures.value += 1
    metrics.store_commit.observe(0.003)
    metrics.store_group.observe_many([1, 200])
    return metrics


def page_of(metrics: Metrics, accept: str) -> str:
    encoder, _ = exposition.choose_encoder(accept)
    return encoder(metrics.registry).decode()


def test_names_and_labels_are_those_promised(metrics: Metrics) -> None:
    found = {
        sample.name: tuple(label for label in sample.labels if label != "le")
        for family in parse_plain(page_of(metrics, ""))
        for sample in family.samples
        if family.name.startswith("gatewayd_")
    }
    expected = dict(COUNTERS)
    for name, labels in TIMINGS.items():
        expected |= {f"{name}_{suffix}": labels for suffix in ("bucket", "count", "sum")}
    expected |= {name: labels for name, (_, labels) in GAUGES.items()}
    assert {name: set(labels) for name, labels in found.items()} == {
        name: set(labels) for name, labels in expected.items()
    }


def test_openmetrics_conforms(metrics: Metrics) -> None:
    page = page_of(metrics, "application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]
    assert families["gatewayd_submits"].type == "counter"
    assert families["gatewayd_store_commit_seconds"].unit == "seconds"
    assert all(family.documentation for family in families.values())
    assert page.endswith("# EOF\n")


def test_build_info(metrics: Metrics) -> None:
    assert re.search(
        r'^gatewayd_build_info\{python="3\.\d+\.\w+",version="1\.2\.3"\} 1\.0$', page_of(metrics, ""), re.MULTILINE
    )


def test_process_metrics_are_there(metrics: Metrics) -> None:
    assert "process_open_fds" in page_of(metrics, "")


def test_failed_gauge_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics("1")
    metrics.gauges.register("gatewayd_link_up", lambda: [((), 1)])
    page_of(metrics, "")
    assert metrics.faults.labels("metrics", "gauge").value == 1
    assert "gatewayd_link_up" in caplog.text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_agrees(metrics: Metrics) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        check=False,
        input=page_of(metrics, ""),
        text=True,
        capture_output=True,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
