"""Capabilities of many contacts at once: Orange's jobs by night, Dotgo's answer at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from tests.gatewayd.simulate.rcs_bot import Bot
from tests.gatewayd.simulate.test_rcs_dialects import FOREIGN, an_indian_bot, an_orange_bot, layer_one, signed

RULES = behaviour(FOREIGN, Rule(handset=r"\+338.*", capable=False))
USERS = ["+33612345678", "+33712345678", "+33812345678", "+33600000000"]
PATH = "/bothub/v1/gsma/bot/v2/bot1/bulkContactCapabilities"


async def at(bot: Bot, hour: int, minute: int = 0, *, month: int = 1) -> None:
    """Move to that hour in Paris, with credentials of then."""
    zone = dt.timezone(dt.timedelta(hours=2 if month == 7 else 1))
    unix = dt.datetime(2027, month, 20, hour, minute, tzinfo=zone).timestamp()
    bot.clock.now += unix - bot.clock.wall()
    assertion = signed(iat=int(unix), exp=int(unix) + 3600)
    bot.headers = {"Authorization": await layer_one(bot), "X-Bot-Authorization": "Bearer " + assertion}


async def begin(bot: Bot, users: Any = USERS) -> tuple[int, Any]:
    return await bot.call("POST", PATH, json={"users": users})


async def test_a_job_by_night() -> None:
    async with an_orange_bot(RULES, bulk_job_s=5.0) as bot:
        await at(bot, 22)
        status, body = await begin(bot)
        assert status == 202
        query = {"requestId": body["requestId"]}
        assert (await bot.call("GET", PATH, params=query))[0] == 202
        bot.move(5.0)
        assert await bot.call("GET", PATH, params=query) == (
            200,
            {"rcsEnabledContacts": ["+33612345678", "+33600000000"]},
        )
        assert (await bot.call("GET", PATH, params={"requestId": "none"}))[0] == 404
        other = PATH.replace("bot1", "bot2")
        assert (await bot.call("GET", other, params=query))[0] == 401


@pytest.mark.parametrize(
    ("hour", "minute", "month", "status"),
    [
        (21, 59, 1, 405),
        (22, 0, 1, 202),
        (6, 59, 1, 202),
        (7, 0, 1, 405),
        (7, 0, 7, 405),
        (22, 0, 7, 202),
        (12, 0, 7, 405),
    ],
)
async def test_the_night_is_that_of_paris(hour: int, minute: int, month: int, status: int) -> None:
    async with an_orange_bot(RULES) as bot:
        await at(bot, hour, minute, month=month)
        answered, body = await begin(bot)
        assert answered == status
        if status == 405:
            assert "22:00" in body["reason"]["text"]
            assert (await bot.call("GET", PATH, params={"requestId": "x"}))[0] == 405


async def test_the_night_may_be_of_winter_all_year_or_forgotten() -> None:
    async with an_orange_bot(RULES, bulk_zone="Etc/GMT-1") as bot:
        await at(bot, 22, month=7)
        assert (await begin(bot))[0] == 405
    async with an_orange_bot(RULES, bulk_any_hour=True) as bot:
        await at(bot, 12)
        assert (await begin(bot))[0] == 202


@pytest.mark.parametrize(
    "users", [[], ["0612345678"], "all", ["+33612345678"] * 10_001], ids=["0", "local", "text", "n"]
)
async def test_what_is_no_list_of_numbers(users: Any) -> None:
    async with an_orange_bot(RULES, bulk_any_hour=True) as bot:
        assert (await begin(bot, users))[0] == 400
        assert (await bot.call("POST", PATH, data=b"{}"))[0] == 400


async def test_dotgo_answers_at_once() -> None:
    async with an_indian_bot("dotgo", RULES) as bot:
        assert await bot.call("POST", bot.path + "/rcsEnabledContacts", json={"users": USERS}) == (
            200,
            {"rcsEnabledContacts": ["+33612345678", "+33600000000"]},
        )
