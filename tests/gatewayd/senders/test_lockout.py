"""Strangers who guess are locked out; owners, their standing binds and their own addresses are not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.policy.lockout import SHARED_FACTOR, Terms
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_marks import SharedMarks
from gatewayd.senders.lockout import Lockout

OWNER, STRANGER = "192.0.2.7", "203.0.113.9"
FAILURES = 3
TERMS = Terms(FAILURES, 60.0, 300.0)


class Town:
    """Two workers with the same files, and a clock of the test's."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_790_000_000.0
        self.metrics = Metrics("test")
        self.one, self.other = self._worker(folder), self._worker(folder)

    def _worker(self, folder: Path) -> Lockout:
        marks, proven = SharedMarks.open(folder / "lockouts"), SharedMarks.open(folder / "proven")
        return Lockout(TERMS, marks, proven, self.metrics, lambda: self.now)

    def guess(self, account: str, address: str, times: int = FAILURES, *, is_admitted: bool = True) -> None:
        for number in range(times):
            (self.one, self.other)[number % 2].failed(account, address, is_admitted=is_admitted)

    def locked(self, scope: str) -> int:
        return self.metrics.lockouts.labels(scope).value


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    it = Town(tmp_path)
    yield it
    it.one.close()
    it.other.close()


def distributed(town: Town, account: str = "shop", *, is_admitted: bool = True) -> None:
    """A stranger with many addresses, each wrong once."""
    for number in range(FAILURES * SHARED_FACTOR):
        town.guess(account, f"198.51.100.{number}", 1, is_admitted=is_admitted)


def test_one_account_from_one_address_in_all_workers(town: Town) -> None:
    town.guess("shop", STRANGER)
    assert town.one.refuses("shop", STRANGER)
    assert town.other.refuses("shop", STRANGER)
    assert not town.one.refuses("bank", STRANGER), "others behind the same address go on"
    assert not town.one.refuses("shop", OWNER)
    assert [town.locked(scope) for scope in ("bind", "address", "account")] == [1, 0, 0]
    town.now += 301
    assert not town.one.refuses("shop", STRANGER)


def test_an_address_that_tries_name_after_name(town: Town) -> None:
    town.guess("", STRANGER, FAILURES * SHARED_FACTOR - 1)
    assert not town.one.refuses("", STRANGER)
    town.guess("bank", STRANGER, 1)
    assert town.one.refuses("", STRANGER)
    assert town.one.refuses("shop", STRANGER)
    assert not town.one.refuses("shop", OWNER)
    assert town.locked("address") == 1


def test_an_account_that_many_addresses_guess_is_closed_to_strangers_alone(town: Town) -> None:
    town.one.succeeded("shop", OWNER)
    distributed(town)
    assert town.other.refuses("shop", STRANGER), "it never bound from there"
    assert not town.other.refuses("shop", OWNER)
    assert not town.other.refuses("bank", STRANGER)
    assert town.locked("account") == 1


def test_what_is_tried_from_where_an_account_cannot_bind_is_nothing_against_it(town: Town) -> None:
    """So an account with networks stays open to all of these, also to an address that it never used."""
    distributed(town, is_admitted=False)
    assert not town.one.refuses("shop", OWNER)
    assert town.locked("account") == 0


def test_who_shares_an_owners_address_is_locked_out_of_the_account_alone(town: Town) -> None:
    town.one.succeeded("shop", OWNER)
    town.one.succeeded("bank", OWNER)
    town.guess("", OWNER, FAILURES * SHARED_FACTOR)
    assert town.one.refuses("", OWNER)
    assert not town.one.refuses("shop", OWNER), "an address from which it has bound is its owner's"
    town.guess("shop", OWNER)
    assert town.one.refuses("shop", OWNER), "but nobody may guess there for ever"
    assert not town.one.refuses("bank", OWNER)


def test_a_slip_is_forgotten_by_the_next_success(town: Town) -> None:
    for _ in range(5):
        town.guess("shop", OWNER, FAILURES - 1)
        town.one.succeeded("shop", OWNER)
    assert not town.one.refuses("shop", OWNER)


def test_a_whole_site_of_ipv6_is_one(town: Town) -> None:
    for number in range(FAILURES):
        town.guess("shop", f"2001:db8:0:1::{number + 1:x}", 1)
    assert town.one.refuses("shop", "2001:db8:0:1:ffff::1")
    assert not town.one.refuses("shop", "2001:db8:0:2::1")
    assert [row["address"] for row in town.one.listed()] == ["2001:db8:0:1::/64"]


def test_who_has_no_address_is_not_counted(town: Town) -> None:
    town.guess("shop", "", 100)
    town.one.succeeded("shop", "")
    assert not town.one.refuses("shop", "")
    assert [*town.one.listed()] == []


@pytest.mark.parametrize(
    ("account", "address", "count"), [("shop", "", 2), ("", STRANGER, 2), ("shop", STRANGER, 1), ("", "", 3)]
)
def test_people_see_who_is_locked_out_and_let_them_in(town: Town, account: str, address: str, count: int) -> None:
    town.guess("shop", STRANGER)
    assert [*town.other.listed()] == [{"account": "shop", "address": STRANGER, "left_s": 300.0}]
    assert town.other.unlock(account, address) == count, "the marks of address and account that are not full yet too"
    assert not town.one.refuses("shop", STRANGER)
    assert town.one.unlock("shop", STRANGER) == 0


async def test_passwords_of_one_address_are_looked_at_one_at_a_time(town: Town) -> None:
    order: list[str] = []
    may_go, others = asyncio.Event(), asyncio.Event()

    async def look(name: str, address: str) -> None:
        async with town.one.turn(address):
            order.append(f"{name} begins")
            if name == "first":
                await may_go.wait()
            order.append(f"{name} ends")
            if name == "other":
                others.set()

    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        for name, address in (("first", STRANGER), ("second", STRANGER), ("other", OWNER)):
            group.create_task(look(name, address))
        await others.wait()
        assert order == ["first begins", "other begins", "other ends"]
        may_go.set()
    assert order[3:] == ["first ends", "second begins", "second ends"]
    assert town.one._turns == {}
