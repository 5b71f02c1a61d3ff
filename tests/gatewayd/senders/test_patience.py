"""What is a little too fast waits for its turn; what cannot have it in time is refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatewayd.config import schema
from gatewayd.runtime.instruments import Tally
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders.accounts import Account
from gatewayd.senders.patience import Patience
from protocol.smpp.pdu import SubmitSm
from tests.support.watch import Watch


class Bind:
    """A bind of an account, which keeps what is handed in."""

    def __init__(self, account: Account) -> None:
        self.watch = Watch()
        self.taken: list[int] = []
        self.refused: list[int] = []
        self.empties = 0
        self.delayed = Tally()
        self.patience = Patience(account, self._on_empty, self.delayed)

    def submit(self, first: int, count: int) -> None:
        self.patience.take([SubmitSm(sequence=number) for number in range(first, first + count)], self._hand_in)

    def _hand_in(self, submits: Sequence[SubmitSm], granted: int) -> None:
        self.taken += [submit.sequence for submit in submits[:granted]]
        self.refused += [submit.sequence for submit in submits[granted:]]
        self.watch.ring()

    def _on_empty(self) -> None:
        self.empties += 1
        self.watch.ring()


Open = Callable[..., Account]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    limits, budgets = SharedLimits.open(tmp_path / "limits"), SharedBudgets.open(tmp_path / "budgets")

    def account(**settings: Any) -> Account:
        return Account("shop", schema.Account(**settings), "", limits, None, budgets)

    yield account
    limits.close()
    budgets.close()


async def test_a_little_too_fast_waits_and_keeps_its_order(opened: Open) -> None:
    bind = Bind(opened(rate_per_s=500.0, burst=10.0, throttle_delay_s=5.0))
    bind.submit(1, 30)
    assert 10 <= len(bind.taken) <= 12
    assert len(bind.patience) == 30 - len(bind.taken) == bind.delayed.value
    bind.submit(31, 5)
    assert bind.taken == [*range(1, len(bind.taken) + 1)], "nobody overtakes those who wait"
    await bind.watch.until(lambda: len(bind.taken) == 35)
    assert bind.taken == [*range(1, 36)]
    assert bind.refused == []
    assert bind.empties == 1


async def test_who_would_wait_too_long_is_refused_at_once(opened: Open) -> None:
    bind = Bind(opened(rate_per_s=100.0, burst=1.0, throttle_delay_s=0.1))
    bind.submit(1, 100)
    assert 8 <= len(bind.patience) <= 11
    assert bind.refused == [*range(len(bind.taken) + len(bind.patience) + 1, 101)]
    bind.submit(101, 3)
    assert bind.refused[-3:] == [101, 102, 103], "the line is as long as it may be"
    await bind.watch.until(lambda: bind.empties == 1)
    assert len(bind.taken) + len(bind.refused) == 103


async def test_two_binds_share_the_pace_and_who_waited_in_vain_is_refused(opened: Open) -> None:
    account = opened(rate_per_s=50.0, burst=1.0, throttle_delay_s=0.1)
    one, other = Bind(account), Bind(account)
    one.submit(1, 6)
    other.submit(1, 6)
    await one.watch.until(lambda: not one.patience)
    await other.watch.until(lambda: not other.patience)
    taken = len(one.taken) + len(other.taken)
    assert 5 <= taken <= 12
    assert taken + len(one.refused) + len(other.refused) == 12


async def test_a_day_that_is_used_up_is_not_waited_for(opened: Open) -> None:
    bind = Bind(opened(rate_per_s=0, per_day=3, throttle_delay_s=10.0))
    bind.submit(1, 5)
    assert bind.taken == [1, 2, 3]
    assert bind.refused == [4, 5]
    assert not bind.patience


async def test_other_requests_wait_in_the_same_line(opened: Open) -> None:
    bind = Bind(opened(rate_per_s=500.0, burst=1.0, throttle_delay_s=5.0))
    told: list[tuple[list[int], int]] = []

    def several(submits: Sequence[SubmitSm], granted: int) -> None:
        told.append(([submit.sequence for submit in submits], granted))

    bind.submit(1, 3)
    bind.patience.take([SubmitSm(sequence=number) for number in (11, 12)], several)
    bind.submit(4, 2)
    await bind.watch.until(lambda: len(bind.taken) == 5)
    assert bind.taken == [1, 2, 3, 4, 5]
    assert [number for numbers, _ in told for number in numbers] == [11, 12]
    assert all(len(numbers) == granted for numbers, granted in told)
    assert bind.empties == 1


async def test_what_waits_when_the_bind_goes_was_never_taken(opened: Open) -> None:
    account = opened(rate_per_s=1_000.0, burst=1.0, throttle_delay_s=1.0)
    bind, other = Bind(account), Bind(account)
    bind.submit(1, 5)
    taken = [*bind.taken]
    bind.patience.close()
    other.submit(1, 5)
    async with asyncio.timeout(10):
        await other.watch.until(lambda: len(other.taken) == 5)
    assert bind.taken == taken
    assert not bind.patience
