"""A day in the life: in the end the platform's ledger, the billing records and the receipts agree on every message.

5 000 messages in the suite; ``GATEWAYD_DAY_MESSAGES`` says otherwise, and ``-s`` shows the figures.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.billing.record_files import read_lines
from gatewayd.simulate.rcs_ledger import MessageRecord
from gatewayd.simulate.rcs_quota import busiest
from tests.day.country import PER_MINUTE, PER_SECOND, Country
from tests.day.virtual import BEGINS_AT, VirtualLoop

MESSAGES = int(os.environ.get("GATEWAYD_DAY_MESSAGES", "5000"))
RATIO_MAX = 0.15
MEMORY = Path("/dev/shm")

pytestmark = pytest.mark.timeout(60 if MESSAGES <= 5_000 else 3_600)


class Account:
    """All ledgers side by side."""

    def __init__(self, country: Country) -> None:
        town, ledger = country.town, country.platform.ledger
        self.application = town.application
        self.carrier = town.carrier
        self.interrupted = {f"{message_id:x}" for message_id in town.interrupted}
        self.records: dict[str, list[MessageRecord]] = {}
        for record in ledger.messages.values():
            self.records.setdefault(record.submission.text, []).append(record)
        self.lines = list(read_lines(town.folder / "cdr"))

    def arrived(self, record: MessageRecord) -> bool:
        """Whether the handset was reached over RCS."""
        return "delivered" in record.statuses() or "displayed" in record.statuses()

    def is_known(self, text: str, record: MessageRecord) -> bool:
        """Whether the gateway can know by which name the platform took it: it lived to hear the answer."""
        return record.answered and text not in self.interrupted

    def rcs(self, text: str) -> bool:
        """Whether a message arrived over RCS."""
        return any(self.arrived(record) for record in self.records.get(text, ()))


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
    show(country, time.perf_counter() - began)
    return country


@pytest.fixture(scope="module")
def account(country: Country) -> Account:
    return Account(country)


def show(country: Country, took_s: float) -> None:
    """The figures of the day."""
    account, ledger = Account(country), country.platform.ledger
    states = Counter(state for each in account.application.receipts.values() for state in each.values())
    statuses = Counter(record.status for record in ledger.requests if record.path.endswith("/messages"))
    figures = (
        f"\n{country.submitted} messages in {took_s:.1f} s, {country.loop.time() - BEGINS_AT:.0f} s of virtual time",
        f"receipts {dict(states)}, replies {len(account.application.texts)}, crashes {country.deaths}",
        f"taken by RCS {len(ledger.messages)}, by SMS {sum(account.carrier.taken.values())}",
        f"arrived over RCS {sum(map(account.rcs, account.records))}, over SMS {len(account.carrier.delivered)}",
        f"both ways {sum(account.rcs(text) for text in account.carrier.delivered)}",
        f"busiest minute {ledger.busiest(60.0)}, busiest second {ledger.busiest(1.0)}",
        f"unreachable {ledger.reach.total().share:.4f}, in the worst window {ledger.reach.worst().share:.4f}",
        f"answers to sends {dict(statuses)}, 503 of an outage {country.wire.failed}, refused {country.wire.refused}",
        f"webhooks {len(ledger.webhooks)}, of these tried in vain {country.hooks.refused}",
        f"billing records {len(account.lines)}: {dict(Counter(line.class_name for line in account.lines))}",
        f"interrupted {len(account.interrupted)}",
    )
    sys.stdout.write("\n".join(figures) + "\n")


def test_every_message_that_was_taken_has_one_receipt(account: Account) -> None:
    wrong = {
        f"{message_id:x}": account.application.receipts.get(message_id)
        for message_id in account.application.answered
        if len(account.application.receipts.get(message_id, ())) != 1
    }
    assert wrong == {}
    assert len(account.application.answered) >= MESSAGES * 0.99


def test_receipts_say_what_happened(account: Account) -> None:
    wrong = {}
    for message_id, receipts in account.application.receipts.items():
        text = f"{message_id:x}"
        known = any(
            account.arrived(record) and account.is_known(text, record) for record in account.records.get(text, ())
        )
        is_delivered = "DELIVRD" in receipts.values()
        if is_delivered and not (account.rcs(text) or text in account.carrier.delivered):
            wrong[text] = "told delivered, and was not"
        if not is_delivered and (known or text in account.carrier.delivered):
            wrong[text] = f"delivered, and told {[*receipts.values()]}"
    assert wrong == {}


def test_no_message_went_twice_over_one_way(account: Account) -> None:
    assert {text: len(records) for text, records in account.records.items() if len(records) > 1} == {}
    twice = {text for text, times in account.carrier.taken.items() if times > 1}
    assert twice <= account.interrupted


def test_a_message_arrives_twice_only_where_nobody_could_know(account: Account) -> None:
    """The platform gave no answer, delivered what it had taken back, told late, or a worker died meanwhile."""
    unexplained = [
        text
        for text in account.carrier.delivered
        for record in account.records.get(text, ())
        if account.arrived(record) and account.is_known(text, record) and record.rule.revoke != "raced"
    ]
    assert unexplained == []


def test_every_record_is_written_once(account: Account) -> None:
    assert [name for name, times in Counter(line.id for line in account.lines).items() if times > 1] == []
    sequences: dict[str, list[int]] = {}
    for line in account.lines:
        worker, _, number = line.id.partition("-")
        sequences.setdefault(worker, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())


def test_what_arrived_is_billed_once(account: Account) -> None:
    billed = Counter(name for line in account.lines for name in line.message_ids)
    assert [name for name, times in billed.items() if times > 1] == []
    due = {
        text
        for text, records in account.records.items()
        if any(account.arrived(record) and account.is_known(text, record) for record in records)
    }
    possible = {text for text in account.records if account.rcs(text)}
    billed_mt = {name for name in billed if name in account.records or int(name, 16) in account.application.receipts}
    assert due - billed_mt == set(), "arrived, and not billed"
    assert billed_mt - possible == set(), "billed, and did not arrive"


def test_replies_arrive_once(country: Country, account: Account) -> None:
    """But for answers to what a worker died over: nobody remembers whose message that was."""
    forgotten = sum(
        bool(record.rule.reply_text) and not account.is_known(text, record)
        for text, records in account.records.items()
        for record in records
    )
    said = len(country.platform.ledger.inbound)
    assert said - forgotten <= len(account.application.texts) <= said


def test_the_quota_held_in_every_window(country: Country) -> None:
    sent_at = country.wire.sent_at
    assert busiest(sent_at, 60.0) <= PER_MINUTE
    assert busiest(sent_at, 1.0) <= PER_SECOND
    throttled = sum(record.status == 429 for record in country.platform.ledger.requests)
    assert throttled == country.throttled, "only what was asked for"


def test_the_error_ratio_held_in_every_window(country: Country) -> None:
    assert country.platform.ledger.reach.worst().share <= RATIO_MAX
