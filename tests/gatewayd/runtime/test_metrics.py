"""The declared metrics, as a real scraper's parser reads them, and as the conventions of their names want them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from gatewayd.runtime.exposition import OPENMETRICS, PLAIN, Pages
from gatewayd.runtime.instruments import Counters, Gauge, Timings
from gatewayd.runtime.metrics import GAUGES, LABELS, PROCESS, Metrics


@pytest.fixture
def metrics() -> Metrics:
    """Every metric with at least one series."""
    metrics = Metrics("1.2.3")
    for family in metrics.declared().values():
        if isinstance(family, Counters):
            family.labels(*(f"some {name}" for name in family.label_names)).value += 1
        elif isinstance(family, Timings):
            family.labels(*(f"some {name}" for name in family.label_names)).observe(0.2)
    for name, gauge in GAUGES.items():
        readings = [(tuple(f"a {label}" for label in gauge.labels), 5.0)]
        metrics.gauges.register(name, readings.copy)
    return metrics


def labels_of(family: Counters | Timings | Gauge) -> tuple[str, ...]:
    return family.labels if isinstance(family, Gauge) else family.label_names


def page_of(metrics: Metrics, content_type: str = PLAIN) -> str:
    return Pages().render(metrics.figures(), content_type).decode()


def test_everything_that_is_declared_is_shown(metrics: Metrics) -> None:
    found = {
        family.name: {label for sample in family.samples for label in sample.labels if label != "le"}
        for family in parse_plain(page_of(metrics))
    }
    promised = {name: set(labels_of(family)) for name, family in metrics.declared().items()}
    assert {name: labels for name, labels in found.items() if name.startswith("gatewayd_")} == promised
    assert found.keys() - promised.keys() == set(PROCESS)


def test_openmetrics_conforms(metrics: Metrics) -> None:
    page = page_of(metrics, OPENMETRICS)
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]
    assert families["gatewayd_submits"].type == "counter"
    assert families["gatewayd_store_commit_seconds"].unit == "seconds"
    assert all(family.documentation for family in families.values())
    assert page.endswith("# EOF\n")


def test_every_label_is_explained(metrics: Metrics) -> None:
    assert {label for family in metrics.declared().values() for label in labels_of(family)} == set(LABELS)


def test_nothing_is_named_by_a_number_or_a_message() -> None:
    assert not {"handset", "number", "message", "message_id", "id", "source", "destination"} & (
        LABELS.keys() - {"source"}
    )


def test_build_info(metrics: Metrics) -> None:
    assert re.search(
        r'^gatewayd_build_info\{version="1\.2\.3",python="3\.\d+\.\w+",protocol="pure"\} 1$',
        page_of(metrics),
        re.MULTILINE,
    )


def test_failed_gauge_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics("1")
    metrics.gauges.register("gatewayd_link_up", lambda: [((), 1)])
    page_of(metrics)
    assert metrics.faults.labels("metrics", "gauge").value == 1
    assert "gatewayd_link_up" in caplog.text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_agrees(metrics: Metrics) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        check=False,
        input=page_of(metrics),
        text=True,
        capture_output=True,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
