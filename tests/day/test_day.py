"""A day in the life: in the end the platform's ledger, the billing records and the receipts agree on every message.

5 000 messages in the suite; ``GATEWAYD_DAY_MESSAGES`` says otherwise, and ``-s`` shows the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatewayd.billing.record_files import Line, read_lines
from gatewayd.billing.record_table import NAME
from gatewayd.simulate import reckoning
from gatewayd.simulate.rcs_ledger import MessageRecord
from gatewayd.simulate.reckoning import Billed, Books
from tests.day.country import PER_MINUTE, PER_SECOND, Country
from tests.day.virtual import BEGINS_AT, VirtualLoop

MESSAGES = int(os.environ.get("GATEWAYD_DAY_MESSAGES", "5000"))
MEMORY = Path("/dev/shm")

pytestmark = pytest.mark.timeout(60 if MESSAGES <= 5_000 else 3_600)


def books_of(country: Country, lines: list[Line]) -> Books:
    """All ledgers side by side."""
    town, ledger = country.town, country.platform.ledger
    application, carrier = town.application, town.carrier
    records: dict[str, list[MessageRecord]] = {}
    for record in ledger.messages.values():
        records.setdefault(record.submission.text, []).append(record)
    receipts = {f"{number:x}": [*states.values()] for number, states in application.receipts.items()}
    ours = records.keys() | receipts.keys()
    return Books(
        answered={f"{number:x}" for number in application.answered},
        receipts=receipts,
        records=records,
        carried=Counter(carrier.taken),
        reached=carrier.delivered,
        interrupted={f"{number:x}" for number in town.interrupted},
        billed=[Billed(line.id, tuple(name for name in line.message_ids if name in ours)) for line in lines],
        replies=Counter(application.texts.values()),
        said=len(ledger.inbound),
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where there is such a place: a process that is killed loses nothing there that it would not on disk."""
    with tempfile.TemporaryDirectory(prefix="day-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def country(folder: Path) -> Country:
    """A day that is over."""
    began = time.perf_counter()

    async def day() -> Country:
        country = Country(folder, MESSAGES, seed=1)
        try:
            await country.live()
        finally:
            await country.close()
        return country

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        country = runner.run(day())
    show(country, folder, time.perf_counter() - began)
    return country


@pytest.fixture(scope="module")
def books(country: Country, folder: Path) -> Books:
    return books_of(country, list(read_lines(folder / "cdr")))


def show(country: Country, folder: Path, took_s: float) -> None:
    """The figures of the day."""
    lines = list(read_lines(folder / "cdr"))
    books, ledger = books_of(country, lines), country.platform.ledger
    states = Counter(state for each in books.receipts.values() for state in each)
    statuses = Counter(record.status for record in ledger.requests if record.path.endswith("/messages"))
    figures = (
        f"\n{country.submitted} messages in {took_s:.1f} s, {country.loop.time() - BEGINS_AT:.0f} s of virtual time",
        f"receipts {dict(states)}, replies {books.replies.total()}, crashes {country.deaths}",
        f"taken by RCS {len(ledger.messages)}, by SMS {books.carried.total()}",
        f"arrived over RCS {sum(map(books.came_by_rcs, books.records))}, over SMS {len(books.reached)}",
        f"both ways {sum(map(books.came_by_rcs, books.reached))}",
        f"busiest minute {ledger.busiest(60.0)}, busiest second {ledger.busiest(1.0)}",
        f"unreachable {ledger.reach.total().share:.4f}, in the worst window {ledger.reach.worst().share:.4f}",
        f"answers to sends {dict(statuses)}, 503 of an outage {country.wire.failed}, refused {country.wire.refused}",
        f"webhooks {len(ledger.webhooks)}, of these tried in vain {country.hooks.refused}",
        f"billing records {len(lines)}: {dict(Counter(line.class_name for line in lines))}",
        f"interrupted {len(books.interrupted)}",
    )
    sys.stdout.write("\n".join(figures) + "\n")


def test_it_was_a_day_of_rcs(country: Country, books: Books) -> None:
    """All else could be true of a day on which nothing went over RCS."""
    assert sum(map(books.came_by_rcs, books.records)) > 0.3 * MESSAGES
    assert len(books.reached) > 0.3 * MESSAGES
    assert len(books.billed) > 0.2 * MESSAGES
    assert country.deaths == 2


def test_every_message_that_was_taken_has_one_receipt(books: Books) -> None:
    assert reckoning.without_one_end(books) == {}
    assert len(books.answered) >= MESSAGES * 0.99


def test_receipts_say_what_happened(books: Books) -> None:
    assert reckoning.wrongly_told(books) == {}


def test_no_message_went_twice_over_one_way(books: Books) -> None:
    assert reckoning.taken_twice(books) == {}


def test_a_message_arrives_twice_only_where_nobody_could_know(books: Books) -> None:
    assert reckoning.arrived_twice(books) == []


def test_every_record_is_written_once(books: Books) -> None:
    assert reckoning.records_astray(books) == []


def test_the_table_has_the_same_records(country: Country, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "cdr" / NAME)) as connection:
        rows = connection.execute("SELECT id, message_ids FROM record").fetchall()
    assert country.deaths
    assert sorted((name, tuple(json.loads(ids))) for name, ids in rows) == sorted(
        (line.id, line.message_ids) for line in read_lines(folder / "cdr")
    )


def test_what_arrived_is_billed_once(books: Books) -> None:
    assert reckoning.billed_twice(books) == []
    assert reckoning.not_billed(books) == set()
    assert reckoning.billed_in_vain(books) == set()


def test_replies_arrive_once(books: Books) -> None:
    assert reckoning.replies_missing(books) == 0
    assert [text for text, times in books.replies.items() if times > 1] == []


def test_the_quota_held_in_every_window(country: Country) -> None:
    assert reckoning.over_quota(country.wire.sent_at, PER_MINUTE, PER_SECOND) == {}
    throttled = sum(record.status == 429 for record in country.platform.ledger.requests)
    assert throttled == country.throttled, "only what was asked for"


def test_the_error_ratio_held_in_every_window(country: Country) -> None:
    assert reckoning.over_ratio(country.platform.ledger.reach.worst()) == 0.0
