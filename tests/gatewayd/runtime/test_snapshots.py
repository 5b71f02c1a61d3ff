"""Several workers' metrics as one page: counters add up and never go back, and gauges go with their worker."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from pathlib import Path

import pytest

from gatewayd.runtime.instruments import Across, Figure, Kind
from gatewayd.runtime.metrics import GAUGES, PROCESS, Metrics
from gatewayd.runtime.snapshots import Ledger, ledger_path, merge, pack, read_counts, unpack

MESSAGES, COMMITS = "gatewayd_messages", "gatewayd_commit_seconds"


def counter(value: float, **labels: str) -> Figure:
    return Figure(MESSAGES, "counter", "Messages.", tuple(labels), [(tuple(labels.values()), [value])])


def gauge(name: str, value: float, across: Across = "sum", kind: Kind = "gauge") -> Figure:
    return Figure(name, kind, "Now.", (), [((), [value])], across=across)


def histogram(*counts: int) -> Figure:
    return Figure(COMMITS, "histogram", "Commits.", (), [((), [*counts, float(sum(counts))])], bounds=(0.1, 1.0))


def numbers_of(figures: list[Figure], name: str, *values: str) -> list[int | float] | None:
    found = [
        numbers for figure in figures if figure.name == name for labels, numbers in figure.rows if labels == values
    ]
    return found[0] if found else None


def value_of(figures: list[Figure], name: str, *values: str) -> float | None:
    numbers = numbers_of(figures, name, *values)
    return numbers[0] if numbers else None


def test_figures_survive_the_way_there_and_back() -> None:
    metrics = Metrics("1.0")
    metrics.messages.labels("shop", "carrier", "sms", "DELIVRD").value += 3
    metrics.store_commit.observe(0.02)
    figures = metrics.figures()
    assert unpack(pack(figures)) == figures


def test_counters_and_histograms_add_up_over_the_labels_of_all() -> None:
    merged = merge(
        [
            [counter(3, link="a"), histogram(1, 2, 2)],
            [counter(4, link="a"), histogram(0, 1, 5)],
            [counter(5, link="b")],
        ]
    )
    assert value_of(merged, MESSAGES, "a") == 7
    assert value_of(merged, MESSAGES, "b") == 5
    assert numbers_of(merged, COMMITS) == [1, 3, 7, 11.0]
    assert [figure.name for figure in merged] == [MESSAGES, COMMITS]


@pytest.mark.parametrize("seed", range(5))
def test_a_sum_is_of_all_however_many_stand_still(seed: int) -> None:
    chance = random.Random(seed)
    links = [f"carrier-{number}" for number in range(6)]
    counts = [{link: chance.choice((0, 0, 0.5, 3)) for link in chance.sample(links, 4)} for _ in range(3)]
    workers = [
        [Figure(MESSAGES, "counter", "Messages.", ("link",), [((link,), [count]) for link, count in own.items()])]
        for own in counts
    ]
    merged = merge(workers)
    for link in links:
        seen = [own[link] for own in counts if link in own]
        assert value_of(merged, MESSAGES, link) == (sum(seen) if seen else None)


def test_what_another_version_counted_otherwise_is_left_out() -> None:
    old = Figure(COMMITS, "histogram", "Commits.", (), [((), [1, 1, 2.0])], bounds=(0.1,))
    merged = merge([[histogram(1, 2, 3), counter(1, link="a")], [old, counter(1, account="a")]])
    assert numbers_of(merged, COMMITS) == [1, 2, 3, 6.0]
    assert value_of(merged, MESSAGES, "a") == 1


@pytest.mark.parametrize(
    ("name", "merged"),
    [
        ("gatewayd_queue_messages", 5.0),
        ("gatewayd_binds", 5.0),
        ("gatewayd_outbox_max_deliveries", 5.0),
        ("gatewayd_store_pending_max_records", 5.0),
        ("gatewayd_queue_oldest_age_seconds", 3.0),
        ("gatewayd_link_up", 3.0),
        ("gatewayd_limiter_paused_seconds", 3.0),
        ("gatewayd_store_disk_free_bytes", 2.0),
        ("process_start_time_seconds", 2.0),
        ("process_resident_memory_bytes", 5.0),
        ("process_open_fds", 3.0),
    ],
)
def test_gauges_add_up_unless_all_see_the_same_thing(name: str, merged: float) -> None:
    across = PROCESS[name] if name in PROCESS else GAUGES[name].across
    assert value_of(merge([[gauge(name, 2.0, across)], [gauge(name, 3.0, across)]]), name) == merged


def test_the_order_of_the_workers_makes_no_difference() -> None:
    """Else the last bit would go back and forth with who is asked, and each time look like a restart."""
    pages = [[counter(value)] for value in (0.1, 0.2, 0.3, 1e9, 0.7)]
    sums = {value_of(merge(chance), MESSAGES) for chance in (pages, pages[::-1], pages[2:] + pages[:2])}
    assert len(sums) == 1


def test_numbers_that_are_none_travel_too() -> None:
    figures = unpack(pack([gauge("f", math.inf), gauge("g", math.nan)]))
    assert value_of(figures, "f") == math.inf
    assert math.isnan(value_of(figures, "g") or 0.0)


def test_a_successor_goes_on_counting_and_has_gauges_of_its_own(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 0)
    first = Ledger(path)
    first.snapshot([counter(5), gauge("gatewayd_binds", 3.0), histogram(1, 0, 0)])
    first.snapshot([counter(7), gauge("gatewayd_binds", 4.0), histogram(1, 1, 0)])
    second = Ledger(path)
    shown = second.snapshot([counter(1), gauge("gatewayd_binds", 1.0), histogram(0, 0, 1)])
    assert value_of(shown, MESSAGES) == 8
    assert value_of(shown, "gatewayd_binds") == 1
    assert numbers_of(shown, "gatewayd_commit_seconds") == [1, 1, 1, 3.0]
    assert value_of(second.snapshot([counter(2)]), MESSAGES) == 9
    assert value_of(Ledger(path).snapshot([counter(0)]), MESSAGES) == 9


def test_what_a_dead_worker_has_shown_is_read_without_its_gauges(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 1)
    Ledger(path).snapshot([counter(5), gauge("gatewayd_binds", 3.0)])
    counts = read_counts(path)
    assert value_of(counts, MESSAGES) == 5
    assert value_of(counts, "gatewayd_binds") is None


@pytest.mark.parametrize("content", [b"", b"\x93", b"garbage", b"[]", pack([])[:0], b"\x91\xc0"])
def test_a_torn_file_counts_nothing_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = ledger_path(tmp_path, 0)
    path.write_bytes(content)
    assert read_counts(path) == []
    assert value_of(Ledger(path).snapshot([counter(2)]), MESSAGES) == 2
    assert value_of(read_counts(path), MESSAGES) == 2


def test_a_death_in_the_midst_of_writing_leaves_the_last_counts(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, 0)
    Ledger(path).snapshot([counter(2)])
    path.with_suffix(".new").write_bytes(path.read_bytes()[:-3])
    assert value_of(read_counts(path), MESSAGES) == 2
    assert value_of(Ledger(path).snapshot([counter(1)]), MESSAGES) == 3


def test_what_somebody_else_keeps_is_not_kept_here(tmp_path: Path) -> None:
    """The supervisor tells every worker how often each died: that would be added to what it told the last time."""
    path = ledger_path(tmp_path, 0)
    Ledger(path).snapshot([gauge("gatewayd_worker_deaths", 3.0, "max", "counter")])
    assert read_counts(path) == []


async def test_who_asks_first_is_written_down_first(tmp_path: Path) -> None:
    ledger, counts = Ledger(ledger_path(tmp_path, 0)), itertools.count(1)
    shown = await asyncio.gather(*(ledger.show(lambda: [counter(next(counts))]) for _ in range(20)))
    assert [value_of(figures, MESSAGES) for figures in shown] == list(range(1, 21))
    assert value_of(read_counts(ledger_path(tmp_path, 0)), MESSAGES) == 20


def test_there_may_be_no_file_at_all(tmp_path: Path) -> None:
    assert read_counts(tmp_path / "nothing") == []


def test_a_folder_that_cannot_be_written_costs_no_scrape(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "gone" / "metrics-0.counts")
    for value in (1, 2):
        assert value_of(ledger.snapshot([counter(value)]), MESSAGES) == value
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
                shown = value_of(merge(pages), MESSAGES) or 0.0
                assert shown >= shown_before, f"seed {seed}"
                shown_before = shown
