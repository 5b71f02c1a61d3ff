"""Passwords over HTTP: few are hashed at a time, who guesses is stopped, and who is known does not wait."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatewayd.runtime.tasks import spawn
from gatewayd.senders import http_passwords
from gatewayd.senders.accounts import Gatekeeper
from gatewayd.senders.failures import FAILURES_MAX, FAILURES_S, Failures
from gatewayd.senders.http_passwords import AT_ONCE, NotNow, Passwords

PEER = "192.0.2.7"


class Keeper:
    """Knows one password, and looks at others when it is let."""

    def __init__(self) -> None:
        self.account: Any = SimpleNamespace(admits=lambda peer: peer != "192.0.2.66")
        self.is_remembered = False
        self.at_once = self.at_once_max = self.looked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def remembered(self, name: str, password: str) -> Any:
        return self.account if self.is_remembered and (name, password) == ("shop", "secret") else None

    async def recognised(self, name: str, password: str) -> Any:
        self.looked += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        await self.gate.wait()
        self.at_once -= 1
        return self.account if (name, password) == ("shop", "secret") else None


class Door:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.keeper = Keeper()
        self.passwords = Passwords(cast("Gatekeeper", self.keeper), Failures(lambda: self.now))

    async def knock(self, password: str = "secret", name: str = "shop", peer: str = PEER) -> bool:
        return await self.passwords.admit(name, password, peer) is not None


async def test_right_wrong_and_from_elsewhere() -> None:
    door = Door()
    assert await door.knock()
    assert not await door.knock("wrong")
    assert not await door.knock(name="nobody")
    assert not await door.knock(peer="192.0.2.66")


async def test_who_guesses_is_stopped_before_it_is_looked_at() -> None:
    door = Door()
    for _ in range(FAILURES_MAX):
        assert not await door.knock("wrong")
    door.keeper.is_remembered = True
    looked = door.keeper.looked
    with pytest.raises(NotNow) as caught:
        await door.knock()
    assert caught.value.is_guessing
    assert door.keeper.looked == looked
    assert await door.knock(peer="192.0.2.8")
    assert not await door.knock(name="bank")
    door.now += FAILURES_S
    assert await door.knock()


async def test_few_are_looked_at_and_who_is_known_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_passwords, "WAITING_MAX", 5)
    door = Door()
    door.keeper.gate.clear()
    knocks = [spawn(door.knock("wrong", peer=f"192.0.2.{n}"), name="a knock") for n in range(100, 105)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(NotNow) as caught:
        await door.knock(peer="192.0.2.9")
    assert not caught.value.is_guessing
    door.keeper.is_remembered = True
    assert await door.knock(peer="192.0.2.9")
    door.keeper.gate.set()
    assert await asyncio.gather(*knocks) == [False] * 5
    assert door.keeper.at_once_max == AT_ONCE


async def test_a_storm_of_guesses_is_stopped_while_it_waits() -> None:
    door = Door()
    answers = await asyncio.gather(*(door.knock(f"wrong{n}") for n in range(60)), return_exceptions=True)
    assert FAILURES_MAX <= door.keeper.looked < FAILURES_MAX + AT_ONCE
    assert sum(isinstance(answer, NotNow) for answer in answers) == 60 - door.keeper.looked
