"""Instruments count right, keep their objects, and stay within their bounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.runtime.instruments import OTHER, Counters, Gauge, Gauges, Readings, Timing, Timings, unit_of


def test_labels_are_bound_once() -> None:
    family = Counters("submits", "Help.", ("account", "status"))
    tally = family.labels("shop", "ESME_ROK")
    tally.value += 2
    assert family.labels("shop", "ESME_ROK") is tally
    assert dict(family.items()) == {("shop", "ESME_ROK"): tally}


def test_counter_for_a_scrape() -> None:
    family = Counters("submits", "Help.", ("account",))
    family.labels("shop").value += 3
    figure = family.figure()
    assert (figure.name, figure.kind, figure.labels) == ("submits", "counter", ("account",))
    assert figure.rows == [(("shop",), [3])]
    family.labels("shop").value += 1
    assert figure.rows == [(("shop",), [3])], "a figure is of one moment"


def test_wrong_number_of_labels() -> None:
    with pytest.raises(ValueError, match="zip"):
        Counters("submits", "Help.", ("account", "status")).labels("shop")


def test_strangers_do_not_choose_our_memory() -> None:
    family = Counters("results", "Help.", ("link", "error"), values_max=3)
    for number in range(100):
        family.labels("orange", f"error {number}").value += 1
    counts = {values: tally.value for values, tally in family.items()}
    assert counts == {
        ("orange", "error 0"): 1,
        ("orange", "error 1"): 1,
        ("orange", "error 2"): 1,
        ("orange", OTHER): 97,
    }
    assert family.labels("orange", "error 999") is family.labels("orange", OTHER)
    wide = Counters("results", "Help.", ("error",))
    assert wide.labels("x" * 10_000) is wide.labels(OTHER), "nor how long our lines are"


def test_bucket_bounds_are_inclusive() -> None:
    timing = Timing((1.0, 2.0))
    timing.observe_many([0.5, 1.0, 1.5, 2.0, 2.5])
    assert timing.counts == [2, 2, 1]
    assert timing.total == 7.5


def test_time_that_ran_backwards_counts_as_none() -> None:
    timing = Timing((1.0,))
    timing.observe(-3.0)
    timing.observe_many([-1.0, 0.5])
    assert timing.counts == [3, 0]
    assert timing.total == 0.5


def test_histogram_for_a_scrape() -> None:
    family = Timings("commit_seconds", "Help.", (0.1, 1), ("link",))
    family.labels("orange").observe(0.5)
    figure = family.figure()
    assert (figure.name, figure.unit, figure.kind, figure.bounds) == (
        "commit_seconds",
        "seconds",
        "histogram",
        (0.1, 1.0),
    )
    family.labels("orange").observe(0.5)
    assert figure.rows == [(("orange",), [0, 1, 0, 0.5])]


@pytest.mark.parametrize(
    ("name", "unit"), [("a_wait_seconds", "seconds"), ("a_ratio", "ratio"), ("a_bytes_total", "bytes"), ("submits", "")]
)
def test_the_unit_is_the_last_word(name: str, unit: str) -> None:
    assert unit_of(name) == unit


@given(st.lists(st.floats(-1.0, 20.0)))
@settings(max_examples=50, deadline=None)
def test_many_at_once_is_the_same_as_one_by_one(amounts: list[float]) -> None:
    one, many = Timing((0.0, 1.0, 5.0)), Timing((0.0, 1.0, 5.0))
    for amount in amounts:
        one.observe(amount)
    many.observe_many(amounts)
    assert one.counts == many.counts
    assert one.total == pytest.approx(many.total)
    assert sum(one.counts) == len(amounts)


class Failures:
    """Counts how often it was told of one."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def samples_of(gauges: Gauges) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric and label values."""
    return {figure.name: {values: numbers[0] for values, numbers in figure.rows} for figure in gauges.figures()}


def test_gauges_are_read_at_scrape_time() -> None:
    gauges = Gauges({"binds": Gauge("Help.", ("side", "name")), "idle": Gauge("Help.")}, Failures())
    binds = {"shop": 1}
    gauges.register("binds", lambda: [(("esme", name), count) for name, count in binds.items()])
    gauges.register("binds", lambda: [(("carrier", "orange"), 4)])
    binds["shop"] = 2
    assert samples_of(gauges) == {"binds": {("esme", "shop"): 2, ("carrier", "orange"): 4}, "idle": {}}


def test_same_labels_twice_are_one_sample() -> None:
    gauges = Gauges({"up": Gauge("Help.", ("link",))}, Failures())
    gauges.register("up", lambda: [(("orange",), 0), (("orange",), 1)])
    assert samples_of(gauges) == {"up": {("orange",): 1}}


def test_undeclared_gauge() -> None:
    with pytest.raises(KeyError):
        Gauges({}, Failures()).register("nonsense", list)


def test_failing_gauge_blinds_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Readings:
        raise LookupError("gone")

    def half() -> Iterator[tuple[tuple[str, ...], float]]:
        yield ("orange",), 1.0
        yield ("too", "many"), 1.0

    failures = Failures()
    gauges = Gauges({"up": Gauge("Help.", ("link",)), "age": Gauge("Help.", ("link",))}, failures)
    gauges.register("up", fail)
    gauges.register("up", half)
    gauges.register("age", lambda: [(("orange",), 3.0)])
    for _ in range(2):
        assert samples_of(gauges) == {"up": {("orange",): 1.0}, "age": {("orange",): 3.0}}
    assert failures.count == 4
    assert len(caplog.records) == 1
