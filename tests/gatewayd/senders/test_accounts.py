"""Who may bind, from where, how often and as whom; and how many messages may come now."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.config.passwords import hash_password, verify_password
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders import accounts as module
from gatewayd.senders.accounts import Account, Gatekeeper
from protocol.smpp.constants import Status

PASSWORD_HASH = hash_password("secret", random.Random(1))


@pytest.fixture
def limits(tmp_path: Path) -> Iterator[SharedLimits]:
    limits = SharedLimits.open(tmp_path / "limits")
    yield limits
    limits.close()


def account(limits: SharedLimits, **settings: Any) -> Account:
    return Account("shop", schema.Account(**settings), PASSWORD_HASH, limits)


@pytest.mark.parametrize(
    ("networks", "address", "admitted"),
    [
        ((), "203.0.113.9", True),
        ((), "", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8", "192.0.2.1/32"), "192.0.2.1", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "2001:db8::1", False),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "no address", False),
    ],
)
def test_networks(limits: SharedLimits, networks: tuple[str, ...], address: str, admitted: bool) -> None:
    assert account(limits, networks=networks).admits(address) is admitted


@pytest.mark.parametrize(
    ("senders", "sender", "allowed"),
    [
        (("*",), "anything", True),
        (("SHOP",), "SHOP", True),
        (("SHOP",), "SHOPS", False),
        (("SHOP",), "shop", False),
        (("SHOP*",), "SHOPS", True),
        (("SHOP*", "337"), "337", True),
        (("SHOP",), "", False),
        ((), "SHOP", False),
    ],
)
def test_senders(limits: SharedLimits, senders: tuple[str, ...], sender: str, allowed: bool) -> None:
    it = account(limits, senders=senders)
    assert it.may_send_as(sender) is allowed
    assert it.may_send_as(sender) is allowed, "remembered as it was"


def test_what_is_remembered_of_senders_is_bounded(limits: SharedLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SENDERS_MAX", 3)
    it = account(limits, senders=("1*",))
    assert [it.may_send_as(f"1{number}") for number in range(10)] == [True] * 10
    assert len(it._sender_known) == 3


def test_no_rate_is_no_limit(limits: SharedLimits) -> None:
    assert account(limits, rate_per_s=0).take(1_000_000) == 1_000_000


def test_without_a_burst_one_second_may_come_at_once(limits: SharedLimits) -> None:
    it = account(limits, rate_per_s=100)
    assert it.take(1) == 1
    assert it.take(1) == 1, "the second of a hundred a second is never refused"
    assert 98 <= it.take(500) <= 99
    assert it.take(500) <= 1


@pytest.mark.parametrize(("rate", "burst", "first"), [(0.5, 0.0, 1), (10.0, 25.0, 25), (1.0, 3.0, 3)])
def test_a_burst_of_its_own(limits: SharedLimits, rate: float, burst: float, first: int) -> None:
    assert account(limits, rate_per_s=rate, burst=burst).take(100) == first


def test_two_that_share_the_file_share_the_rate(limits: SharedLimits) -> None:
    one, other = account(limits, rate_per_s=10), account(limits, rate_per_s=10)
    assert one.take(7) == 7
    assert other.take(10) == 3


class Door:
    """A gatekeeper whose hashing is counted."""

    def __init__(self, limits: SharedLimits, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.hashed: list[str] = []
        self.shop = account(limits, **settings)
        self.keeper = Gatekeeper({"shop": self.shop})

        def counted(password: str, stored: str) -> bool:
            self.hashed.append(password)
            return verify_password(password, stored)

        monkeypatch.setattr(module, "verify_password", counted)

    async def check(self, system_id: str = "shop", password: str = "secret", address: str = "10.0.0.1") -> int:
        found, status = await self.keeper.check(system_id, password, address)
        assert (found is self.shop) == (status == 0)
        return status


@pytest.mark.parametrize(
    ("system_id", "password", "address", "status"),
    [
        ("shop", "secret", "10.0.0.1", Status.ESME_ROK),
        ("shop", "wrong", "10.0.0.1", Status.ESME_RINVPASWD),
        ("shop", "", "10.0.0.1", Status.ESME_RINVPASWD),
        ("nobody", "secret", "10.0.0.1", Status.ESME_RINVSYSID),
        ("SHOP", "secret", "10.0.0.1", Status.ESME_RINVSYSID),
        ("shop", "secret", "192.0.2.1", Status.ESME_RBINDFAIL),
        # Whoever could not bind from there learns nothing of the password.
        ("shop", "wrong", "192.0.2.1", Status.ESME_RBINDFAIL),
    ],
)
async def test_each_refusal_has_its_status(
    limits: SharedLimits,
    monkeypatch: pytest.MonkeyPatch,
    system_id: str,
    password: str,
    address: str,
    status: Status,
) -> None:
    door = Door(limits, monkeypatch, networks=("10.0.0.0/8",))
    assert await door.check(system_id, password, address) == status
    looked_at = 0 if status == Status.ESME_RBINDFAIL else 1
    assert len(door.hashed) == looked_at, "an unknown name costs as much as a wrong password"


async def test_no_more_binds_than_allowed(limits: SharedLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(limits, monkeypatch, binds_max=1)
    assert door.shop.seat(cast(Any, object()))
    assert await door.check() == Status.ESME_RALYBND


async def test_a_right_password_is_hashed_once_a_wrong_one_each_time(
    limits: SharedLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(limits, monkeypatch)
    for _ in range(3):
        assert await door.check() == 0
    assert door.hashed == ["secret"]
    for _ in range(2):
        assert await door.check(password="wrong") == Status.ESME_RINVPASWD
    assert door.hashed == ["secret", "wrong", "wrong"]


async def test_a_new_hash_makes_the_old_password_wrong(limits: SharedLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(limits, monkeypatch)
    assert await door.check() == 0
    door.shop.password_hash = hash_password("changed", random.Random(2))
    assert await door.check() == Status.ESME_RINVPASWD


async def test_what_is_remembered_of_passwords_is_bounded(
    limits: SharedLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KNOWN_MAX", 0)
    door = Door(limits, monkeypatch)
    assert [await door.check(), await door.check()] == [0, 0]
    assert len(door.hashed) == 2
