"""Several workers' metrics as one page: counters add up and never go back, and gauges go with their worker."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.snapshots import (
    Family,
    Ledger,
    Sample,
    families_of,
    ledger_path,
    merge,
    metrics_of,
    pack,
    read_counts,
    unpack,
)


def counter(value: float, **labels: str) -> Metric:
    family = CounterMetricFamily("gatewayd_messages", "Messages.", labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def gauge(name: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, "Now.", labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def histogram(*counts: float) -> Metric:
    family = HistogramMetricFamily("gatewayd_commit_seconds", "Commits.", unit="seconds")
    bounds = ("0.1", "1.0", "+Inf")
    family.add_metric([], buckets=list(zip(bounds, counts, strict=True)), sum_value=sum(counts))
    return family


def value_of(families: list[Family], name: str, **labels: str) -> float | None:
    wanted = tuple(sorted(labels.items()))
    for family in families:
        for sample in family.samples:
            if sample.name == name and sample.labels == wanted:
                return sample.value
    return None


def test_a_registry_survives_the_way_there_and_back() -> None:
    metrics = Metrics("1.0")
    metrics.messages.labels("shop", "carrier", "sms", "DELIVRD").value += 3
    metrics.store_commit.observe(0.02)
    families = families_of(metrics.registry.collect())
    there = metrics_of(unpack(pack(families)))

    class Page:
        def collect(self) -> list[Metric]:
            return there

    page = generate_latest(Page()).decode()
    found = {s.name: s for family in text_string_to_metric_families(page) for s in family.samples}
    assert found["gatewayd_messages_total"].value == 3
    assert found["gatewayd_messages_total"].labels["outcome"] == "DELIVRD"
    assert found["gatewayd_store_commit_seconds_count"].value == 1


def test_counters_and_histograms_add_up_over_the_labels_of_all() -> None:
    merged = merge(
        [
            families_of([counter(3, link="a"), histogram(1, 2, 2)]),
            families_of([counter(4, link="a"), histogram(0, 1, 5)]),
            families_of([counter(5, link="b")]),
        ]
    )
    assert value_of(merged, "gatewayd_messages_total", link="a") == 7
    assert value_of(merged, "gatewayd_messages_total", link="b") == 5
    buckets = [s.value for s in merged[1].samples if s.name.endswith("_bucket")]
    assert buckets == [1, 3, 7]
    assert [family.name for family in merged] == ["gatewayd_messages", "gatewayd_commit_seconds"]


@pytest.mark.parametrize(
    ("name", "merged"),
    [
        ("gatewayd_queue_messages", 5.0),
        ("gatewayd_binds", 5.0),
        ("gatewayd_queue_oldest_age_seconds", 3.0),
        ("gatewayd_link_up", 3.0),
        ("gatewayd_limiter_paused_seconds", 3.0),
        ("process_start_time_seconds", 2.0),
        ("process_resident_memory_bytes", 5.0),
    ],
)
def test_gauges_add_up_unless_all_see_the_same_thing(name: str, merged: float) -> None:
    families = merge([families_of([gauge(name, 2.0)]), families_of([gauge(name, 3.0)])])
    assert value_of(families, name) == merged


def test_the_order_of_the_workers_makes_no_difference() -> None:
    """Else the last bit would go back and forth with who is asked, and each time look like a restart."""
    pages = [families_of([counter(value)]) for value in (0.1, 0.2, 0.3, 1e9, 0.7)]
    sums = {
        value_of(merge(chance), "gatewayd_messages_total") for chance in (pages, pages[::-1], pages[2:] + pages[:2])
    }
    assert len(sums) == 1


def test_numbers_that_are_none_travel_too() -> None:
    families = [Family("f", "gauge", "", "", [Sample("f", (), math.inf), Sample("g", (), math.nan)])]
    values = [sample.value for sample in unpack(pack(families))[0].samples]
    assert values[0] == math.inf
    assert math.isnan(values[1])


def test_a_successor_goes_on_counting_and_has_gauges_of_its_own(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 0)
    first = Ledger(path)
    first.snapshot([counter(5), gauge("gatewayd_binds", 3.0), histogram(1, 1, 1)])
    first.snapshot([counter(7), gauge("gatewayd_binds", 4.0), histogram(1, 2, 2)])
    second = Ledger(path)
    shown = second.snapshot([counter(1), gauge("gatewayd_binds", 1.0), histogram(0, 0, 1)])
    assert value_of(shown, "gatewayd_messages_total") == 8
    assert value_of(shown, "gatewayd_binds") == 1
    assert value_of(shown, "gatewayd_commit_seconds_count") == 3
    assert value_of(second.snapshot([counter(2)]), "gatewayd_messages_total") == 9
    assert value_of(Ledger(path).snapshot([counter(0)]), "gatewayd_messages_total") == 9


def test_what_a_dead_worker_has_shown_is_read_without_its_gauges(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 1)
    Ledger(path).snapshot([counter(5), gauge("gatewayd_binds", 3.0)])
    counts = read_counts(path)
    assert value_of(counts, "gatewayd_messages_total") == 5
    assert value_of(counts, "gatewayd_binds") is None


@pytest.mark.parametrize("content", [b"", b"\x93", b"garbage", b"[]", pack([])[:0], b"\x91\xc0"])
def test_a_torn_file_counts_nothing_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = ledger_path(tmp_path, 0)
    path.write_bytes(content)
    assert read_counts(path) == []
    assert value_of(Ledger(path).snapshot([counter(2)]), "gatewayd_messages_total") == 2
    assert value_of(read_counts(path), "gatewayd_messages_total") == 2


def test_a_death_in_the_midst_of_writing_leaves_the_last_counts(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 0)
    Ledger(path).snapshot([counter(2)])
    path.with_suffix(".new").write_bytes(path.read_bytes()[:-3])
    assert value_of(read_counts(path), "gatewayd_messages_total") == 2
    assert value_of(Ledger(path).snapshot([counter(1)]), "gatewayd_messages_total") == 3


def test_there_may_be_no_file_at_all(tmp_path: Path) -> None:
    assert read_counts(tmp_path / "nothing") == []


def test_a_folder_that_cannot_be_written_costs_no_scrape(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "gone" / "metrics-0.counts")
    for value in (1, 2):
        assert value_of(ledger.snapshot([counter(value)]), "gatewayd_messages_total") == value
    assert caplog.text.count("cannot be written down") == 1


@pytest.mark.parametrize("seed", range(5))
def test_whoever_dies_no_counter_ever_goes_back(tmp_path: Path, seed: int) -> None:
    """Three slots count, are scraped, die and begin again; shown are the living, and what is written of the dead."""
    chance = random.Random(seed)
    ledgers: list[Ledger | None] = [Ledger(ledger_path(tmp_path, slot)) for slot in range(3)]
    counts = [0, 0, 0]
    shown_before = 0.0
    for _ in range(200):
        slot = chance.randrange(3)
        match chance.choice(["count", "count", "scrape", "die", "begin"]):
            case "count" if ledgers[slot] is not None:
                counts[slot] += chance.randrange(10)
            case "die":
                ledgers[slot], counts[slot] = None, 0
            case "begin" if ledgers[slot] is None:
                ledgers[slot] = Ledger(ledger_path(tmp_path, slot))
            case "scrape":
                pages = [
                    ledger.snapshot([counter(counts[at])])
                    if ledger is not None and chance.random() < 0.9  # now and then one does not answer in time
                    else read_counts(ledger_path(tmp_path, at))
                    for at, ledger in enumerate(ledgers)
                ]
                shown = value_of(merge(pages), "gatewayd_messages_total") or 0.0
                assert shown >= shown_before, f"seed {seed}"
                shown_before = shown
