"""Whose call it is, for every interface with names and passwords: each that is refused is counted once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gatewayd.senders.http_passwords import NotNow
from gatewayd.senders.product_http import Desk

SHOP = SimpleNamespace(name="shop")


class Hall:
    """A desk whose passwords give this account, or raise this fault."""

    def __init__(self, account: Any = None, fault: Exception | None = None, *, is_draining: bool = False) -> None:
        async def admit(*_: str) -> Any:
            if fault is not None:
                raise fault
            return account

        self.faults: list[str] = []
        self.desk = Desk(
            SimpleNamespace(admit=admit),  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            clock=lambda: 0.0,
            is_draining=lambda: is_draining,
            is_waiting=lambda: False,
            count_fault=self.faults.append,
            receivers_max=1,
            body_timeout_s=1.0,
        )

    async def knock(self) -> Any:
        return await self.desk.admit("shop", "secret", "192.0.2.7")


@pytest.mark.parametrize(
    ("hall", "account", "faults"),
    [
        (Hall(SHOP), SHOP, []),
        (Hall(None), None, ["unauthorized"]),
        (Hall(fault=NotNow(is_guessing=True)), None, ["too_many_failures"]),
    ],
    ids=["right", "wrong", "wrong too often"],
)
async def test_who_is_let_in(hall: Hall, account: Any, faults: list[str]) -> None:
    assert (await hall.knock(), hall.faults) == (account, faults)


@pytest.mark.parametrize(
    ("hall", "faults"), [(Hall(SHOP, is_draining=True), []), (Hall(fault=NotNow(is_guessing=False)), ["busy"])]
)
async def test_nobody_while_it_stops_or_has_no_time(hall: Hall, faults: list[str]) -> None:
    with pytest.raises(NotNow) as caught:
        await hall.knock()
    assert (caught.value.is_guessing, hall.faults) == (False, faults)
