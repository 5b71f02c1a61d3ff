"""Kannel's answers that need a gateway in a certain state: no link is up, it stops, or it has no time for passwords."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gatewayd.config import schema
from gatewayd.senders.http_passwords import NotNow
from gatewayd.senders.kannel_http import Kannel
from gatewayd.senders.product_http import Desk
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status

GOOD = "/cgi-bin/sendsms?username=shop&password=secret&from=1&to=33612345678+33612345679&text=x"
TEMPORAL = (503, "Temporal failure, try again later.")


async def asked(
    *,
    queued: bool = False,
    waiting: bool = False,
    draining: bool = False,
    fault: Exception | None = None,
    **results: Any,
) -> tuple[int, str]:
    given = results.get("results", [5, 6])

    async def admit(*_: Any) -> Any:
        if fault is not None:
            raise fault
        return SimpleNamespace(name="shop", settings=schema.Account())

    async def hand_in(account: Any, pdus: Any) -> Any:
        assert len(pdus) == len(given)
        return given

    desk = Desk(
        SimpleNamespace(admit=admit),  # type: ignore[arg-type]
        SimpleNamespace(hand_in=hand_in),  # type: ignore[arg-type]
        clock=lambda: 0.0,
        is_draining=lambda: draining,
        is_waiting=lambda: waiting,
        count_fault=lambda kind: None,
        receivers_max=2,
        body_timeout_s=1.0,
    )
    route = Kannel(desk, tells_queued=queued).routes()[0]
    async with asyncio.timeout(5):
        response = await route.handler(make_mocked_request("GET", results.get("path", GOOD)))
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.status, response.body.decode()


@pytest.mark.parametrize(
    ("queued", "waiting", "body"),
    [
        (True, True, "3: Queued for later delivery"),
        (True, False, "0: Accepted for delivery"),
        (False, True, "0: Accepted for delivery"),
    ],
)
async def test_three_while_no_link_is_up_if_that_is_wanted(queued: bool, waiting: bool, body: str) -> None:
    assert await asked(queued=queued, waiting=waiting) == (202, body)


async def test_one_that_was_taken_is_enough() -> None:
    full = Refusal(Status.ESME_RMSGQFUL, "store_full")
    assert await asked(results=[full, 6]) == (202, "0: Accepted for delivery")
    assert await asked(results=[full, full]) == TEMPORAL


async def test_while_it_stops_or_has_no_time() -> None:
    assert await asked(draining=True) == TEMPORAL
    assert await asked(fault=NotNow(is_guessing=False)) == TEMPORAL
    assert await asked(fault=NotNow(is_guessing=True)) == (403, "Authorization failed for sendsms")


async def test_too_many_receivers() -> None:
    status, body = await asked(path=GOOD.replace("&text", "+33612345670&text"))
    assert (status, body) == (400, "Number(s) has/have been denied by white- and/or black-lists.")
