"""An account's binds over several workers: as many as it may have, wherever they are, also after a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.runtime.seats import SeatFile
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders import accounts
from gatewayd.senders.accounts import Account, Gatekeeper
from protocol.smpp.constants import Status


class Workers:
    """Two, each with its own file of seats, as processes have."""

    def __init__(self, folder: Path, binds_max: int) -> None:
        self.settings = schema.Account(binds_max=binds_max, rate_per_s=0)
        self.limits = SharedLimits.open(folder / "limits")
        self.files = [SeatFile(folder / "seats", slot) for slot in range(2)]
        self.accounts = [self.account(slot) for slot in range(2)]

    def account(self, slot: int) -> Account:
        seats = self.files[slot].group("account:shop", self.settings.binds_max)
        return Account("shop", self.settings, "hash", self.limits, seats)

    def change(self, binds_max: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, binds_max=binds_max)
        for account in self.accounts:
            account.change(self.settings, "hash")

    def close(self) -> None:
        for file in self.files:
            file.close()
        self.limits.close()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    started = Workers(tmp_path, 3)
    yield started
    started.close()


class Connected(str):
    """A connection, of which an account knows only which it is, and that it learns of other settings."""

    __slots__ = ()

    def learn(self) -> None:
        """Nothing here depends on them."""


def binds(*names: str) -> list[Any]:
    """Connections by their names."""
    return [Connected(name) for name in names]


def test_an_account_has_its_binds_over_all_workers(workers: Workers) -> None:
    one, two = workers.accounts
    a, b, c, d = binds(*"abcd")
    assert (one.seat(a), two.seat(b), one.seat(c)) == (True, True, True)
    assert (one.seat(d), two.seat(d)) == (False, False)
    two.unseat(b)
    assert one.seat(d)
    assert not two.seat(b)


def test_the_binds_of_a_dead_worker_are_free(workers: Workers) -> None:
    one, two = workers.accounts
    for bind in binds(*"abc"):
        assert one.seat(bind)
    workers.files.pop(0).close()  # as the kernel does
    assert all(two.seat(bind) for bind in binds(*"def"))


def test_fewer_binds_leave_those_that_stand_and_let_none_in_before_there_is_room(workers: Workers) -> None:
    one, two = workers.accounts
    a, b, c, d = binds(*"abcd")
    assert one.seat(a)
    assert two.seat(b)
    assert two.seat(c)
    workers.change(2)
    assert (list(one.binds), list(two.binds)) == ([a], [b, c])
    one.unseat(a)
    assert not one.seat(d), "two stand, and two may"
    assert not two.seat(d)
    two.unseat(c)
    assert one.seat(d)
    workers.change(4)
    assert [one.seat(a), two.seat(c), one.seat("e")] == [True, True, False]  # type: ignore[arg-type]


def test_a_refused_bind_keeps_no_seat(workers: Workers) -> None:
    one, two = workers.accounts
    workers.change(1)
    a, b = binds(*"ab")
    assert one.seat(a)
    for _ in range(5):
        assert not one.seat(b)
        assert not two.seat(b)
    one.unseat(a)
    assert two.seat(b)


def test_an_account_that_comes_back_while_its_last_binds_close_counts_them(workers: Workers) -> None:
    old, a, b = workers.accounts[0], *binds(*"ab")
    workers.change(1)
    assert old.seat(a)
    new = workers.account(0)
    assert not new.seat(b)
    old.unseat(a)
    assert new.seat(b)


async def test_an_account_that_goes_while_its_password_is_hashed_lets_nobody_in(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "verify_password", lambda password, stored: True)
    known = {"shop": workers.accounts[0]}
    gatekeeper = Gatekeeper(known)
    account, status = await gatekeeper.check("shop", "secret", "127.0.0.1")
    assert (account, status) == (workers.accounts[0], Status.ESME_ROK)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(gatekeeper.check("shop", "other", "127.0.0.1"))
        await asyncio.sleep(0)
        known.clear()
    assert asking.result() == (None, Status.ESME_RINVSYSID)
